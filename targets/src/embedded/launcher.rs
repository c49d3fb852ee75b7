//! Starts PD and stores in their places: this binary's own, or real ones.
//!
//! In: a place (address, data, log), and the cluster's shape. Out: the place with a process that
//! serves. It does not know the other processes.

use super::{cluster_file::ProcessEntry, held_port::HeldPort, loopback};
use crate::{
    binaries,
    internal::{PdArgs, StoreArgs},
    processes::{Process, Spawner, StartError},
};
use cluster::process::Ready;
use failure::Failure;
use plan::config::{BinariesConfig, ClusterShape};
use std::{net::SocketAddr, path::PathBuf, process::ExitStatus};

/// The settings for starting processes.
#[derive(Debug)]
pub struct Launcher {
    pub shape: ClusterShape,
    pub spawner: Spawner,
    /// Real PD and TiKV with their configuration files; `None` = this binary.
    pub foreign: Option<Foreign>,
}

/// Real PD and TiKV.
#[derive(Debug)]
pub struct Foreign {
    pub programs: BinariesConfig,
    pub pd_config: PathBuf,
    pub tikv_config: PathBuf,
}

/// A process's place: it keeps address, data and log over restarts.
#[derive(Debug)]
pub struct Slot {
    pub name: String,
    /// The number in a store's name; 0 = PD.
    pub number: u32,
    pub addr: SocketAddr,
    pub status_addr: Option<SocketAddr>,
    pub data_dir: PathBuf,
    pub log: PathBuf,
    pub process: Option<Process>,
    pub ended: Option<String>,
    /// The exit statuses of unexpected ends of the process that were not yet reported.
    pub by_itself: Vec<String>,
    /// The guards of the process's ports while it does not run.
    #[expect(dead_code, reason = "it holds them by being there")]
    pub held: Vec<HeldPort>,
}

impl Slot {
    /// Notes that the process ended though nobody here killed it.
    pub fn died(&mut self, status: ExitStatus) {
        self.ended = Some(status.to_string());
        self.by_itself.push(status.to_string());
    }

    /// Takes the started process, or notes its end during the start.
    fn take(&mut self, started: Result<Process, StartError>) -> Result<&Ready, Failure> {
        match started {
            Ok(process) => {
                self.ended = None;
                Ok(self.process.insert(process).ready())
            }
            Err(error) => {
                if let StartError::Ended { status, .. } = &error {
                    self.died(*status);
                }
                Err(Failure::target_or_disk(error))
            }
        }
    }

    /// The process as `cluster.json` describes it.
    pub fn entry(&self, store_id: Option<u64>) -> ProcessEntry {
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

/// The id that PD gave a store, once the store runs.
pub fn store_id(slot: &Slot) -> Option<u64> {
    match slot.process.as_ref()?.ready() {
        Ready::Store { id, .. } => Some(*id),
        Ready::Pd { .. } => None,
    }
}

/// Starts PD in its place.
pub fn start_pd(launcher: &Launcher, slot: &mut Slot) -> Result<(), Failure> {
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
    let arguments = arguments.to_arguments();
    let started = spawner.start(&slot.name, PdArgs::PROGRAM, &arguments, &slot.log);
    if let Ready::Pd { client_addr } = *slot.take(started)? {
        slot.addr = client_addr;
    }
    Ok(())
}

/// Starts stores at the same time, and waits until all serve or one failed.
pub fn start_side_by_side<'a>(
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

/// Starts a store in its place.
pub fn start_store(
    launcher: &Launcher,
    pd_addr: SocketAddr,
    slot: &mut Slot,
) -> Result<(), Failure> {
    let Launcher { shape, spawner, foreign } = launcher;
    if let Some(foreign) = foreign {
        return start_foreign_store(spawner, foreign, pd_addr, slot);
    }
    let arguments = StoreArgs {
        parent_pid: std::process::id(),
        store_id: u64::from(slot.number),
        pd_endpoint: pd_addr.to_string(),
        addr: slot.addr,
        status_addr: slot.status_addr.unwrap_or_else(|| loopback(0)),
        data_dir: slot.data_dir.clone(),
        profile: shape.profile.clone(),
        region_max_keys: shape.region_max_keys,
        enable_ttl: shape.enable_ttl,
        read: shape.read.clone(),
        defect: shape.defects_of(slot.number)?,
    };
    let arguments = arguments.to_arguments();
    let started = spawner.start(&slot.name, StoreArgs::PROGRAM, &arguments, &slot.log);
    if let Ready::Store { addr, status_addr, .. } = *slot.take(started)? {
        (slot.addr, slot.status_addr) = (addr, Some(status_addr));
    }
    Ok(())
}

fn start_foreign_pd(spawner: &Spawner, foreign: &Foreign, slot: &mut Slot) -> Result<(), Failure> {
    let (client, peer) = (binaries::settled(slot.addr)?, binaries::settled(loopback(0))?);
    let files = (&*slot.data_dir, &*slot.log, &*foreign.pd_config);
    let command = binaries::pd_command(&foreign.programs, &slot.name, (client, peer), files);
    let printed = slot.log.with_extension("output.log");
    let serves = || binaries::pd_serves(client);
    let started = spawner.start_foreign(&slot.name, &command, &printed, serves);
    slot.take(started)?;
    slot.addr = client;
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
    let started = spawner.start_foreign(&slot.name, &command, &printed, serves);
    slot.take(started)?;
    (slot.addr, slot.status_addr) = (at.0, Some(at.1));
    Ok(())
}
