//! The embedded cluster as a target: a PD and stores as processes of our own, described in `cluster.json`.
//!
//! In: the cluster's shape, where it shall serve, and a directory, new or with the data of an earlier life. Out:
//! addresses, PIDs, and processes that can be killed and started again on their old ports with their old data. Knows
//! nothing of workloads or faults. When it is dropped, nothing of it runs any more.
//!
//! `cluster.json`, version 1, is a [`ClusterFile`]. It is written anew, whole or not at all, whenever a process was
//! started or ended.

use super::{
    binaries,
    cluster_processes::{ClusterProcesses, StorePlace},
    processes::{Process, Spawner, StartError},
};
use crate::{
    config::{BinariesConfig, ClusterShape},
    exit::Failure,
    internal::{PdArgs, StoreArgs},
    run_directory::write_whole,
};
use cluster::process::Ready;
use nemesis::{ProcessIdentity, StoreId};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

const FORMAT: &str = "jepsen-tikv cluster";
const VERSION: u32 = 1;

/// The processes of an embedded cluster.
#[derive(Debug)]
pub struct EmbeddedCluster {
    run_path: PathBuf,
    tester: ProcessIdentity,
    launcher: Launcher,
    pd: Slot,
    /// By store id.
    stores: BTreeMap<u64, Slot>,
}

/// How processes are started.
#[derive(Debug)]
struct Launcher {
    shape: ClusterShape,
    spawner: Spawner,
    /// Real PD and TiKV with their configuration files; `None` = this binary.
    foreign: Option<Foreign>,
}

/// Real PD and TiKV.
#[derive(Debug)]
struct Foreign {
    programs: BinariesConfig,
    pd_config: PathBuf,
    tikv_config: PathBuf,
}

/// Where the processes shall serve; port 0 = pick one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Where PD serves clients.
    pub pd: SocketAddr,
    /// Where each store serves clients, and its status.
    pub stores: Vec<(SocketAddr, SocketAddr)>,
}

impl Addresses {
    /// As the shape wants them, on this machine's loopback interface.
    pub fn of(shape: &ClusterShape) -> Self {
        let store = |index| {
            let port = if shape.store_port == 0 { 0 } else { shape.store_port + index as u16 };
            (loopback(port), loopback(0))
        };
        Self { pd: loopback(shape.pd_port), stores: (0..shape.stores).map(store).collect() }
    }
}

/// A process's place: it keeps address, data and log over restarts.
#[derive(Debug)]
struct Slot {
    name: String,
    /// A store's number in its name; 0 = PD.
    number: u32,
    addr: SocketAddr,
    status_addr: Option<SocketAddr>,
    data_dir: PathBuf,
    log: PathBuf,
    process: Option<Process>,
    ended: Option<String>,
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
    /// The tester that started it.
    pub tester: ProcessIdentity,
    /// PD.
    pub pd: ProcessEntry,
    /// The stores by id.
    pub stores: Vec<ProcessEntry>,
}

impl ClusterFile {
    /// Of an embedded cluster that this process started.
    pub fn embedded(tester: ProcessIdentity, pd: ProcessEntry, stores: Vec<ProcessEntry>) -> Self {
        let target = "embedded".into();
        Self { format: FORMAT.into(), version: VERSION, target, tester, pd, stores }
    }

    /// PD and the stores.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessEntry> {
        std::iter::once(&self.pd).chain(&self.stores)
    }
}

impl Slot {
    fn entry(&self, store_id: Option<u64>) -> ProcessEntry {
        ProcessEntry {
            name: self.name.clone(),
            store_id,
            process: self.process.as_ref().map(|process| process.identity().clone()),
            ended: self.ended.clone(),
            addr: self.addr,
            status_addr: self.status_addr,
            data_dir: self.data_dir.clone(),
            log: self.log.clone(),
        }
    }
}

