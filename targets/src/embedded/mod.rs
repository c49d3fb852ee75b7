//! The embedded cluster as a target: a PD and stores as our own processes, described in
//! `cluster.json`.
//!
//! In: the cluster's shape, its addresses, and a directory, new or with data of an earlier run.
//! Out: addresses, PIDs, and processes that can be killed and started again on their old ports with
//! their old data. Knows nothing of workloads or faults. When it is dropped, all its processes are
//! gone.
//!
//! `cluster_file` describes it to others, `launcher` starts one process, `held_port` reserves the
//! ports of dead processes.

mod cluster_file;
mod held_port;
mod launcher;

use super::{
    binaries,
    cluster_processes::{ClusterProcesses, EndedProcess, StorePlace},
    processes::{END_WITHIN, FOREIGN_END_WITHIN, Process, Spawner},
};
use crate::state::OwnRecord;
pub use cluster_file::{ClusterFile, ProcessEntry};
use failure::Failure;
use held_port::held;
use launcher::{Foreign, Launcher, Slot, start_pd, start_side_by_side, start_store, store_id};
use nemesis::StoreId;
use plan::config::{BinariesConfig, ClusterShape};
use run_directory::write_whole;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

/// The processes of an embedded cluster.
#[derive(Debug)]
pub struct EmbeddedCluster {
    run_path: PathBuf,
    record: Arc<OwnRecord>,
    launcher: Launcher,
    pd: Slot,
    /// The stores by id.
    stores: BTreeMap<u64, Slot>,
}

/// The addresses for the processes; port 0 = pick one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// PD's address for clients.
    pub pd: SocketAddr,
    /// Each store's address for clients, and for its status.
    pub stores: Vec<(SocketAddr, SocketAddr)>,
}

