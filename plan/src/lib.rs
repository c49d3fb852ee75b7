//! The plan: everything that determines a run except the outside world's timing.
//!
//! In: a [`Config`] and the target's capabilities. Out: `plan.json`, version 1: a JSON object with
//! `format` ("jepsen-tikv plan"), `version`, `tool-version`, `config` (the flags, units in the
//! names) and `schedule` (the faults in the order of their begins), or a `scenario`. Its hash
//! stands in the history's header. People may edit it: the schedule is carried out as written
//! (`reading` refuses plans that make no sense). `docs/plan.schema.json` is its schema.
//!
//! Decisions: every number has an upper bound in one table, `config/bounds.rs`, whether it comes
//! from a flag, a plan or go-ycsb's properties. A plan that needs something its target does not
//! offer is refused before anything starts.

pub mod config;
pub mod key_range;
mod reading;
pub mod scenario;
pub mod times;

use crate::{
    config::{ClusterShape, Config, TargetConfig},
    scenario::{ScenarioConfig, ScenarioName},
};
use cluster::{profile::Profile, read_mode::ReadMode};
use failure::Failure;
use nemesis::{
    Action, Capabilities, FAULTS_MAX, FaultKind, Faults, PlannedFault, Possible, ScheduleConfig,
    schedule,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The format's name.
const FORMAT: &str = "jepsen-tikv plan";
/// The format's version.
const VERSION: u32 = 1;

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    format: String,
    version: u32,
    tool_version: String,
    /// The flags.
    pub config: Config,
    /// The faults in the order of their beginnings.
    pub schedule: Vec<PlannedFault>,
    /// What is played instead of a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<ScenarioConfig>,
}

impl Plan {
    /// Draws a plan. Refuses faults that are unknown or that the target does not support.
    pub fn draw(config: Config) -> Result<Self, Failure> {
        let schedule = schedule(&ScheduleConfig {
            faults: faults(&config)?,
            replicas: config.cluster.replicas,
            interval_ms: config.nemesis.interval_ms,
            pause_ms_min: config.nemesis.pause_ms_min,
            pause_ms_max: config.nemesis.pause_ms_max,
            drift_ppm_max: drift_ppm_max(&config),
            duration_ms: config.time_ms,
            seed: config.seed,
        });
        if schedule.len() > FAULTS_MAX {
            return Err(Failure::usage(format!(
                "these flags draw more than {FAULTS_MAX} faults: use a longer --nemesis-interval or a shorter --time"
            )));
        }
        Ok(Self {
            format: FORMAT.into(),
            version: VERSION,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            config,
            schedule,
            scenario: None,
        })
    }

    /// The plan of a scenario, which has a script instead of a schedule. Refuses a scenario that
    /// the target does not support.
    pub fn of_scenario(config: Config, scenario: ScenarioConfig) -> Result<Self, Failure> {
        fits(&config, &scenario)?;
        Ok(Self { scenario: Some(scenario), ..Self::draw(config)? })
    }

    /// The command that repeats the plan, without flags at their defaults.
    pub fn command_line(&self) -> Result<String, Failure> {
        let Some(scenario) = &self.scenario else {
            return Ok(self.config.command_line(&Config::default()));
        };
        let defaults = Config::of_scenario(scenario.name);
        let mut flags = scenario.flags(&ScenarioConfig::of(scenario.name));
        // A scenario has no scheduled faults, and ends by itself.
        let drawn = |flag: &String| flag.starts_with("--nemesis ") || flag.starts_with("--time ");
        flags.extend(self.config.flags(&defaults).into_iter().filter(|flag| !drawn(flag)));
        Ok(format!("jepsen-tikv scenario {} {}", scenario.name.name(), flags.join(" ")))
    }

    /// The command that repeats the plan, or, if no flags draw its schedule, the one that replays
    /// the file.
    pub fn repeated_by(&self, file: &Path) -> Result<String, Failure> {
        if self.scenario.is_none() && Self::draw(self.config.clone())?.schedule != self.schedule {
            return Ok(format!("jepsen-tikv replay {}", self.named_again(file)));
        }
        self.command_line()
    }

