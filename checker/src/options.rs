//! What the caller chooses: the model, the engine, and how much a hard key may cost.
//!
//! Nothing in here is measured in seconds: a budget in configurations and bytes gives the same
//! verdict on every machine.

use histories::{Operation, OperationRef};
use serde::{Deserialize, Serialize};

/// What the history is held to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Registers with get, put and delete.
    Register,
    /// Registers that can be compared and swapped as well.
    CasRegister,
    /// Every operation; each key is a register of its own.
    #[default]
    Kv,
}

impl Model {
    /// Whether the model has an operation.
    pub fn admits(self, operation: OperationRef<'_>) -> bool {
        match operation {
            OperationRef::Get { .. }
            | OperationRef::Put { .. }
            | OperationRef::Delete { .. }
            | OperationRef::Other(Operation::Put { .. }) => true,
            OperationRef::Cas { .. } => self != Self::Register,
            OperationRef::Other(_) => self == Self::Kv,
        }
    }
}

/// How a key is decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The fastest that can decide the key: the near-linear check, else the search.
    #[default]
    Auto,
    /// The near-linear check; what it cannot decide is unknown.
    NearLinear,
    /// The general search.
    Search,
    /// The crate porcupine-rs, an independent second opinion.
    Porcupine,
}

/// What one key may cost before the verdict on it is *unknown*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Work that a search may do: configurations that it explores, and comparisons of them (eight
    /// count as one).
    pub configurations: u64,
    /// Bytes that a search may remember configurations in.
    pub bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { configurations: 50_000_000, bytes: 1 << 30 }
    }
}

/// Everything that the caller chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How keys are decided.
    pub engine: Engine,
    /// What a key may cost.
    pub budget: Budget,
    /// So many invalid keys get a counterexample, the first in the order of their bytes.
    pub counterexamples_max: u32,
}

/// So many invalid keys get findings at least: enough to see what kinds there are.
const NAMED_MIN: usize = 1_000;

impl Options {
    /// So many invalid keys get findings, the first in the order of their bytes.
    pub(crate) fn named_max(&self) -> usize {
        NAMED_MIN.max(self.counterexamples_max as usize)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { engine: Engine::default(), budget: Budget::default(), counterexamples_max: 10 }
    }
}
