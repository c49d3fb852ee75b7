//! What can be done to a simulated cluster, and what met it: processes, network, disks, clocks.
//!
//! In: stores by id. Out: nothing, or how often something met a fault. What is asked has happened when it returns.

use super::{MessageCounts, Node, ProcessState, Simulation, Weather, World};

impl Simulation {
    /// Stops processes in the same instant.
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

    /// Stops PD, or kills it.
    pub fn pause_or_kill_pd(&self, kill: bool) {
        self.change(|world| if kill { world.kill_pd() } else { world.pause_pd() });
    }

    /// Resumes PD, or starts it again.
    pub fn revive_pd(&self) {
        self.change(World::revive_pd);
    }

    /// Nothing gets from the one to the other any more.
    pub fn cut(&self, from: Node, to: Node) {
        self.change(|world| world.network.cut(from, to));
    }

    /// One cut of this way is mended; cuts of the same way add up.
    pub fn mend(&self, from: Node, to: Node) {
        self.change(|world| world.network.mend(from, to));
    }

    /// How much cuts have stopped on these ways, ever.
    pub fn stopped(&self, ways: &[(Node, Node)]) -> u64 {
        let world = self.world();
        ways.iter().map(|(from, to)| world.network.stopped(*from, *to)).sum()
    }

    /// What became of messages between stores since the beginning.
    pub fn message_counts(&self) -> MessageCounts {
        self.world().network.counts
    }

    /// How the network between stores is from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.change(|world| world.network.weather = weather);
    }

    /// From now on a store's disk takes so many times as long; 1 = as usual.
    pub fn slow_disk(&self, store: u64, times: u64) {
        self.change(|world| world.disk_faults.slow(store, times));
    }

    /// How many writes a store's disk did while it was slow, ever.
    pub fn slow_writes(&self, store: u64) -> u64 {
        self.world().disk_faults.slow_writes(store)
    }

    /// A store's disk fails at its next write, and its process ends.
    pub fn fail_disk(&self, store: u64) {
        self.change(|world| world.disk_faults.fail(store));
    }

    /// A store's disk that was to fail does not.
    pub fn spare_disk(&self, store: u64) {
        self.change(|world| world.disk_faults.spare(store));
    }

    /// From now on a store's clock is so many parts in a million too fast, and its wall clock wrong by so much.
    pub fn set_clock(&self, store: u64, drift_ppm: i32, wall_offset_ms: i64) {
        self.change(|world| {
            let now_us = world.now_us;
            if let Some(store) = world.stores.get_mut(&store) {
                store.clock.set(now_us, drift_ppm, wall_offset_ms);
            }
        });
    }

    /// By how many milliseconds a store's clocks are ahead of the world's: the monotonic one, and the wall clock.
    pub fn clock_error_ms(&self, store: u64) -> (i64, i64) {
        let world = self.world();
        world.stores.get(&store).map_or((0, 0), |store| store.clock.error_ms(world.now_us))
    }

    /// What PD's process does.
    pub fn pd_state(&self) -> ProcessState {
        self.world().placement.state
    }
}
