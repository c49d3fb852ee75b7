//! The space that a fuzzing draws plans from: the common part of all plans, and a profile that
//! narrows the rest.
//!
//! In: flags and a profile, a TOML file whose fields are all optional. Out: a [`Space`], which is
//! stored with every seed in the regressions file, because a seed defines a plan only in its space.
//! Ranges are `[least, most]`, both included. Lists name the allowed values, and an empty one
//! allows everything.

use failure::{Exit, Failure};
use plan::{
    can_suffer,
    config::{OperationName, TargetConfig, WorkloadName},
};
use run_directory::plain_file::{SMALL_BYTES_MAX, read_named_to_string};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A range from the least to the most, both included.
pub type Range = (u64, u64);

/// The common part of a fuzzing's plans, and the profile for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Space {
    /// The cluster under test.
    pub target: TargetConfig,
    /// The prefix of every key.
    pub prefix: String,
    /// The defects of the cluster.
    pub defects: Vec<String>,
    /// The read mode; `None` = drawn.
    pub read: Option<String>,
    /// The profile for the rest.
    pub profile: Profile,
}

/// The ranges and lists that a plan's parts are drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Profile {
    /// The number of stores.
    pub stores: Range,
    /// The number of replicas of a region: odd, mostly 3.
    pub replicas: Range,
    /// The number of regions that the keys are split into at first.
    pub regions: Range,
    /// The number of clients.
    pub clients: Range,
    /// The number of clients that are mostly idle.
    pub idle_clients: Range,
    /// The number of keys.
    pub keys: Range,
    /// The length of a value, bytes.
    pub value_bytes: Range,
    /// Operations a second over all busy clients.
    pub rate: Range,
    /// The duration of a run, milliseconds.
    pub time_ms: Range,
    /// The approximate time from a fault's end to the next one's beginning, milliseconds.
    pub interval_ms: Range,
    /// The length of a pause, milliseconds: the least and the most of a plan are drawn from it.
    pub pause_ms: Range,
    /// The faults that may occur.
    pub faults: Vec<String>,
    /// The allowed workloads.
    pub workloads: Vec<WorkloadName>,
    /// The allowed operations of the workload `register`.
    pub operations: Vec<OperationName>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            stores: (3, 7),
            replicas: (3, 5),
            regions: (1, 4),
            clients: (2, 16),
            idle_clients: (0, 4),
            keys: (1, 400),
            value_bytes: (16, 200),
            rate: (25, 400),
            time_ms: (8_000, 30_000),
            interval_ms: (300, 4_000),
            pause_ms: (200, 4_000),
            faults: Vec::new(),
            workloads: Vec::new(),
            operations: Vec::new(),
        }
    }
}

impl Profile {
    /// Reads a profile. A wrong field is refused with its path and the reason.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_named_to_string(path, SMALL_BYTES_MAX).map_err(|error| {
            let sentence = format!("cannot read the profile {}: {error}", path.display());
            Failure::new(Exit::NoInput, sentence)
        })?;
        Self::parse(&text).map_err(|reason| {
            let sentence = format!("{} is not a profile of fuzz: {reason}", path.display());
            Failure::new(Exit::Malformed, sentence)
        })
    }

    /// Parses a profile; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let reader = toml::Deserializer::parse(text).map_err(|error| error.to_string())?;
        serde_path_to_error::deserialize(reader)
            .map_err(|error| format!("{}: {}", error.path(), error.inner().message()))
    }

    /// Checks the profile; the error says what is wrong, with the field's path.
    pub fn check(&self, target: &TargetConfig) -> Result<(), String> {
        let ranges = [
            ("stores", self.stores, (1, 100)),
            ("replicas", self.replicas, (1, 99)),
            ("regions", self.regions, (1, 1_000)),
            ("clients", self.clients, (1, 10_000)),
            ("idle-clients", self.idle_clients, (0, 10_000)),
            ("keys", self.keys, (1, 1_000_000)),
            ("value-bytes", self.value_bytes, (1, 1 << 20)),
            ("rate", self.rate, (1, 10_000_000)),
            ("time-ms", self.time_ms, (1_000, 7 * 24 * 3_600_000)),
            ("interval-ms", self.interval_ms, (0, 3_600_000)),
            ("pause-ms", self.pause_ms, (1, 3_600_000)),
        ];
        for (name, (least, most), (low, high)) in ranges {
            if least > most {
                return Err(format!("{name}: {least} is more than {most}; write [least, most]"));
            }
            if least < low || most > high {
                return Err(format!("{name}: [{least}, {most}] is not within [{low}, {high}]"));
            }
        }
        if self.replicas.0 > self.stores.1 {
            return Err(format!(
                "replicas: {} need as many stores, and there are {} at most",
                self.replicas.0, self.stores.1
            ));
        }
        if self.odd_replicas().is_empty() {
            return Err("replicas: there is no odd number in the range".into());
        }
        for name in self.faults.iter().filter(|name| *name != "none") {
            can_suffer(target, name).map_err(|reason| format!("faults: {reason}"))?;
        }
        let any = |wanted: &[OperationName]| {
            self.operations.is_empty() || self.operations.iter().any(|it| wanted.contains(it))
        };
        if !any(&OperationName::READS) {
            return Err("operations: nothing is read; add get, scan or batch-get".into());
        }
        if !any(&OperationName::WRITES) {
            return Err("operations: nothing is written; add put, cas or batch-put".into());
        }
        Ok(())
    }

    /// Returns the numbers of replicas that may be drawn.
    pub fn odd_replicas(&self) -> Vec<u32> {
        let (least, most) = (self.replicas.0, self.replicas.1.min(self.stores.1));
        (least..=most).filter(|replicas| replicas % 2 == 1).map(|it| it as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match Profile::parse(text) {
            Ok(profile) => profile.check(&TargetConfig::Embedded).expect_err(text),
            Err(reason) => reason,
        }
    }

    #[test]
    fn a_profile_narrows_what_it_names() {
        let profile = Profile::parse("stores = [3, 4]\nfaults = [\"kill-one\"]").expect("reads");
        profile.check(&TargetConfig::Embedded).expect("usable");
        assert_eq!((profile.stores, profile.faults.len()), ((3, 4), 1));
        assert_eq!(profile.clients, Profile::default().clients);
    }

    #[test]
    fn the_profile_in_the_documentation_is_the_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fuzzing.md");
        let page = std::fs::read_to_string(path).expect("a page");
        let profile = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        assert_eq!(Profile::parse(profile.expect("a profile")).expect("reads"), Profile::default());
    }

    #[test]
    fn a_wrong_field_is_refused_with_its_path_and_the_reason() {
        for (text, said) in [
            ("stores = 3", "stores: invalid type"),
            ("stores = [3]", "stores"),
            ("stroes = [3, 4]", "stroes: unknown field"),
            ("stores = [5, 3]", "stores: 5 is more than 3"),
            ("stores = [0, 3]", "stores: [0, 3] is not within [1, 100]"),
            ("replicas = [4, 4]", "replicas: there is no odd number"),
            ("faults = [\"quake\"]", "faults: there is no nemesis \"quake\""),
            ("workloads = [\"chess\"]", "workloads[0]: unknown variant"),
            ("operations = [\"put\"]", "operations: nothing is read"),
            ("stores = [3, 4", ""),
        ] {
            let reason = refused(text);
            assert!(reason.starts_with(said), "{text}: {reason}");
        }
    }
}
