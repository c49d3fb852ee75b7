//! The simulated PD: the core that the real PD runs, with a disk that never fails and virtual time.
//!
//! In: heartbeats and requests of stores and clients. Out: answers, and steps for leaders. Messages
//! that arrive while it is paused wait; those that arrive while it is dead are lost. It restarts
//! from its saved state.

use super::store::ProcessState;
use crate::{
    pd::core::{Core, Message, Now, Refusal, saved::Saved},
    profile::Timing,
};
use proto::metapb::{Peer, Region, RegionEpoch, Store};
use std::time::Duration;

/// The wall-clock time at which every simulation begins.
const BEGINNING: Duration = Duration::from_secs(1_700_000_000);

/// The simulated PD.
pub struct Placement {
    pub state: ProcessState,
    core: Core,
    saved: Option<Saved>,
    timing: Timing,
    max_replicas: u32,
}

/// The first store's first region, for its disk.
pub struct FirstRegion {
    pub region: Region,
    pub peer_id: u64,
}

impl Placement {
    /// Creates a PD whose stores have the ids from 1 on, and the first of them the first region.
    pub fn new(
        stores: u64,
        timing: Timing,
        max_replicas: u32,
        entropy: u64,
    ) -> (Self, FirstRegion) {
        let now = at(0);
        let core = Core::create(now, entropy, timing, max_replicas);
        let mut placement =
            Self { state: ProcessState::Running, core, saved: None, timing, max_replicas };
        let core = &mut placement.core;
        let (region_id, peer_id) = (core.alloc_ids(1), core.alloc_ids(1));
        let region = Region {
            id: region_id,
            region_epoch: Some(RegionEpoch { conf_ver: 1, version: 1 }),
            peers: vec![Peer { id: peer_id, store_id: 1, ..Default::default() }],
            ..Default::default()
        };
        let ours = "a new cluster takes its first store, region and other stores";
        core.bootstrap(now, Some(about(1)), Some(region.clone())).expect(ours);
        for id in 2..=stores {
            core.put_store(now, about(id)).expect(ours);
        }
        placement.save();
        (placement, FirstRegion { region, peer_id })
    }

    /// Gives the core an input at this moment. Returns its answer and the resulting steps for
    /// leaders.
    pub fn act<T>(
        &mut self,
        world_us: u64,
        input: impl FnOnce(&mut Core, Now) -> Result<T, Refusal>,
    ) -> (Result<T, Refusal>, Vec<Message>) {
        let answer = input(&mut self.core, at(world_us));
        self.save();
        (answer, self.core.take_messages())
    }

    /// The core.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// PD's time for a moment of the world.
    pub fn now(world_us: u64) -> Now {
        at(world_us)
    }

    /// Starts a new process on the saved state of the last one. The region cache is not saved here:
    /// leaders report it anew.
    pub fn restart(&mut self, world_us: u64) -> Result<(), Refusal> {
        if let Some(saved) = self.saved.clone() {
            self.core = Core::restore(at(world_us), self.timing, self.max_replicas, saved, None)?;
        }
        self.state = ProcessState::Running;
        Ok(())
    }

    fn save(&mut self) {
        if let Some(unsaved) = self.core.unsaved() {
            self.saved = Some(unsaved);
            self.core.saved();
        }
    }
}

fn at(world_us: u64) -> Now {
    BEGINNING + Duration::from_micros(world_us)
}

fn about(store_id: u64) -> Store {
    let address = super::wire::store_address(store_id);
    Store {
        id: store_id,
        peer_address: address.clone(),
        address,
        version: crate::pd::CLUSTER_VERSION.into(),
        ..Default::default()
    }
}
