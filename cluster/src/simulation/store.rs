//! A simulated store: the node that real stores run, with an inbox, a disk and a clock of its own.
//!
//! In: what arrives for it. Out: whether it takes it up now, later (it is stopped) or never (it is dead). It steps
//! the node and hands the outputs to the world. It does not know the other stores.

use super::{clock::Clock, disk::Disk};
use crate::store::node::{
    Node,
    disk::{self, Corrupt},
    effects::{Input, NodeConfig, Outputs},
};
use std::collections::BTreeSet;

/// What a simulated process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It is stopped: it gets neither input nor time, and finds both when it is resumed.
    Stopped,
    /// It is dead.
    Dead,
}

/// One store.
pub struct Store {
    pub state: ProcessState,
    pub disk: Disk,
    pub clock: Clock,
    /// Grows with every start, so that what was meant for an earlier process is told apart.
    pub incarnation: u64,
    /// When the disk has done what it was given so far.
    pub disk_idle_at_us: u64,
    /// A step is due already.
    pub step_due: bool,
    /// The timer that is set, world time.
    pub timer_us: u64,
    /// Calls that it has taken up and not answered.
    pub open_calls: BTreeSet<u64>,
    /// It was stopped, and has not taken up all that came in meanwhile.
    pub catches_up: bool,
    node: Option<Node>,
    inbox: Vec<Input>,
}

impl Store {
    /// A store that does not run yet.
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

    /// Starts a process on what is on the disk.
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

    /// Ends the process; what it had in memory is gone.
    pub fn die(&mut self) {
        self.state = ProcessState::Dead;
        self.node = None;
        self.inbox.clear();
        self.catches_up = false;
        self.incarnation += 1;
    }

    /// Puts something in; a dead store gets nothing.
    pub fn put_in(&mut self, input: Input) {
        if self.state != ProcessState::Dead {
            self.inbox.push(input);
        }
    }

    /// How much waits: requests of clients, and all else.
    pub fn waiting(&self) -> (usize, usize) {
        let requests = self.inbox.iter().filter(|it| matches!(it, Input::Request { .. })).count();
        (requests, self.inbox.len() - requests)
    }

    /// Lets the node take up so much of what waits, requests before messages as the real driver does.
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

    /// When the node wants to step even if nothing happens, world time.
    pub fn wakes_at_us(&self) -> u64 {
        self.node.as_ref().map_or(u64::MAX, |node| self.clock.world_us(node.wakes_at_ms()))
    }

    /// How many regions it holds, for its heartbeats.
    pub fn region_count(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| node.counts().regions)
    }
}
