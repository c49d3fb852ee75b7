//! Reads a history fast: batches of lines, parsed on all threads while the batch before them is
//! delivered.
//!
//! In: a [`Reader`] behind its header. Out: every event, in order, to one listener. The events,
//! errors and line numbers are exactly those of the reader's iterator.
//!
//! Parsing needs no order, so rayon's current pool parses pieces of a batch. The [rules between
//! events](crate::order) and the listener need the order, so one thread at a time goes through the
//! batch before. Three batches are in memory: one delivered, one parsed, one read from the file. No
//! thread waits for another one, so a pool of one thread works as well.

use std::io::{self, BufRead};

use rayon::prelude::*;

use crate::borrowed::{EventRef, OutcomeRef, WhatRef};
use crate::error::{MalformedReason, ReadError};
use crate::event::Process;
use crate::jsonl::line;
use crate::jsonl::plain_line::{Kind, PlainLine};
use crate::jsonl::read::{LINE_BYTES_MAX, Reader, refusal, says_nothing};
use crate::order::Order;

/// The number of bytes read at once, unless a line is longer.
const BATCH_BYTES: usize = 4 << 20;
/// The smallest piece in which a batch is parsed, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// A batch of complete lines, unchanged from the file.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// The number of bytes that are lines; the bytes after them are old.
    filled: usize,
    pieces: Vec<Piece>,
    /// The reason that there is nothing after these lines.
    end: Option<End>,
}

enum End {
    File,
    Error(io::Error),
}

/// Some lines of a batch, parsed.
#[derive(Default)]
struct Piece {
    start: usize,
    end: usize,
    lines: Vec<Parsed>,
}

enum Parsed {
    Plain(PlainLine),
    /// The offsets of its beginning and end, its newline included.
    Other(u32, u32),
}