    /// The file's path with the flags for settings that a file may not choose.
    pub fn named_again(&self, file: &Path) -> String {
        let quoted = |word: String| if word.contains(' ') { format!("'{word}'") } else { word };
        let words = self.config.target.named_words().into_iter().map(quoted);
        std::iter::once(run_directory::shown_path(file)).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// The plan with its configuration updated by `survey`, which looks at the target.
    pub fn on(
        mut self,
        survey: impl FnOnce(&Config) -> Result<Config, Failure>,
    ) -> Result<Self, Failure> {
        self.config = survey(&self.config)?;
        faults(&self.config)?;
        Ok(self)
    }

    /// Checks that the plan makes sense. The error names the field's path.
    pub fn check(&self) -> Result<(), String> {
        reading::makes_sense(self)
    }

    /// Sets the configured faults to the kinds in the schedule, from which some were removed.
    pub fn name_its_faults(&mut self) {
        let kinds: BTreeSet<FaultKind> = self.schedule.iter().map(|fault| fault.kind).collect();
        self.config.nemesis.faults = kinds.into_iter().map(|kind| kind.name().into()).collect();
    }

    /// The plan's size in words, for people who compare plans.
    pub fn in_words(&self) -> String {
        let Config { cluster, workload, time_ms, .. } = &self.config;
        let kinds: BTreeSet<&str> = self.schedule.iter().map(|it| it.kind.name()).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let faults = match (&self.scenario, kinds.as_slice()) {
            (Some(scenario), _) => format!("scenario {}", scenario.name.name()),
            (None, []) => "no faults".into(),
            (None, kinds) => {
                format!("{} ({})", counted(self.schedule.len() as u64, "fault"), kinds.join(", "))
            }
        };
        format!(
            "{faults}, {} ({} idle), {}, {} each, {}, {}, {:.1} s",
            counted(workload.concurrency.into(), "client"),
            workload.idle_clients,
            counted(cluster.stores.into(), "store"),
            counted(cluster.replicas.into(), "replica"),
            counted(cluster.regions.into(), "region"),
            counted(workload.keys, "key"),
            *time_ms as f64 / 1e3
        )
    }

    /// Returns true if the plan injects faults or changes the cluster beyond its own keys.
    pub fn is_destructive(&self) -> bool {
        self.scenario.is_some() || !self.schedule.is_empty() || self.config.cluster.regions > 1
    }

    /// Warnings for the user before the start, in sentences.
    pub fn warnings(&self) -> Result<Vec<String>, Failure> {
        Ok(faults(&self.config)?.warnings(&possible(&self.config)))
    }

    /// Planned faults by the name of their kind.
    pub fn planned(&self) -> BTreeMap<&'static str, u64> {
        let mut planned = BTreeMap::new();
        for fault in &self.schedule {
            *planned.entry(fault.kind.name()).or_default() += 1;
        }
        planned
    }

    /// Reads a plan again, and checks it as flags are checked.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        reading::read(path)
    }

    /// Reads the plan at the path that the user gave: a run directory or a file.
    pub fn named(path: &Path) -> Result<Self, Failure> {
        reading::named(path)
    }

    /// Parses a plan. The error says what is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        reading::parse(text)
    }

    /// The format as a JSON Schema, kept in `docs/plan.schema.json`.
    pub fn json_schema() -> Result<String, Failure> {
        let schema = schemars::schema_for!(Self);
        let text = serde_json::to_string_pretty(&schema).map_err(Failure::software)?;
        Ok(text + "\n")
    }

    /// Refuses clocks that drift further than lease reads allow, since no cluster is correct then.
    fn clocks_fit(&self) -> Result<(), Failure> {
        let most_ppm = drift_ppm_max(&self.config);
        for fault in &self.schedule {
            if let Action::ClockSkew { drift_ppm, .. } = fault.what
                && self.config.cluster.read == ReadMode::Lease.name()
                && drift_ppm.unsigned_abs() > most_ppm
            {
                return Err(Failure::usage(format!(
                    "drift_ppm {drift_ppm} with lease reads: a lease is safe up to {most_ppm}; use less, or \
                     \"read\": \"read-index\""
                )));
            }
        }
        Ok(())
    }

    /// The contents of plan.json.
    pub fn to_json(&self) -> Result<Vec<u8>, Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(Failure::software)?;
        text.push(b'\n');
        Ok(text)
    }
}

