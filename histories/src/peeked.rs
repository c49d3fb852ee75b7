//! A source whose beginning can be examined before it is read.
//!
//! In: any source of bytes. Out: the requested length of its beginning, however few bytes arrive at
//! once; then the same bytes again, from the first on.

use std::io::{self, BufRead, Read};

/// A source and the buffered part of its beginning.
#[derive(Debug)]
pub(crate) struct Peeked<R> {
    held: Vec<u8>,
    /// The number of buffered bytes that were read.
    taken: usize,
    source: R,
}

impl<R: Read> Peeked<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { held: Vec::new(), taken: 0, source }
    }

    /// The buffered beginning.
    pub(crate) fn held(&self) -> &[u8] {
        &self.held[self.taken..]
    }

    /// Buffers this many bytes, or all that there are. Returns true if that is the whole source.
    pub(crate) fn hold(&mut self, bytes: usize) -> io::Result<bool> {
        let missing = bytes.saturating_sub(self.held().len());
        let read = (&mut self.source).take(missing as u64).read_to_end(&mut self.held)?;
        Ok(read < missing)
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.held().is_empty() {
            return self.source.read(buffer);
        }
        let bytes = self.held().read(buffer)?;
        self.advance(bytes);
        Ok(bytes)
    }
}

impl<R: BufRead> BufRead for Peeked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.held().is_empty() { self.source.fill_buf() } else { Ok(&self.held[self.taken..]) }
    }

    fn consume(&mut self, bytes: usize) {
        if self.held().is_empty() {
            self.source.consume(bytes);
        } else {
            self.advance(bytes);
        }
    }
}

impl<R> Peeked<R> {
    /// Skips buffered bytes, and frees the buffer after the last.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken == self.held.len() {
            self.held = Vec::new();
            self.taken = 0;
        }
    }
}
