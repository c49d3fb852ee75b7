//! One look at a cluster: pure data, with the field names that the pages and `cluster-samples.jsonl` use.
//!
//! # `cluster-samples.jsonl`, version 1
//!
//! A line for each look, about one a second while a run goes, each a JSON object:
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

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessWord {
    /// It runs.
    Running,
    /// It is stopped (SIGSTOP).
    Stopped,
    /// It is gone.
    Gone,
}

/// A store's process, as whoever knows it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessSeen {
    /// The store's id.
    pub store: u64,
    /// Its PID; `None` while it does not run.
    pub pid: Option<u32>,
    /// What it does.
    pub state: ProcessWord,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSeen {
    /// Its id.
    pub id: u64,
    /// Where clients reach it.
    pub address: String,
    /// Where its status is served, as PD says.
    pub status_address: String,
    /// PD's word for it; `unknown` while PD does not answer.
    pub state: String,
    /// How many regions it leads, as PD says.
    pub leaders: u64,
    /// How many regions it has a peer of, as PD says.
    pub regions: u64,
    /// Whether its status port answered.
    pub answers: bool,
    /// What its process does, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub process: Option<ProcessWord>,
    /// Its PID, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
}

/// A region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionSeen {
    /// Its id.
    pub id: u64,
    /// The store of its leader, if PD knows one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leader: Option<u64>,
    /// The stores of its voters.
    pub voters: Vec<u64>,
    /// The stores of its other peers.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub learners: Vec<u64>,
    /// Its bounds, readable; left out of `cluster-samples.jsonl`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub range: String,
    /// About how many keys it has, as PD says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys: Option<u64>,
}

/// How fast one kind of request went since the look before, over all stores that answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperationSeen {
    /// Requests a second.
    pub per_s: f64,
    /// Their mean duration in the stores, milliseconds.
    pub mean_ms: f64,
    /// Half took at most so long, milliseconds; interpolated in the histogram's bucket, as Prometheus does.
    pub p50_ms: f64,
    /// 99 in a hundred took at most so long, milliseconds.
    pub p99_ms: f64,
}

/// One look at a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// When, nanoseconds since the run's start; absent outside a run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_ns: Option<u64>,
    /// Why PD did not answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pd_error: Option<String>,
    /// Every store, by id.
    pub stores: Vec<StoreSeen>,
    /// Every region, by lower bound; those of the last answer while PD does not answer.
    pub regions: Vec<RegionSeen>,
    /// Requests to the stores, by gRPC name; kinds that never came are not there.
    pub operations: BTreeMap<String, OperationSeen>,
}
