//! Error classes: every error that a store, PD, gRPC or the tikv-client crate can give, as one
//! small enum.
//!
//! In: the error types of both clients. Out: a [`Cause`], which `fate` judges. It says nothing of
//! consequences.

use std::error::Error as StdError;
use std::io;
use tonic::Code;

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A store answered with a region error.
    Region(RegionErrorKind),
    /// gRPC failed, here or there.
    Grpc(Code),
    /// The operating system refused the connection on which the request was to be sent.
    ConnectionRefused,
    /// No connection to the store could be made, so no request was begun.
    NotConnected,
    /// No store was found to send the request to: PD failed, or knows no region, leader or store
    /// for it.
    NoRoute,
    /// The client refused the call as such.
    RefusedByClient,
    /// The deadline passed before anything was sent, and nothing will be.
    DeadlineBeforeSending,
    /// The deadline passed after something was sent.
    Deadline,
    /// A store answered with an error in words.
    StoreMessage,
    /// The client library says that the result is undetermined.
    Undetermined,
    /// Several errors at once.
    Several,
    /// Anything else.
    Other,
}

macro_rules! region_error_kinds {
    ($($field:ident => $kind:ident,)*) => {
        /// The kinds of region errors, by TiKV's names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RegionErrorKind {
            $(
                #[doc = concat!("`errorpb.Error.", stringify!($field), "`.")]
                $kind,
            )*
            /// No kind that we know: only a message.
            Unnamed,
        }

        impl RegionErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)* Self::Unnamed];

            /// The kind of a region error that a store sent us.
            pub(crate) fn of(error: &proto::errorpb::Error) -> Self {
                $(if error.$field.is_some() { return Self::$kind; })*
                Self::Unnamed
            }

            /// The kind of a region error that the crate tikv-client hands on.
            pub(crate) fn of_tikv_client(error: &tikv_client::ProtoRegionError) -> Self {
                $(if error.$field.is_some() { return Self::$kind; })*
                Self::Unnamed
            }
        }
    };
}

// In this order a kind is looked for; a stale command comes first because it is the one that must
// not be missed.
region_error_kinds! {
    stale_command => StaleCommand,
    not_leader => NotLeader,
    region_not_found => RegionNotFound,
    key_not_in_region => KeyNotInRegion,
    epoch_not_match => EpochNotMatch,
    server_is_busy => ServerIsBusy,
    store_not_match => StoreNotMatch,
    raft_entry_too_large => RaftEntryTooLarge,
    max_timestamp_not_synced => MaxTimestampNotSynced,
    read_index_not_ready => ReadIndexNotReady,
    proposal_in_merging_mode => ProposalInMergingMode,
    data_is_not_ready => DataIsNotReady,
    region_not_initialized => RegionNotInitialized,
    disk_full => DiskFull,
    recovery_in_progress => RecoveryInProgress,
    flashback_in_progress => FlashbackInProgress,
    flashback_not_prepared => FlashbackNotPrepared,
    is_witness => IsWitness,
    mismatch_peer_id => MismatchPeerId,
    bucket_version_not_match => BucketVersionNotMatch,
}

impl Cause {
    /// The class of a gRPC status of our own stack.
    pub(crate) fn of_status(status: &tonic::Status) -> Self {
        Self::of_grpc(status.code(), status)
    }

