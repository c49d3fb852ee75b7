//! Applying committed entries: writes, compare-and-swap, splits, membership changes. The replicated
//! state machine.
//!
//! In: one entry at a time, in log order. Out: changed data, writes for the disk, answers to
//! proposals. The effect of an entry follows from the entry and the state before it alone, so that
//! all replicas do the same.

use super::{
    command::{Action, Command, CompareAndSwap, Mutation, Split},
    data::Record,
    effects::{Effect, Shared},
    peer::Peer,
    region_errors,
    requests::{RawResponse, RequestKind},
};
use crate::defects::Defect;
use prost::Message as _;
use proto::{
    kvrpcpb,
    metapb::{self, PeerRole, Region},
    raft_serverpb::RaftMessage,
};
use protobuf::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeType, Entry, EntryType};

/// The effect of an entry.
enum Applied {
    /// The entry was applied.
    Done,
    /// A compare-and-swap, with the value before it.
    Swap { succeeded: bool, previous: Option<Vec<u8>> },
    /// No effect, since the region has changed meanwhile.
    Refused(region_errors::Refusal),
}

impl Peer {
    /// Applies an entry and answers its proposal.
    pub(super) fn apply_entry(&mut self, entry: &Entry, shared: &mut Shared) {
        self.raw.mut_store().set_applied(entry.index, entry.term);
        let applied = match entry.get_entry_type() {
            // A new leader's first entry, or a refused membership change.
            EntryType::EntryNormal if entry.data.is_empty() => Applied::Done,
            EntryType::EntryNormal => {
                let command = Command::decode(&entry.data[..])
                    .expect("a leader of ours wrote it, and the disk was checked at start");
                self.apply_command(command, shared)
            }
            EntryType::EntryConfChange => {
                self.apply_conf_change(entry, shared);
                Applied::Done
            }
            EntryType::EntryConfChangeV2 => {
                unreachable!("no leader of ours proposes joint changes")
            }
        };
        self.answer_proposal(entry, applied, shared);
    }

    fn answer_proposal(&mut self, entry: &Entry, applied: Applied, shared: &mut Shared) {
        self.fail_proposals_before(entry.index, shared);
        let Some(proposal) = self.proposals.pop_front_if(|first| first.index == entry.index) else {
            return;
        };
        let response = if proposal.term == entry.term {
            respond(proposal.kind, applied)
        } else {
            // Another leader's entry took this index: ours is lost for certain, but TiKV's answer
            // says no more than this.
            proposal.kind.refuse(region_errors::stale_command())
        };
        shared.reply(proposal.request_id, response);
    }

    fn apply_command(&mut self, command: Command, shared: &mut Shared) -> Applied {
        let region = self.region();
        if command.version != region.region_epoch.unwrap_or_default().version {
            return refused(region);
        }
        match command.action {
            Some(Action::Write(write)) => {
                for mutation in write.mutations {
                    self.apply_mutation(mutation, shared);
                }
                Applied::Done
            }
            Some(Action::DeleteRange(range)) => {
                for key in self.raw.store().data.keys_in(&range.start, &range.end) {
                    self.apply_mutation(Mutation { key, ..Default::default() }, shared);
                }
                Applied::Done
            }
            Some(Action::CompareAndSwap(swap)) => self.apply_swap(swap, command.unix_s, shared),
            Some(Action::Split(split)) => self.apply_split(split, shared),
            None => Applied::Done,
        }
    }

    fn apply_mutation(&mut self, mutation: Mutation, shared: &mut Shared) {
        let region_id = self.region().id;
        let Mutation { key, value, expires_unix_s } = mutation;
        let storage = self.raw.mut_store();
        if let Some(value) = value {
            let record = Record { value, expires_unix_s };
            shared.batch.put_data(region_id, &key, &record);
            storage.data.put(key, record);
        } else {
            if !shared.config.defects.has(Defect::DeleteResurrects) {
                shared.batch.delete_data(region_id, &key);
            }
            storage.data.delete(&key);
        }
    }

