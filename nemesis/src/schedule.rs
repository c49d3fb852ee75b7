//! The fault schedule: which fault, when, for how long. Pure and seeded, so that a plan can be repeated.
//!
//! In: a [`ScheduleConfig`]. Out: [`PlannedFault`]s in the order of their beginnings; they are JSON in plan.json.
//! Stores are not named here: a fault says whom by role, and the role is resolved when it is injected. What follows
//! is the shape of every schedule:
//! - only enabled kinds occur, and each occurs once before any occurs twice (a shuffled deck, dealt again and again);
//! - the first fault begins early and the last ends before the run does, so that load is seen before and after;
//! - faults follow one another with a gap, only in `mix` do they overlap;
//! - `replicas` in a combination is raised first, waited for, and lowered last.

use crate::kind::{FaultKind, Faults};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Between two beginnings, at least: bounds the schedule's length also for an interval of zero.
const STEP_MS_MIN: u64 = 100;

/// What determines a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// The enabled faults.
    pub faults: Faults,
    /// How many replicas a region has when no fault is in force.
    pub replicas: u32,
    /// From one fault's end to the next one's beginning, on average, milliseconds.
    pub interval_ms: u64,
    /// The shortest pause, milliseconds.
    pub pause_ms_min: u64,
    /// The longest pause, milliseconds.
    pub pause_ms_max: u64,
    /// How long the run is, milliseconds.
    pub duration_ms: u64,
    /// The seed of everything drawn here.
    pub seed: u64,
}

/// Whom a fault is about: voters of one of the workload's regions, by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// The leader.
    Leader,
    /// One voter.
    One,
    /// Two voters.
    Two,
    /// Two followers.
    TwoFollowers,
    /// Every store, whatever it holds.
    All,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Stop, wait, resume.
    Pause {
        /// Whom.
        whom: Whom,
        /// For how long.
        length_ms: u64,
    },
    /// Kill, wait, start again.
    Kill {
        /// Whom.
        whom: Whom,
        /// For how long.
        length_ms: u64,
    },
    /// Ask PD to move a region's leader.
    TransferLeader,
    /// Ask PD to move a follower's replica to a store without one.
    MoveReplica,
    /// Ask PD for so many replicas, and wait until every region of the workload has them.
    MaxReplicas {
        /// How many.
        to: u32,
    },
    /// Ask PD to split a region in the middle of its keys, and wait until it is split.
    Split,
    /// Stop the leader, wait for another one's acknowledged writes, stop the others and resume the first.
    PauseOverlap {
        /// How long to wait for another leader's writes, at most.
        election_wait_ms_max: u64,
        /// How long that leader then serves undisturbed, so that the old state is old by many writes.
        serve_ms: u64,
        /// How long the first is left alone with its old state.
        length_ms: u64,
    },
}

/// One fault of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedFault {
    /// When it begins, milliseconds since the load's start.
    pub begin_ms: u64,
    /// Which of the user's faults it belongs to.
    pub kind: FaultKind,
    /// What is done.
    pub what: Action,
    /// Whether it may begin while earlier ones are in force.
    pub overlaps: bool,
    /// Whether those after it make sense only if it succeeds.
    pub required: bool,
    /// The seed of what is drawn at injection: region and stores.
    pub draw: u32,
}

impl Action {
    /// How long it is expected to take, milliseconds. What waits for the cluster is a guess.
    fn expected_ms(self) -> u64 {
        const CLUSTER_REACTS_MS: u64 = 1_000;
        match self {
            Self::Pause { length_ms, .. } | Self::Kill { length_ms, .. } => length_ms,
            Self::TransferLeader | Self::MoveReplica | Self::Split | Self::MaxReplicas { .. } => {
                CLUSTER_REACTS_MS
            }
            Self::PauseOverlap { election_wait_ms_max, serve_ms, length_ms } => {
                election_wait_ms_max / 4 + serve_ms + length_ms
            }
        }
    }