impl Addresses {
    /// The addresses of a shape, on this machine's loopback interface.
    pub fn of(shape: &ClusterShape) -> Self {
        let store = |index| {
            let port = if shape.store_port == 0 { 0 } else { shape.store_port + index as u16 };
            (loopback(port), loopback(0))
        };
        Self { pd: loopback(shape.pd_port), stores: (0..shape.stores).map(store).collect() }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl EmbeddedCluster {
    /// Starts PD and then the stores on this machine's loopback interface. They serve when this
    /// returns; their regions may still be electing leaders.
    pub fn start(
        shape: &ClusterShape,
        run_path: &Path,
        record: Arc<OwnRecord>,
    ) -> Result<Self, Failure> {
        Self::start_at(shape, (run_path, record), &Addresses::of(shape), &|_| {})
    }

    /// Starts real PD and TiKV on this machine's loopback interface.
    pub fn start_binaries(
        programs: &BinariesConfig,
        shape: &ClusterShape,
        run_path: &Path,
        record: Arc<OwnRecord>,
    ) -> Result<Self, Failure> {
        let addresses = Addresses::of(shape);
        Self::start_programs(Some(programs), shape, (run_path, record), &addresses, &|_| {})
    }

    /// Starts PD and then the stores at these addresses, with the existing data, and reports each
    /// that serves.
    pub fn start_at(
        shape: &ClusterShape,
        place: (&Path, Arc<OwnRecord>),
        addresses: &Addresses,
        serves: &(dyn Fn(&ProcessEntry) + Sync),
    ) -> Result<Self, Failure> {
        Self::start_programs(None, shape, place, addresses, serves)
    }

    fn start_programs(
        programs: Option<&BinariesConfig>,
        shape: &ClusterShape,
        (run_path, record): (&Path, Arc<OwnRecord>),
        addresses: &Addresses,
        serves: &(dyn Fn(&ProcessEntry) + Sync),
    ) -> Result<Self, Failure> {
        let spawner = Spawner::new().map_err(Failure::software)?;
        let foreign = programs
            .map(|programs| {
                let (pd_config, tikv_config) =
                    binaries::write_configuration(programs, shape, run_path)?;
                Ok(Foreign { programs: programs.clone(), pd_config, tikv_config })
            })
            .transpose()?;
        let launcher = Launcher { shape: shape.clone(), spawner, foreign };
        let (addr, port) = held(addresses.pd);
        let mut pd = Slot {
            name: "pd1".into(),
            number: 0,
            addr,
            status_addr: None,
            data_dir: run_path.join("data").join("pd1"),
            log: run_path.join("logs").join("pd1.log"),
            process: None,
            ended: None,
            by_itself: Vec::new(),
            held: port.into_iter().collect(),
        };
        start_pd(&launcher, &mut pd)?;
        serves(&pd.entry(None));
        let mut cluster =
            Self { run_path: run_path.to_owned(), record, launcher, pd, stores: BTreeMap::new() };
        cluster.record.note_started(cluster.describe().started())?;
        cluster.start_first_time(&addresses.stores, serves)?;
        cluster.write_cluster_file()?;
        Ok(cluster)
    }

    /// Starts a new cluster: the first store bootstraps it, then the others start side by side.
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
        for mut slot in slots {
            if let Some(id) = store_id(&slot) {
                // A store is named after its id in PD; real PD chooses the ids.
                slot.name = format!("store-{id}");
                self.stores.insert(id, slot);
            }
        }
        Ok(())
    }

    fn new_slot(&self, index: usize, (addr, status_addr): (SocketAddr, SocketAddr)) -> Slot {
        // The id and name of a real store are known only once it runs.
        let kind = if self.launcher.foreign.is_some() { "tikv" } else { "store" };
        let name = format!("{kind}-{}", index + 1);
        let ((addr, port), (status_addr, status_port)) = (held(addr), held(status_addr));
        Slot {
            addr,
            status_addr: Some(status_addr),
            data_dir: self.run_path.join("data").join(&name),
            log: self.run_path.join("logs").join(format!("{name}.log")),
            name,
            number: index as u32 + 1,
            process: None,
            ended: None,
            by_itself: Vec::new(),
            held: port.into_iter().chain(status_port).collect(),
        }
    }

    /// The current processes and their places.
    pub fn describe(&self) -> ClusterFile {
        let stores = self.stores.iter().map(|(id, slot)| slot.entry(Some(*id)));
        let mut file =
            ClusterFile::embedded(self.record.id(), self.pd.entry(None), stores.collect());
        if self.launcher.foreign.is_some() {
            file.target = "binaries".into();
        }
        file
    }

    /// Kills stores, and PD if `pd` is true, in the same instant (SIGKILL) and reaps them.
    pub fn kill(&mut self, ids: &[u64], pd: bool) -> Result<(), Failure> {
        // A process that ended before was not killed here.
        self.notice_ended();
        let chosen = self.stores.iter_mut().filter(|(id, _)| ids.contains(id));
        let mut slots: Vec<&mut Slot> = chosen.map(|(_, slot)| slot).collect();
        slots.extend(pd.then_some(&mut self.pd));
        slots.iter_mut().filter_map(|slot| slot.process.as_mut()).for_each(Process::strike);
        for slot in slots {
            if let Some(mut process) = slot.process.take() {
                match process.kill() {
                    Some(status) => slot.died(status),
                    None => slot.ended = Some("killed".into()),
                }
            }
        }
        self.write_cluster_file()
    }

    /// Starts PD again at its address, if it does not run.
    pub fn start_killed_pd(&mut self) -> Result<(), Failure> {
        if self.pd.process.is_none() {
            start_pd(&self.launcher, &mut self.pd)?;
        }
        self.write_cluster_file()
    }

    /// Starts killed stores again, side by side: same port, same data. Stores that run are left as
    /// they are.
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

    /// The processes that ended though nobody killed them; each is returned once. They can be
    /// started again.
    pub fn ended_by_themselves(&mut self) -> Vec<EndedProcess> {
        self.notice_ended();
        let stores = self.stores.iter_mut().map(|(id, slot)| (Some(*id), slot));
        let slots = std::iter::once((None, &mut self.pd)).chain(stores);
        let ended: Vec<EndedProcess> = slots
            .flat_map(|(store, slot)| {
                let ended = |status| EndedProcess {
                    name: slot.name.clone(),
                    store,
                    status,
                    log: Some(slot.log.clone()),
                };
                std::mem::take(&mut slot.by_itself).into_iter().map(ended).collect::<Vec<_>>()
            })
            .collect();
        if !ended.is_empty()
            && let Err(failure) = self.write_cluster_file()
        {
            tracing::warn!(%failure, "cluster.json still names processes that have ended");
        }
        ended
    }

    fn notice_ended(&mut self) {
        for slot in std::iter::once(&mut self.pd).chain(self.stores.values_mut()) {
            if let Some(status) = slot.process.as_mut().and_then(Process::ended) {
                slot.process = None;
                slot.died(status);
            }
        }
    }

    /// Terminates every process: signals all at once, then waits for all together.
    pub fn stop(&mut self) {
        let is_foreign = self.launcher.foreign.is_some();
        let until = Instant::now() + if is_foreign { FOREIGN_END_WITHIN } else { END_WITHIN };
        let slots = || self.stores.values().chain(std::iter::once(&self.pd));
        for process in slots().filter_map(|slot| slot.process.as_ref()) {
            process.ask_to_end();
        }
        for slot in self.stores.values_mut().chain(std::iter::once(&mut self.pd)) {
            if let Some(mut process) = slot.process.take()
                && !process.end(until)
                && !is_foreign
            {
                tracing::warn!(name = slot.name, "did not end in time and was killed");
            }
        }
        if let Err(failure) = self.write_cluster_file() {
            tracing::warn!(%failure, "cluster.json still names processes that have ended");
        }
    }

    /// Notes the running processes: for `heal`, and for people.
    fn write_cluster_file(&self) -> Result<(), Failure> {
        let file = self.describe();
        self.record.note_started(file.started())?;
        let text = serde_json::to_vec_pretty(&file).map_err(Failure::software)?;
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

    fn ended_by_themselves(&mut self) -> Vec<EndedProcess> {
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
