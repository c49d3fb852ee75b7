//! The interface by which a run reports its events: it emits [`RunEvent`]s and does not know its
//! listeners.
//!
//! A page, a screen in the terminal and a metrics endpoint are listeners. They decide nothing: a
//! run behaves the same with and without listeners.

use histories::{Outcome, What};
use std::{fmt::Debug, time::Duration};

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub enum RunEvent<'a> {
    /// An operation was completed.
    Completed {
        /// The operation's name in the history.
        operation: &'static str,
        /// The outcome.
        outcome: &'a Outcome,
        /// The time from invocation to answer.
        latency: Duration,
    },
    /// The nemesis recorded an event in the history.
    Nemesis {
        /// Nanoseconds since the run's start.
        time_ns: u64,
        /// The event.
        what: &'a What,
    },
    /// The set of faults in force changed.
    InForce {
        /// The faults in force before.
        before: &'a [String],
        /// The faults in force now.
        now: &'a [String],
    },
    /// The work of clients and faults begins (true) or has ended (false).
    Work(bool),
}

/// A listener to a run's events. The run's own tasks call it, so it returns at once.
pub trait Listener: Debug + Send + Sync {
    /// Receives one event.
    fn observe(&self, event: RunEvent<'_>);
}
