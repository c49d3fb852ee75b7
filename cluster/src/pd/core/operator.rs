//! An operator: a short list of steps that PD wants one region to take, and the region's progress.
//!
//! In: the region as its leader last reported it. Out: the step to send next, or the news that the
//! operator is finished or overtaken. Steps are single membership changes, so that two successive
//! configurations always share a majority:
//!
//! ```text
//! add-learner ──► (leader no longer reports it pending) ──► promote ──► [transfer-leader] ──► remove
//! ```

use super::{Now, regions::Region, saved::hex};
use crate::pd::go_text;
use proto::{eraftpb::ConfChangeType, metapb, pdpb};
use std::time::Duration;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Add a learner on a store.
    AddLearner {
        /// The destination store.
        store: u64,
        /// The id of the new peer.
        peer: u64,
    },
    /// Promote a learner that has caught up to a voter.
    Promote {
        /// The peer's store.
        store: u64,
        /// The peer's id.
        peer: u64,
    },
    /// Remove a peer.
    Remove {
        /// The peer's store.
        store: u64,
    },
    /// Move leadership.
    TransferLeader {
        /// The old leader's store.
        from: u64,
        /// The new leader's store.
        to: u64,
    },
    /// Split the region.
    Split {
        /// The source of the keys: PD (`USEKEY`), or the leader, in the middle of the region's
        /// data.
        policy: pdpb::CheckPolicy,
        /// The split keys, if PD finds them.
        keys: Vec<Vec<u8>>,
    },
}

/// The origin of an operator, in ascending order of priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A scheduler that evens out loads.
    Balance,
    /// The checker that keeps the number of replicas.
    Checker,
    /// An administrator.
    Admin,
}

/// A list of steps for one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The operator's name (`transfer-leader`, `remove-orphan-peer`).
    pub description: String,
    /// The region.
    pub region: u64,
    /// The operator's origin.
    pub origin: Origin,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The region's epoch at the operator's creation.
    pub epoch: metapb::RegionEpoch,
    /// The index of the current step.
    pub current: usize,
    /// The time of creation.
    pub created: Now,
    /// The time at which the current step began.
    pub step_began: Now,
    /// The time at which the current step was last sent.
    pub sent: Option<Now>,
    /// The region's size, MiB.
    pub size_mib: u64,
}

/// The progress of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A step is under way.
    Running,
    /// All steps are done.
    Success,
    /// The current step took too long.
    Timeout,
    /// The region changed in another way meanwhile, or the step became pointless.
    Cancel,
    /// Another operator took its place.
    Replace,
}

impl Progress {
    /// The name in PD's tools.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Timeout => "TIMEOUT",
            Self::Cancel => "CANCEL",
            Self::Replace => "REPLACE",
        }
    }

    /// The status in PD's gRPC.
    pub fn wire(self) -> pdpb::OperatorStatus {
        match self {
            Self::Running => pdpb::OperatorStatus::Running,
            Self::Success => pdpb::OperatorStatus::Success,
            Self::Timeout => pdpb::OperatorStatus::Timeout,
            Self::Cancel => pdpb::OperatorStatus::Cancel,
            Self::Replace => pdpb::OperatorStatus::Replace,
        }
    }
}

impl Step {
    /// Returns true if the region shows that the step is done.
    pub fn is_done(&self, region: &Region, epoch: metapb::RegionEpoch) -> bool {
        match self {
            Self::AddLearner { store, peer } => {
                region.peer_on(*store).is_some_and(|p| p.id == *peer) && !region.is_pending(*peer)
            }
            Self::Promote { store, peer } => {
                region.voter_on(*store).is_some_and(|p| p.id == *peer) && !region.is_pending(*peer)
            }
            Self::Remove { store } => region.peer_on(*store).is_none(),
            Self::TransferLeader { to, .. } => region.leader_store() == *to,
            Self::Split { .. } => region.epoch().version != epoch.version,
        }
    }