    fn with_length(mut self, new_ms: u64) -> Self {
        match &mut self {
            Self::Pause { length_ms, .. }
            | Self::Kill { length_ms, .. }
            | Self::PauseOverlap { length_ms, .. } => *length_ms = new_ms,
            Self::TransferLeader | Self::MoveReplica | Self::Split | Self::MaxReplicas { .. } => {}
        }
        self
    }
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
        loop {
            let first = planned.len() == usize::from(raised);
            let Some(fault) = self.next(begin_ms, end_ms_max, first) else { break };
            let expected_ms = fault.what.expected_ms();
            planned.push(fault);
            // In a mix every other fault begins while the one before it is in force.
            let overlapping = config.faults.overlap && self.random.random_bool(0.5);
            let gap_ms = self.between(config.interval_ms / 2, config.interval_ms * 3 / 2);
            let step_ms = if overlapping { gap_ms / 3 } else { expected_ms + gap_ms };
            begin_ms += step_ms.max(STEP_MS_MIN);
        }
        if raised || self.replicas_raised {
            let begin_ms = planned.last().map_or(0, |last| last.begin_ms).max(end_ms_max);
            planned.push(self.replicas(begin_ms, config.replicas, false));
        }
        planned
    }

    /// The next fault, cut to end in time; `None` if none fits any more. The first one always fits.
    fn next(&mut self, begin_ms: u64, end_ms_max: u64, first: bool) -> Option<PlannedFault> {
        let kind = self.draw_kind();
        let length_ms = self.between(self.config.pause_ms_min, self.config.pause_ms_max);
        let what = self.action(kind, length_ms);
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
        let overlaps = self.config.faults.overlap;
        Some(PlannedFault {
            begin_ms,
            kind,
            what,
            overlaps,
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

    fn action(&self, kind: FaultKind, length_ms: u64) -> Action {
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
            FaultKind::PauseOverlap => Action::PauseOverlap {
                election_wait_ms_max: (config.pause_ms_max * 2).max(10_000),
                serve_ms: config.pause_ms_max / 2,
                length_ms,
            },
        }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config(names: &[&str], duration_ms: u64, seed: u64) -> ScheduleConfig {
        ScheduleConfig {
            faults: Faults::parse(names).expect("known"),
            replicas: 3,
            interval_ms: 3_000,
            pause_ms_min: 300,
            pause_ms_max: 4_000,
            duration_ms,
            seed,
        }
    }

    fn end_ms(fault: &PlannedFault) -> u64 {
        fault.begin_ms + fault.what.expected_ms()
    }

    proptest! {
        #[test]
        fn a_seed_determines_the_schedule(seed: u64) {
            let config = config(&["mix"], 60_000, seed);
            prop_assert_eq!(schedule(&config), schedule(&config));
        }

        #[test]
        fn only_enabled_faults_occur_and_leave_time_before_and_after(
            seed: u64, duration_ms in 10_000_u64..120_000, kind in 0_usize..FaultKind::ALL.len(),
        ) {
            let kind = FaultKind::ALL[kind];
            let planned = schedule(&config(&[kind.name()], duration_ms, seed));
            prop_assert!(!planned.is_empty());
            prop_assert!(planned[0].begin_ms >= 1_000);
            for fault in &planned {
                prop_assert_eq!(fault.kind, kind);
                prop_assert!(fault.begin_ms + 1_000 <= duration_ms);
                if !matches!(fault.what, Action::MaxReplicas { .. }) {
                    prop_assert!(end_ms(fault) + 1_000 <= duration_ms);
                }
            }
            for pair in planned.windows(2) {
                prop_assert!(pair[0].begin_ms <= pair[1].begin_ms && !pair[1].overlaps);
            }
        }

        #[test]
        fn replicas_in_a_combination_come_first_and_go_last(seed: u64) {
            let planned = schedule(&config(&["replicas", "pause-two"], 20_000, seed));
            let (first, last) = (&planned[0], &planned[planned.len() - 1]);
            prop_assert!(first.required);
            prop_assert_eq!(first.what, Action::MaxReplicas { to: 5 });
            prop_assert_eq!(last.what, Action::MaxReplicas { to: 3 });
            prop_assert!(planned.len() >= 3);
            for fault in &planned[1..planned.len() - 1] {
                prop_assert_eq!(fault.kind, FaultKind::PauseTwo);
                prop_assert!(fault.begin_ms > first.begin_ms);
            }
        }

        #[test]
        fn any_configuration_gives_a_bounded_schedule_that_lowers_what_it_raises(
            seed: u64, duration_ms in 1_u64..100_000, interval_ms in 0_u64..5_000,
            pause_ms_min in 0_u64..5_000, more_ms in 0_u64..5_000,
        ) {
            let config = ScheduleConfig {
                interval_ms, pause_ms_min, pause_ms_max: pause_ms_min + more_ms,
                ..config(&["mix"], duration_ms, seed)
            };
            let planned = schedule(&config);
            prop_assert!(!planned.is_empty());
            prop_assert!(planned.len() as u64 <= 2 + duration_ms / STEP_MS_MIN);
            let mut replicas = planned.iter().filter_map(|fault| match fault.what {
                Action::MaxReplicas { to } => Some(to),
                _ => None,
            });
            prop_assert_eq!(replicas.next_back().unwrap_or(3), 3);
        }
    }

    #[test]
    fn a_minute_of_mix_has_every_kind_and_overlaps() {
        let planned = schedule(&config(&["mix"], 120_000, 7));
        for kind in FaultKind::ALL {
            assert!(planned.iter().any(|fault| fault.kind == kind), "{}", kind.name());
        }
        assert!(planned.windows(2).any(|pair| pair[1].begin_ms < end_ms(&pair[0])));
    }

    #[test]
    fn ten_seconds_have_a_whole_fault() {
        for seed in 0..100 {
            let planned = schedule(&config(&["pause-two"], 10_000, seed));
            let Action::Pause { whom: Whom::TwoFollowers, length_ms } = planned[0].what else {
                panic!("{planned:?}")
            };
            assert!((300..=4_000).contains(&length_ms));
        }
    }

    #[test]
    fn a_schedule_survives_its_json() {
        let planned = schedule(&config(&["mix"], 120_000, 3));
        let json = serde_json::to_string(&planned).expect("written");
        let again: Vec<PlannedFault> = serde_json::from_str(&json).expect("read");
        assert_eq!(again, planned);
    }
}
