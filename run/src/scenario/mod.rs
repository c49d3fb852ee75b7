//! The experiments of TiKV's walk-through as scenarios: a fixed script of faults instead of a
//! random schedule.
//!
//! A scenario is part of a plan. Its script (`one_store`, `two_stores`) plays in a `script`
//! while clients work. It waits for the effects of its faults: a new leader, five voters, replicas
//! caught up. It prints each step as it goes. The result is judged from the history alone
//! (`findings`), so `check` comes to the same verdict as the run.

mod one_store;
mod script;
mod throughput;
mod two_stores;

pub use script::{Script, ScriptParts};

use plan::scenario::ScenarioName;

/// Plays the script to its end, or until the run is to end, and heals the faults that are left.
/// Returns the failures, in sentences.
pub async fn carry_out(script: &Script) -> Vec<String> {
    let played = match script.config.name {
        ScenarioName::OneStore => one_store::carry_out(script).await,
        ScenarioName::TwoStores => two_stores::carry_out(script).await,
    };
    let mut troubles = script.heal().await;
    match played {
        Ok(()) => {}
        Err(script::Ended::CutShort) => script.say("the experiment was cut short"),
        Err(script::Ended::Failed(reason)) => {
            troubles.push(format!("the experiment failed: {reason}"));
        }
    }
    troubles
}
