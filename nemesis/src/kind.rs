//! The kinds of fault: their names, and the requirements of each on a cluster.
//!
//! In: a kind, and the target's capabilities. Out: success, or an error that explains the refusal
//! in one sentence. Pure. Knows nothing of times or stores.

use crate::faults::FaultsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One kind of fault.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Stops one voter of a region, leader or follower.
    PauseOne,
    /// Stops two followers of a region in the same instant, never its leader.
    PauseTwo,
    /// Stops two voters of a region in the same instant, the leader perhaps among them.
    PauseTwoAny,
    /// Stops the leader of a region.
    PauseLeader,
    /// Kills one voter of a region and starts it again.
    KillOne,
    /// Kills two voters of a region in the same instant and starts them again.
    KillTwo,
    /// Kills every store in the same instant and starts all again.
    KillAll,
    /// Asks PD to move a region's leader.
    TransferLeader,
    /// Raises the number of replicas by two, and lowers it again.
    Replicas,
    /// Asks PD to move one follower's replica of a region to a store that has none.
    MoveReplica,
    /// Asks PD to split a region in the middle of its keys.
    Split,
    /// Stops a leader; once another leader has acknowledged writes, stops the other voters and resumes the first,
    /// which now has old state and nobody to tell it; then resumes all.
    PauseOverlap,
    /// Kills a region's followers and, after a while in which its leader took writes into a log that nobody else has,
    /// the leader too; then starts all again in one go.
    KillLeaderLast,
    /// Kills a region's followers until its leader has writes that nobody else has, then stops the leader and starts the
    /// others; once another one leads, resumes the first.
    KillFollowers,
    /// Cuts one voter of a region off from the other stores and PD.
    PartitionOne,
    /// Cuts the leader of a region off from the other stores and PD.
    PartitionLeader,
    /// Cuts a majority of the stores off from the others.
    PartitionHalves,
    /// Lets every store reach a majority, and no two the same one.
    PartitionRing,
    /// Cuts two halves off from each other, but for one store that reaches both.
    PartitionBridge,
    /// Lets one voter hear and not be heard, or the reverse.
    PartitionOneWay,
    /// Lets all messages take long.
    DelayMessages,
    /// Loses messages between stores, repeats some, and lets others come late.
    LoseMessages,
    /// Lets the disk of one voter be slow.
    SlowDisk,
    /// Lets the disk of one voter fail, which ends the store, and starts it again.
    DiskError,
    /// Lets the clock of one voter run fast or slow, and its wall clock be wrong.
    ClockSkew,
    /// Stops PD.
    PausePd,
    /// Kills PD and starts it again.
    KillPd,
}

/// The capabilities and size of a cluster. Kinds that need more are refused, or left out of `mix`.
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Possible {
    /// Processes can be paused and resumed.
    pub pause: bool,
    /// Processes can be killed and started again.
    pub kill: bool,
    /// PD can be asked to move leaders and to split regions.
    pub schedule: bool,
    /// PD can be told how many replicas a region shall have.
    pub max_replicas: bool,
    /// The cluster is simulated, so that network, disks, clocks and PD can be hurt too.
    pub simulated: bool,
    /// The number of stores.
    pub stores: u32,
    /// The number of replicas of a region.
    pub replicas: u32,
}

impl FaultKind {
    /// Every kind. The kinds that only a simulation offers are last, so that plans for other
    /// clusters stay unchanged.
    pub const ALL: [Self; 27] = [
        Self::PauseOne,
        Self::PauseTwo,
        Self::PauseTwoAny,
        Self::PauseLeader,
        Self::KillOne,
        Self::KillTwo,
        Self::KillAll,
        Self::TransferLeader,
        Self::Replicas,
        Self::MoveReplica,
        Self::Split,
        Self::PauseOverlap,
        Self::KillLeaderLast,
        Self::KillFollowers,
        Self::PartitionOne,
        Self::PartitionLeader,
        Self::PartitionHalves,
        Self::PartitionRing,
        Self::PartitionBridge,
        Self::PartitionOneWay,
        Self::DelayMessages,
        Self::LoseMessages,
        Self::SlowDisk,
        Self::DiskError,
        Self::ClockSkew,
        Self::PausePd,
        Self::KillPd,
    ];