    /// The number of membership changes of this step that the region shows.
    fn conf_changes(&self, region: &Region) -> u64 {
        u64::from(match self {
            Self::AddLearner { store, peer } => {
                region.peer_on(*store).is_some_and(|p| p.id == *peer)
            }
            Self::Promote { store, peer } => region.voter_on(*store).is_some_and(|p| p.id == *peer),
            Self::Remove { store } => region.peer_on(*store).is_none(),
            Self::TransferLeader { .. } | Self::Split { .. } => false,
        })
    }

    /// The step as a message to the leader. `None` if the region lacks the peer in question, or
    /// shows the change already and the peer only has to catch up.
    pub fn message(&self, region: &Region) -> Option<pdpb::RegionHeartbeatResponse> {
        if self.conf_changes(region) > 0 {
            return None;
        }
        let change = |kind: ConfChangeType, peer: metapb::Peer| pdpb::RegionHeartbeatResponse {
            change_peer: Some(pdpb::ChangePeer { peer: Some(peer), change_type: kind.into() }),
            ..Default::default()
        };
        let peer = |id, store_id, role: metapb::PeerRole| metapb::Peer {
            id,
            store_id,
            role: role.into(),
            is_witness: false,
        };
        let step = match self {
            Self::AddLearner { store, peer: id } => {
                change(ConfChangeType::AddLearnerNode, peer(*id, *store, metapb::PeerRole::Learner))
            }
            Self::Promote { store, peer: id } => {
                change(ConfChangeType::AddNode, peer(*id, *store, metapb::PeerRole::Voter))
            }
            Self::Remove { store } => change(ConfChangeType::RemoveNode, *region.peer_on(*store)?),
            Self::TransferLeader { to, .. } => pdpb::RegionHeartbeatResponse {
                transfer_leader: Some(pdpb::TransferLeader {
                    peer: Some(*region.voter_on(*to)?),
                    peers: Vec::new(),
                }),
                ..Default::default()
            },
            Self::Split { policy, keys } => pdpb::RegionHeartbeatResponse {
                split_region: Some(pdpb::SplitRegion {
                    policy: (*policy).into(),
                    keys: keys.clone(),
                }),
                ..Default::default()
            },
        };
        Some(pdpb::RegionHeartbeatResponse {
            region_id: region.meta.id,
            region_epoch: region.meta.region_epoch,
            target_peer: region.leader,
            ..step
        })
    }

    fn text(&self) -> String {
        match self {
            Self::AddLearner { store, peer } => format!("add learner peer {peer} on store {store}"),
            Self::Promote { store, peer } => {
                format!("promote learner peer {peer} on store {store} to voter")
            }
            Self::Remove { store } => format!("remove peer on store {store}"),
            Self::TransferLeader { from, to } => {
                format!("transfer leader from store {from} to store {to}")
            }
            Self::Split { policy, .. } => {
                format!("split region with policy {}", policy.as_str_name())
            }
        }
    }
}

impl Operator {
    /// Checks the region's progress, and moves on to the first step that is not done.
    pub fn advance(&mut self, now: Now, region: &Region, timeouts: Timeouts) -> Progress {
        while self.steps.get(self.current).is_some_and(|step| step.is_done(region, self.epoch)) {
            self.current += 1;
            self.step_began = now;
            self.sent = None;
        }
        let Some(step) = self.steps.get(self.current) else { return Progress::Success };
        let shown: u64 =
            self.steps[..=self.current].iter().map(|step| step.conf_changes(region)).sum();
        let epoch = region.epoch();
        if epoch.conf_ver.saturating_sub(self.epoch.conf_ver) > shown
            || epoch.version != self.epoch.version
        {
            return Progress::Cancel;
        }
        if now.saturating_sub(self.step_began) > timeouts.of(step) {
            return Progress::Timeout;
        }
        Progress::Running
    }

    /// The current step.
    pub fn step(&self) -> Option<&Step> {
        self.steps.get(self.current)
    }

