//! The simulated world: stores and PD, the network and disks between them, and the future events.
//!
//! In: calls of clients, faults, and the time up to which to run. Out: answers. One thread, one
//! queue, one source of randomness: the same seed and the same inputs at the same times give the
//! same outputs. It does not know its driver.

mod processes;
mod words;

use super::{
    SimulationConfig,
    disk_faults::DiskFaults,
    network::{Network, Node},
    placement::Placement,
    queue::Queue,
    store::{ProcessState, Store},
    wire::{Answer, Broken, Call},
};
use crate::store::node::effects::{Input, NodeConfig, Outputs};
use proto::{metapb, pdpb};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// The longest time until a process takes up new inputs, microseconds.
const WAKE_US_MAX: u64 = 150;
/// The duration of a sync of the disk, microseconds.
const SYNC_US: std::ops::RangeInclusive<u64> = 150..=1_200;
/// The duration of a write that nobody waits for, microseconds.
const WRITE_US: u64 = 20;
/// The largest number of requests and reads that may wait in one region, as in real stores.
const WAITING_MAX: usize = 4_096;

/// An event of the world.
enum Event {
    /// A store takes up its inputs.
    Step { store: u64, incarnation: u64 },
    /// A store's disk has done its oldest batch.
    Written { store: u64, incarnation: u64 },
    /// A message has arrived at a store.
    Arrived { from: Node, store: u64, input: Box<Input> },
    /// A client's call has arrived.
    Called { to: Node, id: u64, call: Call },
    /// An answer has arrived at a client.
    Answered { id: u64, answer: Answer },
    /// A store's message has arrived at PD.
    Told { store: u64, words: Box<Words> },
    /// A store sends its heartbeat to PD.
    StoreHeartbeat { store: u64 },
    /// PD examines its regions.
    PdTick,
}

/// A store's message to PD.
enum Words {
    Region(pdpb::RegionHeartbeatRequest),
    Store(pdpb::StoreStats),
    AskSplit(metapb::Region, Vec<Vec<u8>>),
    AskRegion(u64),
}

/// A message that arrived at a PD that was paused.
enum Late {
    Told { store: u64, words: Box<Words> },
    Called { id: u64, call: Call },
}

/// The world.
pub struct World {
    pub now_us: u64,
    pub network: Network,
    pub placement: Placement,
    pub stores: BTreeMap<u64, Store>,
    pub disk_faults: DiskFaults,
    pub config: SimulationConfig,
    /// Notes for a log, with the world's time and the store.
    pub notes: Vec<(u64, u64, String)>,
    random: ChaCha8Rng,
    queue: Queue<Event>,
    calls: BTreeMap<u64, oneshot::Sender<Answer>>,
    next_call: u64,
    late_for_pd: Vec<Late>,
}

