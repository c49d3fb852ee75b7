//! Connections of the direct client: whatever carries gRPC calls to an address.
//!
//! In: an address. Out: a [`Connection`], made when the first call goes over it. [`Tcp`] is the
//! real one; a simulation brings its own, and the client above cannot tell.

use crate::Security;
use std::fmt::Debug;
use std::time::Duration;
use tonic::body::Body;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tower::{ServiceExt, util::BoxCloneSyncService};

/// An error of a connection, in the words of its source.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConnectionError(#[from] Box<dyn std::error::Error + Send + Sync>);

/// Carries gRPC calls to one process.
pub type Connection =
    BoxCloneSyncService<http::Request<Body>, http::Response<Body>, ConnectionError>;

/// Makes connections.
pub trait Connector: Debug + Send + Sync {
    /// A connection to `host:port`, with or without `http://` before it. An address that cannot be
    /// one is refused, in one line; whether anybody is there shows with the first call.
    fn connect(&self, address: &str, connect_timeout: Duration) -> Result<Connection, String>;
}

/// Connections over TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Connector for Tcp {
    fn connect(&self, address: &str, connect_timeout: Duration) -> Result<Connection, String> {
        let endpoint = Endpoint::from_shared(format!("http://{}", bare(address)))
            .map_err(|error| format!("{address} is no address: {error}"))?;
        let channel = endpoint.connect_timeout(connect_timeout).tcp_nodelay(true).connect_lazy();
        Ok(BoxCloneSyncService::new(channel.map_err(|error| ConnectionError(error.into()))))
    }
}

/// Connections over TCP and TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    config: ClientTlsConfig,
}

impl Tls {
    /// With these certificates.
    pub fn new(security: &Security) -> Self {
        Self { config: security.grpc() }
    }
}

impl Connector for Tls {
    fn connect(&self, address: &str, connect_timeout: Duration) -> Result<Connection, String> {
        let endpoint = Endpoint::from_shared(format!("https://{}", bare(address)))
            .map_err(|error| format!("{address} is no address: {error}"))?;
        let endpoint = endpoint
            .tls_config(self.config.clone())
            .map_err(|error| format!("TLS to {address}: {error}"))?;
        let channel = endpoint.connect_timeout(connect_timeout).tcp_nodelay(true).connect_lazy();
        Ok(BoxCloneSyncService::new(channel.map_err(|error| ConnectionError(error.into()))))
    }
}

/// An address without scheme and slash.
pub(super) fn bare(address: &str) -> &str {
    let http = address.strip_prefix("http://");
    let address = http.or_else(|| address.strip_prefix("https://")).unwrap_or(address);
    address.trim_end_matches('/')
}
