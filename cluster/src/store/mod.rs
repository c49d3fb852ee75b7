//! A store: regions as Raft groups, their data on disk, TiKV's gRPC in front.
//!
//! [`run`] is a whole store process but for its arguments. The logic is in `node`, without clocks and sockets;
//! around it: `engine` and `writer` (disk), `transport` (other stores), `pd_client`, `service` and `status` (those who
//! ask), and `driver`, which turns what these report into the node's steps.

#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the real driver brings the clock"
)]
mod driver;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the real disk")]
mod engine;
mod metrics;
pub(crate) mod node;
#[allow(clippy::disallowed_methods, reason = "real calls run side by side")]
mod pd_client;
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "real calls run side by side, and are timed"
)]
mod service;
#[allow(clippy::disallowed_methods, reason = "a real process")]
mod startup;
mod status;
#[cfg(test)]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of real stores")]
mod tests;
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "real streams run side by side"
)]
mod transport;
mod writer;

use crate::{defects::Defects, profile::Profile, read_mode::ReadMode};
use std::{net::SocketAddr, path::PathBuf};

pub use startup::run;

/// What one store process needs to know.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Its id, if its directory is new; `None` = PD gives it one.
    pub store_id: Option<u64>,
    /// PD's address, `host:port`.
    pub pd_endpoint: String,
    /// Where it serves gRPC; port 0 = pick one.
    pub addr: SocketAddr,
    /// Where it serves its status; port 0 = pick one.
    pub status_addr: SocketAddr,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
    /// Its intervals.
    pub profile: Profile,
    /// A region with more keys is split.
    pub region_max_keys: Option<u64>,
    /// Values may have a time to live; otherwise a put with one is refused, as TiKV does by default.
    pub enable_ttl: bool,
    /// How its leaders make sure that they still lead before they answer a read.
    pub read: ReadMode,
    /// How it is wrong on purpose.
    pub defects: Defects,
}

/// Why a store stopped, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The runtime did not start.
    #[error("the store cannot start its runtime: {0}")]
    Runtime(std::io::Error),
    /// A thread did not start.
    #[error("the store cannot start its writer thread: {0}")]
    Thread(std::io::Error),
    /// An address is taken or not ours.
    #[error("the store cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("the store cannot use its data directory {}: {reason}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What is on disk does not make sense.
    #[error("the store's data is corrupt, and it does not start on it: {0}")]
    Corrupt(String),
    /// A write failed; what is on disk is what was acknowledged before.
    #[error("the store cannot write to {} and stops: {reason}", path.display())]
    Disk {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The writer thread is gone.
    #[error("the store's writer thread has stopped")]
    Writer,
    /// PD does not answer. At a start it is asked again.
    #[error("PD does not answer: {0}")]
    PdUnreachable(String),
    /// PD refuses us.
    #[error("the store cannot go on without PD: {0}")]
    Pd(String),
    /// The data directory belongs elsewhere.
    #[error("the data directory belongs to cluster {found}, but PD is of cluster {expected}")]
    ForeignCluster {
        /// The directory's cluster.
        found: u64,
        /// PD's.
        expected: u64,
    },
    /// A server ended by itself.
    #[error("the store's server failed: {0}")]
    Server(String),
}
