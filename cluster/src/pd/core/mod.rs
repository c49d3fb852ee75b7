//! PD's core: a state machine without sockets, disk and clock, which the driver provides.
//!
//! Every method is one input at a time `now`; its return value is the answer. Its side effects are
//! collected until the driver fetches them: messages to leaders ([`Core::take_messages`]) and the
//! need to save ([`Core::unsaved`]). Invariants:
//! - nothing is answered or sent before the state it depends on is on disk (the driver's duty, on
//!   [`Core::unsaved`]);
//! - no id and no timestamp is given twice, over any restart;
//! - at most one operator runs per region, and it takes one membership step at a time;
//! - older information, by epoch or by term, never replaces newer.
//!
//! It knows nothing of gRPC streams, HTTP, files or threads.

pub mod admin;
mod balance;
mod ids;
pub mod operator;
mod refusal;
pub mod regions;
mod registry;
mod replicas;
pub mod saved;
mod scheduling;
pub mod settings;
pub mod stores;
mod timestamps;

#[cfg(test)]
mod tests;

pub use refusal::Refusal;

use crate::profile::Timing;
use ids::{FIRST_ID, Ids};
use operator::{Operator, Timeouts};
use proto::pdpb;
use regions::Regions;
use saved::{FORMAT, Saved, SavedRegions, SavedStore};
use scheduling::Scheduling;
use settings::Settings;
use std::{collections::BTreeMap, time::Duration};
use stores::{Condition, Patience, Store};
use timestamps::Timestamps;

/// A moment: the time since the Unix epoch, from a clock that does not go back while the process
/// lives.
pub type Now = Duration;

/// A scheduling step for the leader on a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The leader's store.
    pub store: u64,
    /// The step for the leader.
    pub step: pdpb::RegionHeartbeatResponse,
}

/// PD's state.
#[derive(Debug)]
pub struct Core {
    timing: Timing,
    cluster_id: u64,
    member_id: u64,
    started: Now,
    /// The time of the last input that checked stores for silence.
    awake_at: Now,
    ids: Ids,
    timestamps: Timestamps,
    bootstrapped: bool,
    gc_safe_point: u64,
    settings: Settings,
    stores: BTreeMap<u64, Store>,
    regions: Regions,
    scheduling: Scheduling,
    messages: Vec<Message>,
    unsaved: bool,
}

impl Core {
    /// Creates a new cluster's PD. `entropy` makes its ids differ from other clusters'.
    pub fn create(now: Now, entropy: u64, timing: Timing, max_replicas: u32) -> Self {
        let mut core = Self::empty(now, timing, max_replicas);
        // PD's own format: seconds above, randomness below.
        core.cluster_id = now.as_secs() << 32 | entropy & 0xFFFF_FFFF;
        core.member_id = entropy | 1;
        core.ids = Ids::resume(FIRST_ID);
        let change = [("max-replicas".to_owned(), max_replicas.into())].into_iter().collect();
        core.settings.change(&change).expect("at least one replica, as the caller checked");
        core.unsaved = true;
        core
    }

    /// Restores the PD from its saved state.
    pub fn restore(
        now: Now,
        timing: Timing,
        max_replicas: u32,
        saved: Saved,
        regions: Option<SavedRegions>,
    ) -> Result<Self, Refusal> {
        let mut core = Self::empty(now, timing, max_replicas);
        core.cluster_id = saved.cluster_id;
        core.member_id = saved.member_id;
        core.ids = Ids::resume(saved.ids_reserved_until);
        core.timestamps = Timestamps::resume(saved.timestamp_bound_ms);
        core.bootstrapped = saved.bootstrapped;
        core.gc_safe_point = saved.gc_safe_point;
        core.settings.change(&saved.settings.into_iter().collect())?;
        core.stores = saved.stores.into_iter().map(|s| (s.id, s.restore(now))).collect();
        core.scheduling.restore_schedulers(saved.schedulers);
        for region in regions.into_iter().flat_map(|saved| saved.regions) {
            if let Some(region) = region.restore() {
                // The cache on disk may be torn between two moments; contradictory entries are left
                // out.
                let _ = core.regions.put(region);
            }
        }
        Ok(core)
    }

