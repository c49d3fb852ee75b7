//! The reason that a file is not read as a history: [`ReadError`], each variant one clear sentence
//! with a line number.
//!
//! In: the findings of the readers. Out: an error that the caller shows unchanged. A malformed
//! history is an error and never a verdict. This file does not know which format was read.

use std::io;

use crate::event::ClientId;

/// The reason that a history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("cannot read the history: {0}")]
    Io(#[source] io::Error),
    /// The file is not a history.
    #[error("not a history: {reason}")]
    Foreign {
        /// The expected content, and the actual one.
        reason: String,
    },
    /// The format is ours, the version is not.
    #[error("history format version {found} is not supported (this build reads version 1)")]
    Version {
        /// The version that the header names.
        found: u64,
    },
    /// The last line is incomplete: the writer was killed in the middle of it. Every event before
    /// it was read, and the caller decides whether they are worth anything without the rest.
    #[error(
        "line {line}: the history ends in the middle of a line (its writer was killed, or the copy is incomplete)"
    )]
    TornTail {
        /// The line that is torn, counted from 1.
        line: u64,
    },
    /// A line breaks the format or a rule that every history obeys.
    #[error("line {line}: {reason}")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
        /// The broken rule.
        reason: MalformedReason,
    },
}

impl From<io::Error> for ReadError {
    /// Damage of a compressed file is the file's fault, other errors are the disk's.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Foreign { reason: error.to_string() }
            }
            _ => Self::Io(error),
        }
    }
}

/// The fault in one line of a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedReason {
    /// The line does not parse, or a value has the wrong shape.
    #[error("{0}")]
    Shape(String),
    /// An event's `type` is none of the four.
    #[error("unknown type \"{0}\" (known: invoke, ok, fail, info)")]
    UnknownType(String),
    /// An unknown operation.
    #[error("unknown operation \"{0}\"")]
    UnknownOperation(String),
    /// Indexes must be 0, 1, 2 … .
    #[error("index {found} where {expected} is due")]
    Index {
        /// The expected index.
        expected: u64,
        /// The index in the file.
        found: u64,
    },
    /// A completion without an open operation.
    #[error("client {0} returns from an operation that it did not invoke")]
    ReturnWithoutInvoke(ClientId),
    /// A client invokes while another operation of it is open.
    #[error("client {0} invokes an operation while another one of it is open")]
    TwoOpenOperations(ClientId),
    /// A client's events must not go back in time.
    #[error("the time of client {client} runs backwards, from {before_ns} to {now_ns} ns")]
    TimeBackwards {
        /// The client.
        client: ClientId,
        /// The time of its previous event.
        before_ns: u64,
        /// The time of this event.
        now_ns: u64,
    },
    /// A time that is too large to calculate with.
    #[error("the time {0} ns lies beyond what a history can hold (2^63 ns, 292 years)")]
    TimeTooLarge(u64),
    /// A completion names another operation, key or value than its invocation.
    #[error("client {client} returns from {returned}, but its open operation is {open}")]
    OtherOperation {
        /// The client.
        client: ClientId,
        /// The operation in the completion.
        returned: String,
        /// The invoked operation.
        open: String,
    },
}
