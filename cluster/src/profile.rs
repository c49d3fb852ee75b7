//! The time scale of the embedded cluster: every interval and timeout of stores and PD, in one
//! place.
//!
//! `tikv` has real TiKV's and PD's defaults, `fast` about a tenth of them, so that a test of a
//! minute sees many elections. Both sides read the same [`Timing`], which keeps lease < election
//! timeout true by construction.

/// A named set of intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Elections after 1–2 s.
    Fast,
    /// TiKV's own defaults: elections after 10–20 s.
    Tikv,
}

/// Every interval of stores and PD. Milliseconds unless a name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The length of one Raft tick.
    pub raft_tick_ms: u64,
    /// The smallest number of ticks without a leader until a follower stands for election.
    pub election_ticks_min: usize,
    /// The bound (exclusive) of the number of ticks without a leader until a follower stands for
    /// election.
    pub election_ticks_max: usize,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_ticks: usize,
    /// The time for which a leader may answer reads after a majority confirmed it: below the least
    /// election timeout, as TiKV's `raft-store-max-leader-lease` must be.
    pub leader_lease_ms: u64,
    /// The interval between a leader's unprompted heartbeats for its regions to PD.
    pub region_heartbeat_ms: u64,
    /// The interval between a store's heartbeats to PD.
    pub store_heartbeat_ms: u64,
    /// The interval between two checks of a region's size, once it has outgrown its limit
    /// (`split-region-check-tick-interval`).
    pub split_check_ms: u64,
    /// The time without a store heartbeat after which PD shows it as Disconnected.
    pub disconnected_ms: u64,
    /// The time without a store heartbeat after which PD shows it as Down and replaces its replicas
    /// (`max-store-down-time`).
    pub down_ms: u64,
    /// The interval of PD's check of all regions for missing or surplus peers
    /// (`patrol-region-interval`).
    pub patrol_ms: u64,
}

impl Profile {
    /// The profile's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Tikv => "tikv",
        }
    }

    /// Finds the profile of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Fast, Self::Tikv].into_iter().find(|profile| profile.name() == name)
    }

    /// The profile's intervals.
    pub fn timing(self) -> Timing {
        match self {
            Self::Fast => Timing {
                raft_tick_ms: 100,
                election_ticks_min: 10,
                election_ticks_max: 20,
                heartbeat_ticks: 2,
                leader_lease_ms: 900,
                region_heartbeat_ms: 500,
                store_heartbeat_ms: 500,
                split_check_ms: 1_000,
                disconnected_ms: 2_000,
                down_ms: 180_000,
                patrol_ms: 20,
            },
            Self::Tikv => Timing {
                raft_tick_ms: 1_000,
                election_ticks_min: 10,
                election_ticks_max: 20,
                heartbeat_ticks: 2,
                leader_lease_ms: 9_000,
                region_heartbeat_ms: 60_000,
                store_heartbeat_ms: 10_000,
                split_check_ms: 10_000,
                disconnected_ms: 20_000,
                down_ms: 1_800_000,
                patrol_ms: 100,
            },
        }
    }
}

impl Timing {
    /// The largest clock drift, fast or slow, in parts per million, for which lease reads are safe.
    /// Up to it, a lease counted by the slowest clock ends before an election timeout counted by
    /// the fastest one.
    pub fn lease_drift_ppm_max(&self) -> u32 {
        // Each reading may be rounded by a millisecond.
        const ROUNDED_MS: u64 = 2;
        let election_ms = self.election_ticks_min as u64 * self.raft_tick_ms;
        let slack_ms = election_ms - self.leader_lease_ms - ROUNDED_MS;
        (slack_ms * 1_000_000 / (election_ms + self.leader_lease_ms)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_shorter_than_any_election_timeout() {
        for timing in [Profile::Fast.timing(), Profile::Tikv.timing()] {
            let election_ms = timing.election_ticks_min as u64 * timing.raft_tick_ms;
            assert!(timing.leader_lease_ms < election_ms, "{timing:?}");
            let drift = f64::from(timing.lease_drift_ppm_max()) / 1e6;
            let lease_ms = timing.leader_lease_ms as f64 / (1.0 - drift);
            assert!(drift > 0.04 && lease_ms < election_ms as f64 / (1.0 + drift), "{drift}");
        }
    }
}
