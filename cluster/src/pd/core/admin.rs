//! Orders of an administrator: operators, schedulers, removal of stores. Refusals have real PD's
//! texts.

use super::{
    Core, Now, Refusal,
    operator::{Origin, Step},
    regions::Region,
    scheduling::Scheduler,
};
use proto::{metapb, pdpb::CheckPolicy};

/// An operator that an administrator orders for a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    TransferLeader { to: u64 },
    AddPeer { store: u64 },
    AddLearner { store: u64 },
    RemovePeer { store: u64 },
    TransferPeer { from: u64, to: u64 },
    SplitRegion { policy: CheckPolicy, keys: Vec<Vec<u8>> },
}

fn refused(text: impl Into<String>) -> Refusal {
    Refusal::Operator(text.into())
}

impl Core {
    /// Begins an ordered operator.
    pub fn order(&mut self, now: Now, id: u64, order: &Order) -> Result<(), Refusal> {
        let missing_region =
            || refused(format!("[PD:core:ErrRegionNotFound]region {id} not found"));
        let region = self.regions.get(id).ok_or_else(missing_region)?.clone();
        let (description, steps) = match order {
            Order::TransferLeader { to } => {
                let no_voter = || refused(format!("region has no voter in store {to}"));
                region.voter_on(*to).ok_or_else(no_voter)?;
                if region.leader_store() == *to {
                    return Err(refused("no operator step is built"));
                }
                let from = region.leader_store();
                ("admin-transfer-leader", vec![Step::TransferLeader { from, to: *to }])
            }
            Order::AddPeer { store } => ("admin-add-peer", self.peer_steps(now, &region, *store)?),
            Order::AddLearner { store } => {
                self.expect_room(now, &region, *store)?;
                let peer = self.take_ids(1);
                ("admin-add-learner", vec![Step::AddLearner { store: *store, peer }])
            }
            Order::RemovePeer { store } => {
                expect_peer(&region, *store)?;
                let mut steps = Vec::new();
                if region.leader_store() == *store {
                    let next = region
                        .voters()
                        .find(|peer| peer.store_id != *store && self.is_well(now, &region, peer));
                    let no_heir = || refused("no other peer of the region can lead it");
                    let to = next.ok_or_else(no_heir)?.store_id;
                    steps.push(Step::TransferLeader { from: *store, to });
                }
                steps.push(Step::Remove { store: *store });
                ("admin-remove-peer", steps)
            }
            Order::TransferPeer { from, to } => {
                expect_peer(&region, *from)?;
                self.expect_room(now, &region, *to)?;
                ("admin-move-peer", self.move_steps(region.leader_store(), *from, *to))
            }
            Order::SplitRegion { policy: CheckPolicy::Usekey, keys } => {
                let (start, end) = (&region.meta.start_key, &region.meta.end_key);
                let inside = |key: &Vec<u8>| key > start && (end.is_empty() || key < end);
                if keys.is_empty() || !keys.iter().all(inside) {
                    return Err(refused("split keys must lie inside the region"));
                }
                let mut keys = keys.clone();
                keys.sort();
                keys.dedup();
                ("admin-split-region", vec![Step::Split { policy: CheckPolicy::Usekey, keys }])
            }
            Order::SplitRegion { policy, .. } => {
                ("admin-split-region", vec![Step::Split { policy: *policy, keys: Vec::new() }])
            }
        };
        self.begin(now, Origin::Admin, description, id, steps)?;
        self.tick(now);
        Ok(())
    }

    fn expect_room(&self, now: Now, region: &Region, store: u64) -> Result<(), Refusal> {
        if region.peer_on(store).is_some() {
            return Err(refused(format!("region already has peer in store {store}")));
        }
        match self.condition(now, store) {
            None => Err(refused(format!("[PD:core:ErrStoreNotFound]store {store} not found"))),
            Some(super::stores::Condition::Up) => Ok(()),
            Some(other) => Err(refused(format!("store {store} is {}", other.name()))),
        }
    }

    fn peer_steps(&mut self, now: Now, region: &Region, store: u64) -> Result<Vec<Step>, Refusal> {
        if let Some(learner) = region.learners().find(|peer| peer.store_id == store) {
            return Ok(vec![Step::Promote { store, peer: learner.id }]);
        }
        self.expect_room(now, region, store)?;
        let peer = self.take_ids(1);
        Ok(vec![Step::AddLearner { store, peer }, Step::Promote { store, peer }])
    }

    /// The running schedulers.
    pub fn schedulers(&self) -> Vec<Scheduler> {
        let scheduler = |(name, stores): (&String, &Vec<u64>)| Scheduler {
            name: name.clone(),
            stores: stores.clone(),
        };
        self.scheduling.schedulers.iter().map(scheduler).collect()
    }

