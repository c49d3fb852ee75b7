//! `/pd/api/v1/operators` and `/schedulers`: an administrator's orders, and the running operators.

use super::{
    Context,
    answer::{compact, object, outcome, pretty, refused, text},
};
use crate::pd::core::{Refusal, admin::Order, saved::unhex};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use proto::pdpb::CheckPolicy;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The operators that can be ordered.
const KNOWN: [&str; 6] =
    ["transfer-leader", "add-peer", "add-learner", "remove-peer", "transfer-peer", "split-region"];

pub fn routes() -> Router<Context> {
    Router::new()
        .route("/operators", get(operators).post(order))
        .route("/operators/records", get(records))
        .route("/operators/{region}", get(operator).delete(cancel))
        .route("/schedulers", get(schedulers).post(add_scheduler))
        .route("/schedulers/{name}", axum::routing::delete(remove_scheduler))
        .route("/scheduler-config/{name}/list", get(scheduler_config))
}

async fn operators(
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let kind = query.get("kind").map(String::as_str);
    let texts = context.shell.view(|core, _| {
        core.operators()
            .filter(|op| kind.is_none_or(|kind| op.kind().split(',').any(|part| part == kind)))
            .map(|op| Value::String(core.operator_text(op)))
            .collect::<Vec<_>>()
    });
    pretty(StatusCode::OK, &Value::Array(texts))
}

/// Operators that have ended, the newest first.
async fn records(State(context): State<Context>) -> Response {
    let texts = context.shell.view(|core, _| {
        let ended = core.ended_operators().map(|(op, progress)| {
            let text = core.operator_text(op);
            Value::String(format!("status: {}, operator: {text}", progress.name()))
        });
        ended.collect::<Vec<_>>()
    });
    if texts.is_empty() {
        return not_found();
    }
    pretty(StatusCode::OK, &Value::Array(texts))
}

async fn operator(State(context): State<Context>, Path(region): Path<u64>) -> Response {
    let said = context.shell.view(|core, _| {
        let (operator, progress) = core.last_operator(region)?;
        Some(format!("status: {}, operator: {}", progress.name(), core.operator_text(operator)))
    });
    match said {
        Some(said) => text(StatusCode::OK, said),
        None => not_found(),
    }
}

async fn cancel(State(context): State<Context>, Path(region): Path<u64>) -> Response {
    match context.shell.act(|core, _| Ok(core.cancel_operator(region))) {
        Ok(true) => super::answer::done("The pending operator is canceled."),
        Ok(false) => not_found(),
        Err(refusal) => refused(&refusal),
    }
}

async fn order(State(context): State<Context>, body: Bytes) -> Response {
    let request = match object(&body) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let bad = |said: &str| text(StatusCode::BAD_REQUEST, said);
    let Some(name) = request.get("name").and_then(Value::as_str) else {
        return bad("missing operator name");
    };
    let region = request.get("region_id").and_then(whole);
    if region.is_none() && KNOWN.contains(&name) {
        return bad("missing region id");
    }
    let order = match order_of(name, &request) {
        Ok(order) => order,
        Err((status, said)) => return text(status, said),
    };
    let region = region.unwrap_or_default();
    let result = context.shell.act(|core, now| {
        core.expect_bootstrapped()?;
        core.order(now, region, &order)
    });
    outcome(result, "The operator is created.")
}

/// A whole number; tools write them as floating-point numbers too.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_f64()?;
    value.as_u64().or_else(|| (number >= 0.0 && number.fract() == 0.0).then_some(number as u64))
}

/// A refusal's code and text.
type Said = (StatusCode, String);

fn order_of(name: &str, request: &Map<String, Value>) -> Result<Order, Said> {
    let id = |field: &str, missing: &'static str| {
        let number = request.get(field).and_then(whole);
        number.ok_or_else(|| (StatusCode::BAD_REQUEST, missing.to_owned()))
    };
    let store = |missing| id("store_id", missing);
    Ok(match name {
        "transfer-leader" => Order::TransferLeader {
            to: id("to_store_id", "missing store id to transfer leader to")?,
        },
        "add-peer" => Order::AddPeer { store: store("invalid store id to transfer peer to")? },
        "add-learner" => {
            Order::AddLearner { store: store("invalid store id to transfer peer to")? }
        }
        "remove-peer" => {
            Order::RemovePeer { store: store("invalid store id to transfer peer to")? }
        }
        "transfer-peer" => Order::TransferPeer {
            from: id("from_store_id", "invalid store id to transfer peer from")?,
            to: id("to_store_id", "invalid store id to transfer peer to")?,
        },
        "split-region" => return split_of(request),
        _ => return Err((StatusCode::BAD_REQUEST, "unknown operator".into())),
    })
}

