//! The fault schedule: the kinds of faults, their times and lengths. Pure and seeded, so that a
//! plan can be repeated.
//!
//! In: a [`ScheduleConfig`]. Out: [`PlannedFault`]s in the order of their beginnings; they are JSON
//! in plan.json. Every schedule has this shape:
//! - only enabled kinds occur, and each occurs once before any occurs twice (a shuffled deck, dealt
//!   again and again);
//! - the first fault begins early and the last ends before the run does, so that load is seen
//!   before and after;
//! - faults follow one another with a gap; in `mix` every other one, by chance, begins while the
//!   one before it is in force;
//! - `replicas` in a combination is raised first, waited for, and lowered last.

use crate::{
    action::{Action, PlannedFault, Shape, Whom},
    faults::Faults,
    kind::FaultKind,
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The largest number of faults drawn: a week of them, one every three seconds.
pub const FAULTS_MAX: usize = 200_000;
/// The shortest time between two beginnings, so that there is load between them even for an
/// interval of zero.
const STEP_MS_MIN: u64 = 100;
/// A leader without followers steps down after an election timeout, so it is paused before.
const ALONE_MS_MAX: u64 = 500;
/// The shortest length of a choreography's step when lengths are cut: clients must notice the step.
const STEP_OF_CHOREOGRAPHY_MS_MIN: u64 = 1_000;
/// The largest offset of a wall clock.
const WALL_OFFSET_MS: i64 = 3_600_000;

/// The inputs that determine a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// The enabled faults.
    pub faults: Faults,
    /// The number of replicas of a region when no fault is in force.
    pub replicas: u32,
    /// The average time from one fault's end to the next one's beginning, in milliseconds.
    pub interval_ms: u64,
    /// The shortest pause, milliseconds.
    pub pause_ms_min: u64,
    /// The longest pause, milliseconds.
    pub pause_ms_max: u64,
    /// The largest drift of a clock, fast or slow, in parts per million.
    pub drift_ppm_max: u32,
    /// The length of the run, milliseconds.
    pub duration_ms: u64,
    /// The seed of everything drawn here.
    pub seed: u64,
}

/// Draws the schedule that a configuration determines.
pub fn schedule(config: &ScheduleConfig) -> Vec<PlannedFault> {
    let mut dealer = Dealer {
        config,
        // A stream of its own, so that the workload's draws from the same seed do not shift it.
        random: {
            let mut random = ChaCha8Rng::seed_from_u64(config.seed);
            random.set_stream(1);
            random
        },
        deck: Vec::new(),
        replicas_raised: false,
    };
    dealer.deal()
}

struct Dealer<'a> {
    config: &'a ScheduleConfig,
    random: ChaCha8Rng,
    deck: Vec<FaultKind>,
    replicas_raised: bool,
}

