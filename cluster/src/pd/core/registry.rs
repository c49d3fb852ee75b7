//! The creation and growth of a cluster: the first store and region, further stores, their
//! heartbeats, splits.

use super::{Core, Now, Refusal, regions::Region, stores::Store};
use proto::{metapb, pdpb};
use std::time::Duration;

impl Core {
    /// Creates the cluster with its first store and region.
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

    /// Registers a store, or updates its registration.
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
        // The fields that the store does not report about itself stay: its state, its last
        // heartbeat.
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

    /// Takes in a store's heartbeat.
    pub fn store_heartbeat(&mut self, now: Now, stats: pdpb::StoreStats) -> Result<(), Refusal> {
        self.expect_bootstrapped()?;
        self.wake(now);
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

    /// Allocates ids for a split of `region` into `count` more: for each a region id and one peer
    /// id per peer.
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

    /// Called with every input that checks stores for silence. If PD itself slept (was paused, had
    /// no processor), the silence is its own: every store's time starts anew.
    pub(super) fn wake(&mut self, now: Now) {
        let slept = now.saturating_sub(self.awake_at);
        if slept > Duration::from_millis(self.timing.disconnected_ms) {
            for store in self.stores.values_mut() {
                store.known_since = Some(now);
            }
        }
        self.awake_at = now;
    }
}
