//! The engines: each decides whether the calls on one key are linearizable.
//!
//! In: calls in the order of invocation and a budget. Out: a [`Judgement`]. An engine knows nothing of keys,
//! clients or operations.

pub(crate) mod porcupine;

use crate::verdict::DecidedBy;

/// What an engine found out about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) decision: Decision,
    pub(crate) decided_by: DecidedBy,
    /// Configurations explored.
    pub(crate) explored: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Linearizable,
    NotLinearizable,
    /// With the reason.
    Unknown(String),
}
