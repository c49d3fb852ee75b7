//! PD's persistent state on disk: two JSON documents.
//!
//! [`Saved`] (`state.json`) is on disk before anything that depends on it is answered: ids and
//! timestamps reserved, stores, settings. [`SavedRegions`] (`regions.json`) is a cache that leaders
//! refresh by their heartbeats. It is written periodically, so that routing works at once after a
//! restart. Keys are upper-case hex. Format version 1.

use super::{
    Now,
    regions::{Region, Regions},
    stores::Store,
};
use proto::metapb;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// The version of both documents.
pub const FORMAT: u32 = 1;

/// The state that is saved before it is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub format: u32,
    pub cluster_id: u64,
    pub member_id: u64,
    pub ids_reserved_until: u64,
    pub timestamp_bound_ms: i64,
    pub bootstrapped: bool,
    pub gc_safe_point: u64,
    pub settings: BTreeMap<String, serde_json::Value>,
    pub schedulers: BTreeMap<String, Vec<u64>>,
    pub stores: Vec<SavedStore>,
}

/// A store on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedStore {
    pub id: u64,
    pub address: String,
    pub peer_address: String,
    pub status_address: String,
    pub state: i32,
    pub labels: Vec<(String, String)>,
    pub version: String,
    pub git_hash: String,
    pub deploy_path: String,
    pub start_timestamp_s: i64,
    pub last_heartbeat_ns: i64,
    pub physically_destroyed: bool,
    pub leader_weight: f64,
    pub region_weight: f64,
}

/// The region cache on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRegions {
    pub format: u32,
    pub regions: Vec<SavedRegion>,
}

/// A region on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRegion {
    pub id: u64,
    pub start_key: String,
    pub end_key: String,
    pub conf_ver: u64,
    pub version: u64,
    /// Peer id, store id, role.
    pub peers: Vec<(u64, u64, i32)>,
}

/// Upper-case hex, as PD writes keys.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Decodes hex, upper or lower case.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl From<&Store> for SavedStore {
    fn from(store: &Store) -> Self {
        let meta = &store.meta;
        Self {
            id: meta.id,
            address: meta.address.clone(),
            peer_address: meta.peer_address.clone(),
            status_address: meta.status_address.clone(),
            state: meta.state,
            labels: meta.labels.iter().map(|l| (l.key.clone(), l.value.clone())).collect(),
            version: meta.version.clone(),
            git_hash: meta.git_hash.clone(),
            deploy_path: meta.deploy_path.clone(),
            start_timestamp_s: meta.start_timestamp,
            last_heartbeat_ns: meta.last_heartbeat,
            physically_destroyed: meta.physically_destroyed,
            leader_weight: store.leader_weight,
            region_weight: store.region_weight,
        }
    }
}

impl SavedStore {
    /// Restores the store for a PD that started at `now`.
    pub fn restore(self, now: Now) -> Store {
        let label = |(key, value)| metapb::StoreLabel { key, value };
        let heard = self.last_heartbeat_ns;
        let state = metapb::StoreState::try_from(self.state).unwrap_or_default();
        let node_state = match state {
            metapb::StoreState::Up => metapb::NodeState::Serving,
            metapb::StoreState::Offline => metapb::NodeState::Removing,
            metapb::StoreState::Tombstone => metapb::NodeState::Removed,
        };
        Store {
            meta: metapb::Store {
                id: self.id,
                address: self.address,
                peer_address: self.peer_address,
                status_address: self.status_address,
                state: state.into(),
                labels: self.labels.into_iter().map(label).collect(),
                version: self.version,
                git_hash: self.git_hash,
                deploy_path: self.deploy_path,
                start_timestamp: self.start_timestamp_s,
                last_heartbeat: heard,
                physically_destroyed: self.physically_destroyed,
                node_state: node_state.into(),
            },
            heard: (heard > 0).then(|| Duration::from_nanos(heard as u64)),
            known_since: Some(now),
            leader_weight: self.leader_weight,
            region_weight: self.region_weight,
            ..Store::default()
        }
    }
}

impl From<&Regions> for SavedRegions {
    fn from(regions: &Regions) -> Self {
        let saved = |region: &Region| SavedRegion {
            id: region.meta.id,
            start_key: hex(&region.meta.start_key),
            end_key: hex(&region.meta.end_key),
            conf_ver: region.epoch().conf_ver,
            version: region.epoch().version,
            peers: region.meta.peers.iter().map(|p| (p.id, p.store_id, p.role)).collect(),
        };
        Self { format: FORMAT, regions: regions.iter().map(saved).collect() }
    }
}

impl SavedRegion {
    /// Restores the region without a leader; `None` if its keys are no hex.
    pub fn restore(self) -> Option<Region> {
        let peer = |(id, store_id, role)| metapb::Peer { id, store_id, role, is_witness: false };
        Some(Region {
            meta: metapb::Region {
                id: self.id,
                start_key: unhex(&self.start_key)?,
                end_key: unhex(&self.end_key)?,
                region_epoch: Some(metapb::RegionEpoch {
                    conf_ver: self.conf_ver,
                    version: self.version,
                }),
                peers: self.peers.into_iter().map(peer).collect(),
            },
            ..Region::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_there_and_back() {
        assert_eq!(hex(&[0x72, 0, 0xFB]), "7200FB");
        assert_eq!(unhex("7200fB"), Some(vec![0x72, 0, 0xFB]));
        assert_eq!(unhex("7"), None);
        assert_eq!(unhex("zz"), None);
    }
}
