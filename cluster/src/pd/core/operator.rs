//! An operator: a short list of steps that PD wants one region to take, and how far the region has come.
//!
//! In: the region as its leader last reported it. Out: the step to send next, or that the operator is finished or
//! overtaken. Steps are single membership changes, so that two successive configurations always share a majority:
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
    /// A learner comes to a store.
    AddLearner {
        /// Where to.
        store: u64,
        /// The id that it will have.
        peer: u64,
    },
    /// A learner that has caught up becomes a voter.
    Promote {
        /// Where it is.
        store: u64,
        /// Its id.
        peer: u64,
    },
    /// A peer goes.
    Remove {
        /// From where.
        store: u64,
    },
    /// Leadership moves.
    TransferLeader {
        /// From where.
        from: u64,
        /// To where.
        to: u64,
    },
    /// The region is split.
    Split {
        /// Who finds the keys: PD (`USEKEY`), or the leader, in the middle of what it holds.
        policy: pdpb::CheckPolicy,
        /// At which keys, if PD finds them.
        keys: Vec<Vec<u8>>,
    },
}

/// Who wants it; the later in this list, the more it weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A scheduler that evens out loads.
    Balance,
    /// The checker that keeps the number of replicas.
    Checker,
    /// A person.
    Admin,
}

/// A list of steps for one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// What it is called (`transfer-leader`, `remove-orphan-peer`).
    pub description: String,
    /// Which region.
    pub region: u64,
    /// Who wants it.
    pub origin: Origin,
    /// What has to happen, in order.
    pub steps: Vec<Step>,
    /// The region's epoch when it was made.
    pub epoch: metapb::RegionEpoch,
    /// The step that is under way.
    pub current: usize,
    /// When it was made.
    pub created: Now,
    /// When the current step began.
    pub step_began: Now,
    /// When the current step was last sent.
    pub sent: Option<Now>,
    /// The region's size, MiB.
    pub size_mib: u64,
}

/// How far an operator has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A step is under way.
    Running,
    /// All steps are done.
    Success,
    /// The current step took too long.
    Timeout,
    /// The region changed otherwise meanwhile, or the step lost its point.
    Cancel,
    /// Another operator came first.
    Replace,
}

impl Progress {
    /// As PD's tools write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Timeout => "TIMEOUT",
            Self::Cancel => "CANCEL",
            Self::Replace => "REPLACE",
        }
    }

    /// As PD's gRPC says it.
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
    /// Whether the region shows that it is done.
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

    /// How many membership changes of this step the region shows.
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

    /// The step as the leader is told it; `None` if the region has not what it is about, or shows the change
    /// already and the peer only has to catch up.
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
    /// Sees how far the region has come, and moves on to the first step that is not done.
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

    /// The step that is under way.
    pub fn step(&self) -> Option<&Step> {
        self.steps.get(self.current)
    }

    /// By how many peers it still changes a store's load.
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

    /// By how many leaders it still changes a store's load.
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

    /// Whether it changes peers (a *region* operator) or just the leader.
    pub fn changes_peers(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step, Step::TransferLeader { .. }))
    }

    /// What it moves, in PD's words (`admin,leader`).
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

    /// The line that PD's tools show; `started` is when PD started.
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

/// How long one step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A leader transfer, a promotion, a removal.
    pub quick: Duration,
    /// What moves data.
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
