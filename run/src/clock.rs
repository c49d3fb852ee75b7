//! The run's one monotonic clock: nanoseconds since the run's start, shared by clients and nemesis.
//! It is tokio's clock, which a simulation drives.

use tokio::time::Instant;

/// Tells how long the run has lasted.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock: the run begins now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since the run's start.
    pub fn now_ns(&self) -> u64 {
        self.at_ns(Instant::now())
    }

    /// The time of a moment, in nanoseconds since the run's start; 0 if the moment was before it.
    pub fn at_ns(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}
