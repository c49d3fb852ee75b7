//! The engines: each decides whether the calls on one key are linearizable.
//!
//! In: calls in the order of invocation and a budget. Out: a [`Judgement`]. An engine knows nothing of keys,
//! clients or operations.

pub(crate) mod porcupine;
pub(crate) mod search;
pub(crate) mod unique;

use crate::call::{Call, IMPOSSIBLE};
use crate::options::{Budget, Engine};
use crate::verdict::DecidedBy;

/// Decides one key with the engine that was asked for.
pub(crate) fn judge(calls: &[Call], engine: Engine, budget: &Budget) -> Judgement {
    let contradicted = calls.iter().any(|call| call.expects == IMPOSSIBLE);
    match engine {
        Engine::Porcupine => porcupine::judge(calls, budget),
        _ if contradicted => Judgement {
            decision: Decision::NotLinearizable,
            decided_by: DecidedBy::NearLinear,
            explored: calls.len() as u64,
        },
        Engine::Auto => unique::judge(calls).unwrap_or_else(|| search::judge(calls, budget)),
        Engine::Search => search::judge(calls, budget),
        Engine::NearLinear => unique::judge(calls).unwrap_or_else(|| Judgement {
            decision: Decision::Unknown("the near-linear check needs unique values".to_owned()),
            decided_by: DecidedBy::NearLinear,
            explored: 0,
        }),
    }
}

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

#[cfg(test)]
mod metamorphic;
#[cfg(test)]
mod tests;
