//! The record of a fault after the run: its victims, its times, and its observed effect.
//!
//! Pure data, for verdict and report. Times are nanoseconds since the run's start.

use crate::{
    process::ProcessState,
    target::{Region, RegionId, StoreId},
};
use serde::Serialize;
use serde_json::{Value, json};

/// The role of a store in a fault's region when the fault began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The store of the region's leader.
    Leader,
    /// The store of another voter.
    Follower,
}

/// A store that a fault hurt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hurt {
    /// The store's id.
    pub store: StoreId,
    /// The store's address.
    pub address: String,
    /// The PID of the store's process at that time.
    pub pid: Option<u32>,
    /// The store's role in the region.
    pub role: Role,
    /// The observed state of the store's process after it was hurt; `None` = not observed.
    pub state: Option<ProcessState>,
}

impl Hurt {
    /// The store as a history's event names it.
    pub(crate) fn to_whom(&self) -> Value {
        json!({ "id": self.store, "address": self.address, "pid": self.pid, "role": self.role })
    }
}

/// A region before a fault and late in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionChange {
    /// The region.
    pub region: RegionId,
    /// The store of its leader before.
    pub leader_before: Option<StoreId>,
    /// The store of its leader at the fault's end, or a moment after healing if it moved only then.
    pub leader_after: Option<StoreId>,
    /// The number of voters before.
    pub voters_before: usize,
    /// The number of voters at the fault's end.
    pub voters_after: usize,
}

/// The record of one fault of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultRecord {
    /// The fault's place in the plan, from 0. The events of a history name it.
    pub fault: usize,
    /// The name by which the user asked for it.
    pub name: &'static str,
    /// The time of its beginning; `None` = it was not injected.
    pub begun_ns: Option<u64>,
    /// The time at which everything it hurt had been healed.
    pub ended_ns: Option<u64>,
    /// The stores it hurt.
    pub hurt: Vec<Hurt>,
    /// The workload's regions before it and late in it.
    pub regions: Vec<RegionChange>,
    /// True if every region of the workload kept a majority of running voters while the fault was
    /// in force. Only then may progress be demanded.
    pub majority_left: bool,
    /// The observed changes of the cluster, in words; empty = no change was seen.
    pub effects: Vec<String>,
    /// True if the run's end cut the fault short.
    pub cut_short: bool,
    /// The error that occurred in the fault.
    pub error: Option<String>,
}

impl FaultRecord {
    pub(crate) fn new(fault: usize, name: &'static str) -> Self {
        Self {
            fault,
            name,
            begun_ns: None,
            ended_ns: None,
            hurt: Vec::new(),
            regions: Vec::new(),
            majority_left: true,
            effects: Vec::new(),
            cut_short: false,
            error: None,
        }
    }

    pub(crate) fn not_injected(fault: usize, name: &'static str, reason: String) -> Self {
        Self { error: Some(reason), ..Self::new(fault, name) }
    }

    /// Returns true if the fault's effect was observed: the victims were seen to be hurt, or the
    /// requested change was seen to happen. A victim that was not hurt is an error.
    pub fn confirmed(&self) -> bool {
        let hurt =
            |hurt: &Hurt| matches!(hurt.state, Some(ProcessState::Stopped | ProcessState::Gone));
        self.begun_ns.is_some()
            && self.error.is_none()
            && self.hurt.iter().all(hurt)
            && (!self.hurt.is_empty() || !self.effects.is_empty())
    }

    /// The observed changes in words, or the statement that nothing changed.
    pub fn effect_in_words(&self) -> String {
        match (self.begun_ns, self.effects.as_slice()) {
            (None, _) => "not injected".into(),
            (_, []) => "no effect on the cluster".into(),
            (_, effects) => effects.join(", "),
        }
    }

    /// Returns true if a leader was seen to move.
    pub(crate) fn leader_moved(&self) -> bool {
        self.regions.iter().any(|region| region.leader_before != region.leader_after)
    }

    /// Notes the leaders that moved since the comparison.
    pub(crate) fn compare_leaders(&mut self, after: &[Region]) {
        for change in &mut self.regions {
            let Some(new) = after.iter().find(|region| region.id == change.region) else {
                continue;
            };
            if new.leader != change.leader_after {
                self.effects.push(moved(new.id, change.leader_after, new.leader));
                change.leader_after = new.leader;
            }
        }
    }

    /// Notes how the workload's regions changed since the fault began.
    pub(crate) fn compare(&mut self, before: &[Region], after: &[Region]) {
        for old in before {
            let Some(new) = after.iter().find(|region| region.id == old.id) else { continue };
            if old.leader != new.leader {
                self.effects.push(moved(old.id, old.leader, new.leader));
            }
            if old.voters.len() != new.voters.len() {
                self.effects.push(format!(
                    "region {} went from {} to {} voters",
                    old.id,
                    old.voters.len(),
                    new.voters.len()
                ));
            }
            self.regions.push(RegionChange {
                region: old.id,
                leader_before: old.leader,
                leader_after: new.leader,
                voters_before: old.voters.len(),
                voters_after: new.voters.len(),
            });
        }
    }
}

fn moved(region: RegionId, from: Option<StoreId>, to: Option<StoreId>) -> String {
    let place = |store: Option<StoreId>| {
        store.map_or_else(|| "nowhere".into(), |store| format!("store-{store}"))
    };
    format!("leader of region {region} moved from {} to {}", place(from), place(to))
}
