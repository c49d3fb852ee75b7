//! Measures the longest gap without a success, and the longest delay of this program itself.
//!
//! In: the run's counter of successes. Out: the longest gap so far, for the steps that a person
//! reads, and the longest time in which the watcher itself got no processor. A gap no longer than
//! that says nothing about the cluster.

use crate::recording::Recording;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The measurements.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beat {
    /// The longest time without a success.
    pub gap: Duration,
    /// The longest delay of a look.
    pub late: Duration,
}

/// A watch on the clients' successes.
#[derive(Debug)]
pub struct ThroughputProbe {
    seen: Arc<Mutex<Beat>>,
    over: Arc<AtomicBool>,
}

impl ThroughputProbe {
    /// Begins to watch.
    pub fn measure(recording: Arc<Recording>) -> Self {
        let probe = Self { seen: Arc::default(), over: Arc::default() };
        let (seen, over) = (Arc::clone(&probe.seen), Arc::clone(&probe.over));
        tokio::spawn(async move {
            let (mut last, mut since, mut looked) =
                (recording.succeeded(), Instant::now(), Instant::now());
            while !over.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK_EVERY).await;
                let (now, succeeded) = (Instant::now(), recording.succeeded());
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.late = seen.late.max((now - looked).saturating_sub(LOOK_EVERY));
                seen.gap = seen.gap.max(now - since);
                drop(seen);
                looked = now;
                if succeeded != last {
                    (last, since) = (succeeded, now);
                }
            }
        });
        probe
    }

    /// The measurements so far.
    pub fn beat(&self) -> Beat {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ThroughputProbe {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
