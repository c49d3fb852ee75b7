//! Facts about a run: operations, events, faults, and the files that hold them.
//!
//! In: the actions of clients and the nemesis. Out: `history.jsonl`, and histories read back from
//! it or imported. This crate knows nothing of verdicts, of a network, or of TiKV.
//!
//! - [`Recorder`] appends events to a file during a run, from many threads, without making them
//!   wait for the disk.
//! - [`jsonl`] is the format: its specification, [`jsonl::Writer`] and [`jsonl::Reader`].
//! - [`source`] opens a history in any format that we read, [`import`] reads those of other
//!   projects, [`export`] writes one.
//! - [`plain_file`] opens files found in a run directory, which may be somebody else's.
//! - [`order`] holds the rules every history obeys, in any format.

mod beginning;
pub mod borrowed;
pub mod cluster_sample;
mod compressed;
pub mod error;
pub mod event;
pub mod export;
mod folder;
pub mod import;
mod json_values;
pub mod jsonl;
pub mod open_operation;
pub mod operation;
pub mod order;
mod peeked;
pub mod plain_file;
pub mod recorder;
pub mod source;
mod torn_end;

pub use borrowed::{AnswerRef, EventRef, OperationRef, OutcomeRef, WhatRef};
pub use error::{MalformedReason, ReadError};
pub use event::{Attempt, ClientId, Event, Header, Outcome, Process, What};
pub use open_operation::OpenOperation;
pub use operation::{Answer, Key, Operation, Value};
pub use recorder::{Record, RecordError, Recorder, RecorderHandle, RecorderOptions};
pub use source::{Format, ReadOptions, Source};
