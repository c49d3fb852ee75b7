//! A store: regions as Raft groups, their data on disk, TiKV's gRPC in front.

use crate::{defects::Defects, profile::Profile};
use std::{net::SocketAddr, path::PathBuf};

/// What one store process needs to know.
#[derive(Debug, Clone)]
pub struct StoreConfig {
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
    /// How it is wrong on purpose.
    pub defects: Defects,
}
