//! The run's one monotonic clock: nanoseconds since the run's start, the same for clients and nemesis. It is tokio's,
//! which a simulation drives.

use tokio::time::Instant;

/// Tells how long the run has lasted.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// The run starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since the run's start.
    pub fn now_ns(&self) -> u64 {
        self.at_ns(Instant::now())
    }

    /// When a moment was, nanoseconds since the run's start; 0 if it was before.
    pub fn at_ns(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}