/// The id that PD gave a store, once it runs.
fn store_id(slot: &Slot) -> Option<u64> {
    match slot.process.as_ref()?.ready() {
        Ready::Store { id, .. } => Some(*id),
        Ready::Pd { .. } => None,
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn cannot_start(error: StartError) -> Failure {
    Failure::target_or_disk(error)
}

impl EmbeddedCluster {
    /// Starts PD and then the stores on this machine's loopback interface. They serve when this returns; their
    /// regions may still find their leaders.
    pub fn start(shape: &ClusterShape, run_path: &Path) -> Result<Self, Failure> {
        Self::start_at(shape, run_path, &Addresses::of(shape), &|_| {})
    }

    /// Starts real PD and TiKV in the same way.
    pub fn start_binaries(
        programs: &BinariesConfig,
        shape: &ClusterShape,
        run_path: &Path,
    ) -> Result<Self, Failure> {
        Self::start_programs(Some(programs), shape, run_path, &Addresses::of(shape), &|_| {})
    }

    /// Starts PD and then the stores at these addresses, with the data that is there, and tells of each that serves.
    pub fn start_at(
        shape: &ClusterShape,
        run_path: &Path,
        addresses: &Addresses,
        serves: &(dyn Fn(&ProcessEntry) + Sync),
    ) -> Result<Self, Failure> {
        Self::start_programs(None, shape, run_path, addresses, serves)
    }

    fn start_programs(
        programs: Option<&BinariesConfig>,
        shape: &ClusterShape,
        run_path: &Path,
        addresses: &Addresses,
        serves: &(dyn Fn(&ProcessEntry) + Sync),
    ) -> Result<Self, Failure> {
        let no_proc = || Failure::software("/proc says nothing about this process");
        let tester = ProcessIdentity::own().ok_or_else(no_proc)?;
        let spawner = Spawner::new().map_err(Failure::software)?;
        let foreign = programs
            .map(|programs| {
                let (pd_config, tikv_config) =
                    binaries::write_configuration(programs, shape, run_path)?;
                Ok(Foreign { programs: programs.clone(), pd_config, tikv_config })
            })
            .transpose()?;
        let launcher = Launcher { shape: shape.clone(), spawner, foreign };
        let mut pd = Slot {
            name: "pd1".into(),
            number: 0,
            addr: addresses.pd,
            status_addr: None,
            data_dir: run_path.join("data").join("pd1"),
            log: run_path.join("logs").join("pd1.log"),
            process: None,
            ended: None,
        };
        start_pd(&launcher, &mut pd)?;
        serves(&pd.entry(None));
        let mut cluster =
            Self { run_path: run_path.to_owned(), tester, launcher, pd, stores: BTreeMap::new() };
        cluster.start_first_time(&addresses.stores, serves)?;
        cluster.write_cluster_file()?;
        Ok(cluster)
    }

    /// The first store bootstraps the cluster; the others can then start side by side.
    fn start_first_time(
        &mut self,
        addresses: &[(SocketAddr, SocketAddr)],
        serves: &(dyn Fn(&ProcessEntry) + Sync),
    ) -> Result<(), Failure> {
        let mut slots: Vec<Slot> =
            addresses.iter().enumerate().map(|(index, at)| self.new_slot(index, *at)).collect();
        let (launcher, pd_addr) = (&self.launcher, self.pd.addr);
        let Some((first, others)) = slots.split_first_mut() else { return Ok(()) };
        start_store(launcher, pd_addr, first)?;
        serves(&first.entry(store_id(first)));
        start_side_by_side(launcher, pd_addr, others.iter_mut(), serves)?;
        for slot in slots {
            if let Some(id) = store_id(&slot) {
                self.stores.insert(id, slot);
            }
        }
        Ok(())
    }

    fn new_slot(&self, index: usize, (addr, status_addr): (SocketAddr, SocketAddr)) -> Slot {
        let name = format!("store-{}", index + 1);
        Slot {
            addr,
            status_addr: Some(status_addr),
            data_dir: self.run_path.join("data").join(&name),
            log: self.run_path.join("logs").join(format!("{name}.log")),
            name,
            number: index as u32 + 1,
            process: None,
            ended: None,
        }
    }

    /// What runs where, now.
    pub fn describe(&self) -> ClusterFile {
        let stores = self.stores.iter().map(|(id, slot)| slot.entry(Some(*id)));
        let mut file =
            ClusterFile::embedded(self.tester.clone(), self.pd.entry(None), stores.collect());
        if self.launcher.foreign.is_some() {
            file.target = "binaries".into();
        }
        file
    }

    /// Kills stores, and PD if asked to, in the same instant (SIGKILL) and reaps them.
    pub fn kill(&mut self, ids: &[u64], pd: bool) -> Result<(), Failure> {
        let chosen = self.stores.iter_mut().filter(|(id, _)| ids.contains(id));
        let mut slots: Vec<&mut Slot> = chosen.map(|(_, slot)| slot).collect();
        slots.extend(pd.then_some(&mut self.pd));
        slots.iter_mut().filter_map(|slot| slot.process.as_mut()).for_each(Process::strike);
        for slot in slots {
            if let Some(mut process) = slot.process.take() {
                process.kill();
                slot.ended = Some("killed".into());
            }
        }
        self.write_cluster_file()
    }

    /// Starts PD again where it was, if it does not run.
    pub fn start_killed_pd(&mut self) -> Result<(), Failure> {
        if self.pd.process.is_none() {
            start_pd(&self.launcher, &mut self.pd)?;
        }
        self.write_cluster_file()
    }

    /// Starts killed stores again, side by side: same port, same data. Those that run are left as they are.
    pub fn start_killed_stores(&mut self, ids: &[u64]) -> Result<(), Failure> {
        let (launcher, pd_addr) = (&self.launcher, self.pd.addr);
        let killed = self
            .stores
            .iter_mut()
            .filter(|(id, slot)| ids.contains(id) && slot.process.is_none())
            .map(|(_, slot)| slot);
        let started = start_side_by_side(launcher, pd_addr, killed, &|_| {});
        self.write_cluster_file()?;
        started
    }

    /// The processes that ended though nobody killed them, in words; each is told once. They can be started again.
    pub fn ended_by_themselves(&mut self) -> Vec<String> {
        let slots = std::iter::once(&mut self.pd).chain(self.stores.values_mut());
        let ended: Vec<String> = slots
            .filter_map(|slot| {
                let status = slot.process.as_mut()?.ended()?;
                slot.process = None;
                slot.ended = Some(status.to_string());
                let (name, log) = (&slot.name, slot.log.display());
                Some(format!("{name} ended by itself ({status}); see {log}"))
            })
            .collect();
        if !ended.is_empty()
            && let Err(failure) = self.write_cluster_file()
        {
            tracing::warn!(%failure, "cluster.json still names processes that have ended");
        }
        ended
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

impl ClusterProcesses for EmbeddedCluster {
    fn pd_endpoints(&self) -> Vec<String> {
        vec![self.pd.addr.to_string()]
    }

    fn stores(&self) -> BTreeMap<StoreId, StorePlace> {
        let place = |slot: &Slot| StorePlace {
            address: slot.addr.to_string(),
            process: slot.process.as_ref().map(|process| process.identity().clone()),
        };
        self.stores.iter().map(|(id, slot)| (*id, place(slot))).collect()
    }

    fn kill_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure> {
        self.kill(stores, false)
    }

    fn start_killed_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure> {
        Self::start_killed_stores(self, stores)
    }

    fn ended_by_themselves(&mut self) -> Vec<String> {
        Self::ended_by_themselves(self)
    }

    fn stop(&mut self) {
        Self::stop(self);
    }
}

impl Drop for EmbeddedCluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_pd(launcher: &Launcher, slot: &mut Slot) -> Result<(), Failure> {
    let Launcher { shape, spawner, foreign } = launcher;
    if let Some(foreign) = foreign {
        return start_foreign_pd(spawner, foreign, slot);
    }
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
    slot.ended = None;
    Ok(())
}

/// Starts stores at the same time, and waits until all serve or one failed.
fn start_side_by_side<'a>(
    launcher: &Launcher,
    pd_addr: SocketAddr,
    slots: impl Iterator<Item = &'a mut Slot>,
    serves: &(dyn Fn(&ProcessEntry) + Sync),
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let start = |slot: &'a mut Slot| {
            scope.spawn(move || {
                start_store(launcher, pd_addr, slot)?;
                serves(&slot.entry(store_id(slot)));
                Ok(())
            })
        };
        let starts: Vec<_> = slots.map(start).collect();
        let panicked = |_| Err(Failure::software("a start-up thread panicked"));
        starts.into_iter().try_for_each(|start| start.join().unwrap_or_else(panicked))
    })
}

