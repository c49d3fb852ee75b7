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

/// Why a PD cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PdError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Serves until told to end.
pub fn run(config: PdConfig) -> Result<(), PdError> {
    let _ = config;
    Err(PdError::Io(std::io::Error::other("this build has no PD yet")))
}
