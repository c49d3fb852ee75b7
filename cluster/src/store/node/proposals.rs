//! Writes on their way: from a request that passed its checks, into the log, to the answer.
//!
//! The writes of one step are proposed together, so that each follower gets one message for all of
//! them. Once a write is in the log, only the entry applied at its index determines its answer, be
//! it this write or another leader's.

use super::{
    command::{Action, Command},
    effects::Shared,
    peer::Peer,
    region_errors::{self, Refusal},
    requests::{RawRequest, RawResponse, RequestKind},
};
use crate::defects::Defect;
use prost::Message as _;
use proto::kvrpcpb::RawPutResponse;
use raft::eraftpb::{Entry, Message, MessageType};

/// The largest log entry that TiKV takes.
const ENTRY_BYTES_MAX: usize = 8 << 20;
/// A write that is in the log, but may still be replaced.
#[derive(Debug)]
pub(super) struct Proposal {
    pub index: u64,
    pub term: u64,
    pub request_id: u64,
    pub kind: RequestKind,
}

/// A write of this step, on its way into the log.
pub(super) struct FreshWrite {
    request_id: u64,
    kind: RequestKind,
    data: Vec<u8>,
}

impl Peer {
    /// Takes up a client's request that passed all checks of region, epoch and keys.
    pub fn take_up(&mut self, request_id: u64, request: RawRequest, shared: &mut Shared) {
        let kind = request.kind();
        let Some(mut action) = request.action(shared.now.unix_s()) else {
            self.take_up_read(request_id, request, shared);
            return;
        };
        if shared.config.defects.has(Defect::CasRace) {
            action = self.compare_early(action, shared);
        }
        let waiting = self.proposals.len() + self.fresh_writes.len();
        let encoded = if shared.disk_full && !request.frees_room() {
            Err(region_errors::disk_full(shared.config.store_id))
        } else if waiting >= shared.config.waiting_max {
            Err(region_errors::server_is_busy("too many writes wait in this region"))
        } else {
            self.encode(action, shared)
        };
        match encoded {
            Ok(data) => self.fresh_writes.push(FreshWrite { request_id, kind, data }),
            Err(error) => shared.reply(request_id, kind.refuse(error)),
        }
    }

    /// Puts an action that no client waits for into the log.
    pub(super) fn propose(&mut self, action: Action, shared: &Shared) -> Result<(), Refusal> {
        let data = self.encode(action, shared)?;
        self.raw.propose(Vec::new(), data).map_err(|_| region_errors::proposal_dropped())
    }

    fn encode(&self, action: Action, shared: &Shared) -> Result<Vec<u8>, Refusal> {
        let version = self.region().region_epoch.unwrap_or_default().version;
        let command = Command { version, unix_s: shared.now.unix_s(), action: Some(action) };
        let data = command.encode_to_vec();
        if data.len() > ENTRY_BYTES_MAX {
            return Err(region_errors::entry_too_large(self.region().id, data.len() as u64));
        }
        Ok(data)
    }

    /// Puts this step's writes into the log, if this peer still leads.
    pub(super) fn propose_fresh_writes(&mut self, shared: &mut Shared) {
        let fresh = std::mem::take(&mut self.fresh_writes);
        if fresh.is_empty() {
            return;
        }
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.peer_id();
        let mut waiting = Vec::with_capacity(fresh.len());
        for write in fresh {
            let entry = Entry { data: write.data.into(), ..Entry::default() };
            message.mut_entries().push(entry);
            waiting.push((write.request_id, write.kind));
        }
        let refusal = if self.is_leader() {
            self.raw.raft.step(message).err().map(|_| region_errors::proposal_dropped())
        } else {
            // A follower would pass it on to the leader; but clients of TiKV find the leader
            // themselves.
            Some(region_errors::not_leader(self.region().id, self.leader()))
        };
        if let Some(error) = refusal {
            for (request_id, kind) in waiting {
                shared.reply(request_id, kind.refuse(error.clone()));
            }
            return;
        }
        let (last, term) = (self.raw.raft.raft_log.last_index(), self.term());
        // Only accepted writes are counted here: a refused batch may be longer than the log.
        let first = last + 1 - waiting.len() as u64;
        for (index, (request_id, kind)) in (first..).zip(waiting) {
            self.await_outcome(Proposal { index, term, request_id, kind }, shared);
        }
    }

    fn await_outcome(&mut self, proposal: Proposal, shared: &mut Shared) {
        let Proposal { index, request_id, kind, .. } = proposal;
        let defects = &shared.config.defects;
        if defects.has(Defect::AckBeforeCommit) && kind == RequestKind::Put {
            shared.reply(request_id, RawResponse::Put(RawPutResponse::default()));
        } else if defects.has(Defect::PutReportsFailureButApplies)
            && kind == RequestKind::Put
            && index.is_multiple_of(20)
        {
            let error = region_errors::not_leader(self.region().id, None);
            shared.reply(request_id, kind.refuse(error));
        } else {
            self.proposals.push_back(proposal);
        }
    }

    /// Answers all waiting proposals because the peer goes away.
    pub(super) fn fail_all(&mut self, shared: &mut Shared) {
        for write in std::mem::take(&mut self.fresh_writes) {
            let error = region_errors::region_not_found(self.region().id);
            shared.reply(write.request_id, write.kind.refuse(error));
        }
        self.fail_proposals_before(u64::MAX, shared);
        self.fail_reads(shared);
    }

    /// The defect lost-on-leader-change: a deposed leader reports success.
    pub(super) fn acknowledge_puts(&mut self, shared: &mut Shared) {
        let waiting = std::mem::take(&mut self.proposals);
        let (puts, others) = waiting.into_iter().partition(|it| it.kind == RequestKind::Put);
        self.proposals = others;
        for put in puts {
            shared.reply(put.request_id, RawResponse::Put(RawPutResponse::default()));
        }
    }

    /// Refuses proposals before this index, whose entries can no longer be applied.
    pub(super) fn fail_proposals_before(&mut self, index: u64, shared: &mut Shared) {
        while let Some(proposal) = self.proposals.pop_front_if(|first| first.index < index) {
            let response = proposal.kind.refuse(region_errors::stale_command());
            shared.reply(proposal.request_id, response);
        }
    }
}
