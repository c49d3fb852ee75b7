//! `/pd/api/v1/config/rule…`, `…/placement-rule…` and `/labels…`: the placement data that tools
//! read. There is one rule, the number of replicas, and it is changed by `max-replicas`; labels are
//! kept and shown but place nothing.

use super::{
    Context,
    answer::{done, object, pretty, refused, text},
};
use crate::pd::core::Refusal;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use proto::metapb::StoreLabel;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// The group of PD's own rule.
const GROUP: &str = "pd";

pub fn routes() -> Router<Context> {
    Router::new()
        .route("/config/rules", get(rules))
        .route("/config/rules/group/{group}", get(rules_of_group))
        .route("/config/rules/region/{region}", get(rules_of_region))
        .route("/config/rule/{group}/{id}", get(rule))
        .route("/config/rule_group/{group}", get(group))
        .route("/config/rule_groups", get(groups))
        .route("/config/placement-rule", get(bundles))
        .route("/config/placement-rule/{group}", get(bundle))
        .route("/labels", get(labels))
        .route("/labels/stores", get(labelled_stores))
        .route("/store/{id}/label", post(set_labels))
}

fn default_rule(context: &Context) -> Value {
    let count = context.shell.view(|core, _| core.settings().policy().max_replicas);
    json!({
        "group_id": GROUP,
        "id": "default",
        "start_key": "",
        "end_key": "",
        "role": "voter",
        "is_witness": false,
        "count": count,
        "version": 1,
    })
}

async fn rules(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &json!([default_rule(&context)]))
}

async fn rules_of_group(State(context): State<Context>, Path(group): Path<String>) -> Response {
    let rules = if group == GROUP { vec![default_rule(&context)] } else { Vec::new() };
    pretty(StatusCode::OK, &Value::Array(rules))
}

async fn rules_of_region(State(context): State<Context>, Path(region): Path<String>) -> Response {
    let Ok(id) = region.parse() else {
        return text(StatusCode::BAD_REQUEST, "invalid region id");
    };
    if context.shell.view(|core, _| core.regions().get(id).is_none()) {
        let said = format!("[PD:core:ErrRegionNotFound]region {id} not found");
        return text(StatusCode::NOT_FOUND, said);
    }
    pretty(StatusCode::OK, &json!([default_rule(&context)]))
}

async fn rule(
    State(context): State<Context>,
    Path((group, id)): Path<(String, String)>,
) -> Response {
    if (group.as_str(), id.as_str()) == (GROUP, "default") {
        return pretty(StatusCode::OK, &default_rule(&context));
    }
    text(StatusCode::NOT_FOUND, format!("rule {group}/{id} not found"))
}

fn default_group() -> Value {
    json!({ "id": GROUP })
}

async fn groups() -> Response {
    pretty(StatusCode::OK, &json!([default_group()]))
}

async fn group(Path(group): Path<String>) -> Response {
    if group == GROUP {
        return pretty(StatusCode::OK, &default_group());
    }
    text(StatusCode::NOT_FOUND, format!("group {group} not found"))
}

fn default_bundle(context: &Context) -> Value {
    json!({
        "group_id": GROUP,
        "group_index": 0,
        "group_override": false,
        "rules": [default_rule(context)],
    })
}

async fn bundles(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &json!([default_bundle(&context)]))
}

async fn bundle(State(context): State<Context>, Path(group): Path<String>) -> Response {
    if group == GROUP {
        return pretty(StatusCode::OK, &default_bundle(&context));
    }
    let empty =
        json!({ "group_id": group, "group_index": 0, "group_override": false, "rules": null });
    pretty(StatusCode::OK, &empty)
}

async fn labels(State(context): State<Context>) -> Response {
    let labels: BTreeSet<(String, String)> = context.shell.view(|core, _| {
        let of_stores = core.stores().flat_map(|store| &store.meta.labels);
        of_stores.map(|label| (label.key.clone(), label.value.clone())).collect()
    });
    let labels = labels.into_iter().map(|(key, value)| json!({ "key": key, "value": value }));
    pretty(StatusCode::OK, &labels.collect())
}

async fn labelled_stores(
    State(context): State<Context>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let matches = |field: &str, value: &str| query.get(field).is_none_or(|want| want == value);
    let stores = context.shell.view(|core, now| {
        core.expect_bootstrapped()?;
        let has = |store: &&crate::pd::core::stores::Store| {
            let labels = &store.meta.labels;
            labels.iter().any(|label| matches("name", &label.key) && matches("value", &label.value))
        };
        let shown = core.stores().filter(has);
        Ok::<_, Refusal>(
            shown.map(|store| super::stores::store_json(core, now, store)).collect::<Vec<_>>(),
        )
    });
    match stores {
        Ok(stores) => pretty(StatusCode::OK, &json!({ "count": stores.len(), "stores": stores })),
        Err(refusal) => refused(&refusal),
    }
}

async fn set_labels(State(context): State<Context>, Path(id): Path<u64>, body: Bytes) -> Response {
    let request = match object(&body) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let mut labels = Vec::new();
    for (key, value) in request {
        let Value::String(value) = value else {
            return text(StatusCode::BAD_REQUEST, "the value of a label is a text");
        };
        labels.push(StoreLabel { key, value });
    }
    match context.shell.act(|core, _| core.set_store_labels(id, labels)) {
        Ok(()) => done("The store's label is updated."),
        Err(refusal) => refused(&refusal),
    }
}
