//! The store's logic without its surroundings: all region peers of one store, as
//! `step(now, inputs) -> outputs`.
//!
//! In: messages, requests, PD's operators, reports of the driver, and the time. Out: writes,
//! messages, answers. No clock, socket, file, thread or randomness inside, so that a simulator can
//! drive it as well as the real driver. Invariants:
//! - the same inputs at the same times give the same outputs;
//! - at most one batch of writes per step; changes that belong together are in it together;
//! - memory is ahead of the disk, but nothing that others rely on leaves before it is on disk.

mod apply;
pub mod command;
pub mod data;
pub mod disk;
pub mod effects;
mod lease;
mod membership;
mod operators;
pub mod peer;
mod peer_storage;
mod proposals;
mod read_queue;
mod reads;
pub mod region_errors;
pub mod requests;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::defects::Defect;
use command::RegionRecord;
use disk::{Batch, StoredRegion};
use effects::{Input, NodeConfig, Now, Outputs, Persist, Shared};
use peer::Peer;
use peer_storage::PeerStorage;
use proto::{kvrpcpb::Context, metapb::Region, raft_serverpb::RaftMessage};
use requests::RawRequest;
use std::collections::{BTreeMap, BTreeSet};

/// Writes that nobody waits for are held back until there are this many, or a tick comes.
const LAZY_WRITES_MAX: usize = 1_024;

/// The time for which the defect ack-before-fsync holds writes back.
const PRETENDED_SYNC_MS: u64 = 1_000;

/// All region peers of one store.
pub struct Node {
    peers: BTreeMap<u64, Peer>,
    /// Regions of which this store once had a peer.
    tombstones: BTreeMap<u64, RegionRecord>,
    /// Requests for votes in regions that a split has yet to create here.
    early_votes: BTreeMap<u64, RaftMessage>,
    /// Peers that may have something ready.
    touched: BTreeSet<u64>,
    next_tick_ms: u64,
    /// The batch that the defect ack-before-fsync holds back, and the time until which it does.
    unsynced: Batch,
    next_sync_ms: u64,
    /// The inputs that the defects stale-read and long-lease hold back, and the time until which
    /// they do.
    unheard: Vec<Input>,
    deaf_until_ms: u64,
    shared: Shared,
}

/// The counts in a store's status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Peers of regions on this store.
    pub regions: u64,
    /// The number of these peers that lead.
    pub leaders: u64,
    /// The number of keys of all peers.
    pub keys: u64,
    /// The number of proposals that wait for their entry to be applied.
    pub proposals: u64,
}

impl Node {
    /// Creates a store from its data on disk, which are empty at its first start.
    pub fn new(config: NodeConfig, stored: BTreeMap<u64, StoredRegion>, now: Now) -> Self {
        let mut node = Self {
            peers: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            early_votes: BTreeMap::new(),
            touched: BTreeSet::new(),
            next_tick_ms: now.monotonic_ms + config.timing.raft_tick_ms,
            unsynced: Batch::default(),
            next_sync_ms: 0,
            unheard: Vec::new(),
            deaf_until_ms: 0,
            shared: Shared {
                config,
                now,
                batch: Batch::default(),
                seq: 1,
                persisted_seq: 0,
                waiting: BTreeMap::new(),
                out: Outputs::default(),
                effects: Vec::new(),
                disk_full: false,
            },
        };
        for (region_id, region) in stored {
            if region.record.tombstone {
                node.tombstones.insert(region_id, region.record);
            } else {
                let mut storage = PeerStorage::restored(region);
                if node.shared.config.defects.has(Defect::VoteTwice) {
                    storage.forget_vote();
                }
                let mute_until_ms = lease::mute_until_ms(&node.shared);
                node.insert_peer(storage).mute_until_ms = mute_until_ms;
                if node.shared.config.defects.has(Defect::ApplyTwice) {
                    node.apply_again(region_id);
                }
            }
        }
        node
    }

