//! Conversion of the events of EDN, text logs and tipocket into ours.
//!
//! In: raw events, in the order of the file. Out: events that obey the rules of every history, and
//! the place of each.

use super::{Imported, Place, REGISTER, client_id, edn::Edn};
use crate::error::{MalformedReason, ReadError};
use crate::event::{Event, Outcome, Process, What};
use crate::operation::{Answer, Key, Operation};
use crate::order::{self, Order};

/// The points on which the formats differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// A read of `nil` saw absence; otherwise it asserts nothing.
    pub(super) nil_is_absence: bool,
    /// A CAS that failed without an error saw another value than it expected; otherwise it is left
    /// out.
    pub(super) failed_cas_observes: bool,
}

/// One event as these files have it.
#[derive(Debug, Clone, Default)]
pub(super) struct RawEvent {
    pub(super) line: u64,
    /// The process, if it is a number.
    pub(super) process: Option<i128>,
    pub(super) kind: String,
    pub(super) f: String,
    pub(super) key: Option<Key>,
    pub(super) value: Edn,
    /// True if the event has an error.
    pub(super) has_error: bool,
    /// The index in the file.
    pub(super) index: Option<String>,
    /// The time in the file.
    pub(super) time: Option<String>,
}

impl RawEvent {
    /// Returns true for an operation of a client. Other events of a negative process are faults.
    pub(super) fn is_client_s(&self) -> bool {
        self.process.is_some_and(|process| process >= 0 || is_known(&self.f))
    }

    fn malformed(&self, reason: MalformedReason) -> ReadError {
        ReadError::Malformed { line: self.line, reason }
    }
}

/// Converts raw events into ours; `wrong` is the error that ended the reading of them.
pub(super) fn imported(
    raws: Vec<RawEvent>,
    reading: Reading,
    mut wrong: Option<ReadError>,
) -> Imported {
    let mut order = Order::new();
    let mut imported = Imported::default();
    let mut times = Some(Vec::new());
    for raw in raws {
        let time = match time(&raw) {
            Ok(time) => time,
            Err(reason) => {
                wrong = Some(raw.malformed(reason));
                break;
            }
        };
        match event(&mut order, reading, &raw) {
            Ok(None) => continue,
            Ok(Some(event)) => imported.events.push(Ok(event)),
            Err(reason) => {
                wrong = Some(raw.malformed(reason));
                break;
            }
        }
        // Times that do not grow from event to event do not state the order.
        times = times.zip(time).and_then(|(mut times, time): (Vec<u64>, _)| {
            let grows = times.last().is_none_or(|last| *last < time);
            times.push(time);
            grows.then_some(times)
        });
        let RawEvent { line, index, time, .. } = raw;
        imported.places.push(Place { file: None, line, index, time });
    }
    for (event, time_ns) in imported.events.iter_mut().zip(times.into_iter().flatten()) {
        if let Ok(event) = event {
            event.time_ns = time_ns;
        }
    }
    imported.events.extend(wrong.map(Err));
    imported
}

/// The event's own time, if it has a usable one. In Jepsen -1 stands for none.
fn time(raw: &RawEvent) -> Result<Option<u64>, MalformedReason> {
    let Some(time) = raw.time.as_ref().and_then(|time| time.parse::<i128>().ok()) else {
        return Ok(None);
    };
    if time == -1 {
        return Ok(None);
    }
    let Ok(time_ns) = u64::try_from(time) else {
        let reason = format!(
            "the time {time} is negative or too large: it counts nanoseconds from the test's start"
        );
        return Err(MalformedReason::Shape(reason));
    };
    order::time(time_ns)?;
    Ok(Some(time_ns))
}

/// Converts an event and checks it against the rules; `None` for a remark.
fn event(
    order: &mut Order,
    reading: Reading,
    raw: &RawEvent,
) -> Result<Option<Event>, MalformedReason> {
    if !matches!(raw.kind.as_str(), "invoke" | "ok" | "fail" | "info") {
        return Err(MalformedReason::UnknownType(raw.kind.clone()));
    }
    let index = order.next_index();
    let (process, what) = if let Some(process) = raw.process.filter(|_| raw.is_client_s()) {
        let client = client_id(process)
            .ok_or_else(|| MalformedReason::Shape(format!("{process} is no client's id")))?;
        let what = if raw.kind == "invoke" {
            let operation = operation(raw)?;
            order.invoke(client, index, operation.borrowed())?;
            What::Invoke(operation)
        } else {
            let open = order.open(client);
            let names_it = open.is_some_and(|open| names(&raw.f, open.name()));
            if raw.kind == "info" && !names_it {
                return Ok(None);
            }
            if let Some(open) = open.filter(|_| !names_it) {
                let (returned, open) = (raw.f.clone(), open.name().to_owned());
                return Err(MalformedReason::OtherOperation { client, returned, open });
            }
            let operation = order.complete(client, index)?.to_operation();
            check_key(&operation, raw)?;
            check_value(&operation, raw)?;
            let outcome = outcome(reading, &operation, raw);
            What::Complete(operation, outcome)
        };
        (Process::Client(client), what)
    } else {
        let (f, value) = (raw.f.clone(), serde_json::Value::Null);
        let what = match raw.kind.as_str() {
            "invoke" => What::FaultInvoke { f, value },
            _ => What::FaultComplete { f, value },
        };
        (Process::Nemesis, what)
    };
    order.index(index)?;
    let event = Event { index, time_ns: index, process, what, error: None, attempts: Vec::new() };
    Ok(Some(event))
}

