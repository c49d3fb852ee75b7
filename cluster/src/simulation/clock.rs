//! A simulated store's clock: the world's time, with a drift and an offset.
//!
//! In: the world's time. Out: the store's time, and back. It never runs backwards; a new rate holds
//! from the moment it is set.

use crate::store::node::effects::Now;

/// The wall-clock time at which every simulation begins, milliseconds since the Unix epoch.
const BEGINNING_UNIX_MS: u64 = 1_700_000_000_000;
const MILLION: i128 = 1_000_000;

/// One store's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The world's time when the rate was set.
    since_us: u64,
    /// The clock's reading at that time.
    said_us: u64,
    /// The drift in parts per million; positive is fast.
    drift_ppm: i32,
    /// The offset of the wall clock.
    wall_offset_ms: i64,
}

impl Clock {
    /// Creates a clock that is right.
    pub fn new() -> Self {
        Self { since_us: 0, said_us: 0, drift_ppm: 0, wall_offset_ms: 0 }
    }

    /// Sets the drift and the wall clock's offset from now on.
    pub fn set(&mut self, world_us: u64, drift_ppm: i32, wall_offset_ms: i64) {
        let said_us = self.at_us(world_us);
        *self = Self { since_us: world_us, said_us, drift_ppm, wall_offset_ms };
    }

    /// The readings that a process sees.
    pub fn now(&self, world_us: u64) -> Now {
        let monotonic_ms = self.at_us(world_us) / 1_000;
        let unix_ms = (BEGINNING_UNIX_MS + monotonic_ms).saturating_add_signed(self.wall_offset_ms);
        Now { monotonic_ms, unix_ms }
    }

    /// The milliseconds by which the clock is ahead: its monotonic reading, and its wall clock.
    pub fn error_ms(&self, world_us: u64) -> (i64, i64) {
        let monotonic_ms = (self.at_us(world_us) as i64 - world_us as i64) / 1_000;
        (monotonic_ms, monotonic_ms + self.wall_offset_ms)
    }

    /// The world's time at which the clock will show this monotonic reading.
    pub fn world_us(&self, monotonic_ms: u64) -> u64 {
        let ahead_us = i128::from((monotonic_ms * 1_000).saturating_sub(self.said_us));
        let rate = MILLION + i128::from(self.drift_ppm);
        // Rounded up, so that the clock does show it then.
        self.since_us
            + u64::try_from((ahead_us * MILLION + rate - 1) / rate).unwrap_or(u64::MAX / 2)
    }

    fn at_us(&self, world_us: u64) -> u64 {
        let past_us = i128::from(world_us - self.since_us);
        let rate = MILLION + i128::from(self.drift_ppm);
        self.said_us + u64::try_from(past_us * rate / MILLION).unwrap_or(u64::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_clock_that_drifts_is_never_set_back_and_wakes_when_it_says_so() {
        let mut clock = Clock::new();
        let mut last = 0;
        for (step, drift_ppm) in [0, 50_000, -50_000, 300, -1].into_iter().enumerate() {
            let at_us = 1_000_003 * step as u64;
            clock.set(at_us, drift_ppm, 0);
            for ms in [0, 1, 10, 999] {
                let now = clock.now(at_us + ms * 1_000).monotonic_ms;
                assert!(now >= last);
                last = now;
                let wake_us = clock.world_us(now + 7);
                assert!(clock.now(wake_us).monotonic_ms >= now + 7);
                assert!(clock.now(wake_us - 1_100).monotonic_ms < now + 7);
            }
        }
    }
}
