//! The actions of faults as a plan states them: victims by role, length and strength. Pure data,
//! JSON in plan.json.
//!
//! Stores are not named here: a role is resolved to stores when the fault is injected.

use crate::kind::FaultKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom a fault is about: voters of one of the workload's regions, by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Who cannot reach whom in a partition. Clients reach everybody always, as Jepsen's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One voter of a region is cut off from all other stores and from PD.
    One,
    /// The same of its leader.
    Leader,
    /// A majority of the stores with PD, and the others.
    Halves,
    /// Every store reaches a majority, its neighbours in a ring, and no two reach the same one. PD reaches all.
    Ring,
    /// Two halves, and one store that reaches both. PD is with one half and the bridge.
    Bridge,
    /// One voter hears the others and PD but is not heard, or is heard and hears nobody.
    OneWay,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Kill the followers until the leader has writes that nobody else has; stop it, start the others, wait for another
    /// leader, and resume the first.
    KillFollowers {
        /// How long the leader is left without followers, at least.
        alone_ms: u64,
        /// How long to wait for another leader, at most.
        election_wait_ms_max: u64,
        /// How long the first stays stopped when another one leads.
        length_ms: u64,
    },
    /// Kill the followers, later the leader, and start all again.
    KillLeaderLast {
        /// How long the leader is left without followers.
        alone_ms: u64,
        /// How long all are dead.
        length_ms: u64,
    },
    /// Cut the network between processes, wait, mend it.
    Partition {
        /// Where.
        shape: Shape,
        /// For how long.
        length_ms: u64,
    },
    /// Let every message take long.
    DelayMessages {
        /// How long at most.
        delay_ms_max: u64,
        /// For how long.
        length_ms: u64,
    },
    /// Lose messages between stores, repeat some, let others come late and thus out of order.
    LoseMessages {
        /// How many of a thousand are lost.
        lost_per_mille: u32,
        /// How many of a thousand come twice.
        twice_per_mille: u32,
        /// How many of a thousand come late.
        late_per_mille: u32,
        /// How late at most.
        late_ms_max: u64,
        /// For how long.
        length_ms: u64,
    },
    /// Let a store's disk be slow.
    SlowDisk {
        /// Whose.
        whom: Whom,
        /// So many times as slow.
        times: u64,
        /// For how long.
        length_ms: u64,
    },
    /// Let a store's disk fail at its next write, which ends the store; start it again on a disk that works.
    DiskError {
        /// Whose.
        whom: Whom,
        /// For how long.
        length_ms: u64,
    },
    /// Let a store's clock run fast or slow, and its wall clock be wrong.
    ClockSkew {
        /// Whose.
        whom: Whom,
        /// So many parts in a million too fast.
        drift_ppm: i32,
        /// The wall clock is wrong by so much.
        wall_offset_ms: i64,
        /// For how long.
        length_ms: u64,
    },
    /// Stop PD, wait, resume it.
    PausePd {
        /// For how long.
        length_ms: u64,
    },
    /// Kill PD, wait, start it again.
    KillPd {
        /// For how long.
        length_ms: u64,
    },
}

/// One fault of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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
    /// Returns the expected length in milliseconds. The time spent waiting for the cluster is a
    /// guess.
    pub(crate) fn expected_ms(mut self) -> u64 {
        const CLUSTER_REACTS_MS: u64 = 1_000;
        let waits_ms = match self {
            Self::KillLeaderLast { alone_ms, .. } => alone_ms,
            Self::PauseOverlap { election_wait_ms_max, serve_ms, .. } => {
                election_wait_ms_max / 4 + serve_ms
            }
            Self::KillFollowers { alone_ms, election_wait_ms_max, .. } => {
                alone_ms + election_wait_ms_max / 4
            }
            _ => 0,
        };
        self.length_ms().map_or(CLUSTER_REACTS_MS, |length_ms| waits_ms + *length_ms)
    }

    /// Returns this action with no part longer than `most_ms`. Waits for the cluster stay as they
    /// are.
    #[must_use]
    pub fn no_longer_than(mut self, most_ms: u64) -> Self {
        match &mut self {
            Self::PauseOverlap { serve_ms: wait_ms, .. }
            | Self::KillFollowers { alone_ms: wait_ms, .. }
            | Self::KillLeaderLast { alone_ms: wait_ms, .. } => *wait_ms = most_ms.min(*wait_ms),
            _ => {}
        }
        if let Some(length_ms) = self.length_ms() {
            *length_ms = most_ms.min(*length_ms);
        }
        self
    }

    /// Returns this action with another length; an action without a length stays as it is.
    pub(crate) fn with_length(mut self, new_ms: u64) -> Self {
        if let Some(length_ms) = self.length_ms() {
            *length_ms = new_ms;
        }
        self
    }

    /// Returns the length of the fault itself, or `None` if the cluster determines it.
    fn length_ms(&mut self) -> Option<&mut u64> {
        match self {
            Self::Pause { length_ms, .. }
            | Self::Kill { length_ms, .. }
            | Self::KillLeaderLast { length_ms, .. }
            | Self::PauseOverlap { length_ms, .. }
            | Self::KillFollowers { length_ms, .. }
            | Self::Partition { length_ms, .. }
            | Self::DelayMessages { length_ms, .. }
            | Self::LoseMessages { length_ms, .. }
            | Self::SlowDisk { length_ms, .. }
            | Self::DiskError { length_ms, .. }
            | Self::ClockSkew { length_ms, .. }
            | Self::PausePd { length_ms }
            | Self::KillPd { length_ms } => Some(length_ms),
            Self::TransferLeader | Self::MoveReplica | Self::Split | Self::MaxReplicas { .. } => {
                None
            }
        }
    }
}
