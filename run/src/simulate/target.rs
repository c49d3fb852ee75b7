//! The simulated cluster as a target of the nemesis.
//!
//! In: stores by id. Out: changes of their simulated processes. Nothing here waits: every request
//! takes effect at once.

use super::disturbances::Disturbances;
use cluster::simulation::{ProcessState as Simulated, SimulatedRegion, Simulation, store_address};
use histories::Key;
use nemesis::{
    Capabilities, Disturbance, Pending, ProcessState, Region, RegionId, SeenProcess, Store,
    StoreId, Target, TargetError,
};
use plan::config::TargetConfig;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::sleep;
use workload::Workload;

/// The time to wait for a disk error, and the time between two looks at the disk.
const DISK_FAILS_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A simulated cluster, and where the workload's keys lie in it.
pub struct SimulatedTarget {
    simulation: Simulation,
    range: (Key, Key),
    /// The workload's keys, in order.
    keys: Vec<Key>,
    disturbances: Mutex<Disturbances>,
}

impl SimulatedTarget {
    /// The target of a simulation.
    pub fn new(simulation: Simulation, workload: &Workload) -> Self {
        let mut keys = workload.keys().to_vec();
        keys.sort();
        Self { simulation, range: workload.range(), keys, disturbances: Mutex::default() }
    }

    fn disturbances(&self) -> MutexGuard<'_, Disturbances> {
        self.disturbances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, stores: &[StoreId]) -> Vec<SeenProcess> {
        let states = self.simulation.stores();
        let state = |id: StoreId| states.iter().find(|(other, _)| *other == id);
        let state = |id| state(id).map_or(Simulated::Dead, |(_, state)| *state);
        let seen = |id: &StoreId| SeenProcess {
            store: *id,
            pid: None,
            state: named(state(*id)),
            signalled: None,
        };
        stores.iter().map(seen).collect()
    }
}

fn named(state: Simulated) -> ProcessState {
    match state {
        Simulated::Running => ProcessState::Running,
        Simulated::Stopped => ProcessState::Stopped,
        Simulated::Dead => ProcessState::Gone,
    }
}

/// A region as a nemesis sees it.
fn region(known: &SimulatedRegion) -> Region {
    let stores = |wanted: fn(i32) -> bool| {
        let peers = known.region.peers.iter();
        peers.filter(|peer| wanted(peer.role)).map(|peer| peer.store_id).collect()
    };
    // Role 1 is a learner's.
    let (voters, learners) = (stores(|role| role != 1), stores(|role| role == 1));
    Region { id: known.region.id, leader: known.leader, voters, learners }
}

/// A future that is ready at once.
fn at_once<T: Send + 'static>(answer: Result<T, TargetError>) -> Pending<'static, T> {
    Box::pin(std::future::ready(answer))
}

impl Target for SimulatedTarget {
    fn capabilities(&self) -> Capabilities {
        TargetConfig::Simulated.offers().faults
    }

    fn stores(&self) -> Pending<'_, Vec<Store>> {
        let store = |(id, _)| Store { id, address: store_address(id), pid: None };
        at_once(Ok(self.simulation.stores().into_iter().map(store).collect()))
    }

    fn regions(&self) -> Pending<'_, Vec<Region>> {
        let (start, end) = &self.range;
        let overlaps = |known: &SimulatedRegion| {
            let (lower, upper) = (&known.region.start_key, &known.region.end_key);
            lower < end && (upper.is_empty() || start < upper)
        };
        let known = self.simulation.regions();
        at_once(Ok(known.iter().filter(|it| overlaps(it)).map(region).collect()))
    }

    fn pause(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        self.simulation.pause(&stores);
        at_once(Ok(self.seen(&stores)))
    }

    fn resume(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        self.simulation.resume(&stores);
        at_once(Ok(self.seen(&stores)))
    }

    fn kill(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        self.simulation.kill(&stores);
        at_once(Ok(self.seen(&stores)))
    }

    fn start(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        // A started store gets a disk that works.
        for store in &stores {
            self.simulation.spare_disk(*store);
        }
        self.simulation.start(&stores);
        at_once(Ok(self.seen(&stores)))
    }

    fn transfer_leader(&self, region: RegionId, to: StoreId) -> Pending<'_, ()> {
        at_once(self.simulation.transfer_leader(region, to).map_err(TargetError::Failed))
    }

    fn move_replica(&self, region: RegionId, from: StoreId, to: StoreId) -> Pending<'_, ()> {
        at_once(self.simulation.move_replica(region, from, to).map_err(TargetError::Failed))
    }

    fn max_replicas(&self) -> Pending<'_, u32> {
        at_once(Ok(self.simulation.max_replicas()))
    }

    fn set_max_replicas(&self, replicas: u32) -> Pending<'_, ()> {
        at_once(self.simulation.set_max_replicas(replicas).map_err(TargetError::Failed))
    }

    fn split(&self, region: RegionId) -> Pending<'_, ()> {
        let regions = self.simulation.regions();
        let Some(known) = regions.iter().find(|known| known.region.id == region) else {
            return at_once(Err(TargetError::Failed(format!("there is no region {region}"))));
        };
        let (start, end) = (&known.region.start_key, &known.region.end_key);
        let inside = |key: &&Key| *key > start && (end.is_empty() || *key < end);
        let inside: Vec<&Key> = self.keys.iter().filter(inside).collect();
        // A region with fewer than two keys stays whole, as in a real store.
        let split = match inside.get(inside.len() / 2).filter(|_| inside.len() >= 2) {
            Some(middle) => self.simulation.split(region, vec![(*middle).clone()]),
            None => Ok(()),
        };
        at_once(split.map_err(TargetError::Failed))
    }

    fn fail_disks(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move {
            for store in &stores {
                self.simulation.fail_disk(*store);
            }
            for _ in 0..DISK_FAILS_WITHIN.div_duration_f64(LOOK_EVERY) as u64 {
                if self.seen(&stores).iter().all(|seen| seen.state == ProcessState::Gone) {
                    break;
                }
                sleep(LOOK_EVERY).await;
            }
            Ok(self.seen(&stores))
        })
    }

    fn disturb(&self, fault: usize, what: Disturbance) -> Pending<'_, ()> {
        self.disturbances().begin(&self.simulation, fault, what);
        at_once(Ok(()))
    }

    fn calm(&self, fault: usize) -> Pending<'_, Option<String>> {
        at_once(Ok(self.disturbances().end(&self.simulation, fault)))
    }

    fn resume_all_now(&self) {
        let all: Vec<StoreId> = self.simulation.stores().into_iter().map(|(id, _)| id).collect();
        self.simulation.resume(&all);
    }
}
