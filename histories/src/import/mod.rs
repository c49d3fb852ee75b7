//! Histories of other projects: Jepsen's EDN, the text logs of Jepsen, Knossos and Porcupine,
//! tipocket's lines, etcd's operations.
//!
//! In: a file's text. Out: events in our own form, checked against the same rules, or the line and
//! the reason of an error; and the place of each event in the file. `etcd` has times and keys of
//! its own, and describes their conversion itself. Facts that the other files lack are filled in:
//!
//! - Time is the order of the lines, one nanosecond each: their own tools judge that order. If
//!   every event has a time of its own, and these grow from event to event, these times are taken,
//!   since they state the same order.
//! - There is one register, the key [`REGISTER`], unless an event names a `:key` or the values are
//!   pairs of a key and a value (`independent`).
//! - `:read`/`:get`, `:write`/`:put`, `:delete` and `:cas` with `[expected new]` are known; any
//!   other operation of a client is refused. Values are kept as they are written; `nil` is absence.
//! - In EDN (as Knossos reads it) a read of `nil` asserts nothing and a failed CAS is left out. In
//!   a text log (as Porcupine reads it) a read of `nil` saw absence, and a CAS that failed without
//!   an error saw another value than it expected. A CAS that failed with an error was not applied,
//!   and saw nothing.
//! - An event of a process that is no number is a fault. An `:info` of a process that has nothing
//!   open, or about another operation than the open one, is a remark and is skipped.

mod edn;
mod edn_history;
mod etcd;
mod etcd_record;
mod independent;
mod raw;
mod text_log;
mod timed;
mod tipocket;

pub(crate) use edn::{Edn, EdnError, EdnReader};
pub use edn_history::read_edn;
pub use etcd::read_etcd;
pub(crate) use etcd::read_etcd_files;
pub(crate) use text_log::is_event_line;
pub use text_log::read_text_log;
pub use tipocket::read_tipocket;

use crate::error::ReadError;
use crate::event::{ClientId, Event};
use serde::{Deserialize, Serialize};

/// The key of a history that has only one register.
pub const REGISTER: &str = "register";

/// The result of reading a file.
#[derive(Debug, Default)]
pub struct Imported {
    /// The events; an error is the last.
    pub events: Vec<Result<Event, ReadError>>,
    /// The place in the file of the event of each index.
    pub places: Vec<Place>,
    /// The parts left out, in words; empty = nothing.
    pub left_out: Vec<String>,
}

/// The place of an event in the file that it was imported from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, if the history is in several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The line, counted from 1.
    pub line: u64,
    /// The `:index` in the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub index: Option<String>,
    /// The `:time` in the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<String>,
}

impl Imported {
    /// The result for a history of which nothing was read.
    fn refused(error: ReadError) -> Self {
        Self { events: vec![Err(error)], ..Self::default() }
    }
}

/// The id of a process. Negative numbers get ids that no other process has.
fn client_id(process: i128) -> Option<ClientId> {
    const NEGATIVE: u64 = 1 << 63;
    match u64::try_from(process) {
        Ok(client) => (client < NEGATIVE).then_some(client),
        Err(_) => u64::try_from(-(process + 1)).ok()?.checked_add(NEGATIVE),
    }
}
