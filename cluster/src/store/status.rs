//! A store's status port: `/status`, `/config` and `/metrics` over HTTP.

use super::{StoreConfig, metrics::Metrics};
use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};

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
        .route("/metrics", get(move || std::future::ready(exposition(&metrics))))
}

fn exposition(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The settings under TiKV's names, if they have a meaning here; settings without a counterpart in
/// TiKV are under `embedded`.
pub fn settings(config: &StoreConfig, addr: SocketAddr, status_addr: SocketAddr) -> Value {
    let timing = config.profile.timing();
    let milliseconds = |ms: u64| match ms {
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    };
    let mut settings = json!({
        "server": {
            "addr": addr.to_string(),
            "advertise-addr": addr.to_string(),
            "status-addr": status_addr.to_string(),
        },
        "storage": { "data-dir": config.data_dir.display().to_string(), "api-version": 1, "enable-ttl": config.enable_ttl },
        "pd": { "endpoints": [config.pd_endpoint], "retry-max-count": -1 },
        "raftstore": {
            "prevote": true,
            "raft-base-tick-interval": milliseconds(timing.raft_tick_ms),
            "raft-heartbeat-ticks": timing.heartbeat_ticks,
            "raft-election-timeout-ticks": timing.election_ticks_min,
            "raft-min-election-timeout-ticks": timing.election_ticks_min,
            "raft-max-election-timeout-ticks": timing.election_ticks_max,
            "pd-heartbeat-tick-interval": milliseconds(timing.region_heartbeat_ms),
            "pd-store-heartbeat-tick-interval": milliseconds(timing.store_heartbeat_ms),
            "split-region-check-tick-interval": milliseconds(timing.split_check_ms),
            "hibernate-regions": false,
        },
        "coprocessor": {},
        "embedded": {
            "profile": config.profile.name(),
            "defects": config.defects.iter().map(crate::defects::Defect::name).collect::<Vec<_>>(),
        },
    });
    if let Some(keys) = config.region_max_keys {
        settings["coprocessor"]["region-max-keys"] = json!(keys);
        settings["coprocessor"]["region-split-keys"] = json!(keys * 2 / 3);
    }
    settings
}