fn is_known(f: &str) -> bool {
    matches!(f, "read" | "get" | "write" | "put" | "delete" | "cas")
}

/// Returns true if an event's `f` names this operation. A write of nil is a delete.
fn names(f: &str, operation: &str) -> bool {
    match f {
        "read" | "get" => operation == "get",
        "write" | "put" => matches!(operation, "put" | "delete"),
        other => other == operation,
    }
}

/// Refuses an answer about another key than the requested one.
fn check_key(operation: &Operation, raw: &RawEvent) -> Result<(), MalformedReason> {
    let (Operation::Get { key }
    | Operation::Put { key, .. }
    | Operation::Delete { key }
    | Operation::Cas { key, .. }) = operation
    else {
        return Ok(());
    };
    match &raw.key {
        Some(other) if raw.kind == "ok" && other != key => Err(MalformedReason::Shape(format!(
            "a {} of key {} is answered for key {}",
            raw.f,
            String::from_utf8_lossy(key),
            String::from_utf8_lossy(other)
        ))),
        _ => Ok(()),
    }
}

/// Refuses an acknowledgement of another write than the requested one. Without a value, the
/// acknowledgement is about the requested write.
fn check_value(operation: &Operation, raw: &RawEvent) -> Result<(), MalformedReason> {
    if raw.kind != "ok" || raw.value.bytes().is_none() {
        return Ok(());
    }
    let is_the_same = match (operation, &raw.value) {
        (Operation::Put { value, .. }, answered) => answered.bytes().as_ref() == Some(value),
        (Operation::Delete { .. }, _) => raw.f == "delete",
        (Operation::Cas { expected, new, .. }, Edn::Sequence(pair)) => match pair.as_slice() {
            [from, to] => from.bytes() == *expected && to.bytes().as_ref() == Some(new),
            _ => true,
        },
        _ => true,
    };
    if is_the_same {
        return Ok(());
    }
    let (f, answered) = (&raw.f, &raw.value);
    Err(MalformedReason::Shape(format!(
        "a {f} is acknowledged with another value than it was invoked with: {answered}"
    )))
}

fn outcome(reading: Reading, operation: &Operation, raw: &RawEvent) -> Outcome {
    match (raw.kind.as_str(), operation) {
        ("ok", Operation::Get { .. }) => match raw.value.bytes() {
            None if !reading.nil_is_absence => Outcome::Fail,
            value => Outcome::Ok(Answer::Got(value)),
        },
        ("ok", Operation::Cas { expected, .. }) => {
            Outcome::Ok(Answer::Cas { swapped: true, previous: expected.clone() })
        }
        ("ok", _) => Outcome::Ok(Answer::Done),
        ("fail", Operation::Cas { expected, new, .. })
            if reading.failed_cas_observes && !raw.has_error =>
        {
            // An error may stand in the place of the value.
            let repeats_it = match &raw.value {
                Edn::Sequence(pair) => {
                    matches!(pair.as_slice(), [from, to] if from.bytes() == *expected && to.bytes().as_ref() == Some(new))
                }
                _ => false,
            };
            if repeats_it { Outcome::Ok(Answer::CasFailed) } else { Outcome::Fail }
        }
        ("fail", _) => Outcome::Fail,
        _ => Outcome::Info,
    }
}

fn operation(raw: &RawEvent) -> Result<Operation, MalformedReason> {
    let shape = |reason: &str| MalformedReason::Shape(format!("{reason}: {}", raw.value));
    let key = raw.key.clone().unwrap_or_else(|| REGISTER.as_bytes().to_vec());
    Ok(match raw.f.as_str() {
        "read" | "get" => Operation::Get { key },
        "write" | "put" => match raw.value.bytes() {
            Some(value) => Operation::Put { key, value, ttl_s: None },
            None => Operation::Delete { key },
        },
        "delete" => Operation::Delete { key },
        "cas" => match &raw.value {
            Edn::Sequence(pair) => match pair.as_slice() {
                [expected, new] => Operation::Cas {
                    key,
                    expected: expected.bytes(),
                    new: new.bytes().ok_or_else(|| shape("a cas to nil"))?,
                },
                _ => return Err(shape("a cas wants [expected new]")),
            },
            _ => return Err(shape("a cas wants [expected new]")),
        },
        other => return Err(MalformedReason::UnknownOperation(other.to_owned())),
    })
}
