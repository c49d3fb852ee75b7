//! The most dangerous function of the program: which errors mean that an operation certainly was
//! not applied.
//!
//! A wrong *not applied* invents violations (the value turns up after all); a wrong *unknown* hides
//! them. In doubt: unknown. The sources of each arm are TiKV's raftstore (which checks come before
//! a command is proposed) and what real clusters were seen to answer while their leaders were
//! stopped.

use crate::cause::{Cause, RegionErrorKind};
use crate::request::{ClientError, Outcome};
use tonic::Code;

/// The effect of an operation that ended with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It certainly took no effect, and never will.
    NotApplied,
    /// It may have taken effect, or may yet.
    Unknown,
}

/// The requests that were sent before the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Nothing that could change anything.
    Read,
    /// A write, at most once, and the error is that one attempt's.
    WriteOnce,
    /// A write, perhaps more than once or in parts: the error is the last one's and says nothing of
    /// the others.
    WritePerhapsOften,
}

/// The fate of an operation that ended with an error.
#[expect(clippy::match_same_arms, reason = "each arm has a reason of its own")]
pub fn fate(cause: Cause, sent: Sent) -> Fate {
    match (sent, cause) {
        // A read changes nothing, whatever became of it. The client refused the call itself, or the
        // deadline passed while the client still looked for a store and the call was dropped there:
        // nothing left, nothing will.
        (Sent::Read, _)
        | (_, Cause::RefusedByClient | Cause::DeadlineBeforeSending)
        | (Sent::WriteOnce, Cause::NoRoute | Cause::NotConnected | Cause::ConnectionRefused) => {
            Fate::NotApplied
        }
        // An earlier attempt, or another part, may have been applied before the error that is
        // known.
        (Sent::WritePerhapsOften, _) => Fate::Unknown,
        (Sent::WriteOnce, Cause::Region(kind)) => after_region_error(kind),
        (Sent::WriteOnce, Cause::Grpc(code)) => after_grpc_error(code),
        // The request was sent and nobody answered in time; it may still be on its way.
        (Sent::WriteOnce, Cause::Deadline) => Fate::Unknown,
        // The store's own words, in no fixed form: some come from before the proposal, some from
        // after it.
        (Sent::WriteOnce, Cause::StoreMessage) => Fate::Unknown,
        // The client library itself says that it does not know.
        (Sent::WriteOnce, Cause::Undetermined) => Fate::Unknown,
        // Several errors for one write: one of the parts may have gone through.
        (Sent::WriteOnce, Cause::Several) => Fate::Unknown,
        // Whatever we have never seen.
        (Sent::WriteOnce, Cause::Other) => Fate::Unknown,
    }
}

/// A region error is the answer of a store. It means *not applied* only if the store can give it
/// for nothing that it has proposed.
fn after_region_error(kind: RegionErrorKind) -> Fate {
    match kind {
        // Checked before proposing: whoever is not the leader proposes nothing. What a leader
        // proposed before it lost its office is answered with a stale command instead.
        RegionErrorKind::NotLeader
        // Checked before proposing and again when applying; a command with an old epoch is skipped
        // by all replicas.
        | RegionErrorKind::EpochNotMatch
        // Checked before proposing, against bounds that the epoch above protects.
        | RegionErrorKind::KeyNotInRegion
        // The very first check: the request reached the wrong process.
        | RegionErrorKind::StoreNotMatch
        // Admission control, before proposing.
        | RegionErrorKind::ServerIsBusy => Fate::NotApplied,
        // Mostly the first check, of a store that does not have the region. But a peer that is
        // removed also answers so to what it has proposed and not yet applied, which its former
        // peers may apply.
        RegionErrorKind::RegionNotFound
        // Proposed, then the term changed: the entry may be committed by the next leader.
        | RegionErrorKind::StaleCommand
        // No arm of its own in the protocol (`proposal dropped` is one such): raft refused it, or
        // lost it later.
        | RegionErrorKind::Unnamed
        // Probably all refused before proposing, but none was seen often enough to bet a verdict on
        // it.
        | RegionErrorKind::RaftEntryTooLarge
        | RegionErrorKind::MaxTimestampNotSynced
        | RegionErrorKind::ReadIndexNotReady
        | RegionErrorKind::ProposalInMergingMode
        | RegionErrorKind::DataIsNotReady
        | RegionErrorKind::RegionNotInitialized
        | RegionErrorKind::DiskFull
        | RegionErrorKind::RecoveryInProgress
        | RegionErrorKind::FlashbackInProgress
        | RegionErrorKind::FlashbackNotPrepared
        | RegionErrorKind::IsWitness
        | RegionErrorKind::MismatchPeerId
        | RegionErrorKind::BucketVersionNotMatch => Fate::Unknown,
    }
}

