//! The embedded cluster as a target: a PD and stores as processes of our own, described in `cluster.json`.
//!
//! In: the cluster's shape and a run directory. Out: addresses, PIDs, and stores that can be killed and started
//! again on their old ports with their old data. Knows nothing of workloads or faults. When it is dropped, nothing
//! of it runs any more.

use super::processes::{Process, Spawner, StartError};
use crate::{
    config::ClusterShape,
    exit::Failure,
    internal::{PdArgs, StoreArgs},
    run_directory::write_whole,
};
use cluster::process::Ready;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// The processes of an embedded cluster.
#[derive(Debug)]
pub struct EmbeddedCluster {
    shape: ClusterShape,
    run_path: PathBuf,
    spawner: Spawner,
    pd: Slot,
    /// By store id.
    stores: BTreeMap<u64, Slot>,
}

/// A process's place: it keeps address, data and log over restarts.
#[derive(Debug)]
struct Slot {
    name: String,
    addr: SocketAddr,
    status_addr: Option<SocketAddr>,
    data_dir: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

/// One process, as `cluster.json` describes it. `pid` is absent while it does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessEntry {
    /// Its name: `pd1`, `store-1`.
    pub name: String,
    /// A store's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<u64>,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
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
    /// Always `embedded`.
    pub target: String,
    /// The tester that started it.
    pub tester_pid: u32,
    /// PD.
    pub pd: ProcessEntry,
    /// The stores by id.
    pub stores: Vec<ProcessEntry>,
}

