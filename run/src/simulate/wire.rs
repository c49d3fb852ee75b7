//! Simulated connections of the direct client.

use client::direct::{Connection, ConnectionError, Connector};
use cluster::simulation::Simulation;
use std::time::Duration;
use tower::{ServiceExt, util::BoxCloneSyncService};

/// Connects to simulated processes.
#[derive(Debug)]
pub struct Simulated(pub Simulation);

impl Connector for Simulated {
    fn connect(&self, address: &str, _: Duration) -> Result<Connection, String> {
        let wire = self.0.wire(address).map_err(ConnectionError::from);
        Ok(BoxCloneSyncService::new(wire))
    }
}