    /// Takes in inputs and returns the resulting actions.
    pub fn step(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) -> Outputs {
        let before = std::mem::replace(&mut self.shared.now, now);
        let defects = &self.shared.config.defects;
        if defects.has(Defect::StaleRead) || defects.has(Defect::LongLease) {
            for input in self.requests_first(before, inputs) {
                self.take_in(input);
            }
        } else {
            for input in inputs {
                self.take_in(input);
            }
        }
        let tick = now.monotonic_ms >= self.next_tick_ms;
        if tick {
            // After a pause there is one tick, not one for each that was missed: this store was
            // silent, not the others.
            self.next_tick_ms = now.monotonic_ms + self.shared.config.timing.raft_tick_ms;
            for (region_id, peer) in &mut self.peers {
                peer.tick(&mut self.shared);
                self.touched.insert(*region_id);
            }
            self.ask_about_lost_leaders();
        }
        self.settle();
        if self.shared.config.defects.has(Defect::AckBeforeFsync) {
            self.pretend_to_sync();
        }
        let lazy = !tick && self.shared.batch.writes.len() < LAZY_WRITES_MAX;
        if self.shared.batch.must_sync || !lazy && !self.shared.batch.writes.is_empty() {
            let batch = std::mem::take(&mut self.shared.batch);
            self.shared.out.persist = Some(Persist { seq: self.shared.seq, batch });
            self.shared.seq += 1;
        }
        std::mem::take(&mut self.shared.out)
    }

    /// The time at which the next step is due even without an input.
    pub fn wakes_at_ms(&self) -> u64 {
        self.next_tick_ms
    }

    /// The store's counts, for heartbeats and the status page.
    pub fn counts(&self) -> Counts {
        self.peers.values().fold(Counts::default(), |sum, peer| Counts {
            regions: sum.regions + 1,
            leaders: sum.leaders + u64::from(peer.is_leader()),
            keys: sum.keys + peer.raw.store().data.len() as u64,
            proposals: sum.proposals + peer.proposals.len() as u64,
        })
    }

