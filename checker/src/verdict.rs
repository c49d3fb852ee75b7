//! What the checker says: [`Verdict`], which serializes to `verdict.json`, the same bytes on every
//! machine.
//!
//! Pure data. Verdicts merge by priority: invalid over unknown over valid. It does not know how one
//! is reached.

use crate::counterexample::Counterexample;
use crate::findings::Finding;
use histories::jsonl::Text;
use serde::{Deserialize, Serialize};

/// Whether a history, or a key of it, keeps the promise. Ordered by priority.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// It does.
    #[default]
    Valid,
    /// It could not be decided; the reason says why.
    Unknown,
    /// It does not.
    Invalid,
}

impl Validity {
    /// The worse of two.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }
}

impl std::fmt::Display for Validity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        })
    }
}

/// Which engine decided a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// The near-linear check of unique values.
    NearLinear,
    /// The general search.
    Search,
    /// The crate porcupine-rs.
    Porcupine,
}

impl std::fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NearLinear => "near-linear",
            Self::Search => "search",
            Self::Porcupine => "porcupine",
        })
    }
}

/// The verdict on a history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The worst of everything below.
    pub validity: Validity,
    /// One sentence for each thing that makes it worse than valid, the worst first.
    pub reasons: Vec<String>,
    /// How many operations the history has.
    pub operations: Operations,
    /// Configurations explored, all keys together.
    pub explored: u64,
    /// Every key, in the order of its bytes.
    pub keys: Vec<KeyVerdict>,
    /// What kinds of anomalies the invalid keys show, in the order of the keys.
    pub findings: Vec<Finding>,
    /// Every scan, in the order of completion.
    pub key_counts: Vec<KeyCount>,
    /// Answers that contradict themselves, whatever the state was.
    pub contradictions: Vec<Contradiction>,
}

/// Operations by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    /// Answered.
    pub ok: u64,
    /// Certainly without effect.
    pub fail: u64,
    /// Of unknown outcome, those included that never returned.
    pub info: u64,
}

/// The verdict on one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyVerdict {
    /// The key.
    pub key: Text,
    /// Whether its calls are linearizable.
    pub validity: Validity,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// Configurations that a search explored, and calls that the near-linear check placed.
    pub explored: u64,
    /// Calls on this key that were judged.
    pub calls: u64,
    /// Where a search was needed, if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub searched: Option<Searched>,
    /// Why it is not valid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The smallest part of its history that is invalid too, if it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counterexample: Option<Counterexample>,
}

/// Where the near-linear check did not do. A key's calls are cut into stretches wherever none was
/// open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Searched {
    /// How many stretches were searched.
    pub stretches: u64,
    /// How many calls they hold.
    pub calls: u64,
    /// The one that cost most; of an unknown key, the one that cost too much.
    pub hardest: Stretch,
}

/// A stretch of a key's calls, between two moments at which none was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// When it begins, nanoseconds since the run's start.
    pub from_ns: u64,
    /// When it ends.
    pub to_ns: u64,
    /// Calls in it.
    pub calls: u64,
    /// Configurations explored in it.
    pub explored: u64,
}

/// How many keys a scan returned, and how many it should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCount {
    /// The index of the event that invoked the scan.
    pub event: u64,
    /// When it was invoked, nanoseconds since the run's start.
    pub invoke_ns: u64,
    /// When it returned.
    pub finish_ns: u64,
    /// Keys that it returned.
    pub count: u64,
    /// Keys of the covered range that were there throughout, whatever unknown operations did.
    pub certainly_present: u64,
    /// Keys of the covered range that may have been there.
    pub possibly_present: u64,
    /// Keys certainly present that it did not return.
    pub missing: Vec<Text>,
    /// Keys certainly absent that it returned.
    pub unexpected: Vec<Text>,
}

/// An answer that no state explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The index of the event that invoked the operation.
    pub event: u64,
    /// The client.
    pub client: u64,
    /// When it returned, nanoseconds since the run's start.
    pub finish_ns: u64,
    /// What is wrong with the answer.
    pub sentence: String,
}
