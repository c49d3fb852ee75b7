//! One line of a history: an operation or a fault that began or ended.
//!
//! Pure data; `index` is given by the recorder in the order of recording, `time_ns` comes from the run's one
//! monotonic clock and is authoritative.

use crate::operation::{Answer, Operation};

/// A logical sequential client (Jepsen's *process*). It is retired after an `info` and replaced by a fresh id.
pub type ClientId = u64;

/// The first line of a history file: free fields beside the format and its version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// Every field but `format` and `version`: target, client, seed, plan hash, tool version, …
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Who an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// A client.
    Client(ClientId),
    /// The nemesis.
    Nemesis,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It took effect and was answered.
    Ok(Answer),
    /// It certainly took no effect.
    Fail,
    /// Whether it took effect is unknown.
    Info,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A client begins an operation.
    Invoke(Operation),
    /// A client's open operation ends. The operation is the one invoked.
    Complete(Operation, Outcome),
    /// A fault begins (`type` invoke): its kind (`pause`, `kill`, …) and whom it is about.
    FaultInvoke {
        /// The fault's name, a history file's `f`.
        f: String,
        /// Whom: stores by id, address, PID, role; how long.
        value: serde_json::Value,
    },
    /// A fault's step ends (`type` info): what was seen of it.
    FaultComplete {
        /// The fault's name, a history file's `f`.
        f: String,
        /// What was seen: process states, leaders and replicas before and after.
        value: serde_json::Value,
    },
}

/// One try of an operation, as the client saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The store asked, if known.
    pub store: Option<u64>,
    /// The region asked, if known.
    pub region: Option<u64>,
    /// When it began, nanoseconds since the run's start.
    pub begin_ns: u64,
    /// When it ended, nanoseconds since the run's start.
    pub end_ns: u64,
    /// What went wrong; `None` = nothing.
    pub error: Option<String>,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// 0, 1, 2 … in the order of recording.
    pub index: u64,
    /// Nanoseconds since the run's start, from one monotonic clock.
    pub time_ns: u64,
    /// Who.
    pub process: Process,
    /// What.
    pub what: What,
    /// The error's text, for `fail` and `info`.
    pub error: Option<String>,
    /// The tries behind a completion, where the client records them.
    pub attempts: Vec<Attempt>,
}
