//! Reads on their way: waiting for a leader that may answer, for a quorum's confirmation, for the
//! data to catch up.
//!
//! All reads of one step share one `ReadIndex` round; under a lease none is needed. A read that has
//! not been confirmed when leadership ends is refused, which is correct because reads have no
//! effects.

use super::{
    effects::Shared,
    peer::Peer,
    reads, region_errors,
    requests::{RawRequest, RawResponse},
};
use crate::defects::Defect;
use proto::metapb::Region;
use raft::ReadState;
use std::collections::VecDeque;

/// One read.
#[derive(Debug)]
pub struct Read {
    id: u64,
    request: RawRequest,
}

/// Reads that await the confirmation of a quorum together.
#[derive(Debug)]
struct Round {
    number: u64,
    term: u64,
    asked_ms: u64,
    reads: Vec<Read>,
}

/// The reads of one region.
#[derive(Debug, Default)]
pub struct ReadQueue {
    /// Reads that are not yet in a round.
    waiting: Vec<Read>,
    /// Rounds that await confirmation.
    confirming: VecDeque<Round>,
    /// Confirmed reads, with the index that must be applied first.
    applying: VecDeque<(u64, Vec<Read>)>,
    rounds: u64,
    len: usize,
}

impl Peer {
    pub(super) fn take_up_read(&mut self, id: u64, request: RawRequest, shared: &mut Shared) {
        let defects = &shared.config.defects;
        if defects.has(Defect::FollowerRead) {
            let read = Read { id, request };
            self.serve(&read, shared);
            return;
        }
        if self.reads.len >= shared.config.waiting_max {
            let error = region_errors::server_is_busy("too many reads wait in this region");
            shared.reply(id, request.kind().refuse(error));
            return;
        }
        self.reads.len += 1;
        self.reads.waiting.push(Read { id, request });
    }

    /// Asks a quorum to confirm the waiting reads, all in one round, unless a lease makes this
    /// unnecessary.
    pub(super) fn ask_for_read_index(&mut self, shared: &mut Shared) {
        let (leads, term) = (self.is_leader(), self.term());
        let queue = &mut self.reads;
        let mut lost = Vec::new();
        if leads {
            while let Some(round) = queue.confirming.pop_front_if(|round| round.term != term) {
                lost.extend(round.reads);
            }
        } else {
            lost.append(&mut queue.waiting);
            lost.extend(queue.confirming.drain(..).flat_map(|round| round.reads));
        }
        queue.len -= lost.len();
        for read in lost {
            let error = region_errors::not_leader(self.region().id, self.leader());
            shared.reply(read.id, read.request.kind().refuse(error));
        }
        // Before its first commit in this term a leader does not know which entries are committed,
        // and raft drops the request.
        if leads && !self.reads.waiting.is_empty() && self.raw.raft.commit_to_current_term() {
            let mut reads = std::mem::take(&mut self.reads.waiting);
            if shared.config.defects.has(Defect::StaleRead) {
                self.reads.applying.push_back((self.raw.raft.raft_log.committed, reads));
                return;
            }
            if self.lease_holds(shared) {
                let reads = std::mem::take(&mut reads);
                self.reads.applying.push_back((self.raw.raft.raft_log.committed, reads));
                if !self.lease_is_half_over(shared) || !self.reads.confirming.is_empty() {
                    return;
                }
            }
            self.reads.rounds += 1;
            let number = self.reads.rounds;
            let asked_ms = shared.now.monotonic_ms;
            self.reads.confirming.push_back(Round { number, term, asked_ms, reads });
            self.raw.read_index(number.to_be_bytes().to_vec());
        }
    }

    pub(super) fn note_read_states(&mut self, states: Vec<ReadState>, shared: &Shared) {
        for state in states {
            let queue = &mut self.reads;
            let position = queue
                .confirming
                .iter()
                .position(|round| round.number.to_be_bytes()[..] == state.request_ctx[..]);
            if let Some(round) = position.and_then(|at| queue.confirming.remove(at)) {
                queue.applying.push_back((state.index, round.reads));
                self.renew_lease(round.term, round.asked_ms, shared);
            }
        }
    }

    pub(super) fn answer_reads(&mut self, shared: &mut Shared) {
        let applied = self.raw.store().applied_index();
        while let Some((_, reads)) =
            self.reads.applying.pop_front_if(|(index, _)| *index <= applied)
        {
            self.reads.len -= reads.len();
            for read in reads {
                self.serve(&read, shared);
            }
        }
    }

    /// Refuses every read because the peer goes away.
    pub(super) fn fail_reads(&mut self, shared: &mut Shared) {
        let queue = std::mem::take(&mut self.reads);
        let confirming = queue.confirming.into_iter().flat_map(|round| round.reads);
        let applying = queue.applying.into_iter().flat_map(|(_, reads)| reads);
        for read in queue.waiting.into_iter().chain(confirming).chain(applying) {
            let error = region_errors::region_not_found(self.region().id);
            shared.reply(read.id, read.request.kind().refuse(error));
        }
    }

    fn serve(&self, read: &Read, shared: &mut Shared) {
        let (region, kind) = (self.region(), read.request.kind());
        let context = read.request.context().cloned().unwrap_or_default();
        // A split may have been applied since the request was checked.
        let response: RawResponse = if region_errors::version_matches(&context, region) {
            let now = shared.now.unix_s();
            reads::serve(&read.request, region, &self.raw.store().data, now)
                .expect("only reads come into the read queue")
        } else {
            kind.refuse(region_errors::epoch_not_match(vec![region.clone()]))
        };
        let response = if shared.config.defects.has(Defect::ScanSkipsBoundary) {
            without_boundary(&read.request, region, response)
        } else {
            response
        };
        shared.reply(read.id, response);
    }
}

/// The defect scan-skips-boundary: a scan upwards that reached the region's end loses its last key.
fn without_boundary(request: &RawRequest, region: &Region, response: RawResponse) -> RawResponse {
    match (request, response) {
        (RawRequest::Scan(scan), RawResponse::Scan(mut found)) => {
            let to_the_end = scan.end_key.is_empty() || scan.end_key >= region.end_key;
            let unlimited = found.kvs.len() < scan.limit as usize;
            if !scan.reverse && !region.end_key.is_empty() && to_the_end && unlimited {
                found.kvs.pop();
            }
            RawResponse::Scan(found)
        }
        (_, response) => response,
    }
}