fn possible(config: &Config) -> Possible {
    possible_in(&config.target, &config.cluster)
}

fn possible_in(target: &TargetConfig, shape: &ClusterShape) -> Possible {
    let Capabilities { pause, kill, schedule, max_replicas, simulated } = target.offers().faults;
    let ClusterShape { stores, replicas, .. } = *shape;
    Possible { pause, kill, schedule, max_replicas, simulated, stores, replicas }
}

/// The largest drift of clocks: with lease reads as far as leases allow, otherwise any.
fn drift_ppm_max(config: &Config) -> u32 {
    const ANY_PPM: u32 = 200_000;
    let profile = Profile::from_name(&config.cluster.profile).unwrap_or(Profile::Fast);
    match ReadMode::from_name(&config.cluster.read) {
        Some(ReadMode::Lease) => profile.timing().lease_drift_ppm_max(),
        _ => ANY_PPM,
    }
}

fn faults(config: &Config) -> Result<Faults, Failure> {
    Faults::parse(&config.nemesis.faults)
        .and_then(|faults| faults.fit(&possible(config)))
        .map_err(Failure::usage)
}

/// Checks that a large enough cluster of this kind supports a fault.
pub fn can_suffer(target: &TargetConfig, name: &str) -> Result<(), Failure> {
    let shape = ClusterShape { stores: 100, replicas: 3, ..ClusterShape::default() };
    fits_cluster(target, &shape, &[name])
}

/// Checks that this cluster supports these faults in one run.
pub fn fits_cluster<S: AsRef<str>>(
    target: &TargetConfig,
    shape: &ClusterShape,
    names: &[S],
) -> Result<(), Failure> {
    Faults::parse(names)
        .and_then(|faults| faults.fit(&possible_in(target, shape)))
        .map(|_| ())
        .map_err(Failure::usage)
}

/// Refuses a scenario that needs more than the target has.
fn fits(config: &Config, scenario: &ScenarioConfig) -> Result<(), Failure> {
    let like: &[&str] = match scenario.name {
        ScenarioName::OneStore => &["pause-leader"],
        ScenarioName::TwoStores => &["replicas", "pause-two"],
    };
    let faults = Faults::parse(like).and_then(|faults| faults.fit(&possible(config)));
    faults
        .map(|_| ())
        .map_err(|error| Failure::usage(format!("scenario {}: {error}", scenario.name.name())))
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A short name for a file's contents: equal plans have equal hashes.
pub fn hash(contents: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(contents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use failure::Exit;

    fn drawn(seed: u64) -> Plan {
        let mut config = Config { seed, ..Config::default() };
        config.nemesis.faults = vec!["mix".into()];
        Plan::draw(config).expect("can be drawn")
    }

    #[test]
    fn a_plan_is_the_same_after_it_was_written_and_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let plan = drawn(7);
        std::fs::write(file.path(), plan.to_json().expect("written")).expect("written");
        assert_eq!(Plan::read(file.path()).expect("read"), plan);
    }

    #[test]
    fn the_seed_determines_the_plan() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1).schedule, drawn(2).schedule);
        assert!(!drawn(1).schedule.is_empty());
    }

    #[test]
    fn the_schema_in_the_documentation_is_that_of_this_version() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plan.schema.json");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let schema = Plan::json_schema().expect("written");
        assert!(
            written == schema,
            "write it again: jepsen-tikv plan schema > docs/plan.schema.json"
        );
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for text in ["", "{}", "[1]", r#"{"format":"jepsen-tikv history","version":1}"#] {
            std::fs::write(file.path(), text).expect("written");
            assert_eq!(Plan::read(file.path()).expect_err("refused").exit, Exit::Malformed);
        }
        let absent = Plan::read(Path::new("/no/such/plan.json")).expect_err("refused");
        assert_eq!(absent.exit, Exit::NoInput);
    }
}