    fn apply_swap(&mut self, swap: CompareAndSwap, unix_s: u64, shared: &mut Shared) -> Applied {
        let data = &self.raw.store().data;
        let previous = if swap.compared {
            swap.expected.clone()
        } else {
            data.get(&swap.key, unix_s).map(|record| record.value.clone())
        };
        let succeeded = previous == swap.expected;
        if succeeded || shared.config.defects.has(Defect::FailedCasWrites) {
            let (key, value) = (swap.key, Some(swap.value));
            let expires_unix_s = swap.expires_unix_s;
            self.apply_mutation(Mutation { key, value, expires_unix_s }, shared);
        }
        Applied::Swap { succeeded, previous }
    }

    fn apply_split(&mut self, split: Split, shared: &mut Shared) -> Applied {
        let leads = self.is_leader();
        let storage = self.raw.mut_store();
        let epoch = storage.region.region_epoch.unwrap_or_default();
        let fits = split.conf_ver == epoch.conf_ver
            && split.parts.iter().all(|part| part.peer_ids.len() == storage.region.peers.len());
        if !fits {
            return refused(&storage.region);
        }
        let epoch = metapb::RegionEpoch {
            version: epoch.version + split.parts.len() as u64,
            conf_ver: epoch.conf_ver,
        };
        let mut parts = Vec::new();
        let mut start_key = std::mem::take(&mut storage.region.start_key);
        for part in split.parts {
            let peers = storage.region.peers.iter().zip(part.peer_ids);
            let region = Region {
                id: part.region_id,
                start_key: std::mem::replace(&mut start_key, part.end.clone()),
                end_key: part.end,
                region_epoch: Some(epoch),
                peers: peers.map(|(peer, id)| metapb::Peer { id, ..*peer }).collect(),
            };
            let mut data = storage.data.split_off_left(&region.end_key);
            for (key, _) in data.iter() {
                shared.batch.delete_data(storage.region.id, key);
            }
            if shared.config.defects.has(Defect::KeyLostInSplit)
                && let Some(last) = data.iter().last().map(|(key, _)| key.clone())
            {
                data.delete(&last);
            }
            parts.push((region, data));
        }
        storage.region.start_key = start_key;
        storage.region.region_epoch = Some(epoch);
        storage.note_region(&mut shared.batch);
        // Progress and new regions must reach the disk in one batch: the parts' data exist nowhere
        // else.
        storage.note_applied(&mut shared.batch);
        let parent = storage.region.clone();
        shared.effects.push(Effect::Split { parts, leads, parent });
        self.tell_pd |= leads;
        Applied::Done
    }

    fn apply_conf_change(&mut self, entry: &Entry, shared: &mut Shared) {
        let change = ConfChange::parse_from_bytes(&entry.data)
            .expect("raft has read this membership change before");
        let peer = metapb::Peer::decode(&change.context[..])
            .expect("the leader put the peer into the change");
        let leads = self.is_leader();
        let changed = self.raw.apply_conf_change(&change);
        let torn = shared.config.defects.has(Defect::TornMembership);
        assert!(torn || changed.is_ok(), "the leader checked the change: {changed:?}");
        if torn && leads && change.get_change_type() == ConfChangeType::RemoveNode {
            self.tear_membership();
        }
        let storage = self.raw.mut_store();
        let region = &mut storage.region;
        region.peers.retain(|member| member.id != peer.id);
        match change.get_change_type() {
            ConfChangeType::AddNode => {
                region.peers.push(metapb::Peer { role: PeerRole::Voter as i32, ..peer });
            }
            ConfChangeType::AddLearnerNode => {
                region.peers.push(metapb::Peer { role: PeerRole::Learner as i32, ..peer });
            }
            ConfChangeType::RemoveNode => {}
        }
        if let Some(epoch) = &mut region.region_epoch {
            epoch.conf_ver += 1;
        }
        let removed = change.get_change_type() == ConfChangeType::RemoveNode;
        if removed && peer.id == storage.peer_id {
            self.gone = true;
            let region = storage.region.clone();
            shared.effects.push(Effect::Destroy { region });
            return;
        }
        storage.note_region(&mut shared.batch);
        if leads {
            self.heard_ms.insert(peer.id, shared.now.monotonic_ms);
            self.tell_pd = true;
        }
        if removed {
            self.heard_ms.remove(&peer.id);
            if leads {
                // The removed peer gets no more messages from the group, so it would never learn of
                // its removal.
                let message = RaftMessage { is_tombstone: true, ..self.envelope(peer, shared) };
                shared.send(message);
            }
        }
    }
}

