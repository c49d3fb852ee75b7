//! `cluster.json`, version 1: the processes of a cluster and their places. Rewritten atomically
//! whenever a process was started or ended.
//!
//! In: identities, addresses and folders of processes. Out: JSON, a [`ClusterFile`]. It starts
//! nothing. The file is a description and may come from somebody else. Running processes are read
//! from the state directory alone, so a [`ClusterFile`] that was read names no process.

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
    /// The process's name: `pd1`, `store-1`.
    pub name: String,
    /// A store's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<u64>,
    /// The running process; absent while none runs, and if the file was read.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub process: Option<ProcessIdentity>,
    /// The reason why the process does not run, unless the whole cluster ended: `killed` on
    /// purpose, or its exit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The address for clients.
    pub addr: SocketAddr,
    /// The address of a store's status port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_addr: Option<SocketAddr>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The path of the log.
    pub log: PathBuf,
}

/// The file `cluster.json`: the processes of a cluster and their places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClusterFile {
    /// The format's name, always `jepsen-tikv cluster`.
    #[serde(default)]
    pub format: String,
    /// The format's version.
    #[serde(default)]
    pub version: u32,
    /// The kind of target: `embedded` or `binaries`.
    pub target: String,
    /// The starting tester's record in the state directory.
    #[serde(default)]
    pub record: String,
    /// PD.
    pub pd: ProcessEntry,
    /// The stores by id.
    pub stores: Vec<ProcessEntry>,
}

impl ClusterFile {
    /// The description of an embedded cluster that this process started.
    pub fn embedded(record: String, pd: ProcessEntry, stores: Vec<ProcessEntry>) -> Self {
        let target = "embedded".into();
        Self { format: FORMAT.into(), version: VERSION, target, record, pd, stores }
    }

    /// Reads the description from a file; None if it holds none.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&plain_file::read(path, CLUSTER_BYTES_MAX).ok()?).ok()
    }

    /// Adds the identities of the running processes.
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
