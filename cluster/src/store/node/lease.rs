//! A leader's lease: the time for which no other leader can be elected, so that reads need no
//! confirmation.
//!
//! In: rounds that a majority has confirmed, with the moment at which each was asked. Out: whether
//! the lease holds now. No other leader can be elected while it does, because:
//! - it counts from the moment *before* the majority was asked, and ends with the term;
//! - a peer that answered ignores votes, and does not stand itself, for an election timeout, which
//!   is longer. A tick may come right after the request, so with leases followers wait one tick
//!   more than the election timeout has;
//! - a restarted store has forgotten its answers, so it votes for nobody until an election timeout
//!   is over;
//! - a vote for a transfer of leadership is not ignored, however late it comes. So a leader that
//!   began a transfer has no lease again in that term.
//!
//! It deliberately does not know how a read is served. A read under the lease still waits until
//! everything that was committed when it came in is applied. A split among it may have given the
//! keys to another leader.

use super::{effects::Shared, peer::Peer};
use crate::{defects::Defect, read_mode::ReadMode};
use raft::{
    CAMPAIGN_TRANSFER,
    eraftpb::{Message, MessageType},
};

/// The defect long-lease: the factor by which the lease is too long.
const TOO_LONG: u64 = 10;

/// The lease of one peer.
#[derive(Debug, Default)]
pub(super) struct Lease {
    term: u64,
    until_ms: u64,
    asked_ms: u64,
    forfeited_term: u64,
}

impl Peer {
    /// Renews the lease after a majority has confirmed this leader in this term; `asked_ms` is the
    /// time of the request.
    pub(super) fn renew_lease(&mut self, term: u64, asked_ms: u64, shared: &Shared) {
        let until_ms = asked_ms + lease_ms(shared);
        if self.lease.term != term || self.lease.until_ms < until_ms {
            self.lease.term = term;
            self.lease.until_ms = until_ms;
            self.lease.asked_ms = asked_ms;
        }
    }

    /// Returns true if no other leader can exist now. Always false without lease reads.
    pub(super) fn lease_holds(&self, shared: &Shared) -> bool {
        let term = self.term();
        shared.config.read == ReadMode::Lease
            && self.is_leader()
            && self.lease.term == term
            && self.lease.forfeited_term != term
            && shared.now.monotonic_ms < self.lease.until_ms
    }

    /// Returns true if it is time to renew, so that reads need not wait when the lease ends.
    pub(super) fn lease_is_half_over(&self, shared: &Shared) -> bool {
        let half_ms = shared.config.timing.leader_lease_ms / 2;
        shared.now.monotonic_ms >= self.lease.asked_ms + half_ms
    }

    /// Asks another peer to lead. That peer may be elected against any lease.
    pub(super) fn transfer_leader(&mut self, to: u64) {
        self.lease.forfeited_term = self.term();
        self.raw.transfer_leader(to);
    }

    /// Returns true if a message asks for a vote that a restarted peer must not give yet: before
    /// the restart it may have promised a leader not to.
    pub(super) fn votes_too_early(&self, message: &Message, shared: &Shared) -> bool {
        let kind = message.get_msg_type();
        matches!(kind, MessageType::MsgRequestVote | MessageType::MsgRequestPreVote)
            && message.context != CAMPAIGN_TRANSFER
            && shared.now.monotonic_ms < self.mute_until_ms
    }
}

/// The length of a lease.
fn lease_ms(shared: &Shared) -> u64 {
    let length_ms = shared.config.timing.leader_lease_ms;
    if shared.config.defects.has(Defect::LongLease) { TOO_LONG * length_ms } else { length_ms }
}

/// The smallest number of ticks without a leader after which a follower stands for election.
pub(super) fn election_ticks_min(shared: &Shared) -> usize {
    let another = shared.config.read == ReadMode::Lease;
    shared.config.timing.election_ticks_min + usize::from(another)
}

/// The time until which a peer that was found on disk votes for nobody.
pub(super) fn mute_until_ms(shared: &Shared) -> u64 {
    let timing = &shared.config.timing;
    match shared.config.read {
        ReadMode::ReadIndex => 0,
        ReadMode::Lease => {
            let ticks = timing.election_ticks_min as u64;
            shared.now.monotonic_ms + ticks * timing.raft_tick_ms
        }
    }
}