impl Peer {
    /// The defect torn-membership: two voters no longer count, though they and all others believe
    /// that they do.
    fn tear_membership(&mut self) {
        let mut others: Vec<u64> = self.raw.raft.prs().conf().voters().ids().iter().collect();
        others.retain(|id| *id != self.peer_id());
        others.sort_unstable();
        for node_id in others.into_iter().take(2) {
            let mut change = ConfChange::default();
            change.set_change_type(ConfChangeType::AddLearnerNode);
            change.node_id = node_id;
            // Raft refuses a change that would leave no voter, and this peer is one.
            let _ = self.raw.apply_conf_change(&change);
        }
    }

    /// The defect apply-twice.
    pub(super) fn apply_older_half_again(&mut self, shared: &mut Shared) {
        for entry in self.raw.store().older_half_of_applied() {
            if entry.get_entry_type() != EntryType::EntryNormal {
                continue;
            }
            let Ok(Command { version, action: Some(Action::Write(write)), .. }) =
                Command::decode(&entry.data[..])
            else {
                continue;
            };
            if version == self.region().region_epoch.unwrap_or_default().version {
                for mutation in write.mutations {
                    self.apply_mutation(mutation, shared);
                }
            }
        }
    }
}

/// Refuses an entry because the region has changed since it was proposed.
fn refused(region: &Region) -> Applied {
    Applied::Refused(region_errors::epoch_not_match(vec![region.clone()]))
}

impl Peer {
    /// The defect cas-race: a swap whose expected value is there now is not compared again when it
    /// is applied. If committed entries are still to be applied here, the comparison is not
    /// possible yet, so then it is an ordinary swap.
    pub(super) fn compare_early(&self, action: Action, shared: &Shared) -> Action {
        let Action::CompareAndSwap(mut swap) = action else { return action };
        let (log, data) = (&self.raw.raft.raft_log, &self.raw.store().data);
        let is_current = self.raw.raft.commit_to_current_term() && log.applied == log.committed;
        let found = data.get(&swap.key, shared.now.unix_s()).map(|record| &record.value);
        swap.compared = is_current && found == swap.expected.as_ref();
        Action::CompareAndSwap(swap)
    }
}

fn respond(kind: RequestKind, applied: Applied) -> RawResponse {
    match (kind, applied) {
        (kind, Applied::Refused(error)) => kind.refuse(error),
        (RequestKind::CompareAndSwap, Applied::Swap { succeeded, previous }) => {
            RawResponse::CompareAndSwap(kvrpcpb::RawCasResponse {
                succeed: succeeded,
                previous_not_exist: previous.is_none(),
                previous_value: previous.unwrap_or_default(),
                ..Default::default()
            })
        }
        (RequestKind::Put, _) => RawResponse::Put(kvrpcpb::RawPutResponse::default()),
        (RequestKind::BatchPut, _) => {
            RawResponse::BatchPut(kvrpcpb::RawBatchPutResponse::default())
        }
        (RequestKind::Delete, _) => RawResponse::Delete(kvrpcpb::RawDeleteResponse::default()),
        (RequestKind::BatchDelete, _) => {
            RawResponse::BatchDelete(kvrpcpb::RawBatchDeleteResponse::default())
        }
        (RequestKind::DeleteRange, _) => {
            RawResponse::DeleteRange(kvrpcpb::RawDeleteRangeResponse::default())
        }
        (
            RequestKind::Get
            | RequestKind::BatchGet
            | RequestKind::Scan
            | RequestKind::BatchScan
            | RequestKind::KeyTtl
            | RequestKind::CompareAndSwap,
            _,
        ) => unreachable!("{kind:?} is not what was proposed"),
    }
}
