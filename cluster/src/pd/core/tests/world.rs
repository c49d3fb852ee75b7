//! A model cluster: stores that carry out PD's messages at once and exactly, in virtual time.
//!
//! It checks PD's guarantees at every step that it takes. A membership change concerns one peer,
//! never removes the leader, and leaves a majority of living voters.

use super::super::{Core, Message, Now, operator::Progress};
use crate::profile::Profile;
use proto::{
    eraftpb::ConfChangeType,
    metapb::{self, PeerRole},
    pdpb,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The time between two rounds.
pub const ROUND: Duration = Duration::from_millis(100);

pub struct World {
    pub core: Core,
    pub now: Now,
    /// The region that the cluster began with.
    pub first: u64,
    pub regions: BTreeMap<u64, Led>,
    /// Stores that run.
    pub alive: BTreeSet<u64>,
    /// Peers that never catch up.
    pub laggards: BTreeSet<u64>,
    /// Steps that were taken.
    pub taken: Vec<String>,
}

#[derive(Clone)]
pub struct Led {
    pub meta: metapb::Region,
    pub leader: u64,
    pub term: u64,
}

impl World {
    /// A bootstrapped cluster of `stores` stores with ids from 1.
    pub fn new(stores: u64, max_replicas: u32) -> Self {
        let now = Duration::from_secs(1_700_000_000);
        let mut core = Core::create(now, 7, Profile::Fast.timing(), max_replicas);
        core.saved();
        let region = metapb::Region {
            id: core.alloc_ids(1),
            region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version: 1 }),
            peers: vec![peer(core.alloc_ids(1), 1, PeerRole::Voter)],
            ..Default::default()
        };
        core.bootstrap(now, Some(store(1)), Some(region.clone())).expect("a new cluster");
        for id in 2..=stores {
            core.put_store(now, store(id)).expect("a new store");
        }
        let led = Led { meta: region.clone(), leader: 1, term: 6 };
        Self {
            core,
            now,
            first: region.id,
            regions: [(region.id, led)].into_iter().collect(),
            alive: (1..=stores).collect(),
            laggards: BTreeSet::new(),
            taken: Vec::new(),
        }
    }

    /// Sets the stores that live. Steps on their way are lost: PD could not know, and a real leader
    /// refuses a change that its own view of the living stores forbids.
    pub fn let_live(&mut self, alive: impl IntoIterator<Item = u64>) {
        self.core.take_messages();
        self.alive = alive.into_iter().collect();
    }

    pub fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.round();
        }
    }

    /// Runs one round: every store reports once, PD's tick passes, and PD's messages are carried
    /// out.
    fn round(&mut self) {
        self.now += ROUND;
        for store_id in self.alive.clone() {
            let stats = pdpb::StoreStats { store_id, ..Default::default() };
            // A removed store gets this refusal; nothing else is ever refused.
            if let Err(refusal) = self.core.store_heartbeat(self.now, stats) {
                assert_eq!(refusal, super::super::Refusal::StoreTombstone);
            }
        }
        for id in self.regions.keys().copied().collect::<Vec<_>>() {
            self.elect(id);
            self.heartbeat(id);
        }
        self.core.tick(self.now);
        self.deliver();
    }

    /// Elects another leader for a region whose leader died, if a majority lives.
    fn elect(&mut self, id: u64) {
        let alive = self.alive.clone();
        let region = self.regions.get_mut(&id).expect("one of ours");
        if alive.contains(&region.leader) {
            return;
        }
        let voters = || region.meta.peers.iter().filter(|peer| peer.role() == PeerRole::Voter);
        let living: Vec<u64> =
            voters().map(|peer| peer.store_id).filter(|store| alive.contains(store)).collect();
        if living.len() > voters().count() / 2 {
            region.leader = living[0];
            region.term += 1;
        }
    }

    fn heartbeat(&mut self, id: u64) {
        let region = &self.regions[&id];
        if !self.alive.contains(&region.leader) {
            return;
        }
        let beat = self.beat_of(region);
        self.core.region_heartbeat(self.now, beat).expect("the newest there is");
    }

    pub fn beat_of(&self, region: &Led) -> pdpb::RegionHeartbeatRequest {
        let peers = region.meta.peers.iter().copied();
        let lags = |peer: &metapb::Peer| self.laggards.contains(&peer.id);
        pdpb::RegionHeartbeatRequest {
            region: Some(region.meta.clone()),
            leader: region.meta.peers.iter().find(|p| p.store_id == region.leader).copied(),
            term: region.term,
            pending_peers: peers.clone().filter(lags).collect(),
            down_peers: peers
                .filter(|peer| !self.alive.contains(&peer.store_id))
                .map(|peer| pdpb::PeerStats { peer: Some(peer), down_seconds: 1 })
                .collect(),
            ..Default::default()
        }
    }

    fn deliver(&mut self) {
        self.core.saved();
        for Message { store, step } in self.core.take_messages() {
            let known = self.regions.get(&step.region_id);
            let current = known.is_some_and(|region| {
                region.leader == store && region.meta.region_epoch == step.region_epoch
            });
            if current && self.alive.contains(&store) {
                self.take(&step);
            }
        }
    }

    fn take(&mut self, step: &pdpb::RegionHeartbeatResponse) {
        let id = step.region_id;
        let mut region = self.regions[&id].clone();
        if !self.has_quorum(&region.meta) {
            return; // Its leader can commit nothing.
        }
        let mut epoch = region.meta.region_epoch.expect("set above");
        if let Some(change) = &step.change_peer {
            let changed = change.peer.expect("a peer");
            let at = region.meta.peers.iter().position(|p| p.store_id == changed.store_id);
            epoch.conf_ver += 1;
            region.meta.region_epoch = Some(epoch);
            self.taken.push(format!("{:?} {} on {}", change.change_type(), id, changed.store_id));
            match (change.change_type(), at) {
                (ConfChangeType::AddLearnerNode, None) => {
                    region.meta.peers.push(peer(changed.id, changed.store_id, PeerRole::Learner));
                }
                (ConfChangeType::AddNode, Some(at)) => {
                    assert_eq!(region.meta.peers[at].role(), PeerRole::Learner);
                    assert!(!self.laggards.contains(&changed.id), "a laggard was promoted");
                    region.meta.peers[at].set_role(PeerRole::Voter);
                }
                (ConfChangeType::RemoveNode, Some(at)) => {
                    assert_ne!(changed.store_id, region.leader, "a leader was removed");
                    region.meta.peers.remove(at);
                }
                other => panic!("a step out of place: {other:?}"),
            }
            assert!(
                self.has_quorum(&region.meta),
                "region {id} lost its quorum: {:?}",
                self.taken.last_chunk::<9>()
            );
        } else if let Some(transfer) = &step.transfer_leader {
            let to = transfer.peer.expect("a peer").store_id;
            self.taken.push(format!("TransferLeader {id} to {to}"));
            if self.alive.contains(&to) {
                region.leader = to;
                region.term += 1;
            }
        } else if let Some(split) = &step.split_region {
            let ids = self.core.split_ids(&region.meta, split.keys.len() as u32).expect("ids");
            epoch.version += split.keys.len() as u64;
            region.meta.region_epoch = Some(epoch);
            let peers = region.meta.peers.clone();
            for (ids, key) in ids.into_iter().zip(&split.keys) {
                let mut left = region.clone();
                left.meta.id = ids.new_region_id;
                left.meta.end_key.clone_from(key);
                left.meta.peers = peers
                    .iter()
                    .zip(ids.new_peer_ids)
                    .map(|(peer, id)| metapb::Peer { id, ..*peer })
                    .collect();
                region.meta.start_key.clone_from(key);
                self.regions.insert(left.meta.id, left);
            }
        }
        self.regions.insert(id, region);
        self.heartbeat(id);
    }

    fn has_quorum(&self, region: &metapb::Region) -> bool {
        let voters: Vec<_> =
            region.peers.iter().filter(|peer| peer.role() == PeerRole::Voter).collect();
        let living = voters.iter().filter(|peer| self.alive.contains(&peer.store_id)).count();
        living > voters.len() / 2
    }

    /// The numbers of voters of all regions, in the order of their keys.
    pub fn voters(&self) -> Vec<usize> {
        let mut regions: Vec<_> = self.regions.values().map(|region| &region.meta).collect();
        regions.sort_by(|a, b| a.start_key.cmp(&b.start_key));
        let voters = |region: &&metapb::Region| {
            region.peers.iter().filter(|peer| peer.role() == PeerRole::Voter).count()
        };
        regions.iter().map(voters).collect()
    }

    /// The numbers of peers on the stores from 1 to `stores`.
    pub fn peers(&self, stores: u64) -> Vec<u64> {
        (1..=stores).map(|store| self.core.regions().load(store).peers).collect()
    }

    /// The numbers of regions led by the stores from 1 to `stores`.
    pub fn leaders(&self, stores: u64) -> Vec<u64> {
        (1..=stores).map(|store| self.core.regions().load(store).leaders).collect()
    }

    pub fn change(&mut self, name: &str, value: serde_json::Value) {
        let change = [(name.to_owned(), value)].into_iter().collect();
        self.core.change_settings(&change).expect("a setting");
    }

    pub fn ended(&self, region: u64) -> Option<Progress> {
        self.core.last_operator(region).map(|(_, progress)| progress)
    }
}

pub fn store(id: u64) -> metapb::Store {
    metapb::Store { id, address: format!("127.0.0.1:{}", 20_000 + id), ..Default::default() }
}

pub fn peer(id: u64, store_id: u64, role: PeerRole) -> metapb::Peer {
    metapb::Peer { id, store_id, role: role.into(), is_witness: false }
}
