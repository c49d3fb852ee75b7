//! One peer of a region: its Raft group member, and the work that waits for it.
//!
//! In: messages, ticks, proposals, reads. Out: messages, disk writes and answers, into [`Shared`].
//! Invariants:
//! - the promises of a message (a vote, an append) are on disk before the message leaves;
//! - every request taken in is answered exactly once, and never with "not leader" once it was
//!   proposed;
//! - a read is served from data at least as recent as the moment at which a quorum confirmed our
//!   leadership after the read came in.
//!
//! Waiting writes are in `proposals`, waiting reads in `read_queue`, the application of entries in
//! `apply`, PD's requests in `operators`.

use super::{
    disk,
    effects::{Outgoing, Shared, Waiter},
    lease::{self, Lease},
    peer_storage::PeerStorage,
    proposals::{FreshWrite, Proposal},
    read_queue::ReadQueue,
};
use crate::defects::Defect;
use proto::{
    metapb::{self, Region},
    raft_serverpb::RaftMessage,
};
use raft::{
    Config, RawNode, ReadOnlyOption, SnapshotStatus, StateRole, Storage,
    eraftpb::{Entry, Message, MessageType},
};
use std::collections::{BTreeMap, VecDeque};

/// The largest size of the entries in one append message.
const APPEND_BYTES_MAX: u64 = 1 << 20;
const APPENDS_IN_FLIGHT_MAX: usize = 256;

/// A region's peer on this store.
pub struct Peer {
    pub(super) raw: RawNode<PeerStorage>,
    /// Writes of this step: they are proposed together, so that each follower gets one message for
    /// all of them.
    pub(super) fresh_writes: Vec<FreshWrite>,
    pub(super) proposals: VecDeque<Proposal>,
    pub(super) reads: ReadQueue,
    /// The time at which each other peer was last heard from.
    pub(super) heard_ms: BTreeMap<u64, u64>,
    /// Peers that sent messages before they were known from the region.
    strangers: BTreeMap<u64, metapb::Peer>,
    pub(super) next_heartbeat_ms: u64,
    pub(super) next_split_check_ms: u64,
    /// The peers waiting for a snapshot that PD was told of.
    pub(super) pending_told: Vec<u64>,
    /// True if PD shall get a heartbeat for the region at the end of this step.
    pub(super) tell_pd: bool,
    /// The time at which a leader was last known.
    pub(super) leader_seen_ms: u64,
    /// The last batch with changes of this peer that must be synced.
    unsynced_seq: u64,
    /// The last batch with a new term or vote of this peer.
    unsynced_term_seq: u64,
    pub(super) lease: Lease,
    /// The time until which the peer votes for nobody: before a restart it may have promised not
    /// to.
    pub(super) mute_until_ms: u64,
    role: StateRole,
    elections: u64,
    /// True if the peer was removed from its region and only waits to be destroyed.
    pub(super) gone: bool,
}

impl Peer {
    /// Creates a peer from its state, new or found on disk.
    pub fn new(storage: PeerStorage, shared: &Shared) -> Self {
        let timing = &shared.config.timing;
        let config = Config {
            id: storage.peer_id,
            applied: storage.applied_index(),
            election_tick: lease::election_ticks_min(shared),
            min_election_tick: lease::election_ticks_min(shared),
            max_election_tick: timing.election_ticks_max,
            heartbeat_tick: timing.heartbeat_ticks,
            max_size_per_msg: APPEND_BYTES_MAX,
            max_inflight_msgs: APPENDS_IN_FLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            read_only_option: ReadOnlyOption::Safe,
            // With it, raft 0.7.0 may put entries into a waiting message that they do not continue.
            // It takes an empty message for the predecessor of anything, and the receiver then
            // acknowledges too much.
            batch_append: false,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, storage, &logger)
            .expect("the configuration is ours and the state was checked when it was loaded");
        let mut peer = Self {
            raw,
            fresh_writes: Vec::new(),
            proposals: VecDeque::new(),
            reads: ReadQueue::default(),
            heard_ms: BTreeMap::new(),
            strangers: BTreeMap::new(),
            next_heartbeat_ms: 0,
            next_split_check_ms: 0,
            pending_told: Vec::new(),
            tell_pd: false,
            leader_seen_ms: shared.now.monotonic_ms,
            unsynced_seq: 0,
            unsynced_term_seq: 0,
            lease: Lease::default(),
            mute_until_ms: 0,
            role: StateRole::Follower,
            elections: 0,
            gone: false,
        };
        peer.fix_election_timeout(shared);
        peer
    }

    /// The region as of the applied index.
    pub fn region(&self) -> &Region {
        &self.raw.store().region
    }

    /// Our peer's id.
    pub fn peer_id(&self) -> u64 {
        self.raw.store().peer_id
    }

    /// Returns true if the peer has a region yet.
    pub fn is_initialized(&self) -> bool {
        self.raw.store().is_initialized()
    }

    /// Returns true if the peer leads, as far as it knows.
    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// Raft's term.
    pub fn term(&self) -> u64 {
        self.raw.raft.term
    }

