//! `history.jsonl`, format version 1: UTF-8, one JSON object a line, written and read here.
//!
//! # Specification
//!
//! **Line 1, the header**: `{"format":"jepsen-tikv history","version":1, …}` with free further
//! fields (target, client, seed, plan hash, tool version).
//!
//! **Every other line, an event** with these fields, in this order when we write; any order when we
//! read. Unknown fields are ignored, an unknown `type` or (of a client) `f` is refused.
//!
//! | field | what it holds |
//! |---|---|
//! | `index` | 0, 1, 2 … in the order of recording |
//! | `time` | nanoseconds since the run's start from one monotonic clock; authoritative; within one client never backwards, across clients it may run behind the index |
//! | `process` | a client's id, an integer, a new one after `info`; or `"nemesis"` |
//! | `type` | `invoke`, `ok`, `fail` (certainly not applied), `info` (unknown) |
//! | `f` | the operation, or the fault's name |
//! | `key` | of get, put, delete, cas; else `null` |
//! | `value` | the arguments at `invoke`, `fail` and `info`; the answer at `ok`; see below |
//! | `error` | text, where something went wrong |
//! | `attempts` | `[{"store":n,"region":n,"begin":ns,"end":ns,"error":text}, …]` where the client records them |
//!
//! A client has at most one open operation. An `invoke` without a completion counts as `info`. The
//! nemesis writes `invoke` when a fault begins and `info` when a step of it has ended; its faults
//! overlap.
//!
//! Keys and values are strings; bytes that are not UTF-8 are `{"hex":"00ff"}`. Absent is `null`.
//!
//! | `f` | `value` at invoke | `value` at ok |
//! |---|---|---|
//! | `get` | null | the value or null |
//! | `put` | the new value (with TTL: `{"put":…,"ttl_s":n}`) | the same |
//! | `delete` | null | null |
//! | `cas` | `{"expected":v or null,"new":v}` | the same with `"swapped":bool,"previous":v or null`; an imported CAS that failed without saying what it saw has no `previous` |
//! | `batch-get` | keys | `[[key, value or null], …]` |
//! | `batch-put`, `batch-delete` | `[[key, value], …]`, keys | the same |
//! | `scan` | `{"start":k,"end":k or null,"limit":n,"reverse":bool,"key_only":bool}` | `[[key, value], …]`; key-only: `[key, …]` |
//! | `delete-range` | `{"start":k,"end":k or null}` | null |
//! | a fault | whom: stores by id, address, PID, role; how long | what was seen of it; of each store that was signalled `signalled_ns`, when (the event's own `time` is when that was confirmed) |
//!
//! A long history is cut into [segments], files that are one history when concatenated. A header
//! with the field `follows` between two events says only that the next segment begins.
//!
//! Empty lines are skipped. A history that was reformatted (`jq .`, an array) is read as well, by
//! [`source`](crate::source).
//!
//! A reader may meet a file whose writer was killed: everything up to the last newline is whole;
//! the rest is [`ReadError::TornTail`](crate::ReadError::TornTail).

mod line;
mod open;
mod plain_line;
mod read;
pub mod segments;
mod shapes;
mod stream;
mod text;
mod values;
mod write;

pub use open::{Position, open, text};
pub(crate) use open::{open_bytes, open_found};
pub use read::Reader;
pub use text::Text;
pub(crate) use values::read_values;
pub use write::Writer;

/// The value of the header's `format`.
pub const FORMAT: &str = "jepsen-tikv history";
/// The version that is written, and the only one that is read.
pub const VERSION: u64 = 1;
