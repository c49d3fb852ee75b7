//! PD without its surroundings: a state machine that sockets, disk and clock are brought to.
//!
//! Every method is one input at a time `now`; its return value is the answer. What it causes besides is collected
//! until the driver fetches it: messages to leaders ([`Core::take_messages`]) and the need to save
//! ([`Core::unsaved`]). Invariants:
//! - nothing is answered or sent before what it depends on is on disk (the driver's duty, on [`Core::unsaved`]);
//! - no id and no timestamp is given twice, over any restart;
//! - at most one operator runs per region, and it takes one membership step at a time;
//! - what is older, by epoch or by term, never replaces what is newer.
//!
//! It knows nothing of gRPC streams, HTTP, files or threads.

pub mod admin;
mod balance;
mod ids;
pub mod operator;
mod refusal;
pub mod regions;
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
use ids::Ids;
use operator::{Operator, Timeouts};
use proto::{metapb, pdpb};
use regions::{Region, Regions};
use saved::{FORMAT, Saved, SavedRegions, SavedStore};
use scheduling::Scheduling;
use settings::Settings;
use std::{collections::BTreeMap, time::Duration};
use stores::{Condition, Patience, Store};
use timestamps::Timestamps;

/// A moment: the time since the Unix epoch, from a clock that does not go back while the process lives.
pub type Now = Duration;

/// A scheduling step for the leader on a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The leader's store.
    pub store: u64,
    /// What it shall do.
    pub step: pdpb::RegionHeartbeatResponse,
}

/// PD's state.
#[derive(Debug)]
pub struct Core {
    timing: Timing,
    cluster_id: u64,
    member_id: u64,
    started: Now,
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
    /// A new cluster's PD. `entropy` makes its ids differ from other clusters'.
    pub fn create(now: Now, entropy: u64, timing: Timing, max_replicas: u32) -> Self {
        let mut core = Self::empty(now, timing, max_replicas);
        // As PD makes them: seconds above, chance below.
        core.cluster_id = now.as_secs() << 32 | entropy & 0xFFFF_FFFF;
        core.member_id = entropy | 1;
        let change = [("max-replicas".to_owned(), max_replicas.into())].into_iter().collect();
        core.settings.change(&change).expect("at least one replica, as the caller checked");
        core.unsaved = true;
        core
    }

    /// The PD that the disk remembers.
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
                // The cache on disk may be torn between two moments; what contradicts itself is left out.
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

    /// What has to be on disk before any answer or message of the inputs so far may leave; `None` if it is.
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

    /// The disk has what [`Self::unsaved`] gave.
    pub fn saved(&mut self) {
        self.unsaved = false;
    }

    /// The messages that the inputs so far caused.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// `count` new ids; the last of them.
    pub fn alloc_ids(&mut self, count: u32) -> u64 {
        let count = u64::from(count.max(1));
        self.take_ids(count) + count - 1
    }

    fn take_ids(&mut self, count: u64) -> u64 {
        let (first, moved) = self.ids.take(count);
        self.unsaved |= moved;
        first
    }

    /// `count` new timestamps; the last of them.
    pub fn timestamp(&mut self, now: Now, count: u32) -> Result<pdpb::Timestamp, Refusal> {
        let (timestamp, moved) = self
            .timestamps
            .take(now, count)
            .ok_or(Refusal::InvalidCount("tso count should be positive and below 262144"))?;
        self.unsaved |= moved;
        Ok(timestamp)
    }

    /// The first store brings the first region.
    pub fn bootstrap(
        &mut self,
        now: Now,
        store: Option<metapb::Store>,
        region: Option<metapb::Region>,
    ) -> Result<(), Refusal> {
        if self.bootstrapped {
            return Err(Refusal::AlreadyBootstrapped);
        }
        let invalid = Refusal::InvalidBootstrap;
        let store = store.filter(|s| s.id != 0).ok_or(invalid("missing store"))?;
        let region = region.filter(|r| r.id != 0).ok_or(invalid("missing region"))?;
        if !region.start_key.is_empty() || !region.end_key.is_empty() {
            return Err(invalid("the first region must cover all keys"));
        }
        match region.peers.as_slice() {
            [peer] if peer.store_id == store.id && peer.id != 0 => {}
            _ => return Err(invalid("the first region must have one peer, on the store")),
        }
        self.bootstrapped = true;
        self.unsaved = true;
        self.put_store(now, store)?;
        self.regions.put(Region { meta: region, ..Region::default() })
    }

