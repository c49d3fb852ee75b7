//! Reads `history.jsonl` line by line; the format stands in the module above.
//!
//! In: bytes. Out: the header, then an iterator of events, each checked against the format and against the
//! [rules between events](crate::order). After the first error the iterator ends. What it keeps is one line and
//! one small entry per client.
//!
//! A torn tail is its own outcome, [`ReadError::TornTail`], after all events before it: whoever judges the
//! history refuses, whoever rescues one takes what there is and says so.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use crate::error::{MalformedReason, ReadError};
use crate::event::{Attempt, Event, Header, Outcome, Process, What};
use crate::jsonl::{FORMAT, VERSION, shapes};
use crate::operation::Operation;
use crate::order::Order;

/// A line longer than this is no line of a history.
const LINE_BYTES_MAX: u64 = 256 << 20;

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
        let mut reader = Self {
            source,
            header: Header::default(),
            line: Vec::new(),
            line_number: 0,
            order: Order::new(),
            ended: false,
        };
        if !reader.next_line()? {
            return Err(ReadError::Foreign { reason: "the file is empty".to_owned() });
        }
        reader.header = parse_header(&reader.line)?;
        Ok(reader)
    }

    /// The header's free fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The line read last, counted from 1 (the header).
    pub fn line_number(&self) -> u64 {
        self.line_number
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
        if !self.next_line()? {
            return Ok(None);
        }
        let line = self.line_number;
        let whole = self.line.last() == Some(&b'\n');
        match serde_json::from_slice::<Line>(&self.line) {
            Ok(parsed) => to_event(parsed, &mut self.order)
                .map(Some)
                .map_err(|reason| ReadError::Malformed { line, reason }),
            Err(_) if !whole => Err(ReadError::TornTail { line }),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
                Err(ReadError::Malformed { line, reason: MalformedReason::Shape(reason) })
            }
        }
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

fn parse_header(line: &[u8]) -> Result<Header, ReadError> {
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

/// An event line before its value is looked at.
#[derive(serde::Deserialize)]
struct Line<'a> {
    index: u64,
    time: u64,
    process: ProcessField,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    f: Cow<'a, str>,
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    attempts: Option<Vec<AttemptField>>,
}

#[derive(serde::Deserialize)]
struct AttemptField {
    store: Option<u64>,
    region: Option<u64>,
    begin: u64,
    end: u64,
    error: Option<String>,
}

struct ProcessField(Process);

impl<'de> Deserialize<'de> for ProcessField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ProcessVisitor;
        impl Visitor<'_> for ProcessVisitor {
            type Value = ProcessField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a client's id or \"nemesis\"")
            }

            fn visit_u64<E: de::Error>(self, client: u64) -> Result<ProcessField, E> {
                Ok(ProcessField(Process::Client(client)))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ProcessField, E> {
                match name {
                    "nemesis" => Ok(ProcessField(Process::Nemesis)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(ProcessVisitor)
    }
}

fn to_event(line: Line<'_>, order: &mut Order) -> Result<Event, MalformedReason> {
    order.index(line.index)?;
    let what = match line.process.0 {
        Process::Client(client) => match &*line.kind {
            "invoke" => {
                let operation = shapes::operation(&line.f, line.key, line.value)?;
                order.invoke(client, line.time, operation.clone())?;
                What::Invoke(operation)
            }
            "ok" | "fail" | "info" => {
                let operation = order.complete(client, line.time)?;
                if !names_it(&operation, &line) {
                    return Err(MalformedReason::OtherOperation {
                        client,
                        returned: described(&line.f, line.key),
                        open: operation.name().to_owned(),
                    });
                }
                let outcome = match &*line.kind {
                    "ok" => Outcome::Ok(shapes::answer(&operation, line.value)?),
                    "fail" => Outcome::Fail,
                    _ => Outcome::Info,
                };
                What::Complete(operation, outcome)
            }
            other => return Err(MalformedReason::UnknownType(other.to_owned())),
        },
        Process::Nemesis => {
            let f = line.f.into_owned();
            let value = line.value.map_or(Ok(Json::Null), |raw| serde_json::from_str(raw.get()));
            let value = value.map_err(|error| MalformedReason::Shape(error.to_string()))?;
            match &*line.kind {
                "invoke" => What::FaultInvoke { f, value },
                "ok" | "fail" | "info" => What::FaultComplete { f, value },
                other => return Err(MalformedReason::UnknownType(other.to_owned())),
            }
        }
    };
    let attempts = line.attempts.unwrap_or_default().into_iter().map(|attempt| Attempt {
        store: attempt.store,
        region: attempt.region,
        begin_ns: attempt.begin,
        end_ns: attempt.end,
        error: attempt.error,
    });
    Ok(Event {
        index: line.index,
        time_ns: line.time,
        process: line.process.0,
        what,
        error: line.error,
        attempts: attempts.collect(),
    })
}

/// Whether a completion is about the operation that is open: the same `f`, the same key, and, where the
/// completion repeats what is written, the same value.
fn names_it(operation: &Operation, line: &Line<'_>) -> bool {
    if operation.name() != line.f {
        return false;
    }
    let repeats_value = line.value.is_some()
        && (line.kind != "ok" || is_answered_with_itself(operation))
        && !matches!(operation, Operation::Get { .. });
    if repeats_value {
        return shapes::operation(&line.f, line.key, line.value)
            .is_ok_and(|same| same == *operation);
    }
    let (Operation::Get { key }
    | Operation::Put { key, .. }
    | Operation::Delete { key }
    | Operation::Cas { key, .. }) = operation
    else {
        return true;
    };
    let raw = line.key.map_or("null", RawValue::get);
    // A key without escapes, as nearly all are, is compared without being copied.
    let plain = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match plain {
        Some(plain) if !plain.contains('\\') => plain.as_bytes() == key.as_slice(),
        _ => serde_json::from_str::<super::Text>(raw).is_ok_and(|text| text.0 == *key),
    }
}

/// Whether the value at `ok` is the value at `invoke`.
fn is_answered_with_itself(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Put { .. } | Operation::BatchPut { .. } | Operation::BatchDelete { .. }
    )
}

fn described(f: &str, key: Option<&RawValue>) -> String {
    key.map_or_else(|| f.to_owned(), |key| format!("{f} of {}", key.get()))
}
