//! How a run tells others what happens in it: it emits [`RunEvent`]s, and knows nobody who hears them.
//!
//! A page, a screen in the terminal and a metrics endpoint are listeners. They decide nothing: a run with listeners goes
//! as it goes without.

use crate::recording::Recording;
use failure::Failure;
use histories::{Outcome, What};
use std::{fmt::Debug, future::Future, pin::Pin, sync::Arc, time::Duration};
use targets::under_test::UnderTest;
use terminal::progress::Progress;

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

/// A run whose recording has begun, for those who look at it by themselves, too.
#[derive(Debug, Clone)]
pub struct Running {
    /// The test's name.
    pub name: String,
    /// The target, which has started.
    pub target: Arc<UnderTest>,
    /// What clients do. A listener holds it weakly, since it holds the listeners.
    pub recording: Arc<Recording>,
    /// How far the run is.
    pub progress: Progress,
}

/// The listeners of a run, as long as the run needs them.
pub type Listeners = Vec<Arc<dyn Listener>>;

/// A future that yields the listeners.
pub type Joining<'a> = Pin<Box<dyn Future<Output = Result<Listeners, Failure>> + Send + 'a>>;

/// Those who want to listen to a run.
pub trait Audience: Sync {
    /// Comes when the recording begins. The run drops the listeners at its end.
    fn join(&self, running: Running) -> Joining<'_>;
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Audience for Nobody {
    fn join(&self, _: Running) -> Joining<'_> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
