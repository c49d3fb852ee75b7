//! The HTTP endpoint of the tester's metrics for Prometheus.
//!
//! In: an address, which may be one that others reach: the metrics are read-only and no secret, but
//! a warning says so. Out: `/metrics`, under the address and not under foreign names.

use super::Metrics;
use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use failure::Failure;
use pages::serving;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::task::JoinHandle;

/// The endpoint, served until this is dropped.
#[derive(Debug)]
pub struct Endpoint {
    addr: SocketAddr,
    task: JoinHandle<Infallible>,
}

impl Endpoint {
    /// Returns a warning that others can read the metrics; `None` where only this machine can.
    pub fn warning(&self) -> Option<String> {
        let addr = self.addr;
        (!addr.ip().is_loopback()).then(|| {
            format!(
                "note: everybody who reaches {addr} can read the tester's metrics; there is no password"
            )
        })
    }

    /// Returns the URL for Prometheus.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.addr)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the metrics at an address (port 0 = pick one).
pub async fn serve(metrics: Arc<Metrics>, addr: SocketAddr) -> Result<Endpoint, Failure> {
    let listener = serving::listen("the tester's metrics", addr).await?;
    let addr = listener.local_addr().map_err(Failure::target_or_disk)?;
    let router = Router::new().route("/metrics", get(move || std::future::ready(answer(&metrics))));
    let task = tokio::spawn(serving::serve(listener, serving::guarded(router, addr)));
    Ok(Endpoint { addr, task })
}

fn answer(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
