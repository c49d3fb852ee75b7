//! Reads `history.jsonl` line by line; [`crate::jsonl`] specifies the format.
//!
//! In: bytes. Out: the header, then an iterator of events, each checked against the format and
//! against the [rules between events](crate::order). After the first error the iterator ends. It
//! keeps one line and one small entry per client.
//!
//! A torn tail is an outcome of its own, [`ReadError::TornTail`], after all events before it. A
//! judge of the history refuses it; a rescuer takes the events that are there and says so.

use std::fmt;
use std::io::{self, BufRead, Read};

use serde_json::{Map, Value as Json};

use crate::error::{MalformedReason, ReadError};
use crate::event::{Event, Header};
use crate::jsonl::line::{self, LineError};
use crate::jsonl::{FORMAT, VERSION, segments};
use crate::order::Order;

/// A line longer than this is no line of a history.
pub(super) const LINE_BYTES_MAX: u64 = 256 << 20;

/// Reads one history.
pub struct Reader<R> {
    source: R,
    header: Header,
    line: Vec<u8>,
    line_number: u64,
    order: Order,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(source: R) -> Result<Self, ReadError> {
        Self::behind(source, 0)
    }

    /// Reads the header after this many lines that were skipped.
    pub(crate) fn behind(source: R, lines: u64) -> Result<Self, ReadError> {
        let mut reader = Self {
            source,
            header: Header::default(),
            line: Vec::new(),
            line_number: lines,
            order: Order::new(),
            ended: false,
        };
        if !reader.next_line()? {
            return Err(ReadError::Foreign { reason: "the file is empty".to_owned() });
        }
        reader.header = parse_header(&reader.line)?;
        if segments::follows(&reader.line).is_some_and(|before| before > 0) {
            return Err(ReadError::Foreign {
                reason: "it is a later segment of a history: the ones before it (history.jsonl.000001.zst and so on) \
                         come first"
                    .to_owned(),
            });
        }
        Ok(reader)
    }

    /// The header's free fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line read last, counted from 1 (the header).
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// The source after the line read last, the state of the rules, and that line's number.
    pub(super) fn into_parts(self) -> (R, Order, u64) {
        (self.source, self.order, self.line_number)
    }

    /// Reads the next line into `self.line`, without its newline; `false` at the end of the file.
    fn next_line(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        self.line_number += 1;
        let line = self.line_number;
        let read = (&mut self.source).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => Ok(false),
            Ok(_) => Ok(true),
            // The end of a compressed file is missing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(ReadError::TornTail { line })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            if !says_nothing(&self.line) {
                break;
            }
        }
        let line = self.line_number;
        let whole = self.line.last() == Some(&b'\n');
        line::event(&self.line, &mut self.order)
            .map(Some)
            .map_err(|error| refusal(line, whole, error))
    }
}

/// Returns true for the lines between events: empty ones, and the header of a further segment.
pub(super) fn says_nothing(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || segments::follows(line).is_some()
}

/// The error of a line. A line that does not end and does not parse was cut off.
pub(super) fn refusal(line: u64, whole: bool, error: LineError) -> ReadError {
    match error {
        LineError::Unparsable(_) if !whole => ReadError::TornTail { line },
        LineError::Unparsable(reason) => {
            ReadError::Malformed { line, reason: MalformedReason::Shape(reason) }
        }
        LineError::Malformed(reason) => ReadError::Malformed { line, reason },
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_event().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("header", &self.header)
            .field("line_number", &self.line_number)
            .finish_non_exhaustive()
    }
}

pub(super) fn parse_header(line: &[u8]) -> Result<Header, ReadError> {
    let foreign = |reason: &str| ReadError::Foreign { reason: reason.to_owned() };
    let Ok(mut fields) = serde_json::from_slice::<Map<String, Json>>(line) else {
        return Err(foreign("the first line is not a JSON object"));
    };
    if fields.shift_remove("format") != Some(Json::from(FORMAT)) {
        return Err(foreign("the first line does not say \"format\":\"jepsen-tikv history\""));
    }
    match fields.shift_remove("version").and_then(|version| version.as_u64()) {
        Some(VERSION) => Ok(Header { fields }),
        Some(found) => Err(ReadError::Version { found }),
        None => Err(foreign("the first line has no \"version\"")),
    }
}
