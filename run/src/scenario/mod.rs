//! The experiments of TiKV's walk-through as scenarios: a fixed script of faults instead of a
//! random schedule.
//!
//! A scenario is part of a plan. Its script ([`one_store`], [`two_stores`]) plays in a [`scene`]
//! while clients work. It waits for the effects of its faults: a new leader, five voters, replicas
//! caught up. It prints each step as it goes. The result is judged from the history alone
//! ([`findings`]), so `check` comes to the same verdict as the run.

mod one_store;
mod pulse;
mod scene;
mod two_stores;

pub use scene::{Scene, SceneParts};

use plan::scenario::ScenarioName;

/// Plays the script to its end, or until the run is to end, and heals the faults that are left.
/// Returns the failures, in sentences.
pub async fn play(scene: &Scene) -> Vec<String> {
    let played = match scene.config.name {
        ScenarioName::OneStore => one_store::play(scene).await,
        ScenarioName::TwoStores => two_stores::play(scene).await,
    };
    let mut troubles = scene.heal().await;
    match played {
        Ok(()) => {}
        Err(scene::Ended::CutShort) => scene.say("the experiment was cut short"),
        Err(scene::Ended::Failed(reason)) => {
            troubles.push(format!("the experiment failed: {reason}"));
        }
    }
    troubles
}
