//! A sample of a cluster's state: pure data, with the field names that the pages and
//! `cluster-samples.jsonl` use.
//!
//! # `cluster-samples.jsonl`, version 1
//!
//! One line per sample, about one a second during a run, each a JSON object:
//!
//! | field | what |
//! |---|---|
//! | `at_ms` | when, milliseconds since 1970 |
//! | `run_ns` | when, nanoseconds on the run's own clock (the history's `time`) |
//! | `pd_error` | why PD did not answer; absent if it did |
//! | `stores` | `id`, `address`, `status_address`, `state` (PD's word; `unknown` while PD does not answer), `leaders`, `regions`, `answers` (its status port did), `process` (`running`, `stopped`, `gone`) and `pid` where known |
//! | `regions` | `id`, `leader` (store), `voters`, `learners` (stores), `keys` (about how many, as PD says) |
//! | `operations` | by gRPC name: `per_s`, `mean_ms`, `p50_ms`, `p99_ms`, over all stores that answered |
//!
//! Absent fields are unknown, never zero. A torn last line is ignored.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessWord {
    /// The process runs.
    Running,
    /// The process is stopped (SIGSTOP).
    Stopped,
    /// The process is gone.
    Gone,
}

/// The observed state of a store's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessSeen {
    /// The store's id.
    pub store: u64,
    /// The PID; `None` while the process does not run.
    pub pid: Option<u32>,
    /// The state of the process.
    pub state: ProcessWord,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSeen {
    /// The store's id.
    pub id: u64,
    /// The address for clients.
    pub address: String,
    /// The address of its status server, as PD reports it.
    pub status_address: String,
    /// The state that PD reports; `unknown` while PD does not answer.
    pub state: String,
    /// The number of regions that it leads, as PD reports.
    pub leaders: u64,
    /// The number of regions of which it has a peer, as PD reports.
    pub regions: u64,
    /// True if its status port answered.
    pub answers: bool,
    /// The state of its process, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub process: Option<ProcessWord>,
    /// The PID of its process, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
}

/// A region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionSeen {
    /// The region's id.
    pub id: u64,
    /// The store of the leader, if PD knows one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leader: Option<u64>,
    /// The stores of the voters.
    pub voters: Vec<u64>,
    /// The stores of the other peers.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub learners: Vec<u64>,
    /// The region's bounds, readable; left out of `cluster-samples.jsonl`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub range: String,
    /// The approximate number of keys, as PD reports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys: Option<u64>,
}

/// The rate and latency of one kind of request since the sample before, over all stores that
/// answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperationSeen {
    /// Requests a second.
    pub per_s: f64,
    /// The mean duration in the stores, milliseconds.
    pub mean_ms: f64,
    /// The median duration, milliseconds; interpolated in the histogram's bucket, as Prometheus
    /// does.
    pub p50_ms: f64,
    /// The 99th percentile of the duration, milliseconds.
    pub p99_ms: f64,
}

/// A sample of a cluster's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The time in milliseconds since 1970.
    pub at_ms: u64,
    /// The time in nanoseconds since the run's start; absent outside a run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_ns: Option<u64>,
    /// The reason that PD did not answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pd_error: Option<String>,
    /// Every store, by id.
    pub stores: Vec<StoreSeen>,
    /// Every region, by lower bound; while PD does not answer, the regions of its last answer.
    pub regions: Vec<RegionSeen>,
    /// Requests to the stores, by gRPC name; kinds that never came are missing.
    pub operations: BTreeMap<String, OperationSeen>,
}
