//! The faults of a simulated cluster and their observed effects: processes, network, disks, clocks.
//!
//! In: stores by id. Out: nothing, or the number of times that a fault was met. A fault is in force
//! when its call returns.

use super::{MessageCounts, Node, ProcessState, Simulation, Weather, World};

impl Simulation {
    /// Pauses processes in the same instant.
    pub fn pause(&self, stores: &[u64]) {
        self.change(|world| stores.iter().for_each(|store| world.pause(*store)));
    }

    /// Resumes processes.
    pub fn resume(&self, stores: &[u64]) {
        self.change(|world| stores.iter().for_each(|store| world.resume(*store)));
    }

    /// Kills processes in the same instant.
    pub fn kill(&self, stores: &[u64]) {
        self.change(|world| stores.iter().for_each(|store| world.kill(*store)));
    }

    /// Starts dead processes on their disks.
    pub fn start(&self, stores: &[u64]) {
        self.change(|world| stores.iter().for_each(|store| world.start(*store)));
    }

    /// Pauses PD, or kills it.
    pub fn pause_or_kill_pd(&self, kill: bool) {
        self.change(|world| if kill { world.kill_pd() } else { world.pause_pd() });
    }

    /// Resumes PD, or starts it again.
    pub fn revive_pd(&self) {
        self.change(World::revive_pd);
    }

    /// Cuts the way from one node to another.
    pub fn cut(&self, from: Node, to: Node) {
        self.change(|world| world.network.cut(from, to));
    }

    /// Mends one cut of this way; cuts of the same way add up.
    pub fn mend(&self, from: Node, to: Node) {
        self.change(|world| world.network.mend(from, to));
    }

    /// The number of messages that cuts have ever stopped on these ways.
    pub fn stopped(&self, ways: &[(Node, Node)]) -> u64 {
        let world = self.world();
        ways.iter().map(|(from, to)| world.network.stopped(*from, *to)).sum()
    }

    /// The counts of messages between stores since the beginning.
    pub fn message_counts(&self) -> MessageCounts {
        self.world().network.counts
    }

    /// Sets the condition of the network between stores from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.change(|world| world.network.weather = weather);
    }

    /// Slows a store's disk by this factor from now on; 1 = as usual.
    pub fn slow_disk(&self, store: u64, times: u64) {
        self.change(|world| world.disk_faults.slow(store, times));
    }

    /// The number of writes that a store's disk has ever done while it was slow.
    pub fn slow_writes(&self, store: u64) -> u64 {
        self.world().disk_faults.slow_writes(store)
    }

    /// Lets a store's disk fail at its next write, which ends its process.
    pub fn fail_disk(&self, store: u64) {
        self.change(|world| world.disk_faults.fail(store));
    }

    /// Cancels the failure of a store's disk.
    pub fn spare_disk(&self, store: u64) {
        self.change(|world| world.disk_faults.spare(store));
    }

    /// Sets the drift of a store's clock in parts per million (positive is fast) and the offset of
    /// its wall clock, from now on.
    pub fn set_clock(&self, store: u64, drift_ppm: i32, wall_offset_ms: i64) {
        self.change(|world| {
            let now_us = world.now_us;
            if let Some(store) = world.stores.get_mut(&store) {
                store.clock.set(now_us, drift_ppm, wall_offset_ms);
            }
        });
    }

    /// The milliseconds by which a store's clocks are ahead of the world's: the monotonic one, and
    /// the wall clock.
    pub fn clock_error_ms(&self, store: u64) -> (i64, i64) {
        let world = self.world();
        world.stores.get(&store).map_or((0, 0), |store| store.clock.error_ms(world.now_us))
    }

    /// The state of PD's process.
    pub fn pd_state(&self) -> ProcessState {
        self.world().placement.state
    }
}
