//! A history in several files: their paths, and their reading as one.
//!
//! A long history is cut into segments by the recorder. `history.jsonl` is always the last one,
//! plain. Before it come `history.jsonl.000001.zst`, `history.jsonl.000002.zst` and so on, without
//! `.zst` until they are compressed. Each begins with the header. That of every segment but the
//! first has one more field, `follows`: the number of segments before it. Concatenated (`zstdcat`,
//! `cat`) they are one history, and they are read that way.
//!
//! In: the path of the last segment. Out: the bytes of all. Compressed segments are detected by
//! their first bytes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::compressed::uncompressed;
use crate::jsonl::FORMAT;
use crate::jsonl::open::{Counting, Position};
use crate::plain_file;

/// The header's field for the number of segments before this one.
pub(crate) const FOLLOWS: &str = "follows";

/// The path of a segment before it is compressed; segments are counted from 1.
pub fn segment_path(history: &Path, number: u64) -> PathBuf {
    with_suffix(history, &format!(".{number:06}"))
}

/// The path of a segment once it is compressed.
pub fn compressed_segment_path(history: &Path, number: u64) -> PathBuf {
    with_suffix(history, &format!(".{number:06}.zst"))
}

/// A path with a suffix after its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The number of segments before the one that begins with this line, if the line is a header.
pub(super) fn follows(line: &[u8]) -> Option<u64> {
    if !line.starts_with(b"{\"format\":") {
        return None;
    }
    let header: Map<String, Json> = serde_json::from_slice(line).ok()?;
    (header.get("format")? == FORMAT).then(|| header.get(FOLLOWS)?.as_u64()).flatten()
}

/// All segments of a history, concatenated.
pub(super) struct Segments {
    history: PathBuf,
    /// The next segment to read.
    next: u64,
    /// The number of segments before the last.
    before_last: u64,
    /// The segment that is being read.
    current: Option<Box<dyn BufRead + Send>>,
    /// The last segment, held open: it may be moved while the others are read.
    last: Option<Box<dyn BufRead + Send>>,
    position: Position,
}

impl Segments {
    /// Creates the sequence of the segments before a history's last one and the last one itself.
    pub(super) fn before(
        history: &Path,
        before_last: u64,
        last: Box<dyn BufRead + Send>,
        mut position: Position,
    ) -> io::Result<(Self, Position)> {
        let mut length = 0;
        for number in 1..=before_last {
            length += open(history, number)?.metadata()?.len();
        }
        position.lengthen(length);
        let segments = Self {
            history: history.to_owned(),
            next: 1,
            before_last,
            current: None,
            last: Some(last),
            position: position.clone(),
        };
        Ok((segments, position))
    }

    fn advance(&mut self) -> io::Result<bool> {
        self.current = if self.next <= self.before_last {
            let file = open(&self.history, self.next)?;
            self.next += 1;
            Some(uncompressed(Counting::new(file, self.position.clone()))?)
        } else {
            self.last.take()
        };
        Ok(self.current.is_some())
    }
}

impl Read for Segments {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                let bytes = current.read(buffer)?;
                if bytes > 0 || buffer.is_empty() {
                    return Ok(bytes);
                }
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

/// Opens a segment, compressed or not. It may be compressed at this moment, so the compressed path
/// is tried again after the plain one.
fn open(history: &Path, number: u64) -> io::Result<File> {
    let compressed = compressed_segment_path(history, number);
    let plain = segment_path(history, number);
    for path in [&compressed, &plain, &compressed] {
        match plain_file::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!(
            "{} is a later segment of a history, and {} is not there",
            history.display(),
            compressed.display()
        ),
    ))
}