    /// Starts a scheduler. `store` is for schedulers that act on single stores.
    pub fn add_scheduler(&mut self, name: &str, store: Option<u64>) -> Result<(), Refusal> {
        const KNOWN: [&str; 6] = [
            "balance-region-scheduler",
            "balance-leader-scheduler",
            "balance-hot-region-scheduler",
            "evict-slow-store-scheduler",
            "evict-stopping-store-scheduler",
            "evict-leader-scheduler",
        ];
        if !KNOWN.contains(&name) {
            return Err(refused("unknown scheduler"));
        }
        if let Some(id) = store.filter(|id| !self.stores.contains_key(id)) {
            return Err(refused(format!("[PD:core:ErrStoreNotFound]store {id} not found")));
        }
        let known = self.scheduling.schedulers.contains_key(name);
        let stores = self.scheduling.schedulers.entry(name.to_owned()).or_default();
        match store {
            Some(store) if !stores.contains(&store) => stores.push(store),
            _ if known => {
                return Err(refused("[PD:scheduler:ErrSchedulerExisted]scheduler existed"));
            }
            _ => {}
        }
        self.unsaved = true;
        Ok(())
    }

    /// Stops a scheduler; the name `evict-leader-scheduler-3` stops it just for that store.
    pub fn remove_scheduler(&mut self, name: &str) -> Result<(), Refusal> {
        let removed = match name.strip_prefix("evict-leader-scheduler-").map(str::parse::<u64>) {
            Some(Ok(store)) => match self.scheduling.schedulers.get_mut("evict-leader-scheduler") {
                Some(stores) if stores.contains(&store) => {
                    stores.retain(|other| *other != store);
                    if stores.is_empty() {
                        self.scheduling.schedulers.remove("evict-leader-scheduler");
                    }
                    true
                }
                _ => false,
            },
            _ => self.scheduling.schedulers.remove(name).is_some(),
        };
        if !removed {
            return Err(refused("[PD:scheduler:ErrSchedulerNotFound]scheduler not found"));
        }
        self.unsaved = true;
        Ok(())
    }

    /// Sets a store's state: in use (`Up`), leaving (`Offline`) or gone (`Tombstone`).
    pub fn set_store_state(&mut self, id: u64, state: metapb::StoreState) -> Result<(), Refusal> {
        let up = self.stores.values().filter(|s| s.meta.state() == metapb::StoreState::Up).count();
        let policy = self.settings.policy();
        let store = self.stores.get_mut(&id).ok_or(Refusal::StoreNotFound(id))?;
        match (store.meta.state(), state) {
            (metapb::StoreState::Tombstone, metapb::StoreState::Tombstone) => return Ok(()),
            (metapb::StoreState::Tombstone, _) => return Err(Refusal::StoreTombstone),
            (metapb::StoreState::Up, metapb::StoreState::Offline) if up <= policy.max_replicas => {
                return Err(refused(format!(
                    "can not remove store {id} since the number of up stores would be {} while need {}",
                    up - 1,
                    policy.max_replicas
                )));
            }
            _ => {}
        }
        store.meta.set_state(state);
        store.meta.set_node_state(match state {
            metapb::StoreState::Up => metapb::NodeState::Serving,
            metapb::StoreState::Offline => metapb::NodeState::Removing,
            metapb::StoreState::Tombstone => metapb::NodeState::Removed,
        });
        self.unsaved = true;
        Ok(())
    }

    /// Sets a store's weights for leaders and for peers, relative to other stores.
    pub fn set_store_weight(&mut self, id: u64, leader: f64, region: f64) -> Result<(), Refusal> {
        let store = self.stores.get_mut(&id).ok_or(Refusal::StoreNotFound(id))?;
        (store.leader_weight, store.region_weight) = (leader, region);
        self.unsaved = true;
        Ok(())
    }

    /// Adds labels to a store; one of the same name is replaced, an empty one removed.
    pub fn set_store_labels(
        &mut self,
        id: u64,
        labels: Vec<metapb::StoreLabel>,
    ) -> Result<(), Refusal> {
        let store = self.stores.get_mut(&id).ok_or(Refusal::StoreNotFound(id))?;
        for label in labels {
            store.meta.labels.retain(|known| !known.key.eq_ignore_ascii_case(&label.key));
            if !label.value.is_empty() {
                store.meta.labels.push(label);
            }
        }
        self.unsaved = true;
        Ok(())
    }

    /// Removes tombstone stores from the registry.
    pub fn remove_tombstones(&mut self) {
        self.stores.retain(|_, store| store.meta.state() != metapb::StoreState::Tombstone);
        self.unsaved = true;
    }
}

fn expect_peer(region: &Region, store: u64) -> Result<(), Refusal> {
    let no_peer = || refused(format!("region has no peer in store {store}"));
    region.peer_on(store).map(|_| ()).ok_or_else(no_peer)
}
