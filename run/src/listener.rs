//! How a run tells others what happens in it: it emits [`RunEvent`]s, and knows nobody who hears them.
//!
//! A page, a screen in the terminal and a metrics endpoint are listeners. They decide nothing: a run with listeners goes
//! as it goes without.

use histories::{Outcome, What};
use std::{fmt::Debug, time::Duration};

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub enum RunEvent<'a> {
    /// An operation of this name was completed.
    Completed {
        /// The operation's name in the history.
        operation: &'static str,
        /// How it ended.
        outcome: &'a Outcome,
        /// From its invocation to its answer.
        latency: Duration,
    },
    /// The nemesis wrote this into the history.
    Nemesis {
        /// Nanoseconds since the run's start.
        time_ns: u64,
        /// The event.
        what: &'a What,
    },
    /// Other faults are in force than before.
    InForce {
        /// The names of those until now.
        before: &'a [String],
        /// The names of those from now on.
        now: &'a [String],
    },
    /// Clients and faults begin to work (true), or have ended (false).
    Work(bool),
}

/// Somebody who hears what happens in a run. It is called by the run's own tasks, so it returns at once.
pub trait Listener: Debug + Send + Sync {
    /// Hears one event.
    fn hear(&self, event: RunEvent<'_>);
}