impl<R: BufRead + Send> Reader<R> {
    /// Passes every remaining event to the listener, up to the first error, the listener's or our
    /// own.
    pub fn visit<E: From<ReadError> + Send>(
        self,
        mut listener: impl FnMut(EventRef<'_>) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let (mut source, mut order, mut line) = self.into_parts();
        let mut left_over = Vec::new();
        let [mut heard, mut parsed, mut read] = [(); 3].map(|()| Batch::default());
        heard.read(&mut source, &mut left_over);
        heard.parse();
        if heard.end.is_none() {
            parsed.read(&mut source, &mut left_over);
        }
        loop {
            let is_last = heard.end.is_some();
            let (result, ()) = rayon::join(
                || heard.visit(&mut order, &mut line, &mut listener),
                || {
                    if !is_last {
                        let has_more = parsed.end.is_none();
                        rayon::join(
                            || parsed.parse(),
                            || {
                                if has_more {
                                    read.read(&mut source, &mut left_over);
                                }
                            },
                        );
                    }
                },
            );
            result?;
            match heard.end.take() {
                None => {}
                Some(End::File) => return Ok(()),
                Some(End::Error(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    // The end of a compressed file is missing.
                    return Err(ReadError::TornTail { line: line + 1 }.into());
                }
                Some(End::Error(error)) => return Err(ReadError::from(error).into()),
            }
            std::mem::swap(&mut heard, &mut parsed);
            std::mem::swap(&mut parsed, &mut read);
        }
    }
}

impl Batch {
    /// Fills the batch with whole lines. The bytes after the last line are left over for the next
    /// batch.
    fn read(&mut self, source: &mut impl BufRead, left_over: &mut Vec<u8>) {
        let wanted = BATCH_BYTES.max(left_over.len() * 2);
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        self.bytes[..left_over.len()].copy_from_slice(left_over);
        self.filled = left_over.len();
        left_over.clear();
        self.end = None;
        loop {
            while self.filled < self.bytes.len() && self.end.is_none() {
                match source.read(&mut self.bytes[self.filled..]) {
                    Ok(0) => self.end = Some(End::File),
                    Ok(bytes) => self.filled += bytes,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => self.end = Some(End::Error(error)),
                }
            }
            if matches!(self.end, Some(End::File)) {
                return;
            }
            let last = memchr::memrchr(b'\n', &self.bytes[..self.filled]);
            let is_cut_short = matches!(self.end, Some(End::Error(_)));
            let lines = match last {
                Some(newline) => newline + 1,
                None if is_cut_short => 0,
                // A line longer than any line of a history is cut, and fails to parse.
                None if self.filled as u64 >= LINE_BYTES_MAX => LINE_BYTES_MAX as usize,
                None => {
                    let longer = self.bytes.len() * 2;
                    self.bytes.resize(longer, 0);
                    continue;
                }
            };
            left_over.extend_from_slice(&self.bytes[lines..self.filled]);
            self.filled = lines;
            return;
        }
    }

    /// Parses every line, in parallel.
    fn parse(&mut self) {
        let bytes = &self.bytes[..self.filled];
        let mut pieces = 0;
        let mut start = 0;
        while start < bytes.len() {
            let from = (start + PIECE_BYTES).min(bytes.len());
            let newline = memchr::memchr(b'\n', &bytes[from..]);
            let end = newline.map_or(bytes.len(), |newline| from + newline + 1);
            if self.pieces.len() == pieces {
                self.pieces.push(Piece::default());
            }
            let piece = &mut self.pieces[pieces];
            (piece.start, piece.end) = (start, end);
            pieces += 1;
            start = end;
        }
        self.pieces.truncate(pieces);
        self.pieces.par_iter_mut().for_each(|piece| piece.parse(bytes));
    }

    /// Passes every line in order to the listener. `line` is the number of the line before the
    /// first.
    fn visit<E: From<ReadError>>(
        &self,
        order: &mut Order,
        line: &mut u64,
        listener: &mut impl FnMut(EventRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let bytes = &self.bytes[..self.filled];
        for parsed in self.pieces.iter().flat_map(|piece| &piece.lines) {
            *line += 1;
            match parsed {
                Parsed::Plain(plain) => {
                    let reason = |reason| ReadError::Malformed { line: *line, reason };
                    listener(plain_event(plain, bytes, order).map_err(reason)?)?;
                }
                Parsed::Other(start, end) => {
                    let text = &bytes[*start as usize..*end as usize];
                    if says_nothing(text) {
                        continue;
                    }
                    let whole = text.last() == Some(&b'\n');
                    let event = line::event(text, order);
                    let event = event.map_err(|error| refusal(*line, whole, error))?;
                    listener(event.borrowed())?;
                }
            }
        }
        Ok(())
    }
}

impl Piece {
    fn parse(&mut self, bytes: &[u8]) {
        self.lines.clear();
        let bytes = &bytes[..self.end];
        let mut at = self.start;
        while at < bytes.len() {
            if let Some((plain, next)) = PlainLine::read(bytes, at) {
                self.lines.push(Parsed::Plain(plain));
                at = next;
            } else {
                let newline = memchr::memchr(b'\n', &bytes[at..]);
                let end = newline.map_or(bytes.len(), |newline| at + newline + 1);
                self.lines.push(Parsed::Other(at as u32, end as u32));
                at = end;
            }
        }
    }
}

/// A plain line's event, checked against the rules between events.
fn plain_event<'a>(
    line: &PlainLine,
    bytes: &'a [u8],
    order: &'a mut Order,
) -> Result<EventRef<'a>, MalformedReason> {
    let PlainLine { index, time, client, kind, .. } = *line;
    order.index(index)?;
    let named = line.operation(bytes);
    let what = if kind == Kind::Invoke {
        // A plain invocation has every part of its operation.
        let operation = named.ok_or_else(|| MalformedReason::Shape("no value".to_owned()))?;
        order.invoke(client, time, operation)?;
        WhatRef::Invoke(operation)
    } else {
        let open = order.complete(client, time)?;
        if !line.names(open, bytes) {
            return Err(MalformedReason::OtherOperation {
                client,
                returned: line.described(bytes),
                open: open.name().to_owned(),
            });
        }
        let outcome = match kind {
            Kind::Fail => OutcomeRef::Fail,
            Kind::Info | Kind::Invoke => OutcomeRef::Info,
            Kind::Ok => OutcomeRef::Ok(line.answer(bytes)),
        };
        WhatRef::Complete(open, outcome)
    };
    Ok(EventRef { index, time_ns: time, process: Process::Client(client), what })
}
