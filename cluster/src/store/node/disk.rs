//! The data of a store on disk: the layout of its keys, batches of changes to them, and reading all
//! of them at start.
//!
//! ```text
//! 02 region 'r'          RegionRecord        region 'h'  HardState        region 'a'  AppliedRecord
//! 03 region index        one log entry       04 region key                expiry (8 bytes) and value
//! ```
//! Numbers are big-endian, so that a scan meets them in order. One batch is written whole or not at
//! all, and batches in their order. Hence data and applied index always agree, and a log is only
//! cut after its effects are on disk. It deliberately does not know which engine writes the
//! batches, and when it syncs.

use super::{
    command::{AppliedRecord, RegionRecord},
    data::{Record, RegionData},
    peer_storage::{INITIAL_INDEX, PeerStorage},
};
use prost::Message as _;
use proto::metapb::{Region, RegionEpoch};
use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState};
use std::collections::{BTreeMap, VecDeque};

const STATE: u8 = 2;
const LOG: u8 = 3;
const DATA: u8 = 4;

/// Changes that go to disk together, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Keys with their new values; `None` deletes.
    pub writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// True if something waits for these changes to survive a crash.
    pub must_sync: bool,
}

/// The data on disk are inconsistent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Corrupt(pub String);

/// One region as it was found on disk.
#[derive(Debug, Default)]
pub struct StoredRegion {
    /// Region and peer.
    pub record: RegionRecord,
    /// Term, vote, commit.
    pub hard_state: HardState,
    /// Applied index and the log's beginning.
    pub applied: AppliedRecord,
    /// The log.
    pub entries: VecDeque<Entry>,
    /// Keys and values.
    pub data: RegionData,
}

impl Batch {
    /// Notes the region and our peer of it.
    pub fn put_region(&mut self, region_id: u64, record: &RegionRecord) {
        self.put(state_key(region_id, b'r'), record.encode_to_vec());
    }

    /// Notes term, vote and commit.
    pub fn put_hard_state(&mut self, region_id: u64, state: &HardState) {
        self.put(state_key(region_id, b'h'), encode(state));
    }

    /// Notes the applied progress of a region.
    pub fn put_applied(&mut self, region_id: u64, applied: &AppliedRecord) {
        self.put(state_key(region_id, b'a'), applied.encode_to_vec());
    }

    /// Appends one log entry, or replaces the one at its index.
    pub fn put_entry(&mut self, region_id: u64, entry: &Entry) {
        self.put(log_key(region_id, entry.index), encode(entry));
    }

    /// Drops one log entry.
    pub fn delete_entry(&mut self, region_id: u64, index: u64) {
        self.writes.push((log_key(region_id, index), None));
    }

    /// Writes one key's value.
    pub fn put_data(&mut self, region_id: u64, key: &[u8], record: &Record) {
        let mut value = record.expires_unix_s.to_be_bytes().to_vec();
        value.extend_from_slice(&record.value);
        self.put(data_key(region_id, key), value);
    }

    /// Deletes one key.
    pub fn delete_data(&mut self, region_id: u64, key: &[u8]) {
        self.writes.push((data_key(region_id, key), None));
    }

    /// Deletes term, vote and progress of a region.
    pub fn delete_states(&mut self, region_id: u64) {
        self.writes.push((state_key(region_id, b'h'), None));
        self.writes.push((state_key(region_id, b'a'), None));
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push((key, Some(value)));
    }
}

