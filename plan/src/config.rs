//! The checked configuration of a run: every value is usable, and the combination makes sense.
//!
//! In: values as the command line gives them. Out: a [`Config`], which goes into plan.json
//! verbatim, or one sentence that says which flag to change. Units stand in the names. Knows
//! nothing of the run itself.

pub mod bounds;
mod defaults;
mod defects;
mod flags;
mod operations;
mod target;

pub use defaults::{FaultTimes, default_name};
pub use defects::named as defects_named;
pub use flags::shell_word;
pub use operations::{OperationName, Operations, parse_weight};
pub use target::{
    ATTACHED_PREFIX, AttachConfig, BinariesConfig, Found, Offers, PlaygroundConfig, SecurityConfig,
    TargetConfig,
};

use failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An upper limit of the data, more than any cluster on one machine holds.
const DATA_BYTES_MAX: u64 = 1 << 40;

/// Everything that a user can choose about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The test's name: the folder under the runs directory.
    pub name: String,
    /// The seed of everything that is drawn by chance.
    pub seed: u64,
    /// Which cluster is under test.
    #[serde(default)]
    pub target: TargetConfig,
    /// The shape of the cluster.
    pub cluster: ClusterShape,
    /// What the clients do.
    pub workload: WorkloadConfig,
    /// What hurts the cluster.
    pub nemesis: NemesisConfig,
    /// How long clients and nemesis run side by side, milliseconds.
    pub time_ms: u64,
}

/// The shape of the embedded cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClusterShape {
    /// How many stores.
    pub stores: u32,
    /// How many replicas a region has.
    pub replicas: u32,
    /// Into how many regions the workload's key range is split.
    pub regions: u32,
    /// A region with more keys is split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_max_keys: Option<u64>,
    /// Values may have a time to live; TiKV refuses it by default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enable_ttl: bool,
    /// How fast time passes: `fast` or `tikv`.
    pub profile: String,
    /// PD's port; 0 = pick one.
    pub pd_port: u16,
    /// The first store's port, the others follow; 0 = pick them.
    pub store_port: u16,
    /// How leaders make sure that they still lead before they answer a read: `read-index` or `lease`.
    #[serde(default = "default_read")]
    pub read: String,
    /// How the cluster is wrong on purpose: `NAME` or `NAME@STORE+STORE`, stores by their number from 1.
    pub defects: Vec<String>,
}

/// The read mode of plans that do not name one.
pub fn default_read() -> String {
    cluster::read_mode::ReadMode::default().name().into()
}

/// Which workload.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadName {
    /// go-ycsb's workload A: load the keys, then half reads, half updates.
    YcsbA,
    /// Few keys, every kind of operation: get, put, cas, delete, scan, and batches.
    Register,
}

impl WorkloadName {
    /// The workload's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::YcsbA => "ycsb-a",
            Self::Register => "register",
        }
    }

    /// Returns true if some operations of the workload are CAS.
    pub fn uses_cas(self) -> bool {
        self == Self::Register
    }

    /// The atomic mode that the workload's operations need.
    pub fn atomic(self) -> AtomicMode {
        if self.uses_cas() { AtomicMode::On } else { AtomicMode::Off }
    }
}

/// How keys are drawn.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Every key as likely as any other.
    Uniform,
    /// A few keys get most of the traffic (constant 0.99, as YCSB).
    Zipfian,
}

/// Which client library speaks to the target.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum ClientName {
    /// The crate that users use, its writes sent once.
    TikvClient,
    /// Our own: one RPC an operation.
    Direct,
}

/// In which of TiKV's modes raw writes are made.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum AtomicMode {
    /// All writes in atomic mode, as CAS demands
    On,
    /// No write in atomic mode; CAS is not possible
    #[default]
    Off,
    /// CAS beside writes that are not in atomic mode: a misuse, which TiKV promises nothing for
    Mixed,
}

/// What the clients do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WorkloadConfig {
    /// Which workload.
    pub name: WorkloadName,
    /// How often each operation is drawn, of the sum of all; absent = as the workload has it. Only `register` can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Operations>,
    /// How many keys are loaded or used.
    pub keys: u64,
    /// How keys are drawn.
    pub distribution: Distribution,
    /// How long a value is, bytes.
    pub value_bytes: usize,
    /// Which client library.
    pub client: ClientName,
    /// Leave tikv-client's own retries as shipped: a known-bad target that the tester must find.
    pub client_retries: bool,
    /// In which mode writes are made.
    #[serde(default)]
    pub atomic: AtomicMode,
    /// What every key begins with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// How many logical clients.
    pub concurrency: u32,
    /// How many of them are mostly idle, with a connection and region cache of their own.
    pub idle_clients: u32,
    /// Operations a second over all clients; `None` = unlimited.
    pub rate: Option<u64>,
    /// How long one operation may take, milliseconds.
    pub op_timeout_ms: u64,
}

/// What hurts the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NemesisConfig {
    /// The faults' names; empty = none.
    pub faults: Vec<String>,
    /// From one fault's end to the next one's beginning, about, milliseconds.
    pub interval_ms: u64,
    /// The shortest pause, milliseconds.
    pub pause_ms_min: u64,
    /// The longest pause, milliseconds.
    pub pause_ms_max: u64,
}

