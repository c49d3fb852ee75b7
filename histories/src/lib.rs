//! Facts about a run: operations, events, faults, and the files that hold them.
//!
//! In: what clients and the nemesis did. Out: `history.jsonl`, and histories read back from it or imported.
//! This crate knows nothing of verdicts, of a network, or of TiKV.

pub mod event;
pub mod operation;

pub use event::{Attempt, ClientId, Event, Header, Outcome, Process, What};
pub use operation::{Answer, Key, Operation, Value};
