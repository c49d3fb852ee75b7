//! The region cache: which region holds a key, and which peer leads it, as last heard.
//!
//! Pure data. In: regions and leaders from PD and from region errors. Out: a [`Route`] for a key.
//! Invariant: no two cached regions overlap. What it holds may be old; stores check the epoch, and
//! their errors correct the cache.

use proto::{errorpb, metapb};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Where the keys of a range are believed to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    pub(crate) region: metapb::Region,
    pub(crate) leader: metapb::Peer,
}

impl Route {
    pub(crate) fn start(&self) -> &[u8] {
        &self.region.start_key
    }

    /// The exclusive upper bound; `None` = no bound.
    pub(crate) fn end(&self) -> Option<&[u8]> {
        Some(&self.region.end_key[..]).filter(|end| !end.is_empty())
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        key >= self.start() && self.end().is_none_or(|end| key < end)
    }

    /// Returns true if the region holds the keys right below `end` (`None` = the highest keys).
    pub(crate) fn reaches_up_to(&self, end: Option<&[u8]>) -> bool {
        match (end, self.end()) {
            (Some(end), bound) => end > self.start() && bound.is_none_or(|bound| end <= bound),
            (None, bound) => bound.is_none(),
        }
    }
}

/// Regions by their lower bound.
#[derive(Debug, Default)]
pub(crate) struct RegionCache {
    routes: BTreeMap<Vec<u8>, Route>,
}

impl RegionCache {
    pub(crate) fn find(&self, key: &[u8]) -> Option<Route> {
        let (_, route) = self.routes.range::<[u8], _>((Unbounded, Included(key))).next_back()?;
        Some(route.clone()).filter(|route| route.contains(key))
    }

    pub(crate) fn find_below(&self, end: Option<&[u8]>) -> Option<Route> {
        let candidate = match end {
            Some(end) => self.routes.range::<[u8], _>((Unbounded, Excluded(end))).next_back(),
            None => self.routes.last_key_value(),
        };
        candidate.map(|(_, route)| route.clone()).filter(|route| route.reaches_up_to(end))
    }

    /// Learns a region; what overlaps with it is forgotten.
    pub(crate) fn insert(&mut self, route: Route) {
        let overlaps = |old: &Route| {
            old.region.id == route.region.id
                || (route.end().is_none_or(|end| old.start() < end)
                    && old.end().is_none_or(|end| route.start() < end))
        };
        self.routes.retain(|_, old| !overlaps(old));
        self.routes.insert(route.region.start_key.clone(), route);
    }

    pub(crate) fn forget(&mut self, region: u64) {
        self.routes.retain(|_, route| route.region.id != region);
    }

    /// Learns from a region error about a request that took this route. Returns the store whose
    /// address is in doubt, if any.
    pub(crate) fn learn(&mut self, route: &Route, error: &errorpb::Error) -> Option<u64> {
        let region = route.region.id;
        if let Some(not_leader) = &error.not_leader {
            match &not_leader.leader {
                Some(leader) if leader.store_id != 0 && leader != &route.leader => {
                    self.insert(Route { leader: *leader, ..route.clone() });
                }
                // In an election, or this peer was removed: only PD may know.
                _ => self.forget(region),
            }
        } else if let Some(epoch_not_match) = &error.epoch_not_match {
            self.forget(region);
            for current in &epoch_not_match.current_regions {
                self.learn_region(route, current);
            }
        } else if error.store_not_match.is_some() {
            self.forget(region);
            return Some(route.leader.store_id);
        } else if error.server_is_busy.is_none() {
            self.forget(region);
        }
        None
    }

    /// A region that a store told of. It says nothing of the leader; its own peer is the best
    /// guess, unless what it tells is older than what was asked with: then PD must be asked.
    fn learn_region(&mut self, asked: &Route, current: &metapb::Region) {
        let asked_epoch = asked.region.region_epoch.unwrap_or_default();
        let epoch = current.region_epoch.unwrap_or_default();
        let older = epoch.version < asked_epoch.version || epoch.conf_ver < asked_epoch.conf_ver;
        if current.id == asked.region.id && older {
            return;
        }
        let peer = current.peers.iter().find(|peer| peer.store_id == asked.leader.store_id);
        if let Some(peer) = peer {
            self.insert(Route { region: current.clone(), leader: *peer });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(id: u64, start: &str, end: &str, version: u64) -> Route {
        let peer = |store| metapb::Peer {
            id: id * 10 + store,
            store_id: store,
            ..metapb::Peer::default()
        };
        let region = metapb::Region {
            id,
            start_key: start.into(),
            end_key: end.into(),
            region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version }),
            peers: vec![peer(1), peer(2), peer(3)],
        };
        Route { region, leader: peer(1) }
    }