/// A gRPC status may come from the store, from a connection that broke, or from this process's own
/// timer.
fn after_grpc_error(code: Code) -> Fate {
    match code {
        // The process that answered does not know this call, so it did not execute it.
        Code::Unimplemented => Fate::NotApplied,
        // Our timer: `Cancelled: Timeout expired` and `DeadlineExceeded` while a leader was
        // stopped.
        Code::Cancelled | Code::DeadlineExceeded
        // A connection that broke under the request: `transport error`, `h2 protocol error`, reset,
        // shut down. Also `error trying to connect`, unless the operating system said *refused* (a
        // cause of its own).
        | Code::Unknown | Code::Internal | Code::Unavailable | Code::Aborted
        // A success that is reported as an error is nothing that one can build on.
        | Code::Ok
        // An answer that is too large fails with this after the request was executed.
        | Code::ResourceExhausted | Code::OutOfRange
        // Never seen from a store.
        | Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::PermissionDenied
        | Code::FailedPrecondition | Code::DataLoss | Code::Unauthenticated => Fate::Unknown,
    }
}

impl Fate {
    /// The outcome of an operation with this fate.
    pub(crate) fn outcome(self, error: ClientError) -> Outcome {
        match self {
            Self::NotApplied => Outcome::NotApplied(error),
            Self::Unknown => Outcome::Unknown(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cause whose write, sent once, certainly was not applied. All others must be unknown.
    const NOT_APPLIED: &[Cause] = &[
        Cause::RefusedByClient,
        Cause::DeadlineBeforeSending,
        Cause::NoRoute,
        Cause::NotConnected,
        Cause::ConnectionRefused,
        Cause::Region(RegionErrorKind::NotLeader),
        Cause::Region(RegionErrorKind::EpochNotMatch),
        Cause::Region(RegionErrorKind::KeyNotInRegion),
        Cause::Region(RegionErrorKind::StoreNotMatch),
        Cause::Region(RegionErrorKind::ServerIsBusy),
        Cause::Grpc(Code::Unimplemented),
    ];

    fn every_cause() -> Vec<Cause> {
        let mut causes = vec![
            Cause::RefusedByClient,
            Cause::DeadlineBeforeSending,
            Cause::NoRoute,
            Cause::NotConnected,
            Cause::ConnectionRefused,
            Cause::Deadline,
            Cause::StoreMessage,
            Cause::Undetermined,
            Cause::Several,
            Cause::Other,
        ];
        causes.extend(RegionErrorKind::ALL.iter().copied().map(Cause::Region));
        causes.extend((0..=16).map(|code| Cause::Grpc(Code::from_i32(code))));
        causes
    }

    #[test]
    fn a_write_sent_once_failed_only_for_the_causes_of_the_list() {
        for cause in every_cause() {
            let expected =
                if NOT_APPLIED.contains(&cause) { Fate::NotApplied } else { Fate::Unknown };
            assert_eq!(fate(cause, Sent::WriteOnce), expected, "{cause:?}");
        }
    }

    #[test]
    fn a_write_that_may_have_been_sent_before_is_unknown_unless_nothing_left_this_process() {
        for cause in every_cause() {
            let nothing_left =
                matches!(cause, Cause::RefusedByClient | Cause::DeadlineBeforeSending);
            let expected = if nothing_left { Fate::NotApplied } else { Fate::Unknown };
            assert_eq!(fate(cause, Sent::WritePerhapsOften), expected, "{cause:?}");
        }
    }

    #[test]
    fn a_read_has_no_effect_whatever_happened() {
        for cause in every_cause() {
            assert_eq!(fate(cause, Sent::Read), Fate::NotApplied, "{cause:?}");
        }
    }
}