    fn empty(now: Now, timing: Timing, max_replicas: u32) -> Self {
        Self {
            timing,
            cluster_id: 0,
            member_id: 0,
            started: now,
            awake_at: now,
            ids: Ids::resume(0),
            timestamps: Timestamps::resume(0),
            bootstrapped: false,
            gc_safe_point: 0,
            settings: Settings::new(
                max_replicas,
                Duration::from_millis(timing.down_ms),
                Duration::from_millis(timing.patrol_ms),
            ),
            stores: BTreeMap::new(),
            regions: Regions::default(),
            scheduling: Scheduling::new(timing),
            messages: Vec::new(),
            unsaved: false,
        }
    }

    /// The state to save before any answer or message of the inputs so far may leave; `None` if it
    /// is saved.
    pub fn unsaved(&self) -> Option<Saved> {
        self.unsaved.then(|| Saved {
            format: FORMAT,
            cluster_id: self.cluster_id,
            member_id: self.member_id,
            ids_reserved_until: self.ids.reserved_until(),
            timestamp_bound_ms: self.timestamps.bound_ms(),
            bootstrapped: self.bootstrapped,
            gc_safe_point: self.gc_safe_point,
            settings: self.settings.changes().clone(),
            schedulers: self.scheduling.saved_schedulers(),
            stores: self.stores.values().map(SavedStore::from).collect(),
        })
    }

    /// Notes that the state given by [`Self::unsaved`] is on disk.
    pub fn saved(&mut self) {
        self.unsaved = false;
    }

    /// Takes the messages that the inputs so far caused.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// Allocates `count` new ids and returns the last of them.
    pub fn alloc_ids(&mut self, count: u32) -> u64 {
        let count = u64::from(count.max(1));
        self.take_ids(count) + count - 1
    }

    fn take_ids(&mut self, count: u64) -> u64 {
        let (first, moved) = self.ids.take(count);
        self.unsaved |= moved;
        first
    }

    /// Allocates `count` new timestamps and returns the last of them.
    pub fn timestamp(&mut self, now: Now, count: u32) -> Result<pdpb::Timestamp, Refusal> {
        let (timestamp, moved) = self
            .timestamps
            .take(now, count)
            .ok_or(Refusal::InvalidCount("tso count should be positive and below 262144"))?;
        self.unsaved |= moved;
        Ok(timestamp)
    }

    /// Returns true if a store has bootstrapped the cluster.
    pub fn is_bootstrapped(&self) -> bool {
        self.bootstrapped
    }

    /// Refuses requests before the cluster is bootstrapped.
    pub fn expect_bootstrapped(&self) -> Result<(), Refusal> {
        if self.bootstrapped { Ok(()) } else { Err(Refusal::NotBootstrapped) }
    }

    /// Raises the safe point for garbage collection, which never goes back, and returns the one in
    /// force.
    pub fn advance_gc_safe_point(&mut self, safe_point: u64) -> u64 {
        if safe_point > self.gc_safe_point {
            self.gc_safe_point = safe_point;
            self.unsaved = true;
        }
        self.gc_safe_point
    }

    /// The safe point for garbage collection.
    pub fn gc_safe_point(&self) -> u64 {
        self.gc_safe_point
    }

    /// Changes settings by name.
    pub fn change_settings(
        &mut self,
        changes: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Refusal> {
        self.settings.change(changes)?;
        self.unsaved = true;
        Ok(())
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// PD's own id among the PDs of the cluster (it is the only one).
    pub fn member_id(&self) -> u64 {
        self.member_id
    }

    /// The start time of this process.
    pub fn started(&self) -> Now {
        self.started
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All stores, in the order of their ids.
    pub fn stores(&self) -> impl Iterator<Item = &Store> {
        self.stores.values()
    }

    /// Finds a store.
    pub fn store(&self, id: u64) -> Option<&Store> {
        self.stores.get(&id)
    }

    /// The region cache.
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    /// A store's state; `None` for an unknown store.
    pub fn condition(&self, now: Now, store: u64) -> Option<Condition> {
        self.stores.get(&store).map(|store| store.condition(now, self.patience()))
    }

    fn patience(&self) -> Patience {
        Patience {
            disconnected: Duration::from_millis(self.timing.disconnected_ms),
            down: self.settings.policy().max_store_down_time,
        }
    }

    fn timeouts(&self) -> Timeouts {
        // One minute and more for `tikv`, as real PD has it; a tenth for `fast`.
        Timeouts {
            quick: Duration::from_millis(self.timing.disconnected_ms * 3),
            slow: Duration::from_millis(self.timing.disconnected_ms * 15),
        }
    }

    /// The text that tools show for a running operator.
    pub fn operator_text(&self, operator: &Operator) -> String {
        operator.text(self.started, self.timeouts())
    }
}
