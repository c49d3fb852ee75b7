//! Actions on the processes of the simulated world: start, pause, resume, kill; PD among them.
//!
//! In: a store or PD. Out: the state that the process then finds, and errors for its open calls.

use super::{
    super::{network::Node, store::ProcessState, wire::Broken},
    Late, World,
};
use crate::store::node::effects::Input;

impl World {
    /// Starts a store's process on its disk.
    pub fn start(&mut self, id: u64) {
        let (now_us, config) = (self.now_us, self.node_config(id));
        let store = self.store(id);
        if store.state != ProcessState::Dead {
            return;
        }
        if let Err(corrupt) = store.start(now_us, config) {
            self.notes.push((now_us, id, format!("does not start: {}", corrupt.0)));
            return;
        }
        self.set_timer(id);
    }

    /// Kills a store's process as a power failure does: what its disk had not synced may be gone.
    pub fn kill(&mut self, id: u64) {
        let Some(store) = self.stores.get_mut(&id) else { return };
        if store.state == ProcessState::Dead {
            return;
        }
        store.disk.crash(&mut self.random);
        store.die();
        for call in std::mem::take(&mut store.open_calls) {
            self.answer(call, Node::Store(id), Err(Broken::Reset));
        }
    }

    /// Pauses a store's process.
    pub fn pause(&mut self, id: u64) {
        let store = self.store(id);
        if store.state == ProcessState::Running {
            store.state = ProcessState::Stopped;
        }
    }

    /// Resumes a store's process: it takes up waiting inputs in parts, and finds that time has
    /// passed.
    pub fn resume(&mut self, id: u64) {
        let store = self.store(id);
        if store.state == ProcessState::Stopped {
            store.state = ProcessState::Running;
            store.step_due = false;
            store.catches_up = true;
            self.wake(id);
        }
    }

    /// Pauses PD.
    pub fn pause_pd(&mut self) {
        if self.placement.state == ProcessState::Running {
            self.placement.state = ProcessState::Stopped;
        }
    }

    /// Kills PD.
    pub fn kill_pd(&mut self) {
        self.placement.state = ProcessState::Dead;
        for late in std::mem::take(&mut self.late_for_pd) {
            if let Late::Called { id, .. } = late {
                self.answer(id, Node::Pd, Err(Broken::Reset));
            }
        }
    }

    /// Resumes PD, or starts it again.
    pub fn revive_pd(&mut self) {
        match self.placement.state {
            ProcessState::Running => {}
            ProcessState::Stopped => {
                self.placement.state = ProcessState::Running;
                for late in std::mem::take(&mut self.late_for_pd) {
                    match late {
                        Late::Told { store, words } => self.hear(store, *words),
                        Late::Called { id, call } => self.serve_pd(id, &call),
                    }
                }
            }
            ProcessState::Dead => {
                if let Err(refusal) = self.placement.restart(self.now_us) {
                    self.notes.push((self.now_us, 0, format!("PD does not start: {refusal}")));
                }
                for store in self.stores.keys().copied().collect::<Vec<_>>() {
                    self.arrive_from_pd(store, Input::PdConnected);
                }
            }
        }
    }
}