    /// The leader, as far as the peer knows.
    pub fn leader(&self) -> Option<metapb::Peer> {
        self.find(self.raw.raft.leader_id)
    }

    /// Our peer as the region lists it.
    pub(super) fn me(&self, shared: &Shared) -> metapb::Peer {
        self.find(self.peer_id()).unwrap_or(metapb::Peer {
            id: self.peer_id(),
            store_id: shared.config.store_id,
            ..Default::default()
        })
    }

    pub(super) fn find(&self, peer_id: u64) -> Option<metapb::Peer> {
        self.region()
            .peers
            .iter()
            .find(|peer| peer.id == peer_id)
            .or_else(|| self.strangers.get(&peer_id))
            .copied()
    }

    /// Stands for election at once: the only voter of a new region, or the leader's part of a
    /// split.
    pub fn campaign(&mut self, shared: &Shared) {
        // It fails if the group has a leader, and then there is nothing to do.
        let _ = self.raw.campaign();
        self.fix_election_timeout(shared);
    }

    /// One tick of Raft's clock.
    pub fn tick(&mut self, shared: &mut Shared) {
        // A disk that hangs must not make this peer a candidate: the entries that it would stand
        // for are not safe yet.
        if self.is_leader() || self.unsynced_seq <= shared.persisted_seq {
            self.raw.tick();
        }
        self.fix_election_timeout(shared);
        let kept = shared.config.log_entries_kept;
        let storage = self.raw.mut_store();
        if storage.log_len() as u64 > 2 * kept {
            let index = storage.applied_index().saturating_sub(kept);
            storage.compact(index, &mut shared.batch);
        }
        self.split_if_large(shared);
        if self.raw.raft.leader_id != raft::INVALID_ID {
            self.leader_seen_ms = shared.now.monotonic_ms;
        }
    }

    /// Takes in another peer's message.
    pub fn receive(&mut self, from: metapb::Peer, mut message: Message, shared: &mut Shared) {
        if shared.config.defects.has(Defect::AckBeforeFsync)
            && message.get_msg_type() == MessageType::MsgHeartbeat
        {
            // Raft would notice that acknowledged entries are gone, and end the process.
            message.commit = message.commit.min(self.raw.raft.raft_log.last_index());
        }
        self.heard_ms.insert(from.id, shared.now.monotonic_ms);
        if !self.region().peers.contains(&from) {
            self.strangers.insert(from.id, from);
        }
        if self.votes_too_early(&message, shared) {
            return;
        }
        if let Err(error) = self.raw.step(message) {
            shared.out.notes.push(format!("region {}: raft: {error}", self.region().id));
        }
        self.fix_election_timeout(shared);
    }

    /// Notes that messages to that store were lost.
    pub fn unreachable(&mut self, store_id: u64) {
        let lost = self.region().peers.iter().find(|peer| peer.store_id == store_id);
        if let Some(peer_id) = lost.map(|peer| peer.id) {
            self.raw.report_unreachable(peer_id);
        }
    }

