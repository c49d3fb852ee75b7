//! The peers of a store: created by bootstrap, by a split, or by a leader's first message;
//! destroyed when the region has moved on without them.
//!
//! Messages may be old. Three rules keep dead peers from returning and living ones from being
//! mistaken for them. Peers' ids are never reused. A region's epoch only grows. A destroyed peer
//! leaves a tombstone with the epoch it left at.

use super::{
    Node,
    command::RegionRecord,
    data::RegionData,
    effects::{Effect, Shared},
    peer::{Peer, may_create_peer},
    peer_storage::PeerStorage,
    snapshot,
};
use proto::{
    metapb::{self, Region, RegionEpoch},
    raft_serverpb::RaftMessage,
};
use protobuf::Message as _;
use raft::eraftpb::{Message, MessageType};

/// The largest number of votes kept for regions that are not here yet.
const EARLY_VOTES_MAX: usize = 1_024;
/// The number of election timeouts without a leader after which a peer asks PD whether it is still
/// a member.
const LOST_LEADER_ELECTIONS: u64 = 3;

impl Node {
    pub(super) fn insert_peer(&mut self, storage: PeerStorage) -> &mut Peer {
        let region_id = storage.region.id;
        let sole_voter = storage.region.peers.len() == 1;
        let mut peer = Peer::new(storage, &self.shared);
        if sole_voter {
            // No other peer could become leader, so there is nothing to wait for.
            peer.campaign(&self.shared);
        }
        self.touched.insert(region_id);
        self.tombstones.remove(&region_id);
        self.peers.entry(region_id).insert_entry(peer).into_mut()
    }

    pub(super) fn follow(&mut self, effect: Effect) {
        match effect {
            Effect::Destroy { region } => self.destroy(region.id, region),
            Effect::Split { parts, leads, parent } => {
                let mut regions: Vec<Region> =
                    parts.iter().map(|(region, _)| region.clone()).collect();
                for (region, data) in parts {
                    self.adopt(region, data, leads);
                }
                if leads {
                    regions.push(parent);
                    self.shared.out.splits_done.push(regions);
                }
            }
        }
    }

    /// Takes in one part of a split, unless a later state of it is, or was, already here.
    fn adopt(&mut self, region: Region, data: RegionData, leads: bool) {
        let store_id = self.shared.config.store_id;
        let Some(peer_id) =
            region.peers.iter().find(|peer| peer.store_id == store_id).map(|peer| peer.id)
        else {
            return;
        };
        let removed_since =
            self.tombstones.get(&region.id).is_some_and(|tombstone| tombstone.peer_id >= peer_id);
        let known = self.peers.get(&region.id);
        let newer = known.is_some_and(|peer| peer.is_initialized() || peer.peer_id() > peer_id);
        if removed_since || newer {
            return;
        }
        // The new peer may have voted already, before it knew its region.
        let promised = known
            .filter(|peer| peer.peer_id() == peer_id)
            .map(|peer| peer.raw.store().hard_state().clone());
        let (region_id, batch) = (region.id, &mut self.shared.batch);
        let storage = PeerStorage::initial(region, peer_id, data, promised, batch);
        let alone = storage.region.peers.len() == 1;
        let peer = self.insert_peer(storage);
        if leads && !alone {
            // The other peers have heard the old region's leader lately and would wait out a
            // timeout for this one's.
            let shared = &self.shared;
            if let Some(peer) = self.peers.get_mut(&region_id) {
                peer.campaign(shared);
            }
        } else {
            peer.tell_pd = true;
        }
        if let Some(vote) = self.early_votes.remove(&region_id) {
            self.receive(&vote, None);
        }
    }

    /// Removes our peer of a region and leaves a tombstone with the epoch.
    pub(super) fn destroy(&mut self, region_id: u64, region: Region) {
        let Some(mut peer) = self.peers.remove(&region_id) else { return };
        peer.fail_all(&mut self.shared);
        let peer_id = peer.peer_id();
        peer.raw.mut_store().destroy(region.clone(), &mut self.shared.batch);
        self.shared.out.notes.push(format!("region {region_id}: peer {peer_id} is destroyed"));
        let record = RegionRecord { region: Some(region), peer_id, tombstone: true };
        self.tombstones.insert(region_id, record);
    }

