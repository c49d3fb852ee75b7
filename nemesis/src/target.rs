//! What a nemesis needs of the cluster it hurts: the trait [`Target`].
//!
//! A target names its stores and the workload's regions, and does what it is told to them. What it cannot do it says
//! in advance ([`Target::capabilities`]), so that a plan can refuse it. Stores are named by id everywhere; the answer
//! to a fault is what was *seen* of the process, not that a signal was sent.

use crate::{disturbance::Disturbance, process::ProcessState};
use serde::Serialize;
use std::{pin::Pin, sync::Arc, time::Instant};
use thiserror::Error;

/// A store's id, given by PD.
pub type StoreId = u64;

/// A region's id.
pub type RegionId = u64;

/// An answer that takes a while.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, TargetError>> + Send + 'a>>;

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Store {
    /// Its id.
    pub id: StoreId,
    /// Its address, `host:port`.
    pub address: String,
    /// Its process, if that runs on this machine and is alive.
    pub pid: Option<u32>,
}

/// One of the workload's regions, as PD knows it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Its id.
    pub id: RegionId,
    /// The store of its leader; `None` = PD knows of none.
    pub leader: Option<StoreId>,
    /// The stores of its voters, the leader's among them.
    pub voters: Vec<StoreId>,
    /// The stores of its learners.
    pub learners: Vec<StoreId>,
}

/// What a target can do.
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Stop and resume stores.
    pub pause: bool,
    /// Kill stores and start them again.
    pub kill: bool,
    /// Ask PD to move leaders and to split regions.
    pub schedule: bool,
    /// Tell PD how many replicas a region shall have.
    pub max_replicas: bool,
    /// Disturb network, disks, clocks and PD: it is simulated.
    pub simulated: bool,
}

/// What was seen of a store's process after something was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SeenProcess {
    /// Which store.
    pub store: StoreId,
    /// Its process, if it has one.
    pub pid: Option<u32>,
    /// What it does.
    pub state: ProcessState,
    /// When the signal was sent that made it do so, if that was noted.
    #[serde(skip)]
    pub signalled: Option<Instant>,
}

/// Why a target did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// This kind of target cannot do it at all.
    #[error("this target cannot {0}")]
    Unsupported(&'static str),
    /// It has no such store.
    #[error("there is no store-{0}")]
    NoSuchStore(StoreId),
    /// It tried, and failed.
    #[error("{0}")]
    Failed(String),
}

/// A cluster that a nemesis can hurt. Every call is bounded in time by the target.
///
/// The slices name stores that are treated in the same instant, in an answer of the same order.
pub trait Target: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Its stores.
    fn stores(&self) -> Pending<'_, Vec<Store>>;

    /// The regions that hold the workload's keys.
    fn regions(&self) -> Pending<'_, Vec<Region>>;

    /// Stops stores (SIGSTOP) and waits until each is seen stopped or gone.
    fn pause(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Resumes stores (SIGCONT) and waits until each is seen running or gone. One that runs is left as it is.
    fn resume(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Kills stores (SIGKILL) and waits until each is gone.
    fn kill(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Starts killed stores again, on their old data and address, and waits until each serves. One that runs is left
    /// as it is.
    fn start(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Asks PD to move a region's leader to a store that has a voter of it. Does not wait for it.
    fn transfer_leader(&self, region: RegionId, to: StoreId) -> Pending<'_, ()>;

    /// Asks PD to move a region's replica from one store to another one. Does not wait for it.
    fn move_replica(&self, region: RegionId, from: StoreId, to: StoreId) -> Pending<'_, ()>;

    /// How many replicas PD wants of a region.
    fn max_replicas(&self) -> Pending<'_, u32>;

    /// Tells PD how many replicas a region shall have. Does not wait for it.
    fn set_max_replicas(&self, replicas: u32) -> Pending<'_, ()>;

    /// Asks PD to split a region in the middle of its keys. Does not wait for it. One with fewer than two keys stays
    /// as it is.
    fn split(&self, _region: RegionId) -> Pending<'_, ()> {
        Box::pin(async { Err(TargetError::Unsupported("split regions")) })
    }

    /// Lets the disks of stores fail, waits until that has ended them, and says what was seen. [`Target::start`] gives
    /// them disks that work.
    fn fail_disks(&self, _stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async { Err(TargetError::Unsupported("let a disk fail")) })
    }

    /// Disturbs network, disks, clocks or PD on behalf of a fault.
    fn disturb(&self, _fault: usize, _what: Disturbance) -> Pending<'_, ()> {
        Box::pin(async { Err(TargetError::Unsupported("disturb network, disks, clocks or PD")) })
    }

    /// Ends a fault's disturbance. What it touched, in words; `None` = nothing met it.
    fn calm(&self, _fault: usize) -> Pending<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    /// Resumes every store that is stopped, at once and without runtime: the last way out.
    fn resume_all_now(&self);
}

/// Resumes everything at the end of its scope, unless that was reached in order.
pub(crate) struct ResumeOnDrop {
    target: Arc<dyn Target>,
    armed: bool,
}

impl ResumeOnDrop {
    pub(crate) fn new(target: Arc<dyn Target>) -> Self {
        Self { target, armed: true }
    }

    /// Everything was healed in order.
    pub(crate) fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for ResumeOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.target.resume_all_now();
        }
    }
}