    /// Notes whether a snapshot has arrived.
    pub fn snapshot_sent(&mut self, peer_id: u64, ok: bool) {
        let status = if ok { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(peer_id, status);
    }

    /// Does Raft's ready work: entries and states to disk, messages out, committed entries into the
    /// data.
    pub fn handle_ready(&mut self, shared: &mut Shared) {
        self.propose_fresh_writes(shared);
        loop {
            self.ask_for_read_index(shared);
            if self.gone || !self.raw.has_ready() {
                break;
            }
            self.handle_one_ready(shared);
        }
        self.note_role(shared);
        self.answer_reads(shared);
    }

    fn handle_one_ready(&mut self, shared: &mut Shared) {
        let mut ready = self.raw.ready();
        let must_sync = ready.must_sync();
        let snapshot_index = ready.snapshot().get_metadata().index;
        if snapshot_index != 0 {
            self.raw.mut_store().restore(ready.snapshot(), &mut shared.batch);
            if shared.config.defects.has(Defect::ForgetfulSnapshot) {
                self.raw.mut_store().forget_every_third_key(&mut shared.batch);
            }
            self.fail_proposals_before(snapshot_index + 1, shared);
        }
        self.raw.mut_store().append(ready.take_entries(), &mut shared.batch);
        if let Some(state) = ready.hs() {
            let old = self.raw.store().hard_state();
            if (old.term, old.vote) != (state.term, state.vote) {
                self.unsynced_term_seq = shared.seq;
            }
            self.raw.mut_store().set_hard_state(state.clone(), &mut shared.batch);
        }
        if must_sync {
            shared.batch.must_sync = true;
            self.unsynced_seq = shared.seq;
        }
        let at_once = ready.take_messages();
        let promises = ready.take_persisted_messages();
        let committed = ready.take_committed_entries();
        let read_states = ready.take_read_states();
        let number = ready.number();
        self.raw.advance_append_async(ready);

        let mut held = Vec::new();
        for message in at_once {
            // A sole voter leads as soon as it has voted for itself; its term must be on disk
            // before others see it.
            let wait = self.unsynced_term_seq > shared.persisted_seq;
            self.dispatch(message, wait, &mut held, shared);
        }
        for message in promises {
            // An answer to a heartbeat says no more than the term, so it need not wait for entries.
            // So reads, which wait for such answers, do not depend on the disk.
            let waits_for = match message.get_msg_type() {
                MessageType::MsgHeartbeatResponse => self.unsynced_term_seq,
                _ => self.unsynced_seq,
            };
            self.dispatch(message, waits_for > shared.persisted_seq, &mut held, shared);
        }
        if self.unsynced_seq > shared.persisted_seq || !held.is_empty() {
            let waiter = Waiter {
                region_id: self.region().id,
                peer_id: self.peer_id(),
                ready: number,
                snapshot_index,
                messages: held,
            };
            shared.waiting.entry(self.unsynced_seq).or_default().push(waiter);
        } else {
            self.raw.on_persist_ready(number);
        }
        self.apply(committed, shared);
        self.note_read_states(read_states, shared);
    }

    /// Notes that a ready of this peer is on disk.
    pub fn persisted(&mut self, ready: u64, snapshot_index: u64) {
        self.raw.on_persist_ready(ready);
        if snapshot_index != 0 {
            self.raw.advance_apply_to(snapshot_index);
        }
    }

    fn apply(&mut self, entries: Vec<Entry>, shared: &mut Shared) {
        let Some(last) = entries.last().map(|entry| entry.index) else { return };
        for entry in entries {
            self.apply_entry(&entry, shared);
            if self.gone {
                return;
            }
        }
        self.raw.store().note_applied(&mut shared.batch);
        self.raw.advance_apply_to(last);
    }

    fn note_role(&mut self, shared: &mut Shared) {
        let role = self.raw.raft.state;
        if role == self.role {
            return;
        }
        if role == StateRole::Leader {
            self.tell_pd = true;
            self.heard_ms.clear();
            for peer in &self.raw.store().region.peers {
                self.heard_ms.insert(peer.id, shared.now.monotonic_ms);
            }
        }
        if matches!(role, StateRole::PreCandidate | StateRole::Candidate) {
            self.elections += 1;
        }
        if self.role == StateRole::Leader && shared.config.defects.has(Defect::LostOnLeaderChange) {
            self.acknowledge_puts(shared);
        }
        self.role = role;
        let (region_id, term) = (self.region().id, self.term());
        shared.out.notes.push(format!("region {region_id}: {role:?} in term {term}"));
    }

    /// Raft draws its election timeouts from the thread's random numbers. This replaces them by
    /// timeouts that follow from the seed, so that a simulation repeats.
    fn fix_election_timeout(&mut self, shared: &Shared) {
        let timing = &shared.config.timing;
        let (min, max) = (lease::election_ticks_min(shared), timing.election_ticks_max);
        let draw = [self.peer_id(), self.term(), self.elections]
            .into_iter()
            .fold(shared.config.seed, |state, part| mix(state ^ part));
        let timeout = min + (draw % (max - min) as u64) as usize;
        self.raw.raft.set_randomized_election_timeout(timeout);
    }

    fn dispatch(
        &mut self,
        mut message: Message,
        wait: bool,
        held: &mut Vec<Outgoing>,
        shared: &mut Shared,
    ) {
        let Some(to) = self.find(message.to) else { return };
        let kind = message.get_msg_type();
        let snapshot = (kind == MessageType::MsgSnapshot)
            .then(|| std::mem::take(&mut message.mut_snapshot().data).to_vec());
        let mut envelope = self.envelope(to, shared);
        // By the keys, a store that does not have the region tells a new region from a split it has
        // yet to apply.
        if may_create_peer(&message) {
            envelope.start_key.clone_from(&self.region().start_key);
            envelope.end_key.clone_from(&self.region().end_key);
        }
        envelope.message = disk::encode(&message);
        let outgoing = Outgoing { message: envelope, snapshot };
        if wait {
            held.push(outgoing);
        } else {
            shared.out.messages.push(outgoing);
        }
    }

    /// An empty message to another peer of the region.
    pub(super) fn envelope(&self, to: metapb::Peer, shared: &Shared) -> RaftMessage {
        RaftMessage {
            region_id: self.region().id,
            from_peer: Some(self.me(shared)),
            to_peer: Some(to),
            region_epoch: Some(self.region().region_epoch.unwrap_or_default()),
            ..Default::default()
        }
    }

    /// Returns true if a lagging peer needs entries that are no longer in the log.
    pub(super) fn needs_snapshot(&self, peer_id: u64) -> bool {
        let progress = self.raw.raft.prs().get(peer_id);
        progress.is_some_and(|progress| {
            progress.matched < self.raw.store().first_index().unwrap_or_default() - 1
        })
    }
}

/// Returns true if a store without the region may create a peer on such a message: the first that a
/// new peer gets.
pub fn may_create_peer(message: &Message) -> bool {
    match message.get_msg_type() {
        MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => true,
        MessageType::MsgHeartbeat => message.commit == raft::INVALID_INDEX,
        _ => false,
    }
}

/// One step of the `SplitMix64` generator.
pub(super) fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
