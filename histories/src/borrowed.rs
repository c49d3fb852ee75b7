//! Events that borrow their bytes, for readers of millions of events that keep few.
//!
//! In: an [`Event`], or the bytes of a line. Out: the same event without a copy. The operations of
//! nearly all lines (get, put, delete, CAS) are spelled out; all others are in
//! [`OperationRef::Other`]. An error's text and attempts are left out: they do not matter to a
//! verdict.

use serde_json::Value as Json;

use crate::event::{Event, Outcome, Process, What};
use crate::operation::{Answer, Operation};

/// An [`Event`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventRef<'a> {
    /// 0, 1, 2 … in the order of recording.
    pub index: u64,
    /// Nanoseconds since the run's start.
    pub time_ns: u64,
    /// The client or nemesis.
    pub process: Process,
    /// The content of the event.
    pub what: WhatRef<'a>,
}

/// A [`What`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WhatRef<'a> {
    /// A client begins an operation.
    Invoke(OperationRef<'a>),
    /// A client's open operation ends.
    Complete(OperationRef<'a>, OutcomeRef<'a>),
    /// A fault begins: its name, and its victims.
    FaultInvoke(&'a str, &'a Json),
    /// A fault's step ends: its name, and its observed effect.
    FaultComplete(&'a str, &'a Json),
}

/// An [`Operation`], borrowed. Each operation has one form only, so that equal operations are equal
/// here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationRef<'a> {
    /// Reads one key.
    Get {
        /// The key read.
        key: &'a [u8],
    },
    /// Writes one key, for good: a put with a TTL is [`OperationRef::Other`].
    Put {
        /// The key written.
        key: &'a [u8],
        /// The new value.
        value: &'a [u8],
    },
    /// Removes one key.
    Delete {
        /// The key removed.
        key: &'a [u8],
    },
    /// Replaces a value if it is the expected one.
    Cas {
        /// The key compared and written.
        key: &'a [u8],
        /// The value that must be there; `None` = absent.
        expected: Option<&'a [u8]>,
        /// The value afterwards, if the expected one was there.
        new: &'a [u8],
    },
    /// Any other operation.
    Other(&'a Operation),
}

/// An [`Outcome`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeRef<'a> {
    /// The operation took effect and was answered.
    Ok(AnswerRef<'a>),
    /// The operation certainly took no effect.
    Fail,
    /// It is unknown whether the operation took effect.
    Info,
}

/// An [`Answer`], borrowed. Each answer has one form only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerRef<'a> {
    /// To a get: the value, or absence.
    Got(Option<&'a [u8]>),
    /// Done.
    Done,
    /// To a CAS.
    Cas {
        /// True if the new value was written.
        swapped: bool,
        /// The value before; `None` = absent.
        previous: Option<&'a [u8]>,
    },
    /// Any other answer.
    Other(&'a Answer),
}

impl Event {
    /// Borrows this event.
    pub fn borrowed(&self) -> EventRef<'_> {
        let Self { index, time_ns, process, .. } = *self;
        let what = match &self.what {
            What::Invoke(operation) => WhatRef::Invoke(operation.borrowed()),
            What::Complete(operation, outcome) => {
                let outcome = match outcome {
                    Outcome::Ok(answer) => OutcomeRef::Ok(answer.borrowed()),
                    Outcome::Fail => OutcomeRef::Fail,
                    Outcome::Info => OutcomeRef::Info,
                };
                WhatRef::Complete(operation.borrowed(), outcome)
            }
            What::FaultInvoke { f, value } => WhatRef::FaultInvoke(f, value),
            What::FaultComplete { f, value } => WhatRef::FaultComplete(f, value),
        };
        EventRef { index, time_ns, process, what }
    }
}

impl Operation {
    /// Borrows this operation.
    pub fn borrowed(&self) -> OperationRef<'_> {
        match self {
            Self::Get { key } => OperationRef::Get { key },
            Self::Put { key, value, ttl_s: None } => OperationRef::Put { key, value },
            Self::Delete { key } => OperationRef::Delete { key },
            Self::Cas { key, expected, new } => {
                OperationRef::Cas { key, expected: expected.as_deref(), new }
            }
            other => OperationRef::Other(other),
        }
    }
}

impl Answer {
    /// Borrows this answer.
    pub fn borrowed(&self) -> AnswerRef<'_> {
        match self {
            Self::Got(value) => AnswerRef::Got(value.as_deref()),
            Self::Done => AnswerRef::Done,
            Self::Cas { swapped, previous } => {
                AnswerRef::Cas { swapped: *swapped, previous: previous.as_deref() }
            }
            other => AnswerRef::Other(other),
        }
    }
}

impl OperationRef<'_> {
    /// The operation's name in a history file, its `f`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::Cas { .. } => "cas",
            Self::Other(operation) => operation.name(),
        }
    }

    /// A copy that owns its bytes.
    pub fn to_operation(&self) -> Operation {
        match *self {
            Self::Get { key } => Operation::Get { key: key.to_vec() },
            Self::Put { key, value } => {
                Operation::Put { key: key.to_vec(), value: value.to_vec(), ttl_s: None }
            }
            Self::Delete { key } => Operation::Delete { key: key.to_vec() },
            Self::Cas { key, expected, new } => Operation::Cas {
                key: key.to_vec(),
                expected: expected.map(<[u8]>::to_vec),
                new: new.to_vec(),
            },
            Self::Other(operation) => operation.clone(),
        }
    }
}

impl AnswerRef<'_> {
    /// A copy that owns its bytes.
    pub fn to_answer(&self) -> Answer {
        match *self {
            Self::Got(value) => Answer::Got(value.map(<[u8]>::to_vec)),
            Self::Done => Answer::Done,
            Self::Cas { swapped, previous } => {
                Answer::Cas { swapped, previous: previous.map(<[u8]>::to_vec) }
            }
            Self::Other(answer) => answer.clone(),
        }
    }
}
