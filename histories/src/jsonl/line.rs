//! One event line, read by `serde_json`: the reader for every line, valid or not.
//!
//! In: the bytes of a line, and the [rules between events](crate::order). Out: an [`Event`], or the
//! reason that there is none. It knows neither files nor line numbers.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::error::MalformedReason;
use crate::event::{Attempt, Event, Outcome, Process, What};
use crate::jsonl::shapes;
use crate::operation::Operation;
use crate::order::{self, Order};

/// The reason that a line gives no event.
#[derive(Debug)]
pub(super) enum LineError {
    /// The line does not parse; the parser's message. An incomplete line looks like this.
    Unparsable(String),
    /// The line parses, but breaks a rule.
    Malformed(MalformedReason),
}

/// Reads one line and checks it against the rules between events.
pub(super) fn event(line: &[u8], order: &mut Order) -> Result<Event, LineError> {
    let parsed = serde_json::from_slice::<Line>(line).map_err(|error| {
        let reason = error.to_string();
        LineError::Unparsable(reason.split(" at line ").next().unwrap_or_default().to_owned())
    })?;
    to_event(parsed, order).map_err(LineError::Malformed)
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
                order.invoke(client, line.time, operation.borrowed())?;
                What::Invoke(operation)
            }
            "ok" | "fail" | "info" => {
                let operation = order.complete(client, line.time)?.to_operation();
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
            order::time(line.time)?;
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

/// Returns true if a completion is about the open operation: the same `f`, the same key, and, where
/// the completion repeats the written value, the same value.
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
    // A key without escapes, as nearly all are, is compared without a copy.
    let plain = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match plain {
        Some(plain) if !plain.contains('\\') => plain.as_bytes() == key.as_slice(),
        _ => serde_json::from_str::<super::Text>(raw).is_ok_and(|text| text.0 == *key),
    }
}

/// Returns true if the value at `ok` equals the value at `invoke`.
fn is_answered_with_itself(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Put { .. } | Operation::BatchPut { .. } | Operation::BatchDelete { .. }
    )
}

fn described(f: &str, key: Option<&RawValue>) -> String {
    key.map_or_else(|| f.to_owned(), |key| format!("{f} of {}", key.get()))
}
