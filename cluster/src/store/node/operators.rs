//! A leader and PD: heartbeats to PD, and PD's operators (membership, leader transfer, split),
//! checked before they are proposed.
//!
//! PD's knowledge may be old. An operator is followed only if it was made for the region's present
//! epoch and leaves a quorum of peers that are alive and up to date. Otherwise it is dropped, and
//! PD asks again if it still wants it.

use super::{
    command::{Action, Split, SplitPart},
    effects::Shared,
    peer::Peer,
};
use prost::Message as _;
use proto::{
    eraftpb,
    metapb::{self, PeerRole},
    pdpb::{self, CheckPolicy},
};
use raft::eraftpb::{ConfChange, ConfChangeType};

/// The largest number of pieces into which a region is split at once, as in TiKV
/// (`batch-split-limit`).
const SPLIT_PIECES_MAX: usize = 11;
/// The number of silent election timeouts after which a peer is reported to PD as down.
const DOWN_ELECTIONS: u64 = 2;

impl Peer {
    /// Sends PD a heartbeat for the region if this peer leads it, and it is due or something has
    /// changed.
    pub fn heartbeat_if_due(&mut self, shared: &mut Shared) {
        if !self.is_leader() || !self.is_initialized() {
            self.tell_pd = false;
            return;
        }
        let now_ms = shared.now.monotonic_ms;
        let region = self.region();
        let pending: Vec<u64> = region
            .peers
            .iter()
            .map(|peer| peer.id)
            .filter(|id| *id != self.peer_id() && self.needs_snapshot(*id))
            .collect();
        if pending != self.pending_told {
            self.pending_told.clone_from(&pending);
            self.tell_pd = true;
        }
        if !self.tell_pd && now_ms < self.next_heartbeat_ms {
            return;
        }
        self.tell_pd = false;
        self.next_heartbeat_ms = now_ms + shared.config.timing.region_heartbeat_ms;
        let heartbeat = self.heartbeat(&pending, shared);
        shared.out.heartbeats.push(heartbeat);
    }

    fn heartbeat(&self, pending: &[u64], shared: &Shared) -> pdpb::RegionHeartbeatRequest {
        let timing = &shared.config.timing;
        let down_after_ms = timing.raft_tick_ms * timing.election_ticks_max as u64 * DOWN_ELECTIONS;
        let silent_ms = |peer: &metapb::Peer| {
            let heard = self.heard_ms.get(&peer.id).copied().unwrap_or_default();
            shared.now.monotonic_ms.saturating_sub(heard)
        };
        let region = self.region();
        let others = || region.peers.iter().filter(|peer| peer.id != self.peer_id());
        pdpb::RegionHeartbeatRequest {
            region: Some(region.clone()),
            leader: Some(self.me(shared)),
            term: self.term(),
            down_peers: others()
                .filter(|peer| silent_ms(peer) > down_after_ms)
                .map(|peer| pdpb::PeerStats {
                    peer: Some(*peer),
                    down_seconds: silent_ms(peer) / 1_000,
                })
                .collect(),
            pending_peers: others().filter(|peer| pending.contains(&peer.id)).copied().collect(),
            approximate_keys: self.raw.store().data.len() as u64,
            // PD calculates in whole mebibytes and takes 0 for "unknown".
            approximate_size: 1 << 20,
            ..Default::default()
        }
    }

    /// Follows PD's operator, or drops it.
    pub fn operate(&mut self, wish: &pdpb::RegionHeartbeatResponse, shared: &mut Shared) {
        let epoch = self.region().region_epoch;
        if !self.is_leader() || wish.region_epoch.is_some_and(|asked| Some(asked) != epoch) {
            return;
        }
        if let Some(change) = &wish.change_peer {
            self.change_peer(change, shared);
        } else if let Some(changes) = &wish.change_peer_v2 {
            match changes.changes.as_slice() {
                [change] => self.change_peer(change, shared),
                several => shared.out.notes.push(format!(
                    "region {}: {} membership changes at once are refused",
                    self.region().id,
                    several.len()
                )),
            }
        } else if let Some(transfer) = &wish.transfer_leader {
            let wanted = transfer.peer.iter().chain(&transfer.peers).find(|peer| {
                self.region()
                    .peers
                    .iter()
                    .any(|member| member.id == peer.id && member.role() == PeerRole::Voter)
            });
            if let Some(peer_id) = wanted.map(|peer| peer.id).filter(|id| *id != self.peer_id()) {
                self.transfer_leader(peer_id);
            }
        } else if let Some(split) = &wish.split_region {
            match split.policy() {
                CheckPolicy::Usekey => self.ask_split(&split.keys, shared),
                // TiKV scans for the middle or trusts the statistics of its tables; here it is
                // known either way.
                CheckPolicy::Scan | CheckPolicy::Approximate => {
                    let data = &self.raw.store().data;
                    let middle = data.iter().nth(data.len() / 2).filter(|_| data.len() > 1);
                    let middle: Vec<_> = middle.map(|(key, _)| key.clone()).into_iter().collect();
                    self.ask_split(&middle, shared);
                }
            }
        }
    }