/// Reads every region from pairs in any order, and checks their consistency.
pub fn load(
    pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Result<BTreeMap<u64, StoredRegion>, Corrupt> {
    let mut regions = BTreeMap::<u64, StoredRegion>::new();
    for (key, value) in pairs {
        let Some((region_id, rest)) =
            key.get(1..9).and_then(|id| Some((u64::from_be_bytes(id.try_into().ok()?), &key[9..])))
        else {
            return Err(Corrupt(format!("key {key:02x?} is too short")));
        };
        let region = regions.entry(region_id).or_default();
        let broken = |what: &str| Corrupt(format!("{what} of region {region_id} is unreadable"));
        match (key[0], rest) {
            (STATE, b"r") => {
                region.record = prost::Message::decode(&value[..]).map_err(|_| broken("record"))?;
            }
            (STATE, b"h") => {
                region.hard_state =
                    HardState::parse_from_bytes(&value).map_err(|_| broken("hard state"))?;
            }
            (STATE, b"a") => {
                region.applied =
                    prost::Message::decode(&value[..]).map_err(|_| broken("progress"))?;
            }
            (LOG, _) => region
                .entries
                .push_back(Entry::parse_from_bytes(&value).map_err(|_| broken("a log entry"))?),
            (DATA, key) => {
                let (expiry, value) =
                    value.split_first_chunk::<8>().ok_or_else(|| broken("a value"))?;
                let record =
                    Record { value: value.to_vec(), expires_unix_s: u64::from_be_bytes(*expiry) };
                region.data.put(key.to_vec(), record);
            }
            _ => return Err(Corrupt(format!("key {key:02x?} is of no known kind"))),
        }
    }
    for (region_id, region) in &mut regions {
        region.entries.make_contiguous().sort_by_key(|entry| entry.index);
        check(*region_id, region)?;
    }
    Ok(regions)
}

fn check(region_id: u64, stored: &StoredRegion) -> Result<(), Corrupt> {
    let corrupt = |what: String| Err(Corrupt(format!("region {region_id}: {what}")));
    if stored.record.peer_id == 0 {
        return corrupt("it has data but no record of its peer".into());
    }
    let AppliedRecord { applied, truncated_index, .. } = stored.applied;
    for (position, entry) in stored.entries.iter().enumerate() {
        if entry.index != truncated_index + 1 + position as u64 {
            return corrupt(format!("its log has a gap before index {}", entry.index));
        }
    }
    let last = truncated_index + stored.entries.len() as u64;
    if applied > last || applied < truncated_index || stored.hard_state.commit > last {
        return corrupt(format!(
            "its log ends at {last}, but {applied} was applied and {} committed",
            stored.hard_state.commit
        ));
    }
    Ok(())
}

/// The batch that a store writes before it offers PD a first region, so that a crash in between
/// leaves the region whole.
pub fn first_region(region: &Region, peer_id: u64) -> Batch {
    let mut batch = Batch { must_sync: true, ..Batch::default() };
    PeerStorage::initial(region.clone(), peer_id, RegionData::default(), None, &mut batch);
    batch
}

/// The batch that removes a first region that PD did not take.
pub fn without_first_region(region_id: u64) -> Batch {
    let mut batch = Batch { must_sync: true, ..Batch::default() };
    batch.delete_states(region_id);
    batch.writes.push((state_key(region_id, b'r'), None));
    batch
}

impl StoredRegion {
    /// The region, if it may be a first region that PD does not know yet.
    pub fn as_first_region(&self) -> Option<&Region> {
        let untouched = self.applied.applied == INITIAL_INDEX
            && self.entries.is_empty()
            && !self.record.tombstone;
        self.record.region.as_ref().filter(|region| {
            untouched
                && region.peers.len() == 1
                && region.region_epoch == Some(RegionEpoch { conf_ver: 1, version: 1 })
        })
    }
}

/// Encodes a message or state of raft.
pub fn encode(message: &impl protobuf::Message) -> Vec<u8> {
    // Encoding into memory fails only if a required field is missing, and proto3 has none.
    message.write_to_bytes().expect("raft's messages have no required fields")
}

fn prefixed(kind: u8, region_id: u64, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + rest.len());
    key.push(kind);
    key.extend_from_slice(&region_id.to_be_bytes());
    key.extend_from_slice(rest);
    key
}

fn state_key(region_id: u64, which: u8) -> Vec<u8> {
    prefixed(STATE, region_id, &[which])
}

fn log_key(region_id: u64, index: u64) -> Vec<u8> {
    prefixed(LOG, region_id, &index.to_be_bytes())
}

fn data_key(region_id: u64, key: &[u8]) -> Vec<u8> {
    prefixed(DATA, region_id, key)
}
