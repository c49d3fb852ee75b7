//! One peer's log, state and data in memory, as the crate `raft` reads them, each change noted for
//! the disk as well.
//!
//! In: entries, states and snapshots from Raft, mutations from applied entries. Out: the data that
//! Raft asks for, and writes added to a [`Batch`]. Invariants: the log has no gaps;
//! `truncated <= applied <= last`; memory is never behind the batches. It deliberately does not
//! know when a batch reaches the disk.

use super::{
    command::{AppliedRecord, RegionRecord},
    data::RegionData,
    disk::{Batch, StoredRegion},
    snapshot,
};
use proto::metapb::{PeerRole, Region};
use raft::{
    GetEntriesContext, RaftState, Storage, StorageError,
    eraftpb::{ConfState, Entry, HardState, Snapshot},
};
use std::collections::VecDeque;

/// The index and term that a region begins with, so that its first peer's log looks truncated and
/// any later peer must start from a snapshot.
pub const INITIAL_INDEX: u64 = 5;

/// A peer's state.
#[derive(Debug)]
pub struct PeerStorage {
    /// The region as of the applied index; without peers until the first snapshot.
    pub region: Region,
    /// Our peer's id.
    pub peer_id: u64,
    /// Keys and values as of the applied index.
    pub data: RegionData,
    hard_state: HardState,
    applied: AppliedRecord,
    applied_term: u64,
    entries: VecDeque<Entry>,
}

impl PeerStorage {
    /// Creates a peer that knows only its name: the leader will send it a snapshot.
    pub fn uninitialized(region_id: u64, peer_id: u64) -> Self {
        Self {
            region: Region { id: region_id, ..Region::default() },
            peer_id,
            data: RegionData::default(),
            hard_state: HardState::default(),
            applied: AppliedRecord::default(),
            applied_term: 0,
            entries: VecDeque::new(),
        }
    }

    /// Creates a peer of a region at its beginning: bootstrap, or the new part of a split.
    /// `hard_state` holds the promises of an earlier uninitialized peer of the same name, which
    /// must be kept.
    pub fn initial(
        region: Region,
        peer_id: u64,
        data: RegionData,
        hard_state: Option<HardState>,
        batch: &mut Batch,
    ) -> Self {
        let mut state = hard_state.unwrap_or_default();
        if state.term < INITIAL_INDEX {
            state.term = INITIAL_INDEX;
            state.vote = 0;
        }
        state.commit = INITIAL_INDEX;
        let applied = AppliedRecord {
            applied: INITIAL_INDEX,
            truncated_index: INITIAL_INDEX,
            truncated_term: INITIAL_INDEX,
        };
        let storage = Self {
            region,
            peer_id,
            data,
            hard_state: state,
            applied,
            applied_term: INITIAL_INDEX,
            entries: VecDeque::new(),
        };
        storage.note_region(batch);
        batch.put_hard_state(storage.region.id, &storage.hard_state);
        batch.put_applied(storage.region.id, &storage.applied);
        for (key, record) in storage.data.iter() {
            batch.put_data(storage.region.id, key, record);
        }
        storage
    }

    /// Restores a peer from its data on disk.
    pub fn restored(stored: StoredRegion) -> Self {
        let mut storage = Self {
            region: stored.record.region.unwrap_or_default(),
            peer_id: stored.record.peer_id,
            data: stored.data,
            hard_state: stored.hard_state,
            applied: stored.applied,
            applied_term: 0,
            entries: stored.entries,
        };
        // The commit index is written lazily, but nothing is applied that was not committed.
        storage.hard_state.commit = storage.hard_state.commit.max(storage.applied.applied);
        storage.applied_term = storage.term(storage.applied.applied).unwrap_or_default();
        storage
    }

    /// Returns true if the peer has a region: a new peer has none until its first snapshot.
    pub fn is_initialized(&self) -> bool {
        !self.region.peers.is_empty()
    }

    /// The last applied index.
    pub fn applied_index(&self) -> u64 {
        self.applied.applied
    }

    /// Term, vote and commit.
    pub fn hard_state(&self) -> &HardState {
        &self.hard_state
    }

    /// The number of entries in the log.
    pub fn log_len(&self) -> usize {
        self.entries.len()
    }

    /// Notes region and peer.
    pub fn note_region(&self, batch: &mut Batch) {
        let record = RegionRecord {
            region: Some(self.region.clone()),
            peer_id: self.peer_id,
            tombstone: false,
        };
        batch.put_region(self.region.id, &record);
    }

    /// Takes over a new term, vote or commit.
    pub fn set_hard_state(&mut self, state: HardState, batch: &mut Batch) {
        batch.put_hard_state(self.region.id, &state);
        self.hard_state = state;
    }

