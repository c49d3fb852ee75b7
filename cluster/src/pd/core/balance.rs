//! Balance: leaders and peers spread evenly over the living stores, gently.
//!
//! In: loads per store, including the effects of running operators. Out: at most one new operator
//! per kind and round. A move is made only if the counts differ by two or more, so that no move can
//! be undone by the next. A region that an administrator or an election just moved is left alone
//! for a while, as is a region with unhealthy peers.

use super::{
    Core, Now,
    operator::{Operator, Origin, Step},
    regions::Region,
};

/// The largest number of concurrent peer moves for balance.
const PEER_MOVES: usize = 4;

impl Core {
    /// Runs one round of balancing.
    pub(super) fn balance(&mut self, now: Now) {
        self.evict_leaders(now);
        if self.has_scheduler("balance-leader-scheduler") {
            self.balance_leaders(now);
        }
        if self.has_scheduler("balance-region-scheduler") {
            self.balance_peers(now);
        }
    }

    fn has_scheduler(&self, name: &str) -> bool {
        self.scheduling.schedulers.contains_key(name)
    }

    fn may_lead(&self, now: Now, store: u64) -> bool {
        let evicted = self.scheduling.schedulers.get("evict-leader-scheduler");
        self.is_up(now, store) && evicted.is_none_or(|stores| !stores.contains(&store))
    }

    fn leaders_expected(&self, store: u64) -> i64 {
        let to_come: i64 = self.operators().map(|op| op.leaders_to_come(store)).sum();
        self.regions.load(store).leaders as i64 + to_come
    }

    fn moves(&self, is_counted: impl Fn(&&Operator) -> bool) -> usize {
        self.operators().filter(|op| op.origin == Origin::Balance).filter(is_counted).count()
    }

    /// Returns true if a region may be touched for balance.
    fn is_free(&self, now: Now, region: &Region) -> bool {
        let id = region.meta.id;
        region.heard.is_some()
            && self.operator(id).is_none()
            && !self.scheduling.hold_until.contains_key(&id)
            && region.meta.peers.iter().all(|peer| self.is_well(now, region, peer))
            && region.voters().count() == self.settings.policy().max_replicas
    }

    fn balance_leaders(&mut self, now: Now) {
        if self.moves(|op| !op.changes_peers()) >= self.settings.policy().leader_schedule_limit {
            return;
        }
        let mut stores: Vec<(i64, u64)> = self
            .stores
            .keys()
            .filter(|store| self.may_lead(now, **store))
            .map(|store| (self.leaders_expected(*store), *store))
            .collect();
        stores.sort_unstable();
        for (most, from) in stores.iter().rev() {
            for (fewest, to) in &stores {
                if most - fewest < 2 {
                    break;
                }
                let movable = |region: &&Region| {
                    region.leader_store() == *from
                        && region.voter_on(*to).is_some()
                        && self.is_free(now, region)
                };
                let found = self.regions.iter().find(movable).map(|region| region.meta.id);
                if let Some(region) = found {
                    let steps = vec![Step::TransferLeader { from: *from, to: *to }];
                    let _ = self.begin(now, Origin::Balance, "balance-leader", region, steps);
                    return;
                }
            }
        }
    }

    fn balance_peers(&mut self, now: Now) {
        let limit = self.settings.policy().region_schedule_limit.min(PEER_MOVES);
        if self.moves(|op| op.changes_peers()) >= limit {
            return;
        }
        let mut stores: Vec<(i64, u64)> = self
            .stores
            .keys()
            .filter(|store| self.is_up(now, **store))
            .map(|store| (self.peers_expected(*store), *store))
            .collect();
        stores.sort_unstable();
        for (most, from) in stores.iter().rev() {
            for (fewest, to) in &stores {
                if most - fewest < 2 {
                    break;
                }
                let movable = |region: &&Region| {
                    region.voter_on(*from).is_some()
                        && region.peer_on(*to).is_none()
                        && self.is_free(now, region)
                };
                // Followers are preferred: a leader would have to be moved first.
                let mut candidates: Vec<&Region> = self.regions.iter().filter(movable).collect();
                candidates.sort_by_key(|region| region.leader_store() == *from);
                if let Some(region) = candidates.first() {
                    let (id, leader) = (region.meta.id, region.leader_store());
                    let steps = self.move_steps(leader, *from, *to);
                    let _ = self.begin(now, Origin::Balance, "balance-region", id, steps);
                    return;
                }
            }
        }
    }

    /// Moves leadership away from stores that shall not lead, to the healthy peer whose store leads
    /// least.
    fn evict_leaders(&mut self, now: Now) {
        let Some(stores) = self.scheduling.schedulers.get("evict-leader-scheduler").cloned() else {
            return;
        };
        for from in stores {
            let led = |region: &&Region| {
                region.leader_store() == from && self.operator(region.meta.id).is_none()
            };
            let Some(region) = self.regions.iter().find(led) else { continue };
            let target = region
                .voters()
                .filter(|peer| self.may_lead(now, peer.store_id) && self.is_well(now, region, peer))
                .map(|peer| peer.store_id)
                .min_by_key(|store| (self.leaders_expected(*store), *store));
            if let Some(to) = target {
                let id = region.meta.id;
                let steps = vec![Step::TransferLeader { from, to }];
                let _ = self.begin(now, Origin::Balance, "evict-leader", id, steps);
            }
        }
    }
}