    fn cache() -> RegionCache {
        let mut cache = RegionCache::default();
        for region in [route(1, "", "g", 1), route(2, "g", "p", 1), route(3, "p", "", 1)] {
            cache.insert(region);
        }
        cache
    }

    fn id(route: Option<Route>) -> Option<u64> {
        route.map(|route| route.region.id)
    }

    #[test]
    fn keys_are_found_by_bounds_that_are_inclusive_below_and_exclusive_above() {
        let cache = cache();
        for (key, region) in [("", 1), ("f", 1), ("g", 2), ("o", 2), ("p", 3), ("zz", 3)] {
            assert_eq!(id(cache.find(key.as_bytes())), Some(region), "{key}");
        }
        for (end, region) in [(Some("g"), 1), (Some("ga"), 2), (Some("p"), 2), (None, 3)] {
            assert_eq!(id(cache.find_below(end.map(str::as_bytes))), Some(region), "{end:?}");
        }
        assert_eq!(cache.find_below(Some(b"")), None);
    }

    #[test]
    fn a_region_pushes_out_what_it_overlaps() {
        let mut cache = cache();
        cache.insert(route(4, "f", "h", 2));
        assert_eq!(id(cache.find(b"f")), Some(4));
        assert_eq!(id(cache.find(b"a")), None);
        assert_eq!(id(cache.find(b"i")), None);
        assert_eq!(id(cache.find(b"q")), Some(3));
        cache.forget(4);
        assert_eq!(id(cache.find(b"f")), None);
    }

    #[test]
    fn a_hint_moves_the_leader_and_no_hint_forgets_the_region() {
        let mut cache = cache();
        let asked = route(2, "g", "p", 1);
        let hint = |leader| errorpb::Error {
            not_leader: Some(errorpb::NotLeader { region_id: 2, leader }),
            ..errorpb::Error::default()
        };
        cache.learn(&asked, &hint(Some(asked.region.peers[2])));
        assert_eq!(cache.find(b"h").map(|route| route.leader.store_id), Some(3));
        cache.learn(&asked, &hint(None));
        assert_eq!(cache.find(b"h"), None);
    }

    #[test]
    fn after_a_split_both_halves_are_known_and_an_older_epoch_is_not_believed() {
        let mut cache = cache();
        let asked = route(2, "g", "p", 1);
        let error = |regions: Vec<Route>| errorpb::Error {
            epoch_not_match: Some(errorpb::EpochNotMatch {
                current_regions: regions.into_iter().map(|route| route.region).collect(),
            }),
            ..errorpb::Error::default()
        };
        cache.learn(&asked, &error(vec![route(2, "k", "p", 2), route(7, "g", "k", 2)]));
        assert_eq!(id(cache.find(b"h")), Some(7));
        assert_eq!(id(cache.find(b"l")), Some(2));
        cache.learn(&route(2, "k", "p", 2), &error(vec![route(2, "g", "p", 1)]));
        assert_eq!(id(cache.find(b"l")), None);
    }

    #[test]
    fn a_wrong_store_puts_its_address_in_doubt_and_a_busy_one_changes_nothing() {
        let mut cache = cache();
        let asked = route(3, "p", "", 1);
        let busy = errorpb::Error {
            server_is_busy: Some(errorpb::ServerIsBusy::default()),
            ..errorpb::Error::default()
        };
        assert_eq!(cache.learn(&asked, &busy), None);
        assert_eq!(id(cache.find(b"q")), Some(3));
        let wrong = errorpb::Error {
            store_not_match: Some(errorpb::StoreNotMatch::default()),
            ..errorpb::Error::default()
        };
        assert_eq!(cache.learn(&asked, &wrong), Some(1));
        assert_eq!(cache.find(b"q"), None);
    }
}
