//! The processes of a cluster, whoever started them: what [`super::under_test`] needs of every kind of target.
//!
//! In: stores by id. Out: where each is and which process serves it; processes killed, started again, and ended. Calls
//! block, and are made off the runtime. It knows nothing of PD's view, of workloads, or of the order of faults.

use crate::exit::Failure;
use nemesis::{ProcessIdentity, StoreId};
use std::collections::BTreeMap;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePlace {
    /// Where clients reach it, `host:port`.
    pub address: String,
    /// Its process, if one is known and was not killed.
    pub process: Option<ProcessIdentity>,
}

/// The processes of a cluster.
pub trait ClusterProcesses: Send + std::fmt::Debug {
    /// Where PD is reached: `host:port` of its members.
    fn pd_endpoints(&self) -> Vec<String>;

    /// The stores by id.
    fn stores(&self) -> BTreeMap<StoreId, StorePlace>;

    /// Kills stores in the same instant (SIGKILL); they are gone when this returns.
    fn kill_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure>;

    /// Starts killed stores again: same address, same data. Those that run are left as they are.
    fn start_killed_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure>;

    /// The processes that ended though nobody killed them, in words; each is told once.
    fn ended_by_themselves(&mut self) -> Vec<String>;

    /// Ends what was started here, and leaves alone what was not.
    fn stop(&mut self);
}
