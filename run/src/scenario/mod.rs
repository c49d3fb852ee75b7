//! The experiments of TiKV's walk-through as scenarios: a fixed script of faults instead of a drawn schedule.
//!
//! A scenario is part of a plan. Its script ([`one_store`], [`two_stores`]) plays in a [`scene`] while clients work, and
//! waits for what it did to show: a new leader, five voters, replicas caught up. It tells each step as it goes. What it
//! means is judged from the history alone ([`findings`]), so that `check` says the same as the run.

mod one_store;
mod pulse;
mod scene;
mod two_stores;

pub use scene::{Scene, SceneParts};

use plan::scenario::ScenarioName;

/// Plays the script to its end, or until the run is to end, and heals whatever it left. What went wrong, in sentences.
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
