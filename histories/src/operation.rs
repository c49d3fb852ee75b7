//! The request of a client ([`Operation`]) and its answer ([`Answer`]).
//!
//! Pure data. The JSON shapes of both are in the header of [`crate::jsonl`].

/// A key: any bytes.
pub type Key = Vec<u8>;

/// A value: any bytes. Absence is `Option::None` wherever a value may be absent.
pub type Value = Vec<u8>;

/// The request of a client, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reads one key.
    Get {
        /// The key read.
        key: Key,
    },
    /// Writes one key.
    Put {
        /// The key written.
        key: Key,
        /// The new value.
        value: Value,
        /// Seconds until the value expires; `None` = never.
        ttl_s: Option<u64>,
    },
    /// Removes one key.
    Delete {
        /// The key removed.
        key: Key,
    },
    /// Replaces a value if it is the expected one.
    Cas {
        /// The key compared and written.
        key: Key,
        /// The value that must be there; `None` = absent.
        expected: Option<Value>,
        /// The value afterwards, if the expected one was there.
        new: Value,
    },
    /// Reads several keys; each is a read of its own, the batch is not atomic.
    BatchGet {
        /// The keys read.
        keys: Vec<Key>,
    },
    /// Writes several keys; each is a write of its own, the batch is not atomic.
    BatchPut {
        /// The keys and their new values.
        pairs: Vec<(Key, Value)>,
    },
    /// Removes several keys; each is a delete of its own, the batch is not atomic.
    BatchDelete {
        /// The keys removed.
        keys: Vec<Key>,
    },
    /// Reads the keys of a range; over several regions not one snapshot.
    Scan {
        /// The lower bound, inclusive (also of a reverse scan).
        start: Key,
        /// The upper bound, exclusive (also of a reverse scan); `None` = no bound.
        end: Option<Key>,
        /// The largest number of pairs in the answer.
        limit: u32,
        /// True if the scan goes from the upper bound downwards.
        reverse: bool,
        /// True if the scan returns no values.
        key_only: bool,
    },
    /// Removes every key of a range.
    DeleteRange {
        /// The lower bound, inclusive.
        start: Key,
        /// The upper bound, exclusive; `None` = no bound.
        end: Option<Key>,
    },
}

/// The answer to a completed operation. The variant always fits the operation's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To a get: the value, or absence.
    Got(Option<Value>),
    /// To a put, delete, batch-put, batch-delete or delete-range.
    Done,
    /// To a CAS.
    Cas {
        /// True if the new value was written.
        swapped: bool,
        /// The value before; `None` = absent.
        previous: Option<Value>,
    },
    /// To a CAS that did not swap and does not report the value there (imported histories only).
    CasFailed,
    /// To a batch-get: every requested key, with its value or absence.
    GotBatch(Vec<(Key, Option<Value>)>),
    /// To a scan: the pairs in the order of the scan.
    Scanned(Vec<(Key, Value)>),
    /// To a key-only scan: the keys in the order of the scan.
    ScannedKeys(Vec<Key>),
}

impl Operation {
    /// The operation's name in a history file, its `f`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::Cas { .. } => "cas",
            Self::BatchGet { .. } => "batch-get",
            Self::BatchPut { .. } => "batch-put",
            Self::BatchDelete { .. } => "batch-delete",
            Self::Scan { .. } => "scan",
            Self::DeleteRange { .. } => "delete-range",
        }
    }
}