impl Slot {
    fn entry(&self, store_id: Option<u64>) -> ProcessEntry {
        ProcessEntry {
            name: self.name.clone(),
            store_id,
            pid: self.process.as_ref().map(Process::pid),
            addr: self.addr,
            status_addr: self.status_addr,
            data_dir: self.data_dir.clone(),
            log: self.log.clone(),
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn cannot_start(error: StartError) -> Failure {
    Failure::target_or_disk(error)
}

impl EmbeddedCluster {
    /// Starts PD and then the stores. They serve when this returns; their regions may still find their leaders.
    pub fn start(shape: &ClusterShape, run_path: &Path) -> Result<Self, Failure> {
        let spawner = Spawner::new().map_err(Failure::software)?;
        let mut pd = Slot {
            name: "pd1".into(),
            addr: loopback(shape.pd_port),
            status_addr: None,
            data_dir: run_path.join("data").join("pd1"),
            log: run_path.join("logs").join("pd1.log"),
            process: None,
        };
        start_pd(shape, &spawner, &mut pd)?;
        let mut cluster = Self {
            shape: shape.clone(),
            run_path: run_path.to_owned(),
            spawner,
            pd,
            stores: BTreeMap::new(),
        };
        cluster.start_first_time()?;
        cluster.write_cluster_file()?;
        Ok(cluster)
    }

    /// The first store bootstraps the cluster; the others can then start side by side.
    fn start_first_time(&mut self) -> Result<(), Failure> {
        let mut slots: Vec<Slot> =
            (0..self.shape.stores).map(|index| self.new_slot(index)).collect();
        let (shape, spawner, pd_addr) = (&self.shape, &self.spawner, self.pd.addr);
        let Some((first, others)) = slots.split_first_mut() else { return Ok(()) };
        start_store(shape, spawner, pd_addr, first)?;
        std::thread::scope(|scope| {
            let starts: Vec<_> = others
                .iter_mut()
                .map(|slot| scope.spawn(move || start_store(shape, spawner, pd_addr, slot)))
                .collect();
            starts.into_iter().try_for_each(|start| {
                start
                    .join()
                    .unwrap_or_else(|_| Err(Failure::software("a start-up thread panicked")))
            })
        })?;
        for slot in slots {
            if let Some(Ready::Store { id, .. }) = slot.process.as_ref().map(Process::ready) {
                self.stores.insert(*id, slot);
            }
        }
        Ok(())
    }

    fn new_slot(&self, index: u32) -> Slot {
        let name = format!("store-{}", index + 1);
        let port = match self.shape.store_port {
            0 => 0,
            first => first + index as u16,
        };
        Slot {
            addr: loopback(port),
            status_addr: Some(loopback(0)),
            data_dir: self.run_path.join("data").join(&name),
            log: self.run_path.join("logs").join(format!("{name}.log")),
            name,
            process: None,
        }
    }

    /// PD's address.
    pub fn pd_addr(&self) -> SocketAddr {
        self.pd.addr
    }

    /// What runs where, now.
    pub fn describe(&self) -> ClusterFile {
        ClusterFile {
            target: "embedded".into(),
            tester_pid: std::process::id(),
            pd: self.pd.entry(None),
            stores: self.stores.iter().map(|(id, slot)| slot.entry(Some(*id))).collect(),
        }
    }

    /// Kills a store at once (SIGKILL) and reaps it.
    pub fn kill_store(&mut self, id: u64) -> Result<(), Failure> {
        let slot = self.slot_mut(id)?;
        if let Some(mut process) = slot.process.take() {
            process.kill();
        }
        self.write_cluster_file()
    }

    /// Starts a killed store again: same port, same data.
    pub fn start_killed_store(&mut self, id: u64) -> Result<(), Failure> {
        let (shape, pd_addr) = (self.shape.clone(), self.pd.addr);
        let slot = self
            .stores
            .get_mut(&id)
            .ok_or_else(|| Failure::software(format!("there is no store {id}")))?;
        if slot.process.is_none() {
            start_store(&shape, &self.spawner, pd_addr, slot)?;
        }
        self.write_cluster_file()
    }

    /// The processes that ended though nobody killed them, in words.
    pub fn ended_by_themselves(&mut self) -> Vec<String> {
        let slots = std::iter::once(&mut self.pd).chain(self.stores.values_mut());
        slots
            .filter_map(|slot| {
                let status = slot.process.as_mut()?.ended()?;
                Some(format!(
                    "{} ended by itself ({status}); see {}",
                    slot.name,
                    slot.log.display()
                ))
            })
            .collect()
    }

    /// Ends every process in order: all are asked at once, then waited for.
    pub fn stop(&mut self) {
        let slots = || self.stores.values().chain(std::iter::once(&self.pd));
        for process in slots().filter_map(|slot| slot.process.as_ref()) {
            process.ask_to_end();
        }
        for slot in self.stores.values_mut().chain(std::iter::once(&mut self.pd)) {
            if let Some(mut process) = slot.process.take() {
                process.end();
            }
        }
        if let Err(failure) = self.write_cluster_file() {
            tracing::warn!(%failure, "cluster.json still names processes that have ended");
        }
    }

    fn slot_mut(&mut self, id: u64) -> Result<&mut Slot, Failure> {
        let no_such = || Failure::software(format!("there is no store {id}"));
        self.stores.get_mut(&id).ok_or_else(no_such)
    }

    fn write_cluster_file(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.describe()).map_err(Failure::software)?;
        write_whole(&self.run_path.join("cluster.json"), &text)
    }
}

impl Drop for EmbeddedCluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_pd(shape: &ClusterShape, spawner: &Spawner, slot: &mut Slot) -> Result<(), Failure> {
    let arguments = PdArgs {
        parent_pid: std::process::id(),
        name: slot.name.clone(),
        data_dir: slot.data_dir.clone(),
        client_addr: slot.addr,
        profile: shape.profile.clone(),
        max_replicas: shape.replicas,
    };
    let process =
        spawner.start(&slot.name, &arguments.to_arguments(), &slot.log).map_err(cannot_start)?;
    if let Ready::Pd { client_addr } = process.ready() {
        slot.addr = *client_addr;
    }
    slot.process = Some(process);
    Ok(())
}

fn start_store(
    shape: &ClusterShape,
    spawner: &Spawner,
    pd_addr: SocketAddr,
    slot: &mut Slot,
) -> Result<(), Failure> {
    let arguments = StoreArgs {
        parent_pid: std::process::id(),
        pd_endpoint: pd_addr.to_string(),
        addr: slot.addr,
        status_addr: slot.status_addr.unwrap_or_else(|| loopback(0)),
        data_dir: slot.data_dir.clone(),
        profile: shape.profile.clone(),
        defect: shape.defects.clone(),
    };
    let process =
        spawner.start(&slot.name, &arguments.to_arguments(), &slot.log).map_err(cannot_start)?;
    if let Ready::Store { addr, status_addr, .. } = process.ready() {
        slot.addr = *addr;
        slot.status_addr = Some(*status_addr);
    }
    slot.process = Some(process);
    Ok(())
}