    /// Whether a store has bootstrapped the cluster.
    pub fn is_bootstrapped(&self) -> bool {
        self.bootstrapped
    }

    /// Refuses what needs a bootstrapped cluster.
    pub fn expect_bootstrapped(&self) -> Result<(), Refusal> {
        if self.bootstrapped { Ok(()) } else { Err(Refusal::NotBootstrapped) }
    }

    /// A store says who it is.
    pub fn put_store(&mut self, now: Now, meta: metapb::Store) -> Result<(), Refusal> {
        self.expect_bootstrapped()?;
        if meta.id == 0 {
            return Err(Refusal::StoreNotFound(0));
        }
        if self
            .stores
            .get(&meta.id)
            .is_some_and(|s| s.meta.state() == metapb::StoreState::Tombstone)
        {
            return Err(Refusal::StoreTombstone);
        }
        let same_address = |other: &&Store| {
            other.meta.id != meta.id
                && other.meta.address == meta.address
                && other.meta.state() != metapb::StoreState::Tombstone
                && !other.meta.physically_destroyed
        };
        if let Some(other) = self.stores.values().find(same_address) {
            return Err(Refusal::DuplicateAddress { address: meta.address, by: other.meta.id });
        }
        let store = self.stores.entry(meta.id).or_insert_with(|| Store::new(meta.clone()));
        let old = std::mem::replace(&mut store.meta, meta);
        // What the store does not say of itself stays: its state, its last heartbeat.
        store.meta.state = old.state;
        store.meta.last_heartbeat = old.last_heartbeat;
        store.meta.node_state = match old.state() {
            metapb::StoreState::Up => metapb::NodeState::Serving.into(),
            _ => old.node_state,
        };
        if store.meta.start_timestamp == 0 {
            store.meta.start_timestamp = now.as_secs() as i64;
        }
        self.unsaved = true;
        Ok(())
    }

    /// A store says that it lives.
    pub fn store_heartbeat(&mut self, now: Now, stats: pdpb::StoreStats) -> Result<(), Refusal> {
        self.expect_bootstrapped()?;
        let id = stats.store_id;
        let store = self.stores.get_mut(&id).ok_or(Refusal::StoreNotFound(id))?;
        if store.meta.state() == metapb::StoreState::Tombstone {
            return Err(Refusal::StoreTombstone);
        }
        store.stats = stats;
        store.heard = Some(now);
        store.meta.last_heartbeat = now.as_nanos() as i64;
        Ok(())
    }

    /// A new safe point for garbage collection, which never goes back; the one that holds.
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

    /// Ids for a split of `region` into `count` more: for each a region id and one peer id per peer.
    pub fn split_ids(
        &mut self,
        region: &metapb::Region,
        count: u32,
    ) -> Result<Vec<pdpb::SplitId>, Refusal> {
        self.expect_bootstrapped()?;
        let known = self.regions.get(region.id).ok_or(Refusal::RegionNotFound(region.id))?;
        let (asked, newest) = (region.region_epoch.unwrap_or_default(), known.epoch());
        if asked.version < newest.version || asked.conf_ver < newest.conf_ver {
            return Err(Refusal::RegionStale {
                region: region.id,
                detail: format!("epoch {asked:?} is behind {newest:?}"),
            });
        }
        if !(1..=1_024).contains(&count) {
            return Err(Refusal::InvalidCount("split count should be 1 to 1024"));
        }
        let peers = region.peers.len() as u64;
        let ids = (0..count).map(|_| {
            let first = self.take_ids(1 + peers);
            pdpb::SplitId {
                new_region_id: first,
                new_peer_ids: (first + 1..=first + peers).collect(),
            }
        });
        Ok(ids.collect())
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// PD's own id among the PDs of the cluster (it is the only one).
    pub fn member_id(&self) -> u64 {
        self.member_id
    }

    /// When this process started.
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

    /// A store.
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

    /// The running operator of a region, and the text that tools show for it.
    pub fn operator_text(&self, operator: &Operator) -> String {
        operator.text(self.started, self.timeouts())
    }
}
