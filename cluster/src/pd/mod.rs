//! PD: members, ids, TSO, the registry of stores and regions, and replica scheduling.

use crate::profile::Profile;
use std::{net::SocketAddr, path::PathBuf};

/// What one PD process needs to know.
#[derive(Debug, Clone)]
pub struct PdConfig {
    /// Its name (`pd1`).
    pub name: String,
    /// Where it keeps its data.
    pub data_dir: PathBuf,
    /// Where it serves gRPC and HTTP; port 0 = pick one.
    pub client_addr: SocketAddr,
    /// Its intervals.
    pub profile: Profile,
    /// How many replicas a region shall have, at first.
    pub max_replicas: u32,
}
