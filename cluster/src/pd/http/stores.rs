//! `/pd/api/v1/store…`: the stores, and an administrator's actions on them.

use super::{
    Context,
    answer::{done, number, object, outcome, pretty, refused, text, without_empty},
};
use crate::pd::{
    core::{
        Core, Now, Refusal,
        stores::{Condition, Store},
    },
    go_text,
};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::{delete, get, post},
};
use proto::metapb::{NodeState, StoreState};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, time::Duration};

pub fn routes() -> Router<Context> {
    Router::new()
        .route("/stores", get(stores))
        .route("/stores/remove-tombstone", delete(remove_tombstones))
        .route("/store/{id}", get(store).delete(remove))
        .route("/stores/check", get(check))
        .route("/stores/limit", get(limits))
        .route("/store/{id}/state", post(set_state))
        .route("/store/{id}/weight", post(set_weight))
        .route("/hotspot/stores", get(rates))
}

async fn stores(
    State(context): State<Context>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let states: Vec<i32> = query
        .iter()
        .filter(|(name, _)| name == "state")
        .filter_map(|(_, state)| state.parse().ok())
        .collect();
    let shown = |store: &&Store| {
        if states.is_empty() {
            store.meta.state() != StoreState::Tombstone
        } else {
            states.contains(&store.meta.state)
        }
    };
    let stores = context.shell.view(|core, now| {
        core.expect_bootstrapped()?;
        Ok(core.stores().filter(shown).map(|s| store_json(core, now, s)).collect::<Vec<_>>())
    });
    match stores {
        Ok(stores) => pretty(StatusCode::OK, &json!({ "count": stores.len(), "stores": stores })),
        Err(refusal) => refused(&refusal),
    }
}

/// Lists the stores by registered state, for `?state=Up` and so on.
async fn check(
    State(context): State<Context>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let wanted = query.into_iter().filter(|(name, _)| name == "state").map(|(_, state)| state);
    let wanted: Vec<String> = wanted.collect();
    let mut states = Vec::new();
    for state in &wanted {
        match StoreState::from_str_name(state) {
            Some(known) => states.push(known),
            None => return text(StatusCode::BAD_REQUEST, format!("unknown StoreState: {state}")),
        }
    }
    let stores = context.shell.view(|core, now| {
        core.expect_bootstrapped()?;
        let shown = core.stores().filter(|store| states.contains(&store.meta.state()));
        Ok(shown.map(|store| store_json(core, now, store)).collect::<Vec<_>>())
    });
    match stores {
        Ok(stores) => pretty(StatusCode::OK, &json!({ "count": stores.len(), "stores": stores })),
        Err(refusal) => refused(&refusal),
    }
}

/// The limits on peers that come to a store and leave it per minute. They are shown but not
/// enforced.
async fn limits(State(context): State<Context>) -> Response {
    let limit = json!({ "add-peer": 15, "remove-peer": 15 });
    let limits = context.shell.view(|core, _| {
        core.stores().map(|store| (store.meta.id.to_string(), limit.clone())).collect()
    });
    pretty(StatusCode::OK, &Value::Object(limits))
}

async fn store(State(context): State<Context>, Path(id): Path<String>) -> Response {
    let Some(id) = number_in(&id) else { return bad_id(&id) };
    let store = context.shell.view(|core, now| {
        core.expect_bootstrapped()?;
        core.store(id).map(|store| store_json(core, now, store)).ok_or(Refusal::StoreNotFound(id))
    });
    match store {
        Ok(store) => pretty(StatusCode::OK, &store),
        Err(refusal) => refused(&refusal),
    }
}

async fn remove(State(context): State<Context>, Path(id): Path<String>) -> Response {
    let Some(id) = number_in(&id) else { return bad_id(&id) };
    let result = context.shell.act(|core, _| core.set_store_state(id, StoreState::Offline));
    outcome(result, "The store is set as Offline.")
}

async fn set_state(
    State(context): State<Context>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some(id) = number_in(&id) else { return bad_id(&id) };
    let state = match query.get("state").map(String::as_str) {
        Some("Up") => StoreState::Up,
        Some("Offline") => StoreState::Offline,
        other => {
            let said = format!("invalid state {}", other.unwrap_or_default());
            return text(StatusCode::BAD_REQUEST, said);
        }
    };
    let result = context.shell.act(|core, _| core.set_store_state(id, state));
    outcome(result, "The store's state is updated.")
}

async fn set_weight(
    State(context): State<Context>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let Some(id) = number_in(&id) else { return bad_id(&id) };
    let request = match object(&body) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let weight = |name: &str| request.get(name).and_then(Value::as_f64).filter(|w| *w >= 0.0);
    let (Some(leader), Some(region)) = (weight("leader"), weight("region")) else {
        return text(StatusCode::BAD_REQUEST, "leader and region weight unset");
    };
    let result = context.shell.act(|core, _| core.set_store_weight(id, leader, region));
    outcome(result, "The store's weight is updated.")
}

