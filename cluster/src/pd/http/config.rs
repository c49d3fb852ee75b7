//! `/pd/api/v1/config…`: the settings.

use super::{
    Context,
    answer::{object, outcome, pretty, text},
};
use crate::pd::{core::settings::Identity, member::CLUSTER_VERSION};
use axum::{
    Router, body::Bytes, extract::State, http::StatusCode, response::Response, routing::get,
};
use serde_json::{Map, Value, json};

pub fn routes() -> Router<Context> {
    Router::new()
        .route("/config", get(all).post(change))
        .route("/config/replicate", get(replication).post(change_replication))
        .route("/config/schedule", get(schedule).post(change_schedule))
        .route("/config/cluster-version", get(cluster_version).post(change_cluster_version))
        .route("/config/pd-server", get(server))
        .route("/config/replication-mode", get(replication_mode))
        .route("/config/label-property", get(label_property))
}

fn filled(context: &Context) -> Value {
    let identity = Identity {
        name: context.member.name.clone(),
        client_url: context.member.client_url.clone(),
        data_dir: context.member.data_dir.clone(),
    };
    context.shell.view(|core, _| {
        let mut document = core.settings().document(&identity);
        let limit = json!({ "add-peer": 15, "remove-peer": 15 });
        let limits: Map<_, _> =
            core.stores().map(|store| (store.meta.id.to_string(), limit.clone())).collect();
        document["schedule"]["store-limit"] = Value::Object(limits);
        let scheduler = |name: &str| {
            // `balance-hot-region-scheduler` is `hot-region` here, as in PD.
            let kind = name.trim_end_matches("-scheduler").replace("balance-hot", "hot");
            json!({ "type": kind, "args": null, "disable": false, "args-payload": "" })
        };
        document["schedule"]["schedulers-v2"] =
            core.schedulers().iter().map(|running| scheduler(&running.name)).collect();
        let version = &mut document["cluster-version"];
        if version.as_str().is_none_or(str::is_empty) {
            *version = json!(CLUSTER_VERSION);
        }
        document
    })
}

async fn all(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &filled(&context))
}

async fn schedule(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &filled(&context)["schedule"])
}

async fn cluster_version(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &filled(&context)["cluster-version"])
}

async fn server(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &filled(&context)["pd-server"])
}

async fn replication_mode(State(context): State<Context>) -> Response {
    pretty(StatusCode::OK, &filled(&context)["replication-mode"])
}

async fn label_property() -> Response {
    pretty(StatusCode::OK, &json!({}))
}

async fn change_cluster_version(State(context): State<Context>, body: Bytes) -> Response {
    let request = match object(&body) {
        Ok(request) => request,
        Err(answer) => return *answer,
    };
    let Some(version) = request.get("cluster-version").filter(|version| version.is_string()) else {
        return text(StatusCode::BAD_REQUEST, "not set cluster-version");
    };
    let change = [("cluster-version".to_owned(), version.clone())].into_iter().collect();
    let result = context.shell.act(|core, _| core.change_settings(&change));
    outcome(result, "The cluster version is updated.")
}

async fn replication(State(context): State<Context>) -> Response {
    let section = context.shell.view(|core, _| core.settings().section("replication").clone());
    pretty(StatusCode::OK, &section)
}

async fn change(State(context): State<Context>, body: Bytes) -> Response {
    let changes = match object(&body) {
        Ok(changes) => changes,
        Err(answer) => return *answer,
    };
    if changes.is_empty() {
        return text(StatusCode::OK, "The input is empty.");
    }
    let result = context.shell.act(|core, _| core.change_settings(&changes));
    outcome(result, "The config is updated.")
}

async fn change_replication(State(context): State<Context>, body: Bytes) -> Response {
    change_section(&context, &body, "replication", "The replication config is updated.")
}

async fn change_schedule(State(context): State<Context>, body: Bytes) -> Response {
    change_section(&context, &body, "schedule", "The scheduling config is updated.")
}

fn change_section(context: &Context, body: &[u8], section: &str, said: &str) -> Response {
    let changes = match object(body) {
        Ok(changes) => changes,
        Err(answer) => return *answer,
    };
    let changes = [(section.to_owned(), Value::Object(changes))].into_iter().collect();
    outcome(context.shell.act(|core, _| core.change_settings(&changes)), said)
}
