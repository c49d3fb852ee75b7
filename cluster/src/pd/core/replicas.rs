//! The replica checker: brings every region to `max-replicas` voters on living stores, without
//! endangering it.
//!
//! In: a region, the stores' states, the settings. Out: the steps that the region should take next,
//! if any. It never removes a leader, and never makes a configuration in which the healthy peers
//! are no majority.

use super::{Core, Now, operator::Step, regions::Region, stores::Condition};
use proto::metapb;

/// The repair of a missing or surplus peer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Repair {
    Add { store: u64 },
    Promote { store: u64, peer: u64 },
    Remove { store: u64 },
    Replace { from: u64, to: u64 },
}

impl Core {
    /// The name and the steps of the operator that a region needs.
    pub(super) fn replica_plan(&mut self, now: Now, id: u64) -> Option<(&'static str, Vec<Step>)> {
        let running = self.operators().filter(|op| op.origin == super::operator::Origin::Checker);
        if running.count() >= self.settings.policy().replica_schedule_limit {
            return None;
        }
        let region = self.regions.get(id)?;
        let leader = region.leader_store();
        match self.repair(now, region)? {
            Repair::Add { store } => {
                let peer = self.take_ids(1);
                let steps = vec![Step::AddLearner { store, peer }, Step::Promote { store, peer }];
                Some(("make-up-replica", steps))
            }
            Repair::Promote { store, peer } => {
                Some(("promote-learner", vec![Step::Promote { store, peer }]))
            }
            Repair::Remove { store } => Some(("remove-orphan-peer", vec![Step::Remove { store }])),
            Repair::Replace { from, to } => {
                Some(("replace-down-replica", self.move_steps(leader, from, to)))
            }
        }
    }

    /// The steps that move a peer: the new one is a voter before the old one goes.
    pub(super) fn move_steps(&mut self, leader: u64, from: u64, to: u64) -> Vec<Step> {
        let peer = self.take_ids(1);
        let mut steps =
            vec![Step::AddLearner { store: to, peer }, Step::Promote { store: to, peer }];
        if leader == from {
            steps.push(Step::TransferLeader { from, to });
        }
        steps.push(Step::Remove { store: from });
        steps
    }

    fn repair(&self, now: Now, region: &Region) -> Option<Repair> {
        let policy = self.settings.policy();
        let voters = region.voters().count();
        let missing = voters < policy.max_replicas;
        for learner in region.learners() {
            let (store, peer) = (learner.store_id, learner.id);
            if self.is_gone(now, region, learner) || !missing {
                return policy.remove_extra_replica.then_some(Repair::Remove { store });
            }
            if self.is_well(now, region, learner) {
                return self
                    .keeps_quorum(now, region, None, Some(store))
                    .then_some(Repair::Promote { store, peer });
            }
            if self.is_up(now, store) {
                return None; // It is catching up.
            }
        }
        let replaceable = |peer: &&metapb::Peer| {
            (policy.remove_down_replica && self.is_gone(now, region, peer))
                || (policy.replace_offline_replica
                    && self.condition(now, peer.store_id) == Some(Condition::Offline))
        };
        if voters > policy.max_replicas {
            return policy.remove_extra_replica.then(|| self.surplus(now, region)).flatten();
        }
        if missing {
            let store = self.best_store(now, region).filter(|_| policy.make_up_replica)?;
            return Some(Repair::Add { store });
        }
        let from = region.voters().find(replaceable)?.store_id;
        self.best_store(now, region).map(|to| Repair::Replace { from, to })
    }

    /// The voter to remove: first unhealthy ones, then those on the fullest store; never the
    /// leader.
    fn surplus(&self, now: Now, region: &Region) -> Option<Repair> {
        region
            .voters()
            .filter(|peer| peer.store_id != region.leader_store())
            .filter(|peer| self.keeps_quorum(now, region, Some(peer.store_id), None))
            .max_by_key(|peer| {
                (
                    self.is_gone(now, region, peer),
                    !self.is_well(now, region, peer),
                    self.peers_expected(peer.store_id),
                    peer.id,
                )
            })
            .map(|peer| Repair::Remove { store: peer.store_id })
    }

    /// The living store with the fewest peers among those without a peer of the region.
    pub(super) fn best_store(&self, now: Now, region: &Region) -> Option<u64> {
        self.stores
            .keys()
            .copied()
            .filter(|store| self.is_up(now, *store) && region.peer_on(*store).is_none())
            .filter(|store| !self.stores[store].stats.is_busy)
            .min_by_key(|store| (self.peers_expected(*store), *store))
    }

    /// The number of peers that a store will have when the running operators are done.
    pub(super) fn peers_expected(&self, store: u64) -> i64 {
        let to_come: i64 = self.operators().map(|op| op.peers_to_come(store)).sum();
        self.regions.load(store).peers as i64 + to_come
    }

    /// Returns true if a peer is healthy: on a living store, heard by its leader, not lagging far.
    pub(super) fn is_well(&self, now: Now, region: &Region, peer: &metapb::Peer) -> bool {
        self.serves(now, peer.store_id)
            && region.down_seconds(peer.id).is_none()
            && !region.is_pending(peer.id)
    }

    /// Returns true if a peer has been away for so long that it is replaced.
    fn is_gone(&self, now: Now, region: &Region, peer: &metapb::Peer) -> bool {
        let given_up = self.settings.policy().max_store_down_time.as_secs();
        let down = region.down_seconds(peer.id).is_some_and(|seconds| seconds > given_up);
        let condition = self.condition(now, peer.store_id);
        down || matches!(condition, None | Some(Condition::Down | Condition::Tombstone))
    }

    /// Returns true if the healthy voters are a majority once a peer is `removed`, or a learner
    /// `promoted`.
    pub(super) fn keeps_quorum(
        &self,
        now: Now,
        region: &Region,
        removed: Option<u64>,
        promoted: Option<u64>,
    ) -> bool {
        let next: Vec<_> = region
            .meta
            .peers
            .iter()
            .filter(|peer| removed != Some(peer.store_id))
            .filter(|peer| {
                peer.role() != metapb::PeerRole::Learner || promoted == Some(peer.store_id)
            })
            .collect();
        let well = next.iter().filter(|peer| self.is_well(now, region, peer)).count();
        well > next.len() / 2
    }
}
