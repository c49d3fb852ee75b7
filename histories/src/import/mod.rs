//! Histories of other projects: Jepsen's EDN, the text logs of Jepsen, Knossos and Porcupine, tipocket's lines, etcd's
//! operations.
//!
//! In: a file's text. Out: events as ours are, checked against the same rules, or the line and the reason. `etcd` has times
//! and keys of its own, and says what becomes of them. What the other files do not say is filled in:
//!
//! - Time is the order of the lines, one nanosecond each: that order is what their own tools judge.
//! - There is one register, the key [`REGISTER`], unless an event names a `:key`.
//! - `:read`/`:get`, `:write`/`:put`, `:delete` and `:cas` with `[expected new]` are known; anything else that a
//!   client does is refused. Values are kept as they are written; `nil` is absence.
//! - In EDN (as Knossos reads it) a read of `nil` asserts nothing and a failed CAS is left out. In a text log (as
//!   Porcupine reads it) a read of `nil` saw absence, and a failed CAS saw another value than it expected.
//! - Whatever happens by a process that is no number is a fault.

mod edn;
mod edn_history;
mod etcd;
mod etcd_record;
mod text_log;
mod timed;
mod tipocket;

pub use edn_history::read_edn;
pub use etcd::{EtcdHistory, read_etcd};
pub use text_log::read_text_log;
pub use tipocket::read_tipocket;

use crate::error::{MalformedReason, ReadError};
use crate::event::{ClientId, Event, Outcome, Process, What};
use crate::operation::{Answer, Key, Operation};
use crate::order::Order;
use edn::Edn;

/// The key of a history that has only one register.
pub const REGISTER: &str = "register";

/// How a format is to be read where formats differ.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// A read of `nil` saw that there was nothing; otherwise it asserts nothing.
    nil_is_absence: bool,
    /// A failed CAS saw another value than it expected; otherwise it is left out.
    failed_cas_observes: bool,
}

/// One event as these files have it.
#[derive(Debug)]
struct RawEvent {
    line: u64,
    /// `None` = no client.
    client: Option<ClientId>,
    kind: String,
    f: String,
    key: Option<Key>,
    value: Edn,
}

/// Turns raw events into ours.
#[derive(Debug)]
struct Importer {
    order: Order,
    reading: Reading,
}

impl Importer {
    fn new(reading: Reading) -> Self {
        Self { order: Order::new(), reading }
    }

    fn event(&mut self, raw: RawEvent) -> Result<Event, ReadError> {
        let line = raw.line;
        self.what(raw).map_err(|reason| ReadError::Malformed { line, reason })
    }

    fn what(&mut self, raw: RawEvent) -> Result<Event, MalformedReason> {
        let index = self.order.next_index();
        self.order.index(index)?;
        if !matches!(raw.kind.as_str(), "invoke" | "ok" | "fail" | "info") {
            return Err(MalformedReason::UnknownType(raw.kind));
        }
        let (process, what) = match raw.client {
            Some(client) if raw.kind == "invoke" => {
                let operation = operation(&raw)?;
                self.order.invoke(client, index, operation.borrowed())?;
                (Process::Client(client), What::Invoke(operation))
            }
            Some(client) => {
                let operation = self.order.complete(client, index)?.to_operation();
                let outcome = self.outcome(&operation, &raw);
                (Process::Client(client), What::Complete(operation, outcome))
            }
            None => {
                let (f, value) = (raw.f, serde_json::Value::Null);
                let what = match raw.kind.as_str() {
                    "invoke" => What::FaultInvoke { f, value },
                    _ => What::FaultComplete { f, value },
                };
                (Process::Nemesis, what)
            }
        };
        Ok(Event { index, time_ns: index, process, what, error: None, attempts: Vec::new() })
    }

    fn outcome(&self, operation: &Operation, raw: &RawEvent) -> Outcome {
        match (raw.kind.as_str(), operation) {
            ("ok", Operation::Get { .. }) => match raw.value.bytes() {
                None if !self.reading.nil_is_absence => Outcome::Fail,
                value => Outcome::Ok(Answer::Got(value)),
            },
            ("ok", Operation::Cas { expected, .. }) => {
                Outcome::Ok(Answer::Cas { swapped: true, previous: expected.clone() })
            }
            ("ok", _) => Outcome::Ok(Answer::Done),
            ("fail", Operation::Cas { .. }) if self.reading.failed_cas_observes => {
                Outcome::Ok(Answer::CasFailed)
            }
            ("fail", _) => Outcome::Fail,
            _ => Outcome::Info,
        }
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
