//! The embedded cluster in virtual time: the same store and PD logic, without sockets, disks,
//! threads or clocks.
//!
//! In: a [`SimulationConfig`], clients' gRPC calls, faults. Out: answers. [`Simulation::run`] lets
//! time pass as tokio's paused clock does, so that clients, workload and nemesis can be the
//! ordinary ones. Rules that keep it deterministic:
//! - everything is in one thread, in ordered maps and one queue; ties are broken by the order of
//!   planning;
//! - one seeded source of randomness decides every delay, loss and crash;
//! - no code below reads a clock, a file, the environment or a randomly seeded map
//!   (`cluster/clippy.toml` guards it).
//!
//! It has faults that real processes here cannot have: cut and foul networks, slow and failing
//! disks, clocks that drift.
//!
//! A crash is a power failure here, harder than SIGKILL: data that no sync had covered may be gone.

mod clock;
mod disk;
mod disk_faults;
mod faults;
mod network;
mod placement;
mod queue;
mod routing;
mod store;
mod wire;
mod world;

#[cfg(test)]
mod tests;

pub use network::{MessageCounts, Node, Weather};
pub use store::ProcessState;
pub use wire::{ConnectionError, PD_ADDRESS, Wire, store_address};

use crate::{
    defects::Defects,
    pd::core::{admin::Order, stores::Condition},
    profile::Profile,
    read_mode::ReadMode,
};
use proto::{metapb, pdpb::CheckPolicy};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};
use wire::{Answer, Broken, Call};
use world::World;

/// The inputs that determine a simulation, apart from faults and calls.
#[derive(Debug, Clone)]
pub struct SimulationConfig {
    /// The number of stores.
    pub stores: u32,
    /// The initial number of replicas of a region.
    pub replicas: u32,
    /// The cluster's time scale.
    pub profile: Profile,
    /// The way in which leaders ensure that they still lead before they answer a read.
    pub read: ReadMode,
    /// The defects of stores, by id; ids are the stores' numbers.
    pub defects: BTreeMap<u64, Defects>,
    /// The seed of all randomness.
    pub seed: u64,
    /// The number of applied entries that stay in a log: a small number makes snapshots frequent.
    pub log_entries_kept: u64,
    /// The number of keys above which a region is split.
    pub region_max_keys: Option<u64>,
}

/// A region as PD knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedRegion {
    /// Bounds, epoch, peers.
    pub region: metapb::Region,
    /// The leader's store.
    pub leader: Option<u64>,
    /// True if one of its peers lags.
    pub pending: bool,
}

/// A simulated cluster; clones are the same one.
#[derive(Clone)]
pub struct Simulation {
    world: Arc<Mutex<World>>,
    changed: Arc<Notify>,
    began: Instant,
}

impl Simulation {
    /// Creates a cluster at its very beginning. It must be created inside a runtime whose clock is
    /// paused.
    pub fn new(config: SimulationConfig) -> Self {
        let world = Arc::new(Mutex::new(World::new(config)));
        Self { world, changed: Arc::default(), began: Instant::now() }
    }

    /// Lets time pass, for ever.
    pub async fn run(&self) {
        loop {
            let next = self.began + Duration::from_micros(self.world().next_us().min(FAR_US));
            tokio::select! {
                biased;
                () = self.changed.notified() => continue,
                () = sleep_until(next) => {}
            }
            let now_us = self.now_us();
            self.world().run_until(now_us);
        }
    }

    /// Creates a connection to the process at this address.
    pub fn wire(&self, address: &str) -> Wire {
        Wire::new(self.clone(), address)
    }

    /// The stores by id, and the states of their processes.
    pub fn stores(&self) -> Vec<(u64, ProcessState)> {
        self.world().stores.iter().map(|(id, store)| (*id, store.state)).collect()
    }

    /// The condition of each store according to PD: `Up`, `Disconnected`, …
    pub fn store_conditions(&self) -> Vec<(u64, &'static str)> {
        let world = self.world();
        let core = world.placement.core();
        let now = placement::Placement::now(world.now_us);
        let condition = |id: u64| core.condition(now, id).map_or("Unknown", Condition::name);
        core.stores().map(|store| (store.meta.id, condition(store.meta.id))).collect()
    }

    /// The regions as PD knows them, in the order of their keys.
    pub fn regions(&self) -> Vec<SimulatedRegion> {
        let world = self.world();
        let mut regions: Vec<SimulatedRegion> = world
            .placement
            .core()
            .regions()
            .iter()
            .map(|known| SimulatedRegion {
                region: known.meta.clone(),
                leader: known.leader.as_ref().map(|leader| leader.store_id),
                pending: !known.pending.is_empty(),
            })
            .collect();
        regions.sort_by(|a, b| a.region.start_key.cmp(&b.region.start_key));
        regions
    }

    /// Asks PD to move a region's leader. A refusal has PD's words.
    pub fn transfer_leader(&self, region: u64, to: u64) -> Result<(), String> {
        self.order(region, &Order::TransferLeader { to })
    }

    /// Asks PD to move a region's replica from one store to another.
    pub fn move_replica(&self, region: u64, from: u64, to: u64) -> Result<(), String> {
        self.order(region, &Order::TransferPeer { from, to })
    }

    /// Asks PD to split a region at these keys.
    pub fn split(&self, region: u64, keys: Vec<Vec<u8>>) -> Result<(), String> {
        self.order(region, &Order::SplitRegion { policy: CheckPolicy::Usekey, keys })
    }

    /// The number of replicas that PD wants of a region.
    pub fn max_replicas(&self) -> u32 {
        self.world().placement.core().settings().policy().max_replicas as u32
    }

    /// Tells PD the number of replicas that a region shall have.
    pub fn set_max_replicas(&self, replicas: u32) -> Result<(), String> {
        let change = [("max-replicas".to_owned(), replicas.into())].into_iter().collect();
        let changed =
            self.change(|world| world.administer(|core, _| core.change_settings(&change)));
        changed.map_err(|refusal| refusal.to_string())
    }

    /// Takes the notes of the processes since the last call: time (microseconds), store (0 = PD),
    /// text.
    pub fn take_notes(&self) -> Vec<(u64, u64, String)> {
        std::mem::take(&mut self.world().notes)
    }

    async fn call(&self, to: Node, call: Call) -> Answer {
        let (sender, answer) = oneshot::channel();
        let now_us = self.now_us();
        self.change(|world| world.call(now_us, to, call, sender));
        // Without an answer the call hangs until the client's own deadline.
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(Broken::Reset),
        }
    }

    fn order(&self, region: u64, order: &Order) -> Result<(), String> {
        let ordered =
            self.change(|world| world.administer(|core, now| core.order(now, region, order)));
        ordered.map_err(|refusal| refusal.to_string())
    }

    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let now_us = self.now_us();
        let mut world = self.world();
        // Events that are due by now happen first.
        world.run_until(now_us);
        let answer = change(&mut world);
        self.changed.notify_one();
        answer
    }

    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic in there is a bug of ours, and has ended the run already.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time later than any simulation reaches.
const FAR_US: u64 = 1 << 50;

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}