    pub(super) fn receive(&mut self, message: &RaftMessage, data: Option<Vec<u8>>) {
        let (Some(from), Some(to)) = (message.from_peer, message.to_peer) else {
            return;
        };
        if to.store_id != self.shared.config.store_id {
            return;
        }
        if message.is_tombstone {
            self.receive_tombstone(message, &to);
            return;
        }
        let Ok(mut raft_message) = Message::parse_from_bytes(&message.message) else { return };
        if raft_message.get_msg_type() == MessageType::MsgSnapshot
            && !self.accept_snapshot(&mut raft_message, data, &to)
        {
            return;
        }
        let region_id = message.region_id;
        if let Some(peer) = self.peers.get(&region_id)
            && peer.peer_id() < to.id
        {
            // Our peer was removed and replaced by another one on this store, and knows of neither.
            let region = peer.region().clone();
            self.destroy(region_id, region);
        }
        if !self.peers.contains_key(&region_id) && !self.create(message, &raft_message, &to) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&region_id) else { return };
        if peer.peer_id() > to.id {
            return;
        }
        if is_vote(&raft_message) && is_stranger(peer, message) {
            let region_epoch = peer.region().region_epoch;
            reply_tombstone(message, region_epoch, &mut self.shared);
            return;
        }
        peer.receive(from, raft_message, &mut self.shared);
        self.touched.insert(region_id);
    }

    fn receive_tombstone(&mut self, message: &RaftMessage, to: &metapb::Peer) {
        let Some(peer) = self.peers.get(&message.region_id) else { return };
        let theirs = message.region_epoch.unwrap_or_default();
        let ours = peer.region().region_epoch.unwrap_or_default();
        if peer.peer_id() == to.id && theirs.conf_ver > ours.conf_ver {
            let mut region = peer.region().clone();
            region.region_epoch = Some(theirs);
            self.destroy(message.region_id, region);
        }
    }

    /// Creates a peer on the first message of a leader or candidate to it. Returns true if there is
    /// a peer now.
    fn create(&mut self, message: &RaftMessage, raft: &Message, to: &metapb::Peer) -> bool {
        let epoch = message.region_epoch.unwrap_or_default();
        let region_id = message.region_id;
        if let Some(tombstone) = self.tombstones.get(&region_id) {
            let left = tombstone.region.as_ref().and_then(|region| region.region_epoch);
            // The sender may well be a member that lags, so it gets no answer: our knowledge is old
            // too.
            if to.id <= tombstone.peer_id || epoch.conf_ver <= left.unwrap_or_default().conf_ver {
                return false;
            }
        }
        if !may_create_peer(raft) {
            return false;
        }
        let overlaps = |peer: &Peer| {
            let region = peer.region();
            peer.is_initialized()
                && (message.end_key.is_empty() || region.start_key < message.end_key)
                && (region.end_key.is_empty() || message.start_key < region.end_key)
        };
        if self.peers.values().any(overlaps) {
            // A split that the others have applied is still ahead of us; it will bring the peer
            // with its data.
            if is_vote(raft) && self.early_votes.len() < EARLY_VOTES_MAX {
                self.early_votes.insert(region_id, message.clone());
            }
            return false;
        }
        let storage = PeerStorage::uninitialized(region_id, to.id);
        storage.note_region(&mut self.shared.batch);
        self.insert_peer(storage);
        true
    }

    /// Puts a snapshot's data back into its message, if they are whole and meant for this peer.
    fn accept_snapshot(
        &mut self,
        message: &mut Message,
        data: Option<Vec<u8>>,
        to: &metapb::Peer,
    ) -> bool {
        let bytes = data.unwrap_or_default();
        let reason = match snapshot::decode(&bytes) {
            Ok((region, _)) if region.peers.iter().any(|peer| peer.id == to.id) => {
                message.mut_snapshot().data = bytes.into();
                return true;
            }
            Ok(_) => "it does not list our peer".to_owned(),
            Err(error) => error.to_string(),
        };
        self.shared.out.notes.push(format!("a snapshot for peer {} was refused: {reason}", to.id));
        false
    }

    /// Asks PD about the regions of peers without a leader, which may have moved on.
    pub(super) fn ask_about_lost_leaders(&mut self) {
        let timing = &self.shared.config.timing;
        let patience_ms =
            timing.raft_tick_ms * timing.election_ticks_max as u64 * LOST_LEADER_ELECTIONS;
        for (region_id, peer) in &mut self.peers {
            if self.shared.now.monotonic_ms.saturating_sub(peer.leader_seen_ms) > patience_ms {
                peer.leader_seen_ms = self.shared.now.monotonic_ms;
                self.shared.out.ask_region.push(*region_id);
            }
        }
    }

    pub(super) fn hear_of_region(&mut self, region: &Region) {
        let Some(peer) = self.peers.get(&region.id) else { return };
        let epoch = |region: &Region| region.region_epoch.unwrap_or_default().conf_ver;
        let member = region.peers.iter().any(|member| member.id == peer.peer_id());
        if !member && epoch(region) > epoch(peer.region()) {
            self.destroy(region.id, region.clone());
        }
    }
}

fn is_vote(message: &Message) -> bool {
    matches!(message.get_msg_type(), MessageType::MsgRequestVote | MessageType::MsgRequestPreVote)
}

/// Returns true if the sender left our region without noticing, before the state that we know: it
/// was a member at an older epoch and is none at ours. A sender of votes is a member, so it cannot
/// be one that is yet to come.
fn is_stranger(peer: &Peer, message: &RaftMessage) -> bool {
    let ours = peer.region().region_epoch.unwrap_or_default();
    let theirs = message.region_epoch.unwrap_or_default();
    let from = message.from_peer.as_ref().map_or(0, |from| from.id);
    peer.is_initialized()
        && theirs.conf_ver < ours.conf_ver
        && !peer.region().peers.iter().any(|member| member.id == from)
}

/// Tells the sender of a message that its region has moved on without it.
fn reply_tombstone(message: &RaftMessage, epoch: Option<RegionEpoch>, shared: &mut Shared) {
    shared.send(RaftMessage {
        region_id: message.region_id,
        from_peer: message.to_peer,
        to_peer: message.from_peer,
        region_epoch: epoch,
        is_tombstone: true,
        ..Default::default()
    });
}
