//! A store's status port: `/status`, `/config` and `/metrics` over HTTP.

use super::metrics::Metrics;
use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use std::sync::Arc;

/// The pages; `config` is what `/config` shows.
pub fn pages(metrics: Arc<Metrics>, store_id: u64, config: Value) -> Router {
    let counts = metrics.clone();
    Router::new()
        .route(
            "/status",
            get(move || {
                let counts = counts.counts();
                std::future::ready(Json(json!({
                    "store_id": store_id,
                    "regions": counts.regions,
                    "leaders": counts.leaders,
                    "keys": counts.keys,
                })))
            }),
        )
        .route("/config", get(move || std::future::ready(Json(config.clone()))))
        .route("/metrics", get(move || std::future::ready(metrics.text())))
}
