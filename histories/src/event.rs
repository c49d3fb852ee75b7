//! One line of a history: the beginning or the end of an operation or a fault.
//!
//! Pure data. `index` is assigned by the recorder in the order of recording; `time_ns` comes from
//! the run's one monotonic clock and is authoritative.

use crate::operation::{Answer, Operation};

/// A logical sequential client (Jepsen's *process*). It is retired after an `info` and replaced by
/// a fresh id.
pub type ClientId = u64;

/// The first line of a history file: free fields beside the format and its version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// Every field but `format` and `version`: target, client, seed, plan hash, tool version, …
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// The subject of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// A client.
    Client(ClientId),
    /// The nemesis.
    Nemesis,
}

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The operation took effect and was answered.
    Ok(Answer),
    /// The operation certainly took no effect.
    Fail,
    /// It is unknown whether the operation took effect.
    Info,
}

/// The content of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A client begins an operation.
    Invoke(Operation),
    /// A client's open operation ends. The operation is the one invoked.
    Complete(Operation, Outcome),
    /// A fault begins (`type` invoke).
    FaultInvoke {
        /// The fault's name, a history file's `f`.
        f: String,
        /// The victims (stores by id, address, PID, role) and the length.
        value: serde_json::Value,
    },
    /// A fault's step ends (`type` info).
    FaultComplete {
        /// The fault's name, a history file's `f`.
        f: String,
        /// The observed effect: process states, leaders and replicas before and after.
        value: serde_json::Value,
    },
}

/// One attempt of an operation, as the client saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The store that was asked, if known.
    pub store: Option<u64>,
    /// The region that was asked, if known.
    pub region: Option<u64>,
    /// The time of its beginning, nanoseconds since the run's start.
    pub begin_ns: u64,
    /// The time of its end, nanoseconds since the run's start.
    pub end_ns: u64,
    /// The error; `None` = success.
    pub error: Option<String>,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// 0, 1, 2 … in the order of recording.
    pub index: u64,
    /// Nanoseconds since the run's start, from one monotonic clock.
    pub time_ns: u64,
    /// The client or nemesis.
    pub process: Process,
    /// The content of the event.
    pub what: What,
    /// The error's text, for `fail` and `info`.
    pub error: Option<String>,
    /// The attempts behind a completion, if the client records them.
    pub attempts: Vec<Attempt>,
}
