//! A simulated store: the node that real stores run, with an inbox, a disk and a clock of its own.
//!
//! In: arriving inputs. Out: the outputs of the node, for the world. Inputs are taken up now, later
//! (while the store is paused) or never (if it is dead). It does not know the other stores.

use super::{clock::Clock, disk::Disk};
use crate::store::node::{
    Node,
    disk::{self, Corrupt},
    effects::{Input, NodeConfig, Outputs},
};
use std::collections::BTreeSet;

/// The state of a simulated process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// The process runs.
    Running,
    /// The process is paused: it gets neither input nor time, and finds both when it is resumed.
    Stopped,
    /// The process is dead.
    Dead,
}

/// One store.
pub struct Store {
    pub state: ProcessState,
    pub disk: Disk,
    pub clock: Clock,
    /// Grows with every start, so that events meant for an earlier process are recognised.
    pub incarnation: u64,
    /// The time at which the disk has finished its work so far.
    pub disk_idle_at_us: u64,
    /// True if a step is planned already.
    pub step_due: bool,
    /// The time of the timer that is set, world time.
    pub timer_us: u64,
    /// Calls that were taken up and not answered.
    pub open_calls: BTreeSet<u64>,
    /// True if the store was paused, and has not taken up all inputs that arrived meanwhile.
    pub catches_up: bool,
    node: Option<Node>,
    inbox: Vec<Input>,
}

impl Store {
    /// Creates a store that does not run yet.
    pub fn new() -> Self {
        Self {
            state: ProcessState::Dead,
            disk: Disk::default(),
            clock: Clock::new(),
            incarnation: 0,
            disk_idle_at_us: 0,
            step_due: false,
            timer_us: u64::MAX,
            open_calls: BTreeSet::new(),
            catches_up: false,
            node: None,
            inbox: Vec::new(),
        }
    }

    /// Starts a process on the data on the disk.
    pub fn start(&mut self, world_us: u64, config: NodeConfig) -> Result<(), Corrupt> {
        let stored = disk::load(self.disk.pairs())?;
        self.node = Some(Node::new(config, stored, self.clock.now(world_us)));
        self.state = ProcessState::Running;
        self.incarnation += 1;
        self.disk_idle_at_us = world_us;
        self.timer_us = u64::MAX;
        self.step_due = false;
        Ok(())
    }

    /// Ends the process; its memory is lost.
    pub fn die(&mut self) {
        self.state = ProcessState::Dead;
        self.node = None;
        self.inbox.clear();
        self.catches_up = false;
        self.incarnation += 1;
    }

    /// Queues an input; a dead store gets none.
    pub fn put_in(&mut self, input: Input) {
        if self.state != ProcessState::Dead {
            self.inbox.push(input);
        }
    }

    /// The numbers of waiting inputs: requests of clients, and all others.
    pub fn waiting(&self) -> (usize, usize) {
        let requests = self.inbox.iter().filter(|it| matches!(it, Input::Request { .. })).count();
        (requests, self.inbox.len() - requests)
    }

    /// Lets the node take up at most this many waiting inputs, requests before messages as the real
    /// driver does.
    pub fn step(&mut self, world_us: u64, requests: usize, others: usize) -> Option<Outputs> {
        let node = self.node.as_mut()?;
        let is_request = |input: &Input| matches!(input, Input::Request { .. });
        let (mut inputs, mut later) =
            std::mem::take(&mut self.inbox).into_iter().partition::<Vec<_>, _>(is_request);
        let later_requests = inputs.split_off(requests);
        let rest = later.split_off(others);
        inputs.append(&mut later);
        self.inbox = later_requests.into_iter().chain(rest).collect();
        self.catches_up &= !self.inbox.is_empty();
        Some(node.step(self.clock.now(world_us), inputs))
    }

    /// The time at which the node wants to step even if nothing happens, world time.
    pub fn wakes_at_us(&self) -> u64 {
        self.node.as_ref().map_or(u64::MAX, |node| self.clock.world_us(node.wakes_at_ms()))
    }

    /// The number of regions that it holds, for its heartbeats.
    pub fn region_count(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| node.counts().regions)
    }
}
