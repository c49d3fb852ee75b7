//! Opens a history file by its path: plain, compressed, in several [`segments`], or standard input
//! (`-`).
//!
//! In: a path. Out: a [`Reader`], and the position up to which the file is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compressed::uncompressed;
use crate::error::ReadError;
use crate::jsonl::Reader;
use crate::jsonl::segments::{self, Segments};
use crate::peeked::Peeked;
use crate::plain_file;

const BUFFER_BYTES: usize = 1 << 20;
/// Nearly every header is shorter than this.
const HEADER_BYTES: usize = 16 << 10;

/// The position up to which a file is read; any thread may ask for it while another reads.
#[derive(Debug, Clone, Default)]
pub struct Position {
    read: Arc<AtomicU64>,
    length: Option<u64>,
}

impl Position {
    /// The number of bytes read from the file, compressed as they are.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The length in bytes, of all segments; standard input has none.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Adds bytes that were found later to the length.
    pub(super) fn lengthen(&mut self, bytes: u64) {
        self.length = self.length.map(|length| length + bytes);
    }
}

/// Counts the bytes read from a file.
pub(super) struct Counting<R> {
    source: R,
    position: Position,
}

impl<R> Counting<R> {
    pub(super) fn new(source: R, position: Position) -> Self {
        Self { source, position }
    }
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

/// The text of a history in a run directory, uncompressed, all segments concatenated.
pub fn text(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    Ok(open_found(path)?.0)
}

/// Opens a history in a run directory: a plain file, see [`plain_file`].
pub(crate) fn open_found(path: &Path) -> io::Result<(Box<dyn BufRead + Send>, Position)> {
    opened(plain_file::open(path)?, path)
}

/// Opens a file, or standard input for `-`. Uncompresses it if necessary, and puts the segments
/// before it first.
pub(crate) fn open_bytes(path: &Path) -> io::Result<(Box<dyn BufRead + Send>, Position)> {
    if path.as_os_str() == "-" {
        let position = Position::default();
        let source = uncompressed(Counting::new(io::stdin(), position.clone()))?;
        return Ok((source, position));
    }
    opened(File::open(path)?, path)
}

fn opened(file: File, path: &Path) -> io::Result<(Box<dyn BufRead + Send>, Position)> {
    let metadata = file.metadata()?;
    // A pipe has no meaningful length, and no segments.
    let is_file = metadata.is_file();
    let position = Position { length: is_file.then_some(metadata.len()), ..Position::default() };
    let mut source = Peeked::new(uncompressed(Counting::new(file, position.clone()))?);
    let follows = is_file.then(|| segments::follows(first_line(&mut source))).flatten();
    let Some(before) = follows.filter(|before| *before > 0) else {
        return Ok((Box::new(source), position));
    };
    let (segments, position) = Segments::before(path, before, Box::new(source), position)?;
    Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, segments)), position))
}

/// The first line of the source, without consuming it; only its beginning if it is longer than any
/// header.
fn first_line(source: &mut Peeked<Box<dyn BufRead + Send>>) -> &[u8] {
    for bytes in [HEADER_BYTES, BUFFER_BYTES] {
        // A later read meets the same error.
        let is_all = source.hold(bytes).unwrap_or(true);
        if is_all || source.held().contains(&b'\n') {
            break;
        }
    }
    let beginning = source.held();
    let end = memchr::memchr(b'\n', beginning).unwrap_or(beginning.len());
    &beginning[..end]
}
