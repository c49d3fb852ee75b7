//! The plan: everything that determines a run except the outside world's timing.
//!
//! In: a [`Config`] and what the target can do. Out: `plan.json`, version 1: a JSON object with `format`
//! ("jepsen-tikv plan"), `version`, `tool-version`, `config` (the flags, units in the names) and `schedule` (the
//! faults in the order of their beginnings). Its hash stands in the history's header.

use crate::{config::Config, exit::Failure};
use nemesis::{Capabilities, Faults, PlannedFault, Possible, ScheduleConfig, schedule};
use serde::{Deserialize, Serialize};

/// The format's name.
const FORMAT: &str = "jepsen-tikv plan";
/// The format's version.
const VERSION: u32 = 1;

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    format: String,
    version: u32,
    tool_version: String,
    /// The flags.
    pub config: Config,
    /// The faults in the order of their beginnings.
    pub schedule: Vec<PlannedFault>,
}

/// A plan, and what must be said aloud about it.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What will be unavailable on purpose, in sentences.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Draws a plan. Faults that nobody knows, or that the target cannot suffer, are refused.
    pub fn draw(config: Config, capabilities: Capabilities) -> Result<Planned, Failure> {
        let possible = Possible {
            pause: capabilities.pause,
            kill: capabilities.kill,
            schedule: capabilities.schedule,
            stores: config.cluster.stores,
            replicas: config.cluster.replicas,
        };
        let faults = Faults::parse(&config.nemesis.faults)
            .and_then(|faults| faults.fit(&possible))
            .map_err(Failure::usage)?;
        let warnings = faults.warnings(&possible);
        let schedule = schedule(&ScheduleConfig {
            faults,
            replicas: config.cluster.replicas,
            interval_ms: config.nemesis.interval_ms,
            pause_ms_min: config.nemesis.pause_ms_min,
            pause_ms_max: config.nemesis.pause_ms_max,
            duration_ms: config.time_ms,
            seed: config.seed,
        });
        let plan = Self {
            format: FORMAT.into(),
            version: VERSION,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            config,
            schedule,
        };
        Ok(Planned { plan, warnings })
    }

    /// The file's contents.
    pub fn to_json(&self) -> Result<Vec<u8>, Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(Failure::software)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The plan in a file's contents.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

/// A short name for a file's contents: equal plans have equal hashes.
pub fn hash(contents: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(contents))
}