    /// The kind's name on the command line and in a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::PauseOne => "pause-one",
            Self::PauseTwo => "pause-two",
            Self::PauseTwoAny => "pause-two-any",
            Self::PauseLeader => "pause-leader",
            Self::KillOne => "kill-one",
            Self::KillTwo => "kill-two",
            Self::KillAll => "kill-all",
            Self::TransferLeader => "transfer-leader",
            Self::MoveReplica => "move-replica",
            Self::Replicas => "replicas",
            Self::Split => "split",
            Self::PauseOverlap => "pause-overlap",
            Self::KillLeaderLast => "kill-leader-last",
            Self::KillFollowers => "kill-followers",
            Self::PartitionOne => "partition-one",
            Self::PartitionLeader => "partition-leader",
            Self::PartitionHalves => "partition-halves",
            Self::PartitionRing => "partition-ring",
            Self::PartitionBridge => "partition-bridge",
            Self::PartitionOneWay => "partition-one-way",
            Self::DelayMessages => "delay-messages",
            Self::LoseMessages => "lose-messages",
            Self::SlowDisk => "slow-disk",
            Self::DiskError => "disk-error",
            Self::ClockSkew => "clock-skew",
            Self::PausePd => "pause-pd",
            Self::KillPd => "kill-pd",
        }
    }

    /// The effect on a cluster, as one sentence for a person.
    pub fn effect(self) -> &'static str {
        match self {
            Self::PauseOne => "Pauses one store that holds a voter of a workload region.",
            Self::PauseTwo => "Pauses two followers of a region in the same instant.",
            Self::PauseTwoAny => {
                "Pauses two voters of a region in the same instant, the leader perhaps among them."
            }
            Self::PauseLeader => "Pauses the store that leads a region.",
            Self::KillOne => "Kills one store with a voter of a region, and starts it again.",
            Self::KillTwo => {
                "Kills two stores with voters of a region in the same instant, and starts them again."
            }
            Self::KillAll => "Kills every store in the same instant, and starts all again.",
            Self::TransferLeader => "Asks PD to move the leader of a region.",
            Self::Replicas => "Raises the number of replicas by two, and lowers it again.",
            Self::MoveReplica => "Asks PD to move a follower's replica to a store that has none.",
            Self::Split => "Asks PD to split a region in the middle of its keys.",
            Self::PauseOverlap => {
                "Pauses a leader; once another one leads and has acknowledged writes, pauses the other \
                 voters and resumes the first."
            }
            Self::KillLeaderLast => {
                "Kills the followers of a region, then their leader, which took writes alone meanwhile; \
                 starts all again."
            }
            Self::KillFollowers => {
                "Kills the followers of a region until its leader has writes that nobody else has; \
                 pauses it, starts the others, and resumes it once another one leads."
            }
            Self::PartitionOne => "Cuts one voter off from all other stores and PD.",
            Self::PartitionLeader => "Cuts a leader off from all other stores and PD.",
            Self::PartitionHalves => "Cuts a majority of the stores with PD off from the others.",
            Self::PartitionRing => "Lets every store reach a majority, and no two the same one.",
            Self::PartitionBridge => "Cuts two halves apart, but for one store that reaches both.",
            Self::PartitionOneWay => {
                "Lets a store hear the others and not be heard, or the reverse."
            }
            Self::DelayMessages => "Delays all messages.",
            Self::LoseMessages => {
                "Loses messages between stores, repeats some, and delivers others out of order."
            }
            Self::SlowDisk => "Slows the disk of one store down, 10 to 400 times.",
            Self::DiskError => "Fails the disk of one store, which ends it, and starts it again.",
            Self::ClockSkew => {
                "Runs the clock of one store fast or slow, and sets its wall clock wrong."
            }
            Self::PausePd => "Pauses PD.",
            Self::KillPd => "Kills PD, and starts it again.",
        }
    }

    /// The size of cluster that it needs, for a person; `None` = any.
    pub fn needs(self) -> Option<String> {
        match (self, self.replicas_min(), self.stores_min()) {
            (Self::Replicas, ..) => Some("two more stores than replicas".into()),
            (Self::MoveReplica, ..) => Some("one more store than replicas".into()),
            (_, 1, 1) => None,
            (_, 1, stores) => Some(format!("{stores} stores")),
            (_, replicas, _) => Some(format!("{replicas} replicas")),
        }
    }

    /// Returns true if only a simulated cluster can suffer it.
    pub fn needs_simulation(self) -> bool {
        self >= Self::PartitionOne
    }

    /// Returns true if it moves leadership by itself, so that each store that can lead is hurt as a
    /// leader.
    pub fn is_choreography(self) -> bool {
        matches!(self, Self::PauseOverlap | Self::KillLeaderLast | Self::KillFollowers)
    }

    /// The number of a region's `voters` that it takes out at once.
    pub(crate) fn voters_taken(self, voters: u32) -> u32 {
        match self {
            Self::PauseOne
            | Self::PauseLeader
            | Self::KillOne
            | Self::PartitionOne
            | Self::PartitionLeader
            | Self::PartitionOneWay
            | Self::DiskError => 1,
            Self::PauseTwo | Self::PauseTwoAny | Self::KillTwo => 2,
            Self::PauseOverlap => voters.saturating_sub(1),
            Self::KillAll | Self::KillLeaderLast | Self::KillFollowers => voters,
            // The other kinds take no voter out: one side of any partition in two has a majority of
            // a region's voters.
            _ => 0,
        }
    }

    /// The smallest number of replicas of a region for which it makes sense.
    fn replicas_min(self) -> u32 {
        match self {
            Self::PauseTwoAny
            | Self::KillTwo
            | Self::KillLeaderLast
            | Self::TransferLeader
            | Self::MoveReplica => 2,
            Self::PauseTwo | Self::PauseOverlap | Self::KillFollowers => 3,
            _ => 1,
        }
    }

    /// The smallest number of stores for which it makes sense.
    fn stores_min(self) -> u32 {
        match self {
            Self::PartitionOne
            | Self::PartitionLeader
            | Self::PartitionHalves
            | Self::PartitionOneWay
            | Self::LoseMessages => 2,
            Self::PartitionBridge => 3,
            // Among three neighbours everybody reaches everybody.
            Self::PartitionRing => 4,
            _ => 1,
        }
    }

    /// Refuses the kind if the cluster cannot do it, or if it makes no sense with this number of
    /// replicas.
    pub(crate) fn fits(self, possible: &Possible, replicas: u32) -> Result<(), FaultsError> {
        let name = self.name();
        if self.needs_simulation() && !possible.simulated {
            return Err(FaultsError::OnlySimulated { name });
        }
        let missing = match self {
            Self::TransferLeader | Self::MoveReplica | Self::Split => (!possible.schedule)
                .then_some("be told where leaders, replicas and bounds shall be"),
            Self::Replicas => {
                (!possible.max_replicas).then_some("be told how many replicas there shall be")
            }
            Self::KillFollowers if !possible.pause => Some("stop and resume stores"),
            Self::KillOne
            | Self::KillTwo
            | Self::KillAll
            | Self::KillLeaderLast
            | Self::KillFollowers => (!possible.kill).then_some("kill stores and start them again"),
            _ => (!possible.pause).then_some("stop and resume stores"),
        };
        if let Some(what) = missing {
            return Err(FaultsError::Unsupported { name, what });
        }
        if self == Self::Replicas && possible.stores < possible.replicas + 2 {
            return Err(FaultsError::TooSmall {
                name,
                needs: format!("{} stores to raise the replicas by two", possible.replicas + 2),
                there: possible.stores,
                instead: "use more --stores or fewer --replicas",
            });
        }
        if self == Self::MoveReplica && possible.stores <= replicas {
            return Err(FaultsError::TooSmall {
                name,
                needs: format!("{} stores, one more than replicas", replicas + 1),
                there: possible.stores,
                instead: "use more --stores or fewer --replicas",
            });
        }
        if possible.stores < self.stores_min() {
            return Err(FaultsError::TooSmall {
                name,
                needs: format!("{} stores", self.stores_min()),
                there: possible.stores,
                instead: "use more --stores, or another nemesis",
            });
        }
        if replicas < self.replicas_min() {
            return Err(FaultsError::TooSmall {
                name,
                needs: format!("{} replicas", self.replicas_min()),
                there: replicas,
                instead: "use more --replicas, or another nemesis",
            });
        }
        Ok(())
    }
}
