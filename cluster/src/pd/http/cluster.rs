//! `/pd/api/v1/` members, health, versions: this PD and its cluster as a whole.

use super::{
    Context,
    answer::{compact_with, pretty, text, without_empty},
};
use crate::pd::{go_text, member::VERSION};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
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
        .route("/min-resolved-ts/{store}", get(min_resolved_ts))
        .route("/gc/safepoint", get(gc_safepoint))
        .route("/replication_mode/status", get(replication_status))
        .route("/leader/resign", post(only_member))
        .route("/leader/transfer/{name}", post(only_member))
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

pub async fn members(State(context): State<Context>) -> Response {
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

/// Answers 200 once the regions are known, for load balancers.
pub async fn ready(State(context): State<Context>) -> Response {
    let known = context.shell.view(|core, _| {
        core.is_bootstrapped() && core.regions().iter().all(|region| region.leader.is_some())
    });
    let status = if known { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    compact_with(status, &json!({ "region_loaded": known }))
}

async fn gc_safepoint(State(context): State<Context>) -> Response {
    let safe_point = context.shell.view(|core, _| core.gc_safe_point());
    ok(&json!({
        "service_gc_safe_points": [],
        "min_service_gc_safe_point": 0,
        "gc_safe_point": safe_point,
    }))
}

async fn replication_status() -> Response {
    ok(&json!({ "mode": "majority", "dr-auto-sync": { "label_key": "", "state": "" } }))
}

async fn only_member() -> Response {
    let said = "no other member of this PD can lead: there is only this one";
    text(StatusCode::INTERNAL_SERVER_ERROR, said)
}

async fn min_resolved_ts() -> Response {
    ok(&json!({ "min_resolved_ts": 0, "is_real_time": false, "persist_interval": "1s" }))
}