impl World {
    /// Creates a cluster at its very beginning: one region with one peer on the first store.
    pub fn new(config: SimulationConfig) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(2);
        let timing = config.profile.timing();
        let stores = u64::from(config.stores);
        let (placement, first) =
            Placement::new(stores, timing, config.replicas, random.random::<u64>());
        let mut world = Self {
            now_us: 0,
            network: Network::new(),
            placement,
            stores: (1..=stores).map(|id| (id, Store::new())).collect(),
            disk_faults: DiskFaults::default(),
            config,
            notes: Vec::new(),
            random,
            queue: Queue::new(),
            calls: BTreeMap::new(),
            next_call: 0,
            late_for_pd: Vec::new(),
        };
        let batch = crate::store::node::disk::first_region(&first.region, first.peer_id);
        world.store(1).disk.write(batch);
        for store in 1..=stores {
            world.start(store);
            let heartbeat_us = world.random.random_range(0..timing.store_heartbeat_ms * 1_000);
            world.queue.plan(heartbeat_us, Event::StoreHeartbeat { store });
        }
        world.queue.plan(timing.patrol_ms * 1_000, Event::PdTick);
        world
    }

    /// The time of the next event.
    pub fn next_us(&self) -> u64 {
        self.queue.next_us().unwrap_or(u64::MAX)
    }

    /// Lets time pass until `until_us`.
    pub fn run_until(&mut self, until_us: u64) {
        while let Some((at_us, event)) = self.queue.pop_until(until_us) {
            self.now_us = at_us;
            self.happen(event);
        }
        self.now_us = self.now_us.max(until_us);
    }

    /// Sends a client's call, at the client's own time.
    pub fn call(&mut self, now_us: u64, to: Node, call: Call, answer: oneshot::Sender<Answer>) {
        self.next_call += 1;
        let id = self.next_call;
        self.calls.insert(id, answer);
        let at_us = now_us.max(self.now_us) + self.network.call_delay_us(&mut self.random);
        if self.network.carries(Node::Clients, to) {
            self.queue.plan(at_us, Event::Called { to, id, call });
        }
    }

    /// Gives the core of PD an input, as an administrator does.
    pub fn administer<T>(
        &mut self,
        input: impl FnOnce(
            &mut crate::pd::core::Core,
            std::time::Duration,
        ) -> Result<T, crate::pd::core::Refusal>,
    ) -> Result<T, crate::pd::core::Refusal> {
        let (answer, messages) = self.placement.act(self.now_us, input);
        self.send_steps(messages);
        answer
    }

    fn store(&mut self, id: u64) -> &mut Store {
        self.stores.get_mut(&id).expect("whoever names a store took the name from this world")
    }

    fn node_config(&mut self, store_id: u64) -> NodeConfig {
        NodeConfig {
            store_id,
            timing: self.config.profile.timing(),
            read: self.config.read,
            defects: self.config.defects.get(&store_id).cloned().unwrap_or_default(),
            seed: self.random.random(),
            log_entries_kept: self.config.log_entries_kept,
            region_max_keys: self.config.region_max_keys,
            enable_ttl: true,
            waiting_max: WAITING_MAX,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Step { store, incarnation } => {
                let it = self.store(store);
                if it.incarnation == incarnation && it.state == ProcessState::Running {
                    it.step_due = false;
                    self.step(store);
                }
            }
            Event::Written { store, incarnation } => {
                let it = self.store(store);
                if it.incarnation == incarnation
                    && let Some(seq) = it.disk.finish_one()
                {
                    it.put_in(Input::Persisted { seq });
                    self.wake(store);
                }
            }
            Event::Arrived { from, store, input } => {
                if self.network.carries(from, Node::Store(store)) {
                    self.store(store).put_in(*input);
                    self.wake(store);
                }
            }
            Event::Called { to: Node::Store(store), id, call } => self.serve(store, id, &call),
            Event::Called { to, id, call } => match self.placement.state {
                ProcessState::Running => self.serve_pd(id, &call),
                ProcessState::Stopped => self.late_for_pd.push(Late::Called { id, call }),
                ProcessState::Dead => self.answer(id, to, Err(Broken::Refused)),
            },
            Event::Answered { id, answer } => {
                if let Some(waiting) = self.calls.remove(&id) {
                    // The client may have given up.
                    let _ = waiting.send(answer);
                }
            }
            Event::Told { store, words } => match self.placement.state {
                ProcessState::Running => self.hear(store, *words),
                ProcessState::Stopped => self.late_for_pd.push(Late::Told { store, words }),
                ProcessState::Dead => {}
            },
            Event::StoreHeartbeat { store } => self.store_heartbeat(store),
            Event::PdTick => {
                let patrol_us = self.config.profile.timing().patrol_ms * 1_000;
                self.queue.plan(self.now_us + patrol_us, Event::PdTick);
                if self.placement.state == ProcessState::Running {
                    let ticked = self.administer(|core, now| {
                        core.tick(now);
                        Ok(())
                    });
                    ticked.expect("a tick is never refused");
                }
            }
        }
    }

    /// Plans a step soon, in which a store takes up its inputs.
    fn wake(&mut self, id: u64) {
        let delay_us = self.random.random_range(0..=WAKE_US_MAX);
        let at_us = self.now_us + delay_us;
        let store = self.store(id);
        if store.state == ProcessState::Running && !store.step_due {
            store.step_due = true;
            let incarnation = store.incarnation;
            self.queue.plan(at_us, Event::Step { store: id, incarnation });
        }
    }

    fn step(&mut self, id: u64) {
        let now_us = self.now_us;
        let (mut requests, mut others) = self.store(id).waiting();
        if self.store(id).catches_up {
            // Each connection is read by itself: the order of connections, and the amount read, are
            // random.
            requests = self.random.random_range(0..=requests);
            others = self.random.random_range(0..=others);
        }
        if let Some(outputs) = self.store(id).step(now_us, requests, others) {
            self.carry_out(id, outputs);
        }
        if self.store(id).catches_up {
            self.wake(id);
        }
        self.set_timer(id);
    }

    fn set_timer(&mut self, id: u64) {
        let now_us = self.now_us;
        let store = self.store(id);
        let wakes_at_us = store.wakes_at_us().max(now_us + 1);
        if store.timer_us == wakes_at_us || store.state == ProcessState::Dead {
            return;
        }
        store.timer_us = wakes_at_us;
        let incarnation = store.incarnation;
        self.queue.plan(wakes_at_us, Event::Step { store: id, incarnation });
    }

    fn carry_out(&mut self, id: u64, outputs: Outputs) {
        if let Some(persist) = outputs.persist {
            let usual_us =
                if persist.batch.must_sync { self.random.random_range(SYNC_US) } else { WRITE_US };
            let Some(takes_us) = self.disk_faults.write(id, usual_us) else {
                self.notes.push((self.now_us, id, "its disk fails, and it ends".into()));
                self.kill(id);
                return;
            };
            let now_us = self.now_us;
            let store = self.store(id);
            store.disk_idle_at_us = store.disk_idle_at_us.max(now_us) + takes_us;
            store.disk.submit(persist);
            let (at_us, incarnation) = (store.disk_idle_at_us, store.incarnation);
            self.queue.plan(at_us, Event::Written { store: id, incarnation });
        }
        for outgoing in outputs.messages {
            self.send(id, outgoing);
        }
        for (call, response) in outputs.replies {
            if self.store(id).open_calls.remove(&call) {
                let answer = Ok(super::wire::raw_response(&response));
                self.answer(call, Node::Store(id), answer);
            }
        }
        for heartbeat in outputs.heartbeats {
            self.tell_pd(id, Words::Region(heartbeat));
        }
        for (region, keys) in outputs.ask_split {
            self.tell_pd(id, Words::AskSplit(region, keys));
        }
        // PD learns of split regions from the heartbeats of the new regions.
        for region in outputs.ask_region {
            self.tell_pd(id, Words::AskRegion(region));
        }
        let now_us = self.now_us;
        self.notes.extend(outputs.notes.into_iter().map(|note| (now_us, id, note)));
    }
}
