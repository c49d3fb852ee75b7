//! The run's one monotonic clock: nanoseconds since the run's start, the same for clients and nemesis. It is tokio's,
//! which a simulation drives.
//!
//! The machine's wall clock counts for nothing, but a moment before 1970 is refused where one would
//! end a process: storage engine and HTTP servers do not know such times.

use crate::exit::Failure;
use std::time::SystemTime;
use tokio::time::Instant;

/// Refuses a wall clock that says a time before 1970: the storage engine and the HTTP servers abort
/// on it.
pub fn refuse_before_1970(now: SystemTime) -> Result<(), Failure> {
    if now < SystemTime::UNIX_EPOCH {
        return Err(Failure::target_or_disk(
            "this machine's clock says a time before 1970: set it, and start again",
        ));
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::time::Duration;

    #[test]
    fn a_wall_clock_before_1970_is_one_sentence() {
        let second = Duration::from_secs(1);
        for fine in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + second, SystemTime::now()] {
            refuse_before_1970(fine).expect("a time that everything knows");
        }
        let failure = refuse_before_1970(SystemTime::UNIX_EPOCH - second).expect_err("refused");
        assert_eq!(failure.exit, Exit::TargetOrDisk);
        assert!(failure.sentence.contains("before 1970: set it"), "{failure}");
    }
}