    fn of_grpc(code: Code, error: &(dyn StdError + 'static)) -> Self {
        if is_connection_refused(error) { Self::ConnectionRefused } else { Self::Grpc(code) }
    }

    /// The class of an error of the crate tikv-client.
    pub(crate) fn of_tikv_client(error: &tikv_client::Error) -> Self {
        use tikv_client::Error as E;
        match error {
            E::RegionError(region) => Self::Region(RegionErrorKind::of_tikv_client(region)),
            // Its gRPC stack is another version than ours; the numbers of the codes are the
            // protocol's.
            E::GrpcAPI(status) => Self::of_grpc(Code::from_i32(status.code() as i32), status),
            // Given only for connecting, which comes before the request is handed over.
            E::Grpc(_) => Self::NotConnected,
            E::LeaderNotFound { .. }
            | E::RegionForKeyNotFound { .. }
            | E::RegionForRangeNotFound { .. }
            | E::RegionNotFoundInResponse { .. }
            | E::EntryNotFoundInRegionCache
            | E::Url(_) => Self::NoRoute,
            E::UnsupportedMode
            | E::Unimplemented
            | E::MaxScanLimitExceeded { .. }
            | E::ColumnFamilyError(_)
            | E::InvalidSemver(_) => Self::RefusedByClient,
            E::KvError { .. } | E::KeyError(_) => Self::StoreMessage,
            E::UndeterminedError(_) => Self::Undetermined,
            E::ExtractedErrors(errors) | E::MultipleKeyErrors(errors) => match &errors[..] {
                [only] => Self::of_tikv_client(only),
                _ => Self::Several,
            },
            // PD's complaints, runtime trouble, and transactions, which we do not use.
            E::InternalError { .. }
            | E::StringError(_)
            | E::NoCurrentRegions
            | E::Io(_)
            | E::Channel(_)
            | E::Canceled(_)
            | E::JoinError(_)
            | E::DuplicateKeyInsertion
            | E::ResolveLockError(_)
            | E::InvalidTransactionType
            | E::OperationAfterCommitError
            | E::OnePcFailure
            | E::NoPrimaryKey
            | E::PessimisticLockError { .. }
            | E::KeyspaceNotFound(_)
            | E::TxnNotFound(_) => Self::Other,
        }
    }
}

/// Returns true if the operating system refused a connection. It refuses only while connecting, so
/// nothing was sent on that connection.
fn is_connection_refused(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// One line for a region error: its kind, and the store's words.
pub(crate) fn region_error_line(kind: RegionErrorKind, message: &str) -> String {
    match (kind, message) {
        (kind, "") => format!("region error {kind:?}"),
        (RegionErrorKind::Unnamed, message) => format!("region error: {message}"),
        (kind, message) => format!("region error {kind:?}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::errorpb;

    #[test]
    fn a_region_error_of_ours_and_of_the_crate_have_the_same_kind() {
        let ours = errorpb::Error {
            server_is_busy: Some(errorpb::ServerIsBusy::default()),
            ..errorpb::Error::default()
        };
        assert_eq!(RegionErrorKind::of(&ours), RegionErrorKind::ServerIsBusy);
        let mut theirs = tikv_client::ProtoRegionError::default();
        theirs.server_is_busy.get_or_insert_default();
        let cause = Cause::of_tikv_client(&tikv_client::Error::RegionError(Box::new(theirs)));
        assert_eq!(cause, Cause::Region(RegionErrorKind::ServerIsBusy));
    }

    #[test]
    fn a_dropped_proposal_has_only_words() {
        let error = errorpb::Error {
            message: "raft: proposal dropped".into(),
            ..errorpb::Error::default()
        };
        assert_eq!(RegionErrorKind::of(&error), RegionErrorKind::Unnamed);
        assert_eq!(
            region_error_line(RegionErrorKind::Unnamed, &error.message),
            "region error: raft: proposal dropped"
        );
    }

    #[test]
    fn nested_errors_are_judged_by_the_only_one_or_as_several() {
        let busy = || tikv_client::Error::KvError { message: "no".into() };
        let one = tikv_client::Error::MultipleKeyErrors(vec![busy()]);
        let nested = tikv_client::Error::ExtractedErrors(vec![one]);
        assert_eq!(Cause::of_tikv_client(&nested), Cause::StoreMessage);
        let two = tikv_client::Error::ExtractedErrors(vec![busy(), busy()]);
        assert_eq!(Cause::of_tikv_client(&two), Cause::Several);
        let none = tikv_client::Error::ExtractedErrors(vec![]);
        assert_eq!(Cause::of_tikv_client(&none), Cause::Several);
    }

    #[test]
    fn refused_is_told_apart_by_the_operating_systems_word_only() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let status = tonic::Status::from_error(Box::new(refused));
        assert_eq!(Cause::of_status(&status), Cause::ConnectionRefused);
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        let status = tonic::Status::from_error(Box::new(reset));
        assert!(matches!(Cause::of_status(&status), Cause::Grpc(_)));
        let words = tonic::Status::unavailable("tcp connect error: Connection refused");
        assert_eq!(Cause::of_status(&words), Cause::Grpc(Code::Unavailable));
    }
}