    /// The number of peers by which the operator will still change a store's load.
    pub fn peers_to_come(&self, store: u64) -> i64 {
        self.steps[self.current..]
            .iter()
            .map(|step| match step {
                Step::AddLearner { store: at, .. } if *at == store => 1,
                Step::Remove { store: at } if *at == store => -1,
                _ => 0,
            })
            .sum()
    }

    /// The number of leaders by which the operator will still change a store's load.
    pub fn leaders_to_come(&self, store: u64) -> i64 {
        self.steps[self.current..]
            .iter()
            .map(|step| match step {
                Step::TransferLeader { to, .. } if *to == store => 1,
                Step::TransferLeader { from, .. } if *from == store => -1,
                _ => 0,
            })
            .sum()
    }

    /// Returns true if the operator changes peers (a *region* operator) and not just the leader.
    pub fn changes_peers(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, Step::TransferLeader { .. }))
    }

    /// The operator's kind in PD's words (`admin,leader`).
    pub fn kind(&self) -> String {
        let mut kinds = Vec::new();
        if self.origin == Origin::Admin {
            kinds.push("admin");
        }
        if self.steps.iter().any(|step| matches!(step, Step::TransferLeader { .. })) {
            kinds.push("leader");
        }
        if self.steps.iter().any(|step| matches!(step, Step::Split { .. })) {
            kinds.push("split");
        } else if self.changes_peers() {
            kinds.push("region");
        }
        kinds.join(",")
    }

    /// The line that PD's tools show; `started` is the start time of PD.
    pub fn text(&self, started: Now, timeouts: Timeouts) -> String {
        let at = |time: Now| {
            let since_start = time.saturating_sub(started).as_secs_f64();
            format!("{} m=+{since_start:.9}", go_text::time(time))
        };
        let steps: Vec<String> = self
            .steps
            .iter()
            .enumerate()
            .map(|(i, step)| format!("{i}:{{{}}}", step.text()))
            .collect();
        let timeout: Duration = self.steps.iter().map(|step| timeouts.of(step)).sum();
        format!(
            "{} {{{}}} (kind:{}, region:{}({}, {}), createAt:{created}, startAt:{created}, \
             currentStep:{}, size:{}, steps:[{}], timeout:[{}])",
            self.description,
            self.brief(),
            self.kind(),
            self.region,
            self.epoch.version,
            self.epoch.conf_ver,
            self.current,
            self.size_mib,
            steps.join(", "),
            go_text::duration(timeout),
            created = at(self.created),
        )
    }

    fn brief(&self) -> String {
        let added = self.steps.iter().find_map(|step| match step {
            Step::AddLearner { store, .. } => Some(*store),
            _ => None,
        });
        let removed = self.steps.iter().find_map(|step| match step {
            Step::Remove { store } => Some(*store),
            _ => None,
        });
        match (added, removed) {
            (Some(to), Some(from)) => format!("mv peer: store [{from}] to [{to}]"),
            (Some(to), None) => format!("add peer: store [{to}]"),
            (None, Some(from)) => format!("rm peer: store [{from}]"),
            (None, None) => match self.steps.first() {
                Some(Step::TransferLeader { from, to }) => {
                    format!("transfer leader: store {from} to {to}")
                }
                Some(Step::Promote { store, .. }) => format!("promote peer: store [{store}]"),
                Some(Step::Split { policy, keys }) => {
                    let policy = policy.as_str_name();
                    let brief = format!("split: region {} use policy {policy}", self.region);
                    let keys: Vec<_> = keys.iter().map(|key| hex(key)).collect();
                    let at = if keys.is_empty() {
                        String::new()
                    } else {
                        format!(" and keys [{}]", keys.join(" "))
                    };
                    brief + &at
                }
                _ => String::new(),
            },
        }
    }
}

/// The longest time that one step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A leader transfer, a promotion, a removal.
    pub quick: Duration,
    /// A step that moves data.
    pub slow: Duration,
}

impl Timeouts {
    fn of(self, step: &Step) -> Duration {
        match step {
            Step::AddLearner { .. } => self.slow,
            _ => self.quick,
        }
    }
}
