//! A store: regions as Raft groups, their data on disk, TiKV's gRPC in front.
//!
//! [`run`] is a whole store process without its arguments. The logic is in `node`, without clocks
//! and sockets. Around it are `engine` and `writer` (disk), `transport` (other stores),
//! `pd_client`, `service` and `status` (clients), and `driver`, which turns their events into the
//! node's steps.

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

/// The configuration of one store process.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The store's id, if its directory is new; `None` = PD assigns it.
    pub store_id: Option<u64>,
    /// PD's address, `host:port`.
    pub pd_endpoint: String,
    /// The address of gRPC; port 0 = pick one.
    pub addr: SocketAddr,
    /// The address of the status server; port 0 = pick one.
    pub status_addr: SocketAddr,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The profile that sets its intervals.
    pub profile: Profile,
    /// The number of keys above which a region is split.
    pub region_max_keys: Option<u64>,
    /// True if values may have a time to live; otherwise a put with one is refused, as TiKV does by
    /// default.
    pub enable_ttl: bool,
    /// The way in which its leaders ensure that they still lead before they answer a read.
    pub read: ReadMode,
    /// Its defects.
    pub defects: Defects,
}

/// The reason that a store ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The runtime did not start.
    #[error("the store cannot start its runtime: {0}")]
    Runtime(std::io::Error),
    /// A thread did not start.
    #[error("the store cannot start its writer thread: {0}")]
    Thread(std::io::Error),
    /// An address is taken or does not belong to this machine.
    #[error("the store cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("the store cannot use its data directory {}: {reason}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The data on disk are inconsistent.
    #[error("the store's data is corrupt, and it does not start on it: {0}")]
    Corrupt(String),
    /// A write failed; the data on disk are those that were acknowledged before.
    #[error("the store cannot write to {} and stops: {reason}", path.display())]
    Disk {
        /// The directory.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The writer thread is gone.
    #[error("the store's writer thread has stopped")]
    Writer,
    /// PD does not answer. A starting store asks again.
    #[error("PD does not answer: {0}")]
    PdUnreachable(String),
    /// PD refused the store.
    #[error("the store cannot go on without PD: {0}")]
    Pd(String),
    /// The data directory belongs to another cluster.
    #[error("the data directory belongs to cluster {found}, but PD is of cluster {expected}")]
    ForeignCluster {
        /// The directory's cluster.
        found: u64,
        /// PD's cluster.
        expected: u64,
    },
    /// A server ended unexpectedly.
    #[error("the store's server failed: {0}")]
    Server(String),
}