impl ClusterShape {
    /// The read mode in words for a target's description; empty for the usual one.
    pub fn reads_in_words(&self) -> &'static str {
        match self.read.as_str() {
            "lease" => ", reads under a lease",
            _ => "",
        }
    }

    /// The enabled defects in words, for the end of a target's description.
    pub fn defects_shown(&self) -> String {
        match self.defects.as_slice() {
            [] => String::new(),
            defects => format!(", wrong on purpose: {}", defects.join(", ")),
        }
    }

    /// Refuses a cluster that cannot be started, in one sentence that says what to change.
    pub fn check(&self) -> Result<(), Failure> {
        let refuse = |sentence: String| Err(Failure::usage(sentence));
        if self.stores == 0 {
            return refuse("--stores is 0: a cluster needs at least one store".into());
        }
        if self.replicas == 0 {
            return refuse("--replicas is 0: a region needs at least one replica".into());
        }
        if self.replicas > self.stores {
            return refuse(format!(
                "--replicas {} is more than --stores {}: a store holds one replica of a region at most; \
                 use more stores or fewer replicas",
                self.replicas, self.stores
            ));
        }
        if self.stores > 100 {
            return refuse(format!(
                "--stores {} is too many for one machine: use 100 or fewer",
                self.stores
            ));
        }
        if self.regions == 0 || self.regions > 1000 {
            return refuse(format!("--regions is {}: use 1 to 1000", self.regions));
        }
        if self.region_max_keys.is_some_and(|keys| keys < 10) {
            return refuse(
                "--region-max-keys is below 10: that would be a region for almost every key; use 10 or more"
                    .into(),
            );
        }
        if self.store_port != 0 && u32::from(self.store_port) + self.stores > 65_536 {
            return refuse(format!(
                "--store-port {} leaves no room for {} ports below 65536",
                self.store_port, self.stores
            ));
        }
        self.check_defects()
    }
}

impl Config {
    /// Refuses a configuration that cannot be run, in one sentence that says what to change.
    pub fn check(&self) -> Result<(), Failure> {
        if self.time_ms == 0 {
            return Err(Failure::usage(
                "--time is 0: give the run at least a second, e.g. --time 60",
            ));
        }
        self.check_bounds()?;
        self.cluster.check()?;
        self.target.check()?;
        if !self.cluster.defects.is_empty() && !self.target.offers().defects {
            return Err(Failure::usage(format!(
                "--defect makes the embedded cluster wrong; --target {} cannot be made wrong: leave it out",
                self.target.name()
            )));
        }
        self.check_workload()?;
        self.check_nemesis()
    }

    /// Refuses numbers beyond any run's bounds. A plan's times are in milliseconds, unlike the
    /// flags'.
    fn check_bounds(&self) -> Result<(), Failure> {
        let Self { workload, nemesis, cluster, .. } = self;
        for (name, value) in [
            ("time-ms", self.time_ms),
            ("keys", workload.keys),
            ("value-bytes", workload.value_bytes as u64),
            ("concurrency", workload.concurrency.into()),
            ("idle-clients", workload.idle_clients.into()),
            ("rate", workload.rate.unwrap_or(0)),
            ("op-timeout-ms", workload.op_timeout_ms),
            ("interval-ms", nemesis.interval_ms),
            ("pause-ms-min", nemesis.pause_ms_min),
            ("pause-ms-max", nemesis.pause_ms_max),
            ("region-max-keys", cluster.region_max_keys.unwrap_or(0)),
        ] {
            bounds::flag(name, value)?;
        }
        Ok(())
    }

    fn check_workload(&self) -> Result<(), Failure> {
        let workload = &self.workload;
        let refuse = |sentence: String| Err(Failure::usage(sentence));
        if workload.keys == 0 {
            return refuse("--keys is 0: a workload needs at least one key".into());
        }
        if workload.keys.saturating_mul(workload.value_bytes as u64) > DATA_BYTES_MAX {
            return refuse(format!(
                "--keys {} with --value-bytes {} are more than a TiB: use fewer keys or smaller values",
                workload.keys, workload.value_bytes
            ));
        }
        if workload.concurrency == 0 {
            return refuse("--concurrency is 0: a run needs at least one client".into());
        }
        if workload.idle_clients >= workload.concurrency {
            return refuse(format!(
                "--idle-clients {} leaves no busy client among --concurrency {}: keep one at least",
                workload.idle_clients, workload.concurrency
            ));
        }
        if workload.rate == Some(0) {
            return refuse("--rate is 0: leave it out for an unlimited rate".into());
        }
        if workload.op_timeout_ms == 0 {
            return refuse("--op-timeout is 0: every operation would time out".into());
        }
        if let Some(operations) = &workload.operations {
            operations.check(workload.name)?;
        }
        if workload.atomic == AtomicMode::Off && workload.name.uses_cas() {
            return refuse(
                "--atomic off leaves no CAS to workload register: use on, or mixed for the misuse"
                    .into(),
            );
        }
        if workload.atomic == AtomicMode::Mixed && !workload.name.uses_cas() {
            return refuse(
                "--atomic mixed is CAS beside plain writes: it needs --workload register".into(),
            );
        }
        if workload.client_retries && workload.client == ClientName::Direct {
            return refuse(
                "--client-retries on is about tikv-client; the direct client never retries".into(),
            );
        }
        Ok(())
    }

    fn check_nemesis(&self) -> Result<(), Failure> {
        let nemesis = &self.nemesis;
        if nemesis.pause_ms_min > nemesis.pause_ms_max {
            return Err(Failure::usage(format!(
                "--pause-ms-min {} is more than --pause-ms-max {}",
                nemesis.pause_ms_min, nemesis.pause_ms_max
            )));
        }
        if nemesis.pause_ms_max == 0 {
            return Err(Failure::usage("--pause-ms-max is 0: a pause needs some time"));
        }
        Ok(())
    }
}