async fn remove_tombstones(State(context): State<Context>) -> Response {
    match context.shell.act(|core, _| {
        core.remove_tombstones();
        Ok(())
    }) {
        Ok(()) => done("Remove tombstone successfully."),
        Err(refusal) => refused(&refusal),
    }
}

/// Rates per second, by store, over each store's last interval between heartbeats.
async fn rates(State(context): State<Context>) -> Response {
    let kinds =
        ["bytes-write", "bytes-read", "keys-write", "keys-read", "query-write", "query-read"];
    let mut answer: Map<String, Value> =
        kinds.iter().map(|kind| (format!("{kind}-rate"), json!({}))).collect();
    context.shell.view(|core, _| {
        for store in core.stores() {
            let stats = &store.stats;
            let seconds = stats
                .interval
                .map_or(0, |i| i.end_timestamp.saturating_sub(i.start_timestamp))
                .max(1);
            let counts = [
                stats.bytes_written,
                stats.bytes_read,
                stats.keys_written,
                stats.keys_read,
                stats.keys_written,
                stats.keys_read,
            ];
            for (kind, count) in kinds.iter().zip(counts) {
                answer[&format!("{kind}-rate")][store.meta.id.to_string()] =
                    number(count as f64 / seconds as f64);
            }
        }
    });
    pretty(StatusCode::OK, &Value::Object(answer))
}

fn number_in(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn bad_id(text: &str) -> Response {
    let said = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
    super::answer::text(StatusCode::BAD_REQUEST, said)
}

pub fn store_json(core: &Core, now: Now, store: &Store) -> Value {
    let meta = &store.meta;
    let condition = core.condition(now, meta.id).unwrap_or(Condition::Tombstone);
    let labels: Vec<_> =
        meta.labels.iter().map(|l| json!({ "key": l.key, "value": l.value })).collect();
    let about = without_empty(
        json!({
            "id": meta.id,
            "address": meta.address,
            "state": meta.state,
            "labels": labels,
            "version": meta.version,
            "peer_address": meta.peer_address,
            "status_address": meta.status_address,
            "git_hash": meta.git_hash,
            "start_timestamp": meta.start_timestamp,
            "deploy_path": meta.deploy_path,
            "last_heartbeat": meta.last_heartbeat,
            "physically_destroyed": meta.physically_destroyed,
            "node_state": NodeState::try_from(meta.node_state).unwrap_or_default() as i32,
            "state_name": condition.name(),
        }),
        &[
            "state",
            "labels",
            "version",
            "peer_address",
            "status_address",
            "git_hash",
            "start_timestamp",
            "deploy_path",
            "last_heartbeat",
            "physically_destroyed",
            "node_state",
        ],
    );
    json!({ "store": about, "status": status_json(core, store) })
}

fn status_json(core: &Core, store: &Store) -> Value {
    let stats = &store.stats;
    let load = core.regions().load(store.meta.id);
    let weighted = |count: u64, weight: f64| number(count as f64 / weight.max(1e-6));
    let started = Duration::from_secs(store.meta.start_timestamp.max(0) as u64);
    let heard = store.heard.unwrap_or_default();
    let when_heard = |text: String| if store.heard.is_some() { text } else { String::new() };
    without_empty(
        json!({
            "capacity": go_text::size(stats.capacity),
            "available": go_text::size(stats.available),
            "used_size": go_text::size(stats.used_size),
            "leader_count": load.leaders,
            "leader_weight": number(store.leader_weight),
            "leader_score": weighted(load.leaders, store.leader_weight),
            "leader_size": load.leaders_mib,
            "region_count": load.peers,
            "region_weight": number(store.region_weight),
            "region_score": weighted(load.peers_mib, store.region_weight),
            "region_size": load.peers_mib,
            "sending_snap_count": stats.sending_snap_count,
            "receiving_snap_count": stats.receiving_snap_count,
            "applying_snap_count": stats.applying_snap_count,
            "is_busy": stats.is_busy,
            "slow_score": stats.slow_score.max(1),
            "network_slow_score": {},
            "slow_trend": {
                "cause_value": 0, "cause_rate": 0, "result_value": 0, "result_rate": 0
            },
            "start_ts": go_text::rfc3339(started),
            "last_heartbeat_ts": when_heard(go_text::rfc3339(heard)),
            "uptime": when_heard(go_text::duration(heard.saturating_sub(started))),
        }),
        &[
            "sending_snap_count",
            "receiving_snap_count",
            "applying_snap_count",
            "is_busy",
            "last_heartbeat_ts",
            "uptime",
        ],
    )
}
