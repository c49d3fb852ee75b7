//! Opens a history file by its path: plain, zstd-compressed, or standard input (`-`).
//!
//! In: a path. Out: a [`Reader`], and how far the file is read. Compression is told from the first bytes, not from the
//! name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::ReadError;
use crate::jsonl::Reader;

const BUFFER_BYTES: usize = 1 << 20;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How far a file is read; asked for from any thread while another reads.
#[derive(Debug, Clone, Default)]
pub struct Position {
    read: Arc<AtomicU64>,
    length: Option<u64>,
}

impl Position {
    /// Bytes of the file that were read, compressed as they are.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The file's length in bytes; standard input has none.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

struct Counting<R> {
    source: R,
    position: Position,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.position.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Opens a history and reads its header.
pub fn open(path: &Path) -> Result<Reader<Box<dyn BufRead + Send>>, ReadError> {
    Reader::new(open_bytes(path)?.0)
}

/// Opens a file (or `-`, standard input), uncompressing it where it is compressed.
pub(crate) fn open_bytes(path: &Path) -> io::Result<(Box<dyn BufRead + Send>, Position)> {
    if path.as_os_str() == "-" {
        uncompressed(io::stdin(), Position::default())
    } else {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        // A pipe has no length that says anything.
        let length = metadata.is_file().then_some(metadata.len());
        uncompressed(file, Position { length, ..Position::default() })
    }
}

fn uncompressed(
    source: impl Read + Send + 'static,
    position: Position,
) -> io::Result<(Box<dyn BufRead + Send>, Position)> {
    let counting = Counting { source, position: position.clone() };
    let mut source = BufReader::with_capacity(BUFFER_BYTES, counting);
    if source.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(source)?;
        Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)), position))
    } else {
        Ok((Box::new(source), position))
    }
}
