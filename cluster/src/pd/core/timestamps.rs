//! The timestamp oracle: strictly increasing pairs of a physical part (milliseconds) and a logical
//! part (18 bits).
//!
//! In: the time, and the number of timestamps wanted. Out: the last of them. The physical part
//! never passes a bound that is on disk, and a restart begins at that bound. So no timestamp is
//! given twice, however clocks jump.

use super::Now;
use proto::pdpb::Timestamp;

/// The number of logical parts for one physical millisecond.
const LOGICAL_MAX: i64 = 1 << 18;
/// The distance by which the bound on disk is moved ahead of its use: real PD's
/// `tso-save-interval`.
const WINDOW_MS: i64 = 5_000;

/// The allocator of timestamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamps {
    physical_ms: i64,
    logical: i64,
    bound_ms: i64,
}

impl Timestamps {
    /// Continues at the bound that is on disk (0 for a new cluster).
    pub fn resume(bound_ms: i64) -> Self {
        Self { physical_ms: bound_ms, logical: 0, bound_ms }
    }

    /// Allocates `count` (1 to 2¹⁸ - 1) timestamps and returns the last. The flag is true if
    /// [`Self::bound_ms`] moved and must reach the disk first. `None` for a count out of range.
    pub fn take(&mut self, now: Now, count: u32) -> Option<(Timestamp, bool)> {
        let count = i64::from(count);
        if count == 0 || count >= LOGICAL_MAX {
            return None;
        }
        let now_ms = now.as_millis() as i64;
        if now_ms > self.physical_ms {
            (self.physical_ms, self.logical) = (now_ms, 0);
        }
        if self.logical + count >= LOGICAL_MAX {
            (self.physical_ms, self.logical) = (self.physical_ms + 1, 0);
        }
        self.logical += count;
        let moved = self.physical_ms >= self.bound_ms;
        if moved {
            self.bound_ms = self.physical_ms + WINDOW_MS;
        }
        Some((
            Timestamp { physical: self.physical_ms, logical: self.logical, suffix_bits: 0 },
            moved,
        ))
    }

    /// The bound to save: no timestamp at or after this millisecond was given.
    pub fn bound_ms(&self) -> i64 {
        self.bound_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timestamps_increase_over_clock_jumps_bursts_and_restarts() {
        let mut oracle = Timestamps::resume(0);
        let mut last = (0, 0);
        for (step, now_ms) in
            [10, 10, 11, 5, 900, 899, 20_000, 3].into_iter().cycle().take(400).enumerate()
        {
            let count = [1, 7, 200_000][step % 3];
            let (at, _) = oracle.take(Duration::from_millis(now_ms), count).expect("in range");
            let first = (at.physical, at.logical - i64::from(count) + 1);
            assert!(first > last, "{first:?} after {last:?}");
            assert!(at.physical < oracle.bound_ms() && at.logical < LOGICAL_MAX);
            last = (at.physical, at.logical);
            if step % 17 == 0 {
                oracle = Timestamps::resume(oracle.bound_ms());
            }
        }
    }

    #[test]
    fn counts_out_of_range_are_refused() {
        let mut oracle = Timestamps::resume(0);
        assert_eq!(oracle.take(Duration::from_millis(1), 0), None);
        assert_eq!(oracle.take(Duration::from_millis(1), 1 << 18), None);
    }
}
