//! The trait [`Target`]: the operations that a nemesis needs of the cluster it hurts.
//!
//! A target names its stores and the workload's regions, and carries out requests on them. It
//! states its limits in advance ([`Target::capabilities`]), so that a plan can refuse a fault.
//! Stores are named by id everywhere. The answer to a fault is the *observed* state of the process,
//! not the fact that a signal was sent.

use crate::{disturbance::Disturbance, process::ProcessState};
use serde::Serialize;
use std::{pin::Pin, sync::Arc, time::Instant};
use thiserror::Error;

/// A store's id, given by PD.
pub type StoreId = u64;

/// A region's id.
pub type RegionId = u64;

/// A future of an answer.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, TargetError>> + Send + 'a>>;

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Store {
    /// The store's id.
    pub id: StoreId,
    /// The store's address, `host:port`.
    pub address: String,
    /// The PID of the store's process, if that runs on this machine and is alive.
    pub pid: Option<u32>,
}

/// One of the workload's regions, as PD knows it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Region {
    /// The region's id.
    pub id: RegionId,
    /// The store of its leader; `None` = PD knows of none.
    pub leader: Option<StoreId>,
    /// The stores of its voters, the leader's among them.
    pub voters: Vec<StoreId>,
    /// The stores of its learners.
    pub learners: Vec<StoreId>,
}

/// The capabilities of a target.
#[expect(clippy::struct_excessive_bools, reason = "each is a capability of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Pause and resume stores.
    pub pause: bool,
    /// Kill stores and start them again.
    pub kill: bool,
    /// Ask PD to move leaders and to split regions.
    pub schedule: bool,
    /// Tell PD how many replicas a region shall have.
    pub max_replicas: bool,
    /// Disturb network, disks, clocks and PD: the target is simulated.
    pub simulated: bool,
}

/// The observed state of a store's process after an action on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SeenProcess {
    /// The store.
    pub store: StoreId,
    /// The PID of the store's process, if it has one.
    pub pid: Option<u32>,
    /// The state of the process.
    pub state: ProcessState,
    /// The time of the signal that led to this state, if it was noted.
    #[serde(skip)]
    pub signalled: Option<Instant>,
}

/// The reason that a target did not carry out a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// This kind of target cannot do it at all.
    #[error("this target cannot {0}")]
    Unsupported(&'static str),
    /// The target has no such store.
    #[error("there is no store-{0}")]
    NoSuchStore(StoreId),
    /// The target tried, and failed.
    #[error("{0}")]
    Failed(String),
}

/// A cluster that a nemesis can hurt. Every call is bounded in time by the target.
///
/// A list of stores in a call is treated in the same instant, and the answer has the same order.
pub trait Target: Send + Sync {
    /// The target's capabilities.
    fn capabilities(&self) -> Capabilities;

    /// The target's stores.
    fn stores(&self) -> Pending<'_, Vec<Store>>;

    /// The regions that hold the workload's keys.
    fn regions(&self) -> Pending<'_, Vec<Region>>;

    /// Pauses stores (SIGSTOP) and waits until each is seen stopped or gone.
    fn pause(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Resumes stores (SIGCONT) and waits until each is seen running or gone. A store that runs is
    /// left as it is.
    fn resume(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Kills stores (SIGKILL) and waits until each is gone.
    fn kill(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Starts killed stores again, on their old data and address, and waits until each serves. A
    /// store that runs is left as it is.
    fn start(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>>;

    /// Asks PD to move a region's leader to a store with a voter of the region. Does not wait for
    /// the move.
    fn transfer_leader(&self, region: RegionId, to: StoreId) -> Pending<'_, ()>;

    /// Asks PD to move a region's replica from one store to another one. Does not wait for the
    /// move.
    fn move_replica(&self, region: RegionId, from: StoreId, to: StoreId) -> Pending<'_, ()>;

    /// The number of replicas that PD wants of a region.
    fn max_replicas(&self) -> Pending<'_, u32>;

    /// Tells PD the number of replicas that a region shall have. Does not wait for them.
    fn set_max_replicas(&self, replicas: u32) -> Pending<'_, ()>;

    /// Asks PD to split a region in the middle of its keys. Does not wait for the split. A region
    /// with fewer than two keys stays as it is.
    fn split(&self, _region: RegionId) -> Pending<'_, ()> {
        Box::pin(async { Err(TargetError::Unsupported("split regions")) })
    }

    /// Lets the disks of stores fail, waits until that has ended the stores, and returns their
    /// observed states. [`Target::start`] gives them disks that work.
    fn fail_disks(&self, _stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async { Err(TargetError::Unsupported("let a disk fail")) })
    }

    /// Disturbs network, disks, clocks or PD on behalf of a fault.
    fn disturb(&self, _fault: usize, _what: Disturbance) -> Pending<'_, ()> {
        Box::pin(async { Err(TargetError::Unsupported("disturb network, disks, clocks or PD")) })
    }

    /// Ends a fault's disturbance. Returns its observed effect in words; `None` = it had none.
    fn calm(&self, _fault: usize) -> Pending<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    /// Resumes every paused store, at once and without a runtime: the last way out.
    fn resume_all_now(&self);
}

/// Resumes everything at the end of its scope, unless it was disarmed.
pub(crate) struct ResumeOnDrop {
    target: Arc<dyn Target>,
    armed: bool,
}

impl ResumeOnDrop {
    pub(crate) fn new(target: Arc<dyn Target>) -> Self {
        Self { target, armed: true }
    }

    /// Disarms the guard after everything was healed in order.
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
