//! `cluster.json`, version 1: what runs where. Written anew, whole or not at all, whenever a process was started or ended.
//!
//! In: identities, addresses and folders of processes. Out: JSON, a [`ClusterFile`]. It starts nothing. The file describes,
//! and may come from somebody else: which processes run is read from the state directory alone, so that a [`ClusterFile`]
//! that was read names no process.

use crate::state::Started;
use nemesis::ProcessIdentity;
use run_directory::plain_file::{self, CLUSTER_BYTES_MAX};
use serde::Serialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

const FORMAT: &str = "jepsen-tikv cluster";
const VERSION: u32 = 1;

/// One process, as `cluster.json` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessEntry {
    /// Its name: `pd1`, `store-1`.
    pub name: String,
    /// A store's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<u64>,
    /// Its process; absent while it does not run, and if the file was read.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub process: Option<ProcessIdentity>,
    /// Why it does not run, if that was not the end of the whole cluster: `killed` on purpose, or how it ended by
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Where it serves.
    pub addr: SocketAddr,
    /// Where a store serves its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_addr: Option<SocketAddr>,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
    /// Its log.
    pub log: PathBuf,
}

/// The file `cluster.json`: what runs where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClusterFile {
    /// Always `jepsen-tikv cluster`.
    #[serde(default)]
    pub format: String,
    /// The format's version.
    #[serde(default)]
    pub version: u32,
    /// `embedded` or `binaries`.
    pub target: String,
    /// The record in the state directory of the tester that started it.
    #[serde(default)]
    pub record: String,
    /// PD.
    pub pd: ProcessEntry,
    /// The stores by id.
    pub stores: Vec<ProcessEntry>,
}

impl ClusterFile {
    /// Of an embedded cluster that this process started.
    pub fn embedded(record: String, pd: ProcessEntry, stores: Vec<ProcessEntry>) -> Self {
        let target = "embedded".into();
        Self { format: FORMAT.into(), version: VERSION, target, record, pd, stores }
    }

    /// The description in a file, if it is one.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&plain_file::read(path, CLUSTER_BYTES_MAX).ok()?).ok()
    }

    /// Says of each process that runs which one it is.
    #[must_use]
    pub fn with_processes(mut self, started: &[Started]) -> Self {
        for entry in std::iter::once(&mut self.pd).chain(&mut self.stores) {
            let process = started.iter().find(|it| it.name == entry.name);
            entry.process = process.map(|it| it.process.clone());
        }
        self
    }

    /// The processes that run.
    pub fn started(&self) -> Vec<Started> {
        let started =
            |entry: &ProcessEntry| Some(Started::new(entry.name.clone(), entry.process.clone()?));
        self.processes().filter_map(started).collect()
    }

    /// PD and the stores.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessEntry> {
        std::iter::once(&self.pd).chain(&self.stores)
    }
}
