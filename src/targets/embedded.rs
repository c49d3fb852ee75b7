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
use nemesis::{Capabilities, ProcessIdentity};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// What can be done to it: everything.
pub const CAPABILITIES: Capabilities = Capabilities { pause: true, kill: true, schedule: true };

/// The processes of an embedded cluster.
#[derive(Debug)]
pub struct EmbeddedCluster {
    shape: ClusterShape,
    run_path: PathBuf,
    tester: ProcessIdentity,
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

/// One process, as `cluster.json` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessEntry {
    /// Its name: `pd1`, `store-1`.
    pub name: String,
    /// A store's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<u64>,
    /// Its process; absent while it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
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
    pub tester: ProcessIdentity,
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
            process: self.process.as_ref().map(|process| process.identity().clone()),
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
        let no_proc = || Failure::software("/proc says nothing about this process");
        let tester = ProcessIdentity::own().ok_or_else(no_proc)?;
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
            tester,
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
        start_side_by_side(shape, spawner, pd_addr, others.iter_mut())?;
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
            tester: self.tester.clone(),
            pd: self.pd.entry(None),
            stores: self.stores.iter().map(|(id, slot)| slot.entry(Some(*id))).collect(),
        }
    }

    /// Kills stores in the same instant (SIGKILL) and reaps them.
    pub fn kill_stores(&mut self, ids: &[u64]) -> Result<(), Failure> {
        let chosen = self.stores.iter_mut().filter(|(id, _)| ids.contains(id));
        let mut slots: Vec<&mut Slot> = chosen.map(|(_, slot)| slot).collect();
        slots.iter_mut().filter_map(|slot| slot.process.as_mut()).for_each(Process::strike);
        for mut process in slots.into_iter().filter_map(|slot| slot.process.take()) {
            process.kill();
        }
        self.write_cluster_file()
    }

    /// Starts killed stores again, side by side: same port, same data. Those that run are left as they are.
    pub fn start_killed_stores(&mut self, ids: &[u64]) -> Result<(), Failure> {
        let (shape, spawner, pd_addr) = (&self.shape, &self.spawner, self.pd.addr);
        let killed = self
            .stores
            .iter_mut()
            .filter(|(id, slot)| ids.contains(id) && slot.process.is_none())
            .map(|(_, slot)| slot);
        let started = start_side_by_side(shape, spawner, pd_addr, killed);
        self.write_cluster_file()?;
        started
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

/// Starts stores at the same time, and waits until all serve or one failed.
fn start_side_by_side<'a>(
    shape: &ClusterShape,
    spawner: &Spawner,
    pd_addr: SocketAddr,
    slots: impl Iterator<Item = &'a mut Slot>,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let start = |slot| scope.spawn(move || start_store(shape, spawner, pd_addr, slot));
        let starts: Vec<_> = slots.map(start).collect();
        let panicked = |_| Err(Failure::software("a start-up thread panicked"));
        starts.into_iter().try_for_each(|start| start.join().unwrap_or_else(panicked))
    })
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
