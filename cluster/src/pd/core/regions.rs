//! The region cache: the last reports of leaders on their regions, never replaced by older ones.
//!
//! In: heartbeats. Out: regions by id and by key, and each store's numbers of leaders and peers.
//! Invariants:
//! - regions in the cache do not overlap;
//! - a region's epoch (both parts) and leader term never go back;
//! - the loads per store are those of the cached regions.

use super::{Now, refusal::Refusal};
use proto::{metapb, pdpb};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

/// PD's knowledge of one region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Region {
    /// Bounds, epoch, peers.
    pub meta: metapb::Region,
    /// The leader; unknown for a region that PD has only from its disk.
    pub leader: Option<metapb::Peer>,
    /// The leader's term.
    pub term: u64,
    /// Peers that the leader does not hear from, and the time since.
    pub down: Vec<pdpb::PeerStats>,
    /// Peers that lag.
    pub pending: Vec<metapb::Peer>,
    /// Size, keys and traffic as last reported.
    pub flow: Flow,
    /// The time of the last heartbeat.
    pub heard: Option<Now>,
}

/// A leader's report of a region's size and traffic since its last heartbeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    pub bytes_written: u64,
    pub bytes_read: u64,
    pub keys_written: u64,
    pub keys_read: u64,
    /// Bytes.
    pub approximate_size: u64,
    pub approximate_keys: u64,
    pub cpu_usage: u64,
}

/// The share of the cluster that one store carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Regions that it leads.
    pub leaders: u64,
    /// Peers that it holds, learners too.
    pub peers: u64,
    /// Size of the regions that it leads, MiB.
    pub leaders_mib: u64,
    /// Size of the regions that it holds, MiB.
    pub peers_mib: u64,
}

/// The cache.
#[derive(Debug, Clone, Default)]
pub struct Regions {
    by_id: BTreeMap<u64, Region>,
    by_start: BTreeMap<Vec<u8>, u64>,
    loads: BTreeMap<u64, Load>,
    /// Grows with every change of a region's bounds, epoch or peers.
    revision: u64,
}

impl Region {
    /// Converts a heartbeat.
    pub fn from_heartbeat(now: Now, beat: pdpb::RegionHeartbeatRequest) -> Self {
        Self {
            meta: beat.region.unwrap_or_default(),
            leader: beat.leader,
            term: beat.term,
            down: beat.down_peers,
            pending: beat.pending_peers,
            flow: Flow {
                bytes_written: beat.bytes_written,
                bytes_read: beat.bytes_read,
                keys_written: beat.keys_written,
                keys_read: beat.keys_read,
                approximate_size: beat.approximate_size,
                approximate_keys: beat.approximate_keys,
                cpu_usage: beat.cpu_usage,
            },
            heard: Some(now),
        }
    }

    /// The region's epoch; zeros if it has none.
    pub fn epoch(&self) -> metapb::RegionEpoch {
        self.meta.region_epoch.unwrap_or_default()
    }

    /// The region's peer on a store.
    pub fn peer_on(&self, store: u64) -> Option<&metapb::Peer> {
        self.meta.peers.iter().find(|peer| peer.store_id == store)
    }

    /// The region's voter on a store.
    pub fn voter_on(&self, store: u64) -> Option<&metapb::Peer> {
        self.voters().find(|peer| peer.store_id == store)
    }

    /// The region's voters.
    pub fn voters(&self) -> impl Iterator<Item = &metapb::Peer> {
        self.meta.peers.iter().filter(|peer| peer.role() != metapb::PeerRole::Learner)
    }

    /// The region's learners.
    pub fn learners(&self) -> impl Iterator<Item = &metapb::Peer> {
        self.meta.peers.iter().filter(|peer| peer.role() == metapb::PeerRole::Learner)
    }

    /// The leader's store; 0 if unknown.
    pub fn leader_store(&self) -> u64 {
        self.leader.as_ref().map_or(0, |leader| leader.store_id)
    }

    /// Returns true if a peer lags so far that it must not be counted on.
    pub fn is_pending(&self, peer_id: u64) -> bool {
        self.pending.iter().any(|peer| peer.id == peer_id)
    }

    /// The number of seconds for which the leader has not heard from a peer; `None` if it has.
    pub fn down_seconds(&self, peer_id: u64) -> Option<u64> {
        let is_it = |stats: &&pdpb::PeerStats| stats.peer.as_ref().is_some_and(|p| p.id == peer_id);
        self.down.iter().find(is_it).map(|stats| stats.down_seconds)
    }

    /// The region's size in MiB, at least 1 as PD counts it.
    pub fn size_mib(&self) -> u64 {
        (self.flow.approximate_size >> 20).max(1)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let before = |end: &[u8], start: &[u8]| !end.is_empty() && end <= start;
        !before(&self.meta.end_key, &other.meta.start_key)
            && !before(&other.meta.end_key, &self.meta.start_key)
    }
}