    /// The defects stale-read and long-lease: a leader that answers without confirmation need not
    /// process earlier messages first. Reads overtake the messages that depose their leader, as
    /// they do if they have threads of their own. And a process that was paused answers waiting
    /// reads before it processes messages.
    fn requests_first(
        &mut self,
        before: Now,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Vec<Input> {
        let (now_ms, tick_ms) =
            (self.shared.now.monotonic_ms, self.shared.config.timing.raft_tick_ms);
        // Ticks come at every interval, so a longer silence is a pause.
        if now_ms.saturating_sub(before.monotonic_ms) > 2 * tick_ms {
            self.deaf_until_ms = now_ms + tick_ms;
        }
        let (messages, mut others): (Vec<Input>, Vec<Input>) =
            inputs.into_iter().partition(|input| matches!(input, Input::Raft { .. }));
        self.unheard.extend(messages);
        if now_ms >= self.deaf_until_ms {
            others.append(&mut self.unheard);
        }
        others
    }

    /// The defect ack-before-fsync: a batch that must be synced counts as synced at once, and goes
    /// to disk a second later.
    fn pretend_to_sync(&mut self) {
        while std::mem::take(&mut self.shared.batch.must_sync) {
            let batch = std::mem::take(&mut self.shared.batch);
            self.unsynced.writes.extend(batch.writes);
            let seq = self.shared.seq;
            self.shared.seq += 1;
            self.persisted(seq);
            self.settle();
        }
        let rest = std::mem::take(&mut self.shared.batch);
        self.unsynced.writes.extend(rest.writes);
        if self.shared.now.monotonic_ms >= self.next_sync_ms {
            self.next_sync_ms = self.shared.now.monotonic_ms + PRETENDED_SYNC_MS;
            self.shared.batch = std::mem::take(&mut self.unsynced);
            self.shared.batch.must_sync = !self.shared.batch.writes.is_empty();
        }
    }

    /// The defect apply-twice: a restarted peer takes the older half of its log for new.
    fn apply_again(&mut self, region_id: u64) {
        if let Some(peer) = self.peers.get_mut(&region_id) {
            peer.apply_older_half_again(&mut self.shared);
        }
    }

    fn take_in(&mut self, input: Input) {
        match input {
            Input::Request { id, request } => self.serve(id, request),
            Input::Raft { message, snapshot } => self.receive(&message, snapshot),
            Input::Persisted { seq } => self.persisted(seq),
            Input::Unreachable { store_id } => {
                for (region_id, peer) in &mut self.peers {
                    peer.unreachable(store_id);
                    self.touched.insert(*region_id);
                }
            }
            Input::SnapshotSent { region_id, peer_id, ok } => {
                if let Some(peer) = self.touch(region_id) {
                    peer.snapshot_sent(peer_id, ok);
                }
            }
            Input::Operator(wish) => {
                self.touched.insert(wish.region_id);
                if let Some(peer) = self.peers.get_mut(&wish.region_id) {
                    peer.operate(&wish, &mut self.shared);
                }
            }
            Input::SplitIds { region, parts } => {
                self.touched.insert(region.id);
                if let Some(peer) = self.peers.get_mut(&region.id) {
                    peer.split(&region, parts, &mut self.shared);
                }
            }
            Input::RegionFromPd { region } => self.hear_of_region(&region),
            Input::DiskFull(full) => self.shared.disk_full = full,
            Input::PdConnected => {
                for (region_id, peer) in &mut self.peers {
                    peer.tell_pd = true;
                    self.touched.insert(*region_id);
                }
            }
        }
    }

    fn touch(&mut self, region_id: u64) -> Option<&mut Peer> {
        self.touched.insert(region_id);
        self.peers.get_mut(&region_id)
    }

    fn serve(&mut self, id: u64, request: RawRequest) {
        let context = request.context().cloned().unwrap_or_default();
        if let Err(error) = self.check(&request, &context) {
            self.shared.reply(id, request.kind().refuse(error));
            return;
        }
        if let Some(refusal) = request.refuse_long_keys() {
            self.shared.reply(id, refusal);
            return;
        }
        if !self.shared.config.enable_ttl
            && let Some(refusal) = request.refuse_ttl()
        {
            self.shared.reply(id, refusal);
            return;
        }
        self.touched.insert(context.region_id);
        if let Some(peer) = self.peers.get_mut(&context.region_id) {
            peer.take_up(id, request, &mut self.shared);
        }
    }

    fn check(&self, request: &RawRequest, context: &Context) -> Result<(), region_errors::Refusal> {
        let requested = context.peer.as_ref().map_or(0, |peer| peer.store_id);
        let actual = self.shared.config.store_id;
        if requested != actual {
            return Err(region_errors::store_not_match(requested, actual));
        }
        let peer = self.peers.get(&context.region_id).filter(|peer| peer.is_initialized());
        let peer = peer.ok_or_else(|| region_errors::region_not_found(context.region_id))?;
        let anybody_reads =
            request.is_read() && self.shared.config.defects.has(Defect::FollowerRead);
        if !anybody_reads {
            region_errors::check_peer(peer, context)?;
        }
        if !region_errors::version_matches(context, peer.region()) {
            return Err(region_errors::epoch_not_match(self.with_neighbours(peer.region())));
        }
        region_errors::check_keys(&request.keys(), peer.region())
    }

    /// A region and its neighbours on this store: after a split the client learns both halves at
    /// once.
    fn with_neighbours(&self, region: &Region) -> Vec<Region> {
        let beside = |other: &&Region| {
            !other.end_key.is_empty() && other.end_key == region.start_key
                || !region.end_key.is_empty() && other.start_key == region.end_key
        };
        let others = self.peers.values().filter(|peer| peer.is_initialized()).map(Peer::region);
        std::iter::once(region).chain(others.filter(beside)).cloned().collect()
    }

    fn persisted(&mut self, seq: u64) {
        self.shared.persisted_seq = self.shared.persisted_seq.max(seq);
        while let Some(entry) = self.shared.waiting.first_entry().filter(|e| *e.key() <= seq) {
            for waiter in entry.remove() {
                let Some(peer) = self.peers.get_mut(&waiter.region_id) else { continue };
                if peer.peer_id() == waiter.peer_id {
                    peer.persisted(waiter.ready, waiter.snapshot_index);
                    self.touched.insert(waiter.region_id);
                    self.shared.out.messages.extend(waiter.messages);
                }
            }
        }
    }

    /// Lets peers do all their ready work, and the work that follows from it, until nothing is
    /// left.
    fn settle(&mut self) {
        while let Some(region_id) = self.touched.pop_first() {
            if let Some(peer) = self.peers.get_mut(&region_id) {
                peer.handle_ready(&mut self.shared);
                peer.heartbeat_if_due(&mut self.shared);
            }
            for effect in std::mem::take(&mut self.shared.effects) {
                self.follow(effect);
            }
        }
    }
}

/// Returns true if a key lies in a region.
pub fn data_range_contains(region: &Region, key: &[u8]) -> bool {
    region.start_key.as_slice() <= key
        && (region.end_key.is_empty() || key < region.end_key.as_slice())
}