    /// Requests a split if this peer leads and the region has outgrown its limit. As in TiKV, the
    /// pieces have two thirds of the limit, so that a fresh piece has room to grow.
    pub(super) fn split_if_large(&mut self, shared: &mut Shared) {
        let Some(keys_max) = shared.config.region_max_keys else { return };
        let data = &self.raw.store().data;
        let now_ms = shared.now.monotonic_ms;
        if !self.is_leader() || data.len() as u64 <= keys_max || now_ms < self.next_split_check_ms {
            return;
        }
        self.next_split_check_ms = now_ms + shared.config.timing.split_check_ms;
        let piece = (keys_max * 2 / 3).max(1) as usize;
        let pieces = data.len().div_ceil(piece).min(SPLIT_PIECES_MAX);
        let keys = data.iter().enumerate().skip(1);
        let bounds = keys.filter(|(place, _)| place % piece == 0).take(pieces - 1);
        let bounds: Vec<_> = bounds.map(|(_, (key, _))| key.clone()).collect();
        self.ask_split(&bounds, shared);
    }

    /// Asks PD for the ids of a split at those of the keys that lie inside the region.
    fn ask_split(&mut self, keys: &[Vec<u8>], shared: &mut Shared) {
        let region = self.region();
        let mut keys: Vec<Vec<u8>> = keys
            .iter()
            .filter(|key| super::data_range_contains(region, key) && **key != region.start_key)
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        if !keys.is_empty() {
            shared.out.ask_split.push((region.clone(), keys));
        }
    }

    /// Proposes a split whose ids PD has allotted for that state of the region.
    pub fn split(&mut self, region: &metapb::Region, parts: Vec<SplitPart>, shared: &mut Shared) {
        if self.is_leader() && self.region() == region {
            let conf_ver = region.region_epoch.unwrap_or_default().conf_ver;
            let split = Action::Split(Split { parts, conf_ver });
            if let Err(error) = self.propose(split, shared) {
                shared.out.notes.push(format!("region {}: split: {}", region.id, error.message));
            }
        }
    }

    fn change_peer(&mut self, change: &pdpb::ChangePeer, shared: &mut Shared) {
        let Some(peer) = &change.peer else { return };
        let kind = match change.change_type() {
            eraftpb::ConfChangeType::AddNode => ConfChangeType::AddNode,
            eraftpb::ConfChangeType::RemoveNode => ConfChangeType::RemoveNode,
            eraftpb::ConfChangeType::AddLearnerNode => ConfChangeType::AddLearnerNode,
        };
        let refusal = self.conf_change_refusal(kind, peer);
        if let Some(reason) = refusal {
            let region_id = self.region().id;
            shared.out.notes.push(format!("region {region_id}: {kind:?} {}: {reason}", peer.id));
            return;
        }
        let mut change = ConfChange::default();
        change.set_change_type(kind);
        change.node_id = peer.id;
        change.context = peer.encode_to_vec().into();
        // Dropped while leadership is being handed over; PD asks again.
        let _ = self.raw.propose_conf_change(Vec::new(), change);
    }

    fn conf_change_refusal(
        &mut self,
        kind: ConfChangeType,
        peer: &metapb::Peer,
    ) -> Option<&'static str> {
        let member = self.region().peers.iter().find(|member| member.id == peer.id).copied();
        if self.raw.raft.has_pending_conf() {
            return Some("another change is on its way");
        }
        match (kind, &member) {
            (ConfChangeType::RemoveNode, None) => return Some("it is no member"),
            (ConfChangeType::RemoveNode, Some(_)) if peer.id == self.peer_id() => {
                self.hand_over();
                return Some("it leads; leadership is handed over first");
            }
            (ConfChangeType::AddLearnerNode, Some(_)) => return Some("it is a member already"),
            (ConfChangeType::AddNode, Some(member)) if member.role() == PeerRole::Voter => {
                return Some("it is a voter already");
            }
            (ConfChangeType::AddNode | ConfChangeType::AddLearnerNode, None) => {
                let taken = |member: &metapb::Peer| member.store_id == peer.store_id;
                if self.region().peers.iter().any(taken) {
                    return Some("its store has a peer of the region already");
                }
            }
            _ => {}
        }
        (!self.quorum_after(kind, peer.id)).then_some("it would leave no healthy quorum")
    }

    /// Returns true if the voters after a change have a quorum that is alive and reachable by the
    /// log.
    fn quorum_after(&self, kind: ConfChangeType, peer_id: u64) -> bool {
        let members = self.region().peers.iter();
        let mut voters: Vec<u64> = members
            .filter(|member| member.role() == PeerRole::Voter && member.id != peer_id)
            .map(|member| member.id)
            .collect();
        if kind == ConfChangeType::AddNode {
            voters.push(peer_id);
        }
        let healthy = voters.iter().filter(|id| {
            let progress = self.raw.raft.prs().get(**id);
            **id == self.peer_id()
                || progress.is_some_and(|progress| progress.recent_active)
                    && !self.needs_snapshot(**id)
        });
        // A sole leader must be able to take its first partner at once; that one starts from a
        // snapshot.
        healthy.count() > voters.len() / 2 || voters.len() == 2 && kind == ConfChangeType::AddNode
    }

    /// Hands leadership to the voter whose log reaches farthest.
    fn hand_over(&mut self) {
        let progress = |member: &metapb::Peer| {
            self.raw.raft.prs().get(member.id).map_or(0, |progress| progress.matched)
        };
        let others = self
            .region()
            .peers
            .iter()
            .filter(|member| member.role() == PeerRole::Voter && member.id != self.peer_id());
        if let Some(best) = others.max_by_key(|member| progress(member)).map(|member| member.id) {
            self.transfer_leader(best);
        }
    }
}
