//! The requests and answers of a client: the trait [`RawKv`] and its types.
//!
//! Pure data. A request's shape is that of an operation in a history, so that whoever records can
//! map one to the other without thought; this crate does not know histories all the same.

use crate::{Attempt, Cause};
use futures::future::BoxFuture;
use std::time::Duration;

/// A raw key-value client.
pub trait RawKv: Send + Sync {
    /// Executes one request. It ends within `timeout`, whatever the cluster does.
    fn execute<'a>(&'a self, request: &'a Request, timeout: Duration) -> BoxFuture<'a, Reply>;
}

/// One request. Batches are not atomic, and a scan over several regions is not one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// Reads one key.
    Get {
        /// The key read.
        key: Vec<u8>,
    },
    /// Writes one key.
    Put {
        /// The key written.
        key: Vec<u8>,
        /// The new value.
        value: Vec<u8>,
        /// Seconds until the value expires; `None` = never.
        ttl_s: Option<u64>,
    },
    /// Removes one key.
    Delete {
        /// The key removed.
        key: Vec<u8>,
    },
    /// Replaces a value if it is the expected one. Atomic only against writes in atomic mode.
    Cas {
        /// The key compared and written.
        key: Vec<u8>,
        /// The value that the key must have; `None` = absent.
        expected: Option<Vec<u8>>,
        /// The value that replaces it.
        new: Vec<u8>,
    },
    /// Reads several keys.
    BatchGet {
        /// The keys read.
        keys: Vec<Vec<u8>>,
    },
    /// Writes several keys.
    BatchPut {
        /// The keys and their new values.
        pairs: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// Removes several keys.
    BatchDelete {
        /// The keys removed.
        keys: Vec<Vec<u8>>,
    },
    /// Reads the keys of a range.
    Scan {
        /// The lower bound, inclusive (also of a reverse scan).
        start: Vec<u8>,
        /// The upper bound, exclusive (also of a reverse scan); `None` = no bound.
        end: Option<Vec<u8>>,
        /// The most pairs that are answered.
        limit: u32,
        /// From the upper bound downwards.
        reverse: bool,
        /// Without values.
        key_only: bool,
    },
    /// Removes every key of a range.
    DeleteRange {
        /// The lower bound, inclusive.
        start: Vec<u8>,
        /// The upper bound, exclusive; `None` = no bound.
        end: Option<Vec<u8>>,
    },
}

/// The answer to a request that took effect. The variant always fits the request's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Response {
    /// To a get: the value, or absence.
    Got(Option<Vec<u8>>),
    /// To a put, delete, batch-put, batch-delete or delete-range: done.
    Done,
    /// To a CAS: whether it swapped, and what was there before it.
    Cas {
        /// True if the new value was written.
        swapped: bool,
        /// The value before; `None` = absent.
        previous: Option<Vec<u8>>,
    },
    /// To a batch-get: every key asked, in the order asked, with its value or absence.
    GotBatch(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    /// To a scan: the pairs in the order of the scan.
    Scanned(Vec<(Vec<u8>, Vec<u8>)>),
    /// To a key-only scan: the keys in the order of the scan.
    ScannedKeys(Vec<Vec<u8>>),
}

/// The outcome of a request, and the attempts made for it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The outcome.
    pub outcome: Outcome,
    /// Every RPC to a store, where the client sees them; otherwise one for the whole call.
    pub attempts: Vec<Attempt>,
}

/// The outcome of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It took effect and was answered.
    Ok(Response),
    /// It certainly took no effect.
    NotApplied(ClientError),
    /// It may have taken effect, or may yet.
    Unknown(ClientError),
}

/// Why a request did not end well.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    /// The class of it, which decides the fate of the request.
    pub cause: Cause,
    /// One line for people.
    pub message: String,
}

impl ClientError {
    pub(crate) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into() }
    }
}

impl Request {
    /// Returns true if the request cannot change anything.
    pub fn is_read(&self) -> bool {
        match self {
            Self::Get { .. } | Self::BatchGet { .. } | Self::Scan { .. } => true,
            Self::Put { .. }
            | Self::Delete { .. }
            | Self::Cas { .. }
            | Self::BatchPut { .. }
            | Self::BatchDelete { .. }
            | Self::DeleteRange { .. } => false,
        }
    }

    /// Returns true if the request may need more than one RPC.
    pub(crate) fn may_span_regions(&self) -> bool {
        match self {
            Self::Get { .. } | Self::Put { .. } | Self::Delete { .. } | Self::Cas { .. } => false,
            Self::BatchGet { keys } | Self::BatchDelete { keys } => keys.len() > 1,
            Self::BatchPut { pairs } => pairs.len() > 1,
            Self::Scan { .. } | Self::DeleteRange { .. } => true,
        }
    }
}
