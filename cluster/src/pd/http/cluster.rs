//! `/pd/api/v1/` members, health, versions: this PD and its cluster as a whole.

use super::{
    Context,
    answer::{pretty, without_empty},
};
use crate::pd::{go_text, member::VERSION};
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use serde_json::{Value, json};

pub fn routes() -> Router<Context> {
    Router::new()
        .route("/members", get(members))
        .route("/leader", get(leader))
        .route("/health", get(health))
        .route("/ping", get(|| async {}))
        .route("/version", get(version))
        .route("/status", get(status))
        .route("/cluster", get(cluster))
        .route("/cluster/status", get(cluster_status))
        .route("/min-resolved-ts", get(min_resolved_ts))
        .route("/scheduler-config", get(super::operators::scheduler_configs))
}

fn ok(value: &Value) -> Response {
    pretty(StatusCode::OK, value)
}

fn member(context: &Context) -> Value {
    let member = context.member.wire();
    without_empty(
        json!({
            "name": member.name,
            "member_id": member.member_id,
            "peer_urls": member.peer_urls,
            "client_urls": member.client_urls,
            "deploy_path": member.deploy_path,
            "binary_version": member.binary_version,
            "git_hash": member.git_hash,
        }),
        &["deploy_path", "git_hash"],
    )
}

async fn members(State(context): State<Context>) -> Response {
    let member = member(&context);
    ok(&json!({
        "header": { "cluster_id": context.member.cluster_id },
        "members": [member.clone()],
        "leader": member.clone(),
        "etcd_leader": member,
    }))
}

async fn leader(State(context): State<Context>) -> Response {
    let member = context.member.wire();
    ok(&json!({
        "name": member.name,
        "member_id": member.member_id,
        "peer_urls": member.peer_urls,
        "client_urls": member.client_urls,
    }))
}

pub async fn health(State(context): State<Context>) -> Response {
    let member = context.member.wire();
    ok(&json!([{
        "name": member.name,
        "member_id": member.member_id,
        "client_urls": member.client_urls,
        "health": true,
    }]))
}

async fn version() -> Response {
    ok(&json!({ "version": VERSION, "build_time": "", "hash": "", "branch": "" }))
}

async fn status(State(context): State<Context>) -> Response {
    let started = context.shell.view(|core, _| core.started().as_secs());
    ok(&json!({
        "build_ts": "None",
        "version": VERSION,
        "git_hash": "None",
        "start_timestamp": started,
    }))
}

async fn cluster(State(context): State<Context>) -> Response {
    let max_peer_count = context.shell.view(|core, _| core.settings().policy().max_replicas);
    ok(&json!({ "id": context.member.cluster_id, "max_peer_count": max_peer_count }))
}

async fn cluster_status(State(context): State<Context>) -> Response {
    let (started, bootstrapped) =
        context.shell.view(|core, _| (core.started(), core.is_bootstrapped()));
    let mut json = json!({ "is_initialized": bootstrapped, "replication_status": "" });
    if bootstrapped {
        json["raft_bootstrap_time"] = json!(go_text::rfc3339(started));
    }
    ok(&json)
}

async fn min_resolved_ts() -> Response {
    ok(&json!({ "min_resolved_ts": 0, "is_real_time": false, "persist_interval": "1s" }))
}