fn start_store(launcher: &Launcher, pd_addr: SocketAddr, slot: &mut Slot) -> Result<(), Failure> {
    let Launcher { shape, spawner, foreign } = launcher;
    if let Some(foreign) = foreign {
        return start_foreign_store(spawner, foreign, pd_addr, slot);
    }
    let arguments = StoreArgs {
        parent_pid: std::process::id(),
        pd_endpoint: pd_addr.to_string(),
        addr: slot.addr,
        status_addr: slot.status_addr.unwrap_or_else(|| loopback(0)),
        data_dir: slot.data_dir.clone(),
        profile: shape.profile.clone(),
        region_max_keys: shape.region_max_keys,
        read: shape.read.clone(),
        defect: shape.defects_of(slot.number)?,
    };
    let process =
        spawner.start(&slot.name, &arguments.to_arguments(), &slot.log).map_err(cannot_start)?;
    if let Ready::Store { addr, status_addr, .. } = process.ready() {
        slot.addr = *addr;
        slot.status_addr = Some(*status_addr);
    }
    slot.process = Some(process);
    slot.ended = None;
    Ok(())
}

fn start_foreign_pd(spawner: &Spawner, foreign: &Foreign, slot: &mut Slot) -> Result<(), Failure> {
    let (client, peer) = (binaries::settled(slot.addr)?, binaries::settled(loopback(0))?);
    let files = (&*slot.data_dir, &*slot.log, &*foreign.pd_config);
    let command = binaries::pd_command(&foreign.programs, &slot.name, (client, peer), files);
    let printed = slot.log.with_extension("output.log");
    let serves = || binaries::pd_serves(client);
    let process = spawner.start_foreign(&slot.name, &command, &printed, serves);
    slot.process = Some(process.map_err(cannot_start)?);
    slot.addr = client;
    slot.ended = None;
    Ok(())
}

fn start_foreign_store(
    spawner: &Spawner,
    foreign: &Foreign,
    pd_addr: SocketAddr,
    slot: &mut Slot,
) -> Result<(), Failure> {
    let status_addr = slot.status_addr.unwrap_or_else(|| loopback(0));
    let at = (binaries::settled(slot.addr)?, binaries::settled(status_addr)?);
    let files = (&*slot.data_dir, &*slot.log, &*foreign.tikv_config);
    let command = binaries::tikv_command(&foreign.programs, pd_addr, at, files);
    let printed = slot.log.with_extension("output.log");
    let serves = || binaries::store_serves(pd_addr, at);
    let process = spawner.start_foreign(&slot.name, &command, &printed, serves);
    slot.process = Some(process.map_err(cannot_start)?);
    (slot.addr, slot.status_addr, slot.ended) = (at.0, Some(at.1), None);
    Ok(())
}
