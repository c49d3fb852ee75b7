//! The engines: each decides whether the calls on one key are linearizable.
//!
//! In: calls in the order of invocation and a budget. Out: a [`Judgement`]. An engine knows nothing
//! of keys, clients or operations.

mod apart;
pub(crate) mod porcupine;
mod relaxed;
pub(crate) mod replaced;
pub(crate) mod search;
mod simplify;
mod stretches;
pub(crate) mod unique;

use crate::call::{Call, IMPOSSIBLE};
use crate::options::{Budget, Engine};
use crate::verdict::{DecidedBy, Searched};

/// Decides one key with the engine that was asked for.
pub(crate) fn judge(calls: &[Call], engine: Engine, budget: &Budget) -> Judgement {
    let contradicted = calls.iter().any(|call| call.expects == IMPOSSIBLE);
    match engine {
        Engine::Porcupine => porcupine::judge(calls, budget),
        Engine::Search => search::judge(calls, budget),
        _ if contradicted => {
            Judgement::new(Decision::NotLinearizable, DecidedBy::NearLinear, calls.len() as u64)
        }
        Engine::Auto => near_linear(calls).unwrap_or_else(|simple| {
            if replaced::seen_by(&simple).is_some() {
                let looked_at = simple.len() as u64;
                return Judgement::new(Decision::NotLinearizable, DecidedBy::NearLinear, looked_at);
            }
            let refuted = unique::judge(&relaxed::relaxed(&simple))
                .filter(|judgement| judgement.decision == Decision::NotLinearizable);
            refuted.unwrap_or_else(|| stretches::judge(&simple, budget))
        }),
        Engine::NearLinear => near_linear(calls).unwrap_or_else(|_| {
            let reason = "the near-linear check needs values that time tells apart".to_owned();
            Judgement::new(Decision::Unknown(reason), DecidedBy::NearLinear, 0)
        }),
    }
}

/// The near-linear check, at once or on what is left of the calls when all is said that needs no
/// search; or that.
fn near_linear(calls: &[Call]) -> Result<Judgement, Vec<Call>> {
    unique::judge(calls).map_or_else(
        || {
            let simple = apart::told_apart(simplify::simplified(calls));
            unique::judge(&simple).ok_or(simple)
        },
        Ok,
    )
}

/// What an engine found out about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) decision: Decision,
    pub(crate) decided_by: DecidedBy,
    /// Configurations explored.
    pub(crate) explored: u64,
    /// Where a search was needed.
    pub(crate) searched: Option<Searched>,
}

impl Judgement {
    fn new(decision: Decision, decided_by: DecidedBy, explored: u64) -> Self {
        Self { decision, decided_by, explored, searched: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Linearizable,
    NotLinearizable,
    /// With the reason.
    Unknown(String),
}

#[cfg(test)]
pub(crate) mod amount;
#[cfg(test)]
mod metamorphic;
#[cfg(test)]
pub(crate) mod tests;