impl Dealer<'_> {
    fn deal(&mut self) -> Vec<PlannedFault> {
        let config = self.config;
        let mut planned = Vec::new();
        if config.faults.kinds.is_empty() {
            return planned;
        }
        let raised = config.faults.raises_replicas_first();
        let mut begin_ms = (config.interval_ms / 2).min(config.duration_ms / 5);
        let end_ms_max = config.duration_ms - config.interval_ms.min(config.duration_ms / 5);
        if raised {
            planned.push(self.replicas(begin_ms, config.replicas + 2, true));
            begin_ms += (self.config.interval_ms / 2).min(config.duration_ms / 10);
        }
        let share_ms = self.share_ms(begin_ms, end_ms_max);
        let mut overlaps = false;
        loop {
            let first = planned.len() == usize::from(raised);
            let next = self.next(begin_ms, end_ms_max, first, share_ms);
            let Some(fault) = next else { break };
            let expected_ms = fault.what.expected_ms();
            planned.push(PlannedFault { overlaps, ..fault });
            if planned.len() > FAULTS_MAX {
                break;
            }
            overlaps = config.faults.overlap && self.random.random_bool(0.5);
            let gap_ms = self.between(config.interval_ms / 2, config.interval_ms * 3 / 2);
            let gap_ms = share_ms.map_or(gap_ms, |share_ms| gap_ms.min(share_ms / 4));
            let step_ms = if overlaps { gap_ms / 3 } else { expected_ms + gap_ms };
            begin_ms += step_ms.max(STEP_MS_MIN);
        }
        if raised || self.replicas_raised {
            let begin_ms = planned.last().map_or(0, |last| last.begin_ms).max(end_ms_max);
            planned.push(self.replicas(begin_ms, config.replicas, false));
        }
        planned
    }

    /// The time that each choreography may take, its gap included, so that every voter of a region
    /// can be hurt as a leader before the run ends. `None` if there are other faults too.
    fn share_ms(&self, begin_ms: u64, end_ms_max: u64) -> Option<u64> {
        let faults = &self.config.faults;
        let only = !faults.overlap && faults.kinds.iter().all(|kind| kind.is_choreography());
        only.then(|| end_ms_max.saturating_sub(begin_ms) / u64::from(self.config.replicas.max(1)))
    }

    /// Draws the next fault, cut to end in time; `None` if none fits any more. The first one always
    /// fits.
    fn next(
        &mut self,
        begin_ms: u64,
        end_ms_max: u64,
        first: bool,
        share_ms: Option<u64>,
    ) -> Option<PlannedFault> {
        let kind = self.draw_kind();
        let length_ms = self.between(self.config.pause_ms_min, self.config.pause_ms_max);
        let mut what = self.action(kind, length_ms);
        if begin_ms > end_ms_max && !first {
            return None;
        }
        if let Some(share_ms) = share_ms.filter(|share_ms| what.expected_ms() > share_ms * 3 / 4) {
            let shortest_ms = STEP_OF_CHOREOGRAPHY_MS_MIN.max(self.config.pause_ms_min);
            what = what.no_longer_than((share_ms / 4).max(shortest_ms));
        }
        let room_ms = end_ms_max.saturating_sub(begin_ms);
        let fixed_ms = what.with_length(0).expected_ms();
        let can_be_cut = fixed_ms < what.expected_ms();
        let what = if what.expected_ms() <= room_ms {
            what
        } else if first {
            what.with_length(room_ms.max(1).min(length_ms))
        } else if can_be_cut && fixed_ms + self.config.pause_ms_min <= room_ms {
            what.with_length(room_ms - fixed_ms)
        } else {
            return None;
        };
        if let Action::MaxReplicas { to } = what {
            self.replicas_raised = to != self.config.replicas;
        }
        Some(PlannedFault {
            begin_ms,
            kind,
            what,
            overlaps: false,
            required: false,
            draw: self.random.random(),
        })
    }

    fn draw_kind(&mut self) -> FaultKind {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.config.faults.kinds);
            if self.config.faults.raises_replicas_first() {
                self.deck.retain(|kind| *kind != FaultKind::Replicas);
            }
            self.deck.shuffle(&mut self.random);
        }
        self.deck.pop().unwrap_or(FaultKind::PauseOne)
    }

    fn action(&mut self, kind: FaultKind, length_ms: u64) -> Action {
        let config = self.config;
        match kind {
            FaultKind::PauseOne => Action::Pause { whom: Whom::One, length_ms },
            FaultKind::PauseTwo => Action::Pause { whom: Whom::TwoFollowers, length_ms },
            FaultKind::PauseTwoAny => Action::Pause { whom: Whom::Two, length_ms },
            FaultKind::PauseLeader => Action::Pause { whom: Whom::Leader, length_ms },
            FaultKind::KillOne => Action::Kill { whom: Whom::One, length_ms },
            FaultKind::KillTwo => Action::Kill { whom: Whom::Two, length_ms },
            FaultKind::KillAll => Action::Kill { whom: Whom::All, length_ms },
            FaultKind::TransferLeader => Action::TransferLeader,
            FaultKind::MoveReplica => Action::MoveReplica,
            FaultKind::Split => Action::Split,
            FaultKind::Replicas => {
                let up = if self.replicas_raised { 0 } else { 2 };
                Action::MaxReplicas { to: config.replicas + up }
            }
            FaultKind::KillLeaderLast => {
                Action::KillLeaderLast { alone_ms: config.pause_ms_max / 2, length_ms }
            }
            FaultKind::KillFollowers => Action::KillFollowers {
                alone_ms: config.pause_ms_min.min(ALONE_MS_MAX),
                election_wait_ms_max: (config.pause_ms_max * 2).max(10_000),
                length_ms,
            },
            FaultKind::PauseOverlap => Action::PauseOverlap {
                election_wait_ms_max: (config.pause_ms_max * 2).max(10_000),
                serve_ms: config.pause_ms_max / 2,
                length_ms,
            },
            FaultKind::PartitionOne => Action::Partition { shape: Shape::One, length_ms },
            FaultKind::PartitionLeader => Action::Partition { shape: Shape::Leader, length_ms },
            FaultKind::PartitionHalves => Action::Partition { shape: Shape::Halves, length_ms },
            FaultKind::PartitionRing => Action::Partition { shape: Shape::Ring, length_ms },
            FaultKind::PartitionBridge => Action::Partition { shape: Shape::Bridge, length_ms },
            FaultKind::PartitionOneWay => Action::Partition { shape: Shape::OneWay, length_ms },
            FaultKind::DelayMessages => {
                let delay_ms_max = self.between(10, config.pause_ms_max / 8);
                Action::DelayMessages { delay_ms_max, length_ms }
            }
            FaultKind::LoseMessages => Action::LoseMessages {
                lost_per_mille: self.between(10, 300) as u32,
                twice_per_mille: self.between(0, 200) as u32,
                late_per_mille: self.between(0, 200) as u32,
                late_ms_max: self.between(1, config.pause_ms_max / 4),
                length_ms,
            },
            FaultKind::SlowDisk => {
                let times = self.between(10, 400);
                Action::SlowDisk { whom: self.leader_or_one(), times, length_ms }
            }
            FaultKind::DiskError => Action::DiskError { whom: self.leader_or_one(), length_ms },
            FaultKind::ClockSkew => {
                let most_ppm = i64::from(config.drift_ppm_max);
                Action::ClockSkew {
                    whom: self.leader_or_one(),
                    drift_ppm: self.random.random_range(-most_ppm..=most_ppm) as i32,
                    wall_offset_ms: self.random.random_range(-WALL_OFFSET_MS..=WALL_OFFSET_MS),
                    length_ms,
                }
            }
            FaultKind::PausePd => Action::PausePd { length_ms },
            FaultKind::KillPd => Action::KillPd { length_ms },
        }
    }

    fn leader_or_one(&mut self) -> Whom {
        if self.random.random_bool(0.5) { Whom::Leader } else { Whom::One }
    }

    fn replicas(&mut self, begin_ms: u64, to: u32, required: bool) -> PlannedFault {
        PlannedFault {
            begin_ms,
            kind: FaultKind::Replicas,
            what: Action::MaxReplicas { to },
            overlaps: false,
            required,
            draw: self.random.random(),
        }
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.random.random_range(low..=high.max(low))
    }
}

#[cfg(test)]
mod tests;