    /// Appends entries; contradicting older ones are dropped.
    pub fn append(&mut self, entries: Vec<Entry>, batch: &mut Batch) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        assert!(
            first > self.applied.truncated_index && first <= self.last() + 1,
            "raft appends at {first}, the log ends at {}",
            self.last()
        );
        let old_last = self.last();
        self.entries.truncate((first - self.applied.truncated_index - 1) as usize);
        for entry in &entries {
            batch.put_entry(self.region.id, entry);
        }
        self.entries.extend(entries);
        for index in self.last() + 1..=old_last {
            batch.delete_entry(self.region.id, index);
        }
    }

    /// Notes that an entry is applied.
    pub fn set_applied(&mut self, index: u64, term: u64) {
        self.applied.applied = index;
        self.applied_term = term;
    }

    /// Writes the progress to the batch; once after several entries is enough.
    pub fn note_applied(&self, batch: &mut Batch) {
        batch.put_applied(self.region.id, &self.applied);
    }

    /// Drops the log up to an applied index.
    pub fn compact(&mut self, index: u64, batch: &mut Batch) {
        let index = index.min(self.applied.applied);
        if index <= self.applied.truncated_index {
            return;
        }
        let Ok(term) = self.term(index) else { return };
        for dropped in self.applied.truncated_index + 1..=index {
            self.entries.pop_front();
            batch.delete_entry(self.region.id, dropped);
        }
        self.applied.truncated_index = index;
        self.applied.truncated_term = term;
        self.note_applied(batch);
    }

    /// Replaces everything by a snapshot whose data was checked when it arrived.
    pub fn restore(&mut self, snapshot: &Snapshot, batch: &mut Batch) {
        let (region, data) =
            snapshot::decode(&snapshot.data).expect("a snapshot is checked before raft sees it");
        self.erase_data_and_log(batch);
        self.region = region;
        self.data = data;
        let metadata = snapshot.get_metadata();
        self.applied = AppliedRecord {
            applied: metadata.index,
            truncated_index: metadata.index,
            truncated_term: metadata.term,
        };
        self.applied_term = metadata.term;
        self.note_region(batch);
        self.note_applied(batch);
        for (key, record) in self.data.iter() {
            batch.put_data(self.region.id, key, record);
        }
    }

    /// The defect forgetful-snapshot.
    pub fn forget_every_third_key(&mut self, batch: &mut Batch) {
        for key in self.data.keys_in(b"", b"").into_iter().step_by(3) {
            batch.delete_data(self.region.id, &key);
            self.data.delete(&key);
        }
    }

    /// The defect vote-twice: acts as if the last vote had not reached the disk.
    pub fn forget_vote(&mut self) {
        if self.hard_state.vote == raft::INVALID_ID {
            return;
        }
        if self.hard_state.term > INITIAL_INDEX {
            self.hard_state.term -= 1;
        }
        self.hard_state.vote = raft::INVALID_ID;
    }

    /// The defect apply-twice: the older half of the applied entries left in the log.
    pub fn older_half_of_applied(&self) -> Vec<Entry> {
        let applied = (self.applied.applied - self.applied.truncated_index) as usize;
        self.entries.range(..applied / 2).cloned().collect()
    }

    /// Removes everything but a tombstone, which keeps late messages from bringing the peer back.
    pub fn destroy(&mut self, region: Region, batch: &mut Batch) {
        self.erase_data_and_log(batch);
        batch.delete_states(self.region.id);
        let record = RegionRecord { region: Some(region), peer_id: self.peer_id, tombstone: true };
        batch.put_region(self.region.id, &record);
    }

    fn erase_data_and_log(&mut self, batch: &mut Batch) {
        for (key, _) in self.data.iter() {
            batch.delete_data(self.region.id, key);
        }
        for entry in self.entries.drain(..) {
            batch.delete_entry(self.region.id, entry.index);
        }
    }

    fn last(&self) -> u64 {
        self.applied.truncated_index + self.entries.len() as u64
    }

    fn conf_state(&self) -> ConfState {
        let mut state = ConfState::default();
        for peer in &self.region.peers {
            let members = match peer.role() {
                PeerRole::Learner => &mut state.learners,
                _ => &mut state.voters,
            };
            members.push(peer.id);
        }
        state
    }
}

impl Storage for PeerStorage {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.applied.truncated_index {
            return Err(StorageError::Compacted.into());
        }
        let first = self.applied.truncated_index + 1;
        let range = (low - first) as usize..(high - first) as usize;
        let mut entries = self.entries.range(range).cloned().collect();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.applied.truncated_index {
            return Ok(self.applied.truncated_term);
        }
        let Some(position) = index.checked_sub(self.applied.truncated_index + 1) else {
            return Err(StorageError::Compacted.into());
        };
        let entry = self.entries.get(position as usize);
        entry.map(|entry| entry.term).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.applied.truncated_index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if self.applied.applied < request_index {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = self.applied.applied;
        metadata.term = self.applied_term;
        metadata.set_conf_state(self.conf_state());
        snapshot.data = snapshot::encode(&self.region, &self.data).into();
        Ok(snapshot)
    }
}
