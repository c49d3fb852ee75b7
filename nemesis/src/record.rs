//! What became of a fault: whom it hurt, when, what was seen of it, and whether it had an effect.
//!
//! Pure data, for verdict and report. Times are nanoseconds since the run's start.

use crate::{
    process::ProcessState,
    target::{Region, RegionId, StoreId},
};
use serde::Serialize;
use serde_json::{Value, json};

/// What a store was to the region that a fault was about, when the fault began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Its leader was there.
    Leader,
    /// Another voter was there.
    Follower,
}

/// A store that a fault hurt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hurt {
    /// Its id.
    pub store: StoreId,
    /// Its address.
    pub address: String,
    /// Its process then.
    pub pid: Option<u32>,
    /// What it was to the region.
    pub role: Role,
    /// What its process did after it was hurt; `None` = that was not seen.
    pub state: Option<ProcessState>,
}

impl Hurt {
    /// Whom a history's event is about.
    pub(crate) fn to_whom(&self) -> Value {
        json!({ "id": self.store, "address": self.address, "pid": self.pid, "role": self.role })
    }
}

/// A region before a fault and late in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionChange {
    /// Which.
    pub region: RegionId,
    /// The store of its leader before.
    pub leader_before: Option<StoreId>,
    /// The store of its leader at the fault's end, or a moment after healing if it moved only then.
    pub leader_after: Option<StoreId>,
    /// How many voters it had before.
    pub voters_before: usize,
    /// How many voters it had at the fault's end.
    pub voters_after: usize,
}

/// One fault of a run, afterwards.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultRecord {
    /// Its place in the plan, from 0. The events of a history name it.
    pub fault: usize,
    /// The name by which the user asked for it.
    pub name: &'static str,
    /// When it began; `None` = it was not injected.
    pub begun_ns: Option<u64>,
    /// When everything it hurt had been healed.
    pub ended_ns: Option<u64>,
    /// The stores it hurt.
    pub hurt: Vec<Hurt>,
    /// The workload's regions before it and late in it.
    pub regions: Vec<RegionChange>,
    /// Whether every region of the workload kept a majority of running voters while it was in force. Only then may
    /// progress be demanded.
    pub majority_left: bool,
    /// What it changed in the cluster, in words; empty = nothing was seen to change.
    pub effects: Vec<String>,
    /// It was ended early, because the run ended.
    pub cut_short: bool,
    /// What went wrong with it.
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

    /// Whether what it hurt was seen to be hurt (a process that is not is an error), or what it asked for was seen to
    /// happen.
    pub fn confirmed(&self) -> bool {
        let hurt =
            |hurt: &Hurt| matches!(hurt.state, Some(ProcessState::Stopped | ProcessState::Gone));
        self.begun_ns.is_some()
            && self.error.is_none()
            && self.hurt.iter().all(hurt)
            && (!self.hurt.is_empty() || !self.effects.is_empty())
    }

    /// What it changed, or that it changed nothing, in words.
    pub fn effect_in_words(&self) -> String {
        match (self.begun_ns, self.effects.as_slice()) {
            (None, _) => "not injected".into(),
            (_, []) => "no effect on the cluster".into(),
            (_, effects) => effects.join(", "),
        }
    }

    /// Whether a leader was seen to move.
    pub(crate) fn leader_moved(&self) -> bool {
        self.regions.iter().any(|region| region.leader_before != region.leader_after)
    }

    /// Notes which leaders moved since the comparison.
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
