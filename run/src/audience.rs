//! The audience of a run: listeners join when its recording begins and are dropped at its end.

use crate::{listener::Listener, recording::Recording};
use failure::Failure;
use std::{future::Future, pin::Pin, sync::Arc};
use targets::under_test::UnderTest;
use terminal::progress::Progress;

/// A run whose recording has begun, for listeners that also look at it on their own.
#[derive(Debug, Clone)]
pub struct Running {
    /// The test's name.
    pub name: String,
    /// The target, which has started.
    pub target: Arc<UnderTest>,
    /// The operations of the clients. A listener holds it weakly, since it holds the listeners.
    pub recording: Arc<Recording>,
    /// The progress of the run.
    pub progress: Progress,
}

/// The listeners of a run, as long as the run needs them.
pub type Listeners = Vec<Arc<dyn Listener>>;

/// A future that yields the listeners.
pub type Joining<'a> = Pin<Box<dyn Future<Output = Result<Listeners, Failure>> + Send + 'a>>;

/// Supplies a run with listeners.
pub trait Audience: Sync {
    /// Joins when the recording begins. The run drops the listeners at its end.
    fn join(&self, running: Running) -> Joining<'_>;
}

/// An audience without listeners.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Audience for Nobody {
    fn join(&self, _: Running) -> Joining<'_> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}
