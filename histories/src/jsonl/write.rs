//! Writes events as lines of `history.jsonl`; [`crate::jsonl`] specifies the format.
//!
//! In: a header and events whose indexes the caller assigned. Out: bytes in any [`Write`]. It does
//! not check the rules between events: producers use [`order`](crate::order) where they need to.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use crate::event::{Attempt, Event, Header, Outcome, Process, What};
use crate::jsonl::text::Text;
use crate::jsonl::{FORMAT, VERSION};
use crate::operation::{Answer, Operation};

/// Writes one history.
#[derive(Debug)]
pub struct Writer<W> {
    sink: W,
    line: Vec<u8>,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header. Its fields must not be called `format` or `version`; ours win.
    pub fn new(sink: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self { sink, line: Vec::new(), written: 0 };
        let mut object = Map::new();
        object.insert("format".to_owned(), json!(FORMAT));
        object.insert("version".to_owned(), json!(VERSION));
        for (name, value) in &header.fields {
            object.entry(name.clone()).or_insert_with(|| value.clone());
        }
        serde_json::to_writer(&mut writer.line, &object)?;
        writer.end_line()?;
        Ok(writer)
    }

    /// Writes one event as one line.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        let line = &mut self.line;
        write!(line, "{{\"index\":{},\"time\":{},\"process\":", event.index, event.time_ns)?;
        match event.process {
            Process::Client(client) => write!(line, "{client}")?,
            Process::Nemesis => line.extend_from_slice(b"\"nemesis\""),
        }
        match &event.what {
            What::Invoke(operation) => write_operation(line, "invoke", operation, None)?,
            What::Complete(operation, Outcome::Ok(answer)) => {
                write_operation(line, "ok", operation, Some(answer))?;
            }
            What::Complete(operation, Outcome::Fail) => {
                write_operation(line, "fail", operation, None)?;
            }
            What::Complete(operation, Outcome::Info) => {
                write_operation(line, "info", operation, None)?;
            }
            What::FaultInvoke { f, value } => write_fault(line, "invoke", f, value)?,
            What::FaultComplete { f, value } => write_fault(line, "info", f, value)?,
        }
        if let Some(error) = &event.error {
            line.extend_from_slice(b",\"error\":");
            serde_json::to_writer(&mut *line, error)?;
        }
        if !event.attempts.is_empty() {
            line.extend_from_slice(b",\"attempts\":");
            let attempts: Vec<Json> = event.attempts.iter().map(attempt_json).collect();
            serde_json::to_writer(&mut *line, &attempts)?;
        }
        line.push(b'}');
        self.end_line()
    }

    /// The number of bytes written so far, header included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Passes buffered bytes on to the sink.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// Returns the sink, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        let result = self.sink.write_all(&self.line);
        self.written += self.line.len() as u64;
        self.line.clear();
        result
    }
}

fn write_fault(line: &mut Vec<u8>, kind: &str, f: &str, value: &Json) -> io::Result<()> {
    write!(line, ",\"type\":\"{kind}\",\"f\":")?;
    serde_json::to_writer(&mut *line, f)?;
    line.extend_from_slice(b",\"key\":null,\"value\":");
    serde_json::to_writer(&mut *line, value)?;
    Ok(())
}

fn write_operation(
    line: &mut Vec<u8>,
    kind: &str,
    operation: &Operation,
    answer: Option<&Answer>,
) -> io::Result<()> {
    write!(line, ",\"type\":\"{kind}\",\"f\":\"{}\",\"key\":", operation.name())?;
    match operation {
        Operation::Get { key }
        | Operation::Put { key, .. }
        | Operation::Delete { key }
        | Operation::Cas { key, .. } => write_bytes(line, key)?,
        _ => line.extend_from_slice(b"null"),
    }
    line.extend_from_slice(b",\"value\":");
    match answer {
        // Most lines are of these kinds; the rest may be built as a JSON tree.
        Some(Answer::Got(value)) => write_optional(line, value.as_deref()),
        None | Some(Answer::Done) => match operation {
            Operation::Put { value, ttl_s: None, .. } => write_bytes(line, value),
            Operation::DeleteRange { .. } if answer.is_some() => line.write_all(b"null"),
            _ => Ok(serde_json::to_writer(line, &arguments(operation))?),
        },
        Some(answer) => Ok(serde_json::to_writer(line, &answer_json(operation, answer))?),
    }
}

fn write_optional(line: &mut Vec<u8>, value: Option<&[u8]>) -> io::Result<()> {
    match value {
        Some(bytes) => write_bytes(line, bytes),
        None => line.write_all(b"null"),
    }
}

fn write_bytes(line: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(serde_json::to_writer(line, text)?),
        Err(_) => Ok(serde_json::to_writer(line, &Text(bytes.to_vec()))?),
    }
}

fn text(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!(Text(bytes.to_vec())),
    }
}

fn optional(bytes: Option<&Vec<u8>>) -> Json {
    bytes.map_or(Json::Null, |bytes| text(bytes))
}

fn texts(keys: &[Vec<u8>]) -> Json {
    keys.iter().map(|key| text(key)).collect()
}

fn pairs(pairs: &[(Vec<u8>, Vec<u8>)]) -> Json {
    pairs.iter().map(|(key, value)| json!([text(key), text(value)])).collect()
}

fn arguments(operation: &Operation) -> Json {
    match operation {
        Operation::Get { .. } | Operation::Delete { .. } => Json::Null,
        Operation::Put { value, ttl_s: None, .. } => text(value),
        Operation::Put { value, ttl_s: Some(ttl_s), .. } => {
            json!({"put": text(value), "ttl_s": ttl_s})
        }
        Operation::Cas { expected, new, .. } => {
            json!({"expected": optional(expected.as_ref()), "new": text(new)})
        }
        Operation::BatchGet { keys } | Operation::BatchDelete { keys } => texts(keys),
        Operation::BatchPut { pairs: written } => pairs(written),
        Operation::Scan { start, end, limit, reverse, key_only } => json!({
            "start": text(start), "end": optional(end.as_ref()), "limit": limit,
            "reverse": reverse, "key_only": key_only
        }),
        Operation::DeleteRange { start, end } => {
            json!({"start": text(start), "end": optional(end.as_ref())})
        }
    }
}

fn answer_json(operation: &Operation, answer: &Answer) -> Json {
    match answer {
        Answer::Got(value) => optional(value.as_ref()),
        Answer::Done => arguments(operation),
        Answer::Cas { swapped, previous } => {
            let mut object = arguments(operation);
            object["swapped"] = json!(swapped);
            object["previous"] = optional(previous.as_ref());
            object
        }
        Answer::CasFailed => {
            let mut object = arguments(operation);
            object["swapped"] = json!(false);
            object
        }
        Answer::GotBatch(got) => {
            got.iter().map(|(key, value)| json!([text(key), optional(value.as_ref())])).collect()
        }
        Answer::Scanned(scanned) => pairs(scanned),
        Answer::ScannedKeys(keys) => texts(keys),
    }
}

fn attempt_json(attempt: &Attempt) -> Json {
    json!({
        "store": attempt.store, "region": attempt.region,
        "begin": attempt.begin_ns, "end": attempt.end_ns, "error": attempt.error
    })
}