impl Regions {
    /// Takes in a leader's report, unless newer information is known. Regions that it overlaps are
    /// older and removed.
    pub fn put(&mut self, region: Region) -> Result<(), Refusal> {
        let epoch = region.epoch();
        let stale = |detail: String| Refusal::RegionStale { region: region.meta.id, detail };
        let mut replaced = Vec::new();
        if let Some(known) = self.by_id.get(&region.meta.id) {
            let old = known.epoch();
            if epoch.version < old.version || epoch.conf_ver < old.conf_ver {
                return Err(stale(format!("epoch {epoch:?} is behind {old:?}")));
            }
            if region.term > 0 && region.term < known.term {
                return Err(stale(format!("term {} is behind {}", region.term, known.term)));
            }
            replaced.push(region.meta.id);
        }
        for other in self.overlapping(&region) {
            if other.meta.id == region.meta.id {
                continue;
            }
            if epoch.version < other.epoch().version {
                return Err(stale(format!(
                    "version {} is behind {} of region {}, which it overlaps",
                    epoch.version,
                    other.epoch().version,
                    other.meta.id
                )));
            }
            replaced.push(other.meta.id);
        }
        let changes = self.by_id.get(&region.meta.id).is_none_or(|old| old.meta != region.meta);
        self.revision += u64::from(changes);
        for id in replaced {
            self.remove(id);
        }
        self.count(&region, true);
        self.by_start.insert(region.meta.start_key.clone(), region.meta.id);
        self.by_id.insert(region.meta.id, region);
        Ok(())
    }

    /// Finds a region by its id.
    pub fn get(&self, id: u64) -> Option<&Region> {
        self.by_id.get(&id)
    }

    /// All regions in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.by_id.values()
    }

    /// The number of regions.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Finds the region of a key.
    pub fn by_key(&self, key: &[u8]) -> Option<&Region> {
        let (_, id) = self.by_start.range::<[u8], _>((Unbounded, Included(key))).next_back()?;
        let region = &self.by_id[id];
        (region.meta.end_key.is_empty() || key < region.meta.end_key.as_slice()).then_some(region)
    }

    /// Finds the region before that of a key.
    pub fn before_key(&self, key: &[u8]) -> Option<&Region> {
        let start = &self.by_key(key)?.meta.start_key;
        let (_, id) =
            self.by_start.range::<[u8], _>((Unbounded, Excluded(start.as_slice()))).next_back()?;
        let before = &self.by_id[id];
        (before.meta.end_key == *start).then_some(before)
    }

    /// Regions in key order, from the one with `start` on, up to `end` (empty = no bound); `limit`
    /// 0 = all.
    pub fn scan<'a>(&'a self, start: &[u8], end: &'a [u8], limit: usize) -> Vec<&'a Region> {
        let from = self.by_key(start).map_or(start, |region| region.meta.start_key.as_slice());
        self.by_start
            .range::<[u8], _>((Included(from), Unbounded))
            .map(|(_, id)| &self.by_id[id])
            .take_while(|region| end.is_empty() || region.meta.start_key.as_slice() < end)
            .take(if limit == 0 { usize::MAX } else { limit })
            .collect()
    }

    /// The load of a store.
    pub fn load(&self, store: u64) -> Load {
        self.loads.get(&store).copied().unwrap_or_default()
    }

    /// Grows with every change of a region's bounds, epoch or peers.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn overlapping<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a Region> {
        let from = self
            .by_start
            .range::<[u8], _>((Unbounded, Included(region.meta.start_key.as_slice())))
            .next_back()
            .map_or(region.meta.start_key.as_slice(), |(start, _)| start.as_slice());
        let end = region.meta.end_key.as_slice();
        self.by_start
            .range::<[u8], _>((Included(from), Unbounded))
            .take_while(move |(start, _)| end.is_empty() || start.as_slice() < end)
            .map(|(_, id)| &self.by_id[id])
            .filter(|other| other.overlaps(region))
    }

    fn remove(&mut self, id: u64) {
        if let Some(region) = self.by_id.remove(&id) {
            self.by_start.remove(&region.meta.start_key);
            self.count(&region, false);
        }
    }

    fn count(&mut self, region: &Region, add: bool) {
        let mib = region.size_mib();
        let change =
            |value: &mut u64, by: u64| *value = if add { *value + by } else { *value - by };
        for peer in &region.meta.peers {
            let load = self.loads.entry(peer.store_id).or_default();
            change(&mut load.peers, 1);
            change(&mut load.peers_mib, mib);
        }
        if let Some(leader) = &region.leader {
            let load = self.loads.entry(leader.store_id).or_default();
            change(&mut load.leaders, 1);
            change(&mut load.leaders_mib, mib);
        }
    }
}
