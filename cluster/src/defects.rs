//! The embedded cluster's defects: small, named, switchable departures from correctness, all off by
//! default.
//!
//! Each exists so that anyone can see the tester catch it. Store logic asks [`Defects::has`] at the
//! one place where the defect departs; nothing else in the program may depend on a defect.

use std::collections::BTreeSet;

/// One departure from correctness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// A leader answers reads without confirming that it still leads.
    StaleRead,
    /// A lease is ten times longer than is safe.
    LongLease,
    /// Any peer answers reads from its own copy.
    FollowerRead,
    /// A put is acknowledged as soon as the leader has it in its log.
    AckBeforeCommit,
    /// Log entries and votes are promised to others up to a second before they are on disk.
    AckBeforeFsync,
    /// A restarted store applies old entries of its log again.
    ApplyTwice,
    /// A leader that is deposed acknowledges the puts that its successor overwrites.
    LostOnLeaderChange,
    /// A leader that removes a peer takes two others out of its quorum as well.
    TornMembership,
    /// A vote is forgotten over a restart.
    VoteTwice,
    /// A snapshot lacks some keys.
    ForgetfulSnapshot,
    /// A split loses the last key of each new region.
    KeyLostInSplit,
    /// A deletion does not reach the disk.
    DeleteResurrects,
    /// A scan that reaches a region's end drops its last key.
    ScanSkipsBoundary,
    /// A compare-and-swap that fails writes all the same.
    FailedCasWrites,
    /// A compare-and-swap that finds its value when it is proposed is not compared again when it is
    /// applied.
    CasRace,
    /// Some puts are refused as "not leader" after they were proposed.
    PutReportsFailureButApplies,
}

/// The defects that are switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defects(BTreeSet<Defect>);

impl Defect {
    /// Every defect.
    pub const ALL: [Self; 16] = [
        Self::StaleRead,
        Self::LongLease,
        Self::FollowerRead,
        Self::AckBeforeCommit,
        Self::AckBeforeFsync,
        Self::ApplyTwice,
        Self::LostOnLeaderChange,
        Self::ForgetfulSnapshot,
        Self::TornMembership,
        Self::VoteTwice,
        Self::KeyLostInSplit,
        Self::DeleteResurrects,
        Self::ScanSkipsBoundary,
        Self::FailedCasWrites,
        Self::CasRace,
        Self::PutReportsFailureButApplies,
    ];

    /// The defect's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale-read",
            Self::LongLease => "long-lease",
            Self::FollowerRead => "follower-read",
            Self::AckBeforeCommit => "ack-before-commit",
            Self::AckBeforeFsync => "ack-before-fsync",
            Self::ApplyTwice => "apply-twice",
            Self::LostOnLeaderChange => "lost-on-leader-change",
            Self::TornMembership => "torn-membership",
            Self::VoteTwice => "vote-twice",
            Self::ForgetfulSnapshot => "forgetful-snapshot",
            Self::KeyLostInSplit => "key-lost-in-split",
            Self::DeleteResurrects => "delete-resurrects",
            Self::ScanSkipsBoundary => "scan-skips-boundary",
            Self::FailedCasWrites => "failed-cas-writes",
            Self::CasRace => "cas-race",
            Self::PutReportsFailureButApplies => "put-reports-failure-but-applies",
        }
    }

    /// The broken guarantee, in one line.
    pub fn breaks(self) -> &'static str {
        match self {
            Self::StaleRead => {
                "a leader answers reads without confirming that it still leads, so a deposed one answers from old state"
            }
            Self::LongLease => {
                "with --read lease: a leader's lease outlives the others' election timeout, so that a deposed one answers"
            }
            Self::FollowerRead => "any peer answers reads from its own copy, however old that is",
            Self::AckBeforeCommit => {
                "a put is acknowledged when the leader has proposed it, before any other store has it"
            }
            Self::AckBeforeFsync => {
                "log and votes count as written up to a second before they are, so a kill forgets what others rely on"
            }
            Self::ApplyTwice => {
                "a restarted store applies the older half of its log again, over what came later"
            }
            Self::LostOnLeaderChange => {
                "a leader that steps down acknowledges puts that no majority has, and its successor overwrites them"
            }
            Self::TornMembership => {
                "a leader that removes a peer also drops two others from its quorum, which elect a leader of their own"
            }
            Self::VoteTwice => {
                "a restarted store forgets its last vote and that vote's term, so that one term may have two leaders"
            }
            Self::ForgetfulSnapshot => {
                "a replica that catches up by snapshot lacks every third key"
            }
            Self::KeyLostInSplit => "a split loses the last key left of each split point",
            Self::DeleteResurrects => {
                "a delete is applied in memory only, so the key comes back with a restart"
            }
            Self::ScanSkipsBoundary => {
                "a scan that reaches the end of a region drops the last key of it"
            }
            Self::FailedCasWrites => {
                "a compare-and-swap that reports failure writes its value all the same"
            }
            Self::CasRace => {
                "a compare-and-swap compares when it is proposed, so that two of them can win over one value"
            }
            Self::PutReportsFailureButApplies => {
                "a put at every twentieth place of the log is answered with \"not leader\" after it was proposed, and takes effect"
            }
        }
    }

    /// Finds the defect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.name() == name)
    }
}

impl Defects {
    /// Returns true if a defect is on.
    pub fn has(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }

    /// The defects that are on, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Defect> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self(defects.into_iter().collect())
    }
}
