//! Opens a history file by its path: plain, zstd-compressed, or standard input (`-`).
//!
//! In: a path. Out: a [`Reader`]. Compression is told from the first bytes, not from the name.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::error::ReadError;
use crate::jsonl::Reader;

const BUFFER_BYTES: usize = 1 << 20;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Opens a history and reads its header.
pub fn open(path: &Path) -> Result<Reader<Box<dyn BufRead + Send>>, ReadError> {
    Reader::new(open_bytes(path)?)
}

/// Opens a file (or `-`, standard input), uncompressing it where it is compressed.
pub fn open_bytes(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    if path.as_os_str() == "-" {
        uncompressed(BufReader::with_capacity(BUFFER_BYTES, io::stdin()))
    } else {
        uncompressed(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?))
    }
}

fn uncompressed(mut source: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    if source.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::stream::read::Decoder::with_buffer(source)?;
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
    } else {
        Ok(Box::new(source))
    }
}
