//! The default configuration of a run. The flags' own defaults are taken from here, or a test keeps
//! them equal.

use super::{
    AtomicMode, ClientName, ClusterShape, Config, Distribution, NemesisConfig, TargetConfig,
    WorkloadConfig, WorkloadName, default_read,
};
use crate::scenario::ScenarioName;

/// The times of randomly scheduled faults, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultTimes {
    /// The shortest pause.
    pub pause_ms_min: u64,
    /// The longest pause.
    pub pause_ms_max: u64,
    /// The approximate time from one fault's end to the next one's begin.
    pub interval_ms: u64,
}

impl FaultTimes {
    /// The times for a profile. By default some pauses move the leader and some do not, so their
    /// lengths range from below the lease to above the election timeout.
    pub fn of_profile(profile: &str) -> Self {
        let (pause_ms_min, pause_ms_max, interval_ms) = match profile {
            "tikv" => (4_000, 30_000, 15_000),
            _ => (300, 4_000, 3_000),
        };
        Self { pause_ms_min, pause_ms_max, interval_ms }
    }
}

impl WorkloadName {
    /// The number of keys that are loaded or used.
    pub fn default_keys(self) -> u64 {
        match self {
            Self::YcsbA => 10_000,
            Self::Register => 10,
        }
    }
}

/// A test's default name: its workload and its faults.
pub fn default_name(workload: WorkloadName, faults: &[String]) -> String {
    let workload = workload.name();
    if faults.is_empty() {
        format!("{workload}-none")
    } else {
        format!("{workload}-{}", faults.join("-"))
    }
}

impl Default for ClusterShape {
    fn default() -> Self {
        Self {
            stores: 6,
            replicas: 3,
            regions: 1,
            region_max_keys: None,
            enable_ttl: false,
            profile: "fast".into(),
            pd_port: 0,
            store_port: 0,
            read: default_read(),
            defects: Vec::new(),
        }
    }
}

impl Default for WorkloadConfig {
    fn default() -> Self {
        Self {
            name: WorkloadName::YcsbA,
            operations: None,
            keys: WorkloadName::YcsbA.default_keys(),
            distribution: Distribution::Uniform,
            value_bytes: 100,
            client: ClientName::TikvClient,
            client_retries: false,
            atomic: AtomicMode::Off,
            prefix: String::new(),
            concurrency: 16,
            idle_clients: 4,
            rate: None,
            op_timeout_ms: 2_000,
        }
    }
}

impl Default for Config {
    /// The test without any flags. Its seed is 0; a user's run draws one.
    fn default() -> Self {
        let faults = vec!["pause-two".to_owned()];
        let cluster = ClusterShape::default();
        let times = FaultTimes::of_profile(&cluster.profile);
        let workload = WorkloadConfig::default();
        Self {
            name: default_name(workload.name, &faults),
            seed: 0,
            target: TargetConfig::Embedded,
            nemesis: NemesisConfig {
                faults,
                interval_ms: times.interval_ms,
                pause_ms_min: times.pause_ms_min,
                pause_ms_max: times.pause_ms_max,
            },
            cluster,
            workload,
            time_ms: 60_000,
        }
    }
}

impl Config {
    /// The configuration of a scenario without any flags: no scheduled faults, and seed 0.
    pub fn of_scenario(name: ScenarioName) -> Self {
        let mut config = Self { name: format!("scenario-{}", name.name()), ..Self::default() };
        config.nemesis.faults = Vec::new();
        config
    }
}