fn split_of(request: &Map<String, Value>) -> Result<Order, Said> {
    let Some(policy) = request.get("policy").and_then(Value::as_str) else {
        return Err((StatusCode::BAD_REQUEST, "missing split policy".into()));
    };
    let Some(policy_named) = CheckPolicy::from_str_name(&policy.to_uppercase()) else {
        let said = format!("check policy {policy} is not supported");
        return Err((StatusCode::INTERNAL_SERVER_ERROR, said));
    };
    let mut keys = Vec::new();
    for key in request.get("keys").and_then(Value::as_array).into_iter().flatten() {
        let key =
            key.as_str().ok_or_else(|| (StatusCode::BAD_REQUEST, "bad format keys".to_owned()))?;
        let bytes = unhex(key).ok_or_else(|| {
            let said = format!("split key {key} is not in hex format");
            (StatusCode::INTERNAL_SERVER_ERROR, said)
        })?;
        keys.push(bytes);
    }
    Ok(Order::SplitRegion { policy: policy_named, keys })
}

fn not_found() -> Response {
    let said = "[PD:schedule:ErrOperatorNotFound]operator not found";
    text(StatusCode::INTERNAL_SERVER_ERROR, said)
}

async fn schedulers(State(context): State<Context>) -> Response {
    let names: Vec<_> = context
        .shell
        .view(|core, _| core.schedulers())
        .into_iter()
        .map(|scheduler| Value::String(scheduler.name))
        .collect();
    pretty(StatusCode::OK, &Value::Array(names))
}

async fn add_scheduler(State(context): State<Context>, body: Bytes) -> Response {
    let request = match object(&body) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let Some(name) = request.get("name").and_then(Value::as_str) else {
        return text(StatusCode::BAD_REQUEST, "missing scheduler name");
    };
    let store = request.get("store_id").and_then(whole);
    if name == "evict-leader-scheduler" && store.is_none() {
        return text(StatusCode::BAD_REQUEST, "missing store id");
    }
    let result = context.shell.act(|core, _| core.add_scheduler(name, store));
    outcome(result, "The scheduler is created.")
}

async fn remove_scheduler(State(context): State<Context>, Path(name): Path<String>) -> Response {
    match context.shell.act(|core, _| core.remove_scheduler(&name)) {
        Ok(()) => super::answer::done("The scheduler is removed."),
        Err(Refusal::Operator(said)) => text(StatusCode::NOT_FOUND, said),
        Err(refusal) => refused(&refusal),
    }
}

/// One scheduler's settings; those of the evicting scheduler are the stores that shall not lead.
async fn scheduler_config(State(context): State<Context>, Path(name): Path<String>) -> Response {
    let schedulers = context.shell.view(|core, _| core.schedulers());
    let Some(scheduler) = schedulers.into_iter().find(|scheduler| scheduler.name == name) else {
        return text(StatusCode::NOT_FOUND, "404 page not found");
    };
    let all = json!([{ "start-key": "", "end-key": "" }]);
    let ranges: Map<String, Value> =
        scheduler.stores.iter().map(|store| (store.to_string(), all.clone())).collect();
    let config = match name.as_str() {
        "evict-leader-scheduler" => json!({ "store-id-ranges": ranges, "batch": 3 }),
        "balance-leader-scheduler" => json!({ "ranges": all, "batch": 4 }),
        "balance-region-scheduler" => json!({ "ranges": all, "name": name }),
        _ => json!({}),
    };
    pretty(StatusCode::OK, &config)
}

/// The answer to `/scheduler-config`, which `pd-ctl` reads.
pub async fn scheduler_configs(State(context): State<Context>) -> Response {
    let schedulers = context.shell.view(|core, _| core.schedulers());
    let configs: Map<String, Value> = schedulers
        .into_iter()
        .map(|scheduler| (scheduler.name, json!({ "stores": scheduler.stores })))
        .collect();
    compact(&Value::Object(configs))
}
