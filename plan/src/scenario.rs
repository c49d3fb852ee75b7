//! The settings of a scenario: part of the plan, and of the history's header, by which it is
//! judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which experiment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioName {
    /// Experiment 1: the store of the leader stops, another one takes over
    OneStore,
    /// Experiment 2: with five replicas two stores stop in one instant, and nobody notices
    TwoStores,
}

/// What it shall do, and what it is held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScenarioConfig {
    /// Which experiment.
    pub name: ScenarioName,
    /// How long the load is measured at a time, milliseconds.
    pub window_ms: u64,
    /// Experiment 2 waits until every region has its voters before it stops anybody.
    pub wait: bool,
    /// The longest gap in service that experiment 2 allows, milliseconds.
    pub gap_max_ms: u64,
    /// How many operations a second must come back in experiment 1, percent of those before.
    pub ops_back_percent: u64,
    /// How long the cluster may take for each step, milliseconds.
    pub patience_ms: u64,
}

impl ScenarioName {
    /// The scenario's name on the command line and in a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneStore => "one-store",
            Self::TwoStores => "two-stores",
        }
    }

    /// The effect of the scenario on a cluster, in words.
    pub fn hurts(self) -> &'static str {
        match self {
            Self::OneStore => "stops the store that leads these keys",
            Self::TwoStores => "raises max-replicas to 5 and stops two stores in one instant",
        }
    }
}

impl ScenarioConfig {
    /// The scenario without any flags, with the profile `fast`.
    pub fn of(name: ScenarioName) -> Self {
        Self {
            name,
            window_ms: 10_000,
            wait: true,
            gap_max_ms: 1_000,
            ops_back_percent: 80,
            patience_ms: 60_000,
        }
    }

    /// The flags that ask for the scenario, without those at their defaults.
    pub fn flags(&self, defaults: &Self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut flag = |name: &str, mine: u64, default: u64| {
            if mine != default {
                let whole = mine.is_multiple_of(1000);
                let time = if whole { (mine / 1000).to_string() } else { format!("{mine}ms") };
                flags.push(format!("--{name} {time}"));
            }
        };
        flag("window", self.window_ms, defaults.window_ms);
        flag("gap-max", self.gap_max_ms, defaults.gap_max_ms);
        flag("patience", self.patience_ms, defaults.patience_ms);
        if self.ops_back_percent != defaults.ops_back_percent {
            flags.push(format!("--ops-back {}", self.ops_back_percent));
        }
        if !self.wait {
            flags.push("--no-wait".into());
        }
        flags
    }
}
