//! Findings: the anomalies that an invalid key shows, by name, with the operations that show them.
//!
//! In: an invalid key. Out: [`Finding`]s. They are weaker than the proof (the counterexample) and
//! never change the verdict. They rest on two facts that need no search: a value was *there by* the
//! first return of its writer or of anyone who saw it, and a write *came after* a value if it, or
//! somebody who saw its value, was invoked after that value was there.
//!
//! # Names
//!
//! | what was observed | name |
//! |---|---|
//! | a value that nobody had written by then | phantom |
//! | a value of which the only write is said to have failed | dirty |
//! | two successful CAS replaced one value; or a CAS replaced a value that had been replaced before it began | lost update |
//! | a value older than one that was there before the read began (*older state*) | one of the three below |
//! | newer state by a client that then reads older state itself | non-monotonic read, beside one of the three below |
//!
//! Older state is named by what others saw. *Newer state* is any value that came after the one read
//! and was there before the read began. The older state *stayed* if a second read saw it too, one
//! of the two reads was invoked after the other had returned, no other write may have come between
//! them, and nobody saw newer state after the first.
//!
//! | newer state was seen afterwards | the older state stayed | newer state had been seen before | name |
//! |---|---|---|---|
//! | yes | – | any | stale read |
//! | no | no | any | stale read |
//! | no | yes | yes | resurrected |
//! | no | yes | no, it was a delete | resurrected |
//! | no | yes | no, it was acknowledged | lost write |
//!
//! So the weakest name is the default: if the newer value was overwritten before anybody looked
//! again, then nothing says that it was gone, and the read is called stale. Absence is older state
//! where the key was certainly there, whatever unknown operations did
//! ([`Presence`](crate::presence::Presence)); a key-only scan that returns a key after its removal
//! sees older state, too.

mod older_state;
mod search;

use histories::jsonl::Text;
use serde::{Deserialize, Serialize};

pub(crate) use search::findings;

/// The name of an anomaly; the header says when each is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A value was observed that nobody had written by then.
    #[serde(alias = "phantom-value")]
    Phantom,
    /// A value was observed whose write is said to have had no effect.
    #[serde(alias = "failed-write-observed")]
    Dirty,
    /// A CAS replaced a value that was no longer there: another write had replaced it.
    LostUpdate,
    /// An acknowledged write was never seen, and the older state stayed.
    LostWrite,
    /// Older state came back after newer state had been seen or the key had been removed, and
    /// stayed.
    Resurrected,
    /// Older state was read, and nothing says that it stayed.
    StaleRead,
    /// One client saw newer state and later older state.
    #[serde(alias = "backwards-for-one-client")]
    NonMonotonicRead,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Phantom,
        Self::Dirty,
        Self::LostUpdate,
        Self::LostWrite,
        Self::Resurrected,
        Self::StaleRead,
        Self::NonMonotonicRead,
    ];
}

impl std::fmt::Display for FindingKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phantom => "phantom value",
            Self::Dirty => "dirty read (failed write observed)",
            Self::LostUpdate => "lost update",
            Self::LostWrite => "lost write",
            Self::Resurrected => "resurrected value",
            Self::StaleRead => "stale read",
            Self::NonMonotonicRead => "non-monotonic read",
        })
    }
}

/// One anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub kind: FindingKind,
    /// The key.
    pub key: Text,
    /// When the operation that shows it was invoked, nanoseconds since the run's start.
    pub invoke_ns: u64,
    /// The time since the value read had been replaced, for kinds that rest on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stale_by_ns: Option<u64>,
    /// The facts on which the name of older state rests; none for the other kinds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub older_state: Option<OlderState>,
    /// A sentence that tells the finding.
    pub sentence: String,
    /// The events that invoked the operations that clash; the one that shows it is the last.
    pub operations: Vec<u64>,
    /// Everybody who has a part in it; the operation that shows it is the first.
    #[serde(default)]
    pub participants: Vec<Participant>,
    /// The faults that were in force while the operation that shows it was open.
    pub faults: Vec<String>,
}

impl Finding {
    /// The participant of a role, if there is one.
    pub fn participant(&self, role: Role) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.role == role)
    }
}

/// The columns of the decision table for older state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OlderState {
    /// Newer state had been seen by the time the read returned.
    pub newer_seen_before: bool,
    /// Newer state was seen by somebody who asked after the read had returned.
    pub newer_seen_afterwards: bool,
    /// The older state was seen twice in a row, without another write between.
    pub stayed: bool,
}

/// An operation that has a part in a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Participant {
    /// Its part.
    pub role: Role,
    /// The event that invoked it, by index.
    pub operation: u64,
    /// The client.
    pub client: u64,
    /// What it did to the key.
    pub call: CallKind,
    /// When it was invoked, nanoseconds since the run's start.
    pub invoke_ns: u64,
    /// When it returned; none if its outcome is unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finish_ns: Option<u64>,
    /// What it found the key to be, if it observed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<Content>,
    /// What it made of the key, if it wrote.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wrote: Option<Content>,
}

/// The part of an operation in a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It shows the anomaly.
    Observer,
    /// It wrote the older value that the observer found.
    OlderWrite,
    /// It had replaced that value.
    NewerWrite,
    /// It saw newer state by the time the observer returned.
    SawNewerBefore,
    /// It saw newer state after the observer had returned.
    SawNewerAfterwards,
    /// It saw the older state as well, before or after the observer.
    SawOlderToo,
    /// It wrote what was observed, and is said to have failed.
    FailedWrite,
    /// The other one of two CAS that replaced one value.
    OtherCas,
}

/// What an operation did to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// It read the value; a scan with values, and a CAS that did not swap, did so as well.
    Get,
    /// It found the key among others, without a value.
    ScanKeys,
    /// It wrote without a condition.
    Put,
    /// It removed the key.
    Delete,
    /// It replaced the value that it expected, or would have.
    Cas,
    /// A value's time to live was over.
    Expiry,
}

/// What a key was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// It was absent.
    Nothing,
    /// It was there; with which value is not known.
    Something,
    /// It had this value.
    Value(Text),
}
