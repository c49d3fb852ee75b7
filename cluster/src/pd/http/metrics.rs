//! `/metrics` in Prometheus text, with PD's names where they mean the same.
//!
//! Nothing is counted between two requests: every page is made anew from the core's state.

use super::{Context, answer};
use crate::pd::core::{Core, Now, regions::Region, stores::Condition};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder, process_collector::ProcessCollector};
use proto::metapb::NodeState;

pub async fn metrics(State(context): State<Context>) -> Response {
    match context.shell.view(exposition) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn exposition(core: &Core, now: Now) -> prometheus::Result<String> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let gauges = |name: &str, help: &str, labels: &[&str]| {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        registry.register(Box::new(gauges.clone()))?;
        Ok::<_, prometheus::Error>(gauges)
    };
    let cluster = gauges("pd_cluster_status", "Status of the cluster.", &["type"])?;
    for (kind, value) in of_cluster(core, now) {
        cluster.with_label_values(&[kind]).set(value as f64);
    }
    let stores = gauges(
        "pd_scheduler_store_status",
        "Store status for schedule",
        &["address", "store", "type"],
    )?;
    for store in core.stores() {
        let load = core.regions().load(store.meta.id);
        let id = store.meta.id.to_string();
        let score = |count: u64, weight: f64| count as f64 / weight.max(1e-6);
        for (kind, value) in [
            ("leader_count", load.leaders as f64),
            ("leader_size", load.leaders_mib as f64),
            ("leader_score", score(load.leaders, store.leader_weight)),
            ("region_count", load.peers as f64),
            ("region_size", load.peers_mib as f64),
            ("region_score", score(load.peers_mib, store.region_weight)),
            ("store_capacity", store.stats.capacity as f64),
            ("store_available", store.stats.available as f64),
            ("store_used", store.stats.used_size as f64),
        ] {
            stores.with_label_values(&[&store.meta.address, &id, kind]).set(value);
        }
    }
    let regions = gauges("pd_regions_status", "Status of the regions.", &["type"])?;
    for (kind, value) in of_regions(core) {
        regions.with_label_values(&[kind]).set(value as f64);
    }
    let info = gauges(
        "pd_server_info",
        "Indicate the pd server info, and the value is the start timestamp (s).",
        &["version", "hash"],
    )?;
    info.with_label_values(&[crate::pd::member::VERSION, "None"]).set(core.started().as_secs_f64());
    TextEncoder::new().encode_to_string(&registry.gather())
}

fn of_cluster(core: &Core, now: Now) -> Vec<(&'static str, u64)> {
    let condition = |wanted: Condition| {
        let is = |id: u64| core.condition(now, id) == Some(wanted);
        core.stores().filter(|store| is(store.meta.id)).count() as u64
    };
    let node = |wanted: NodeState| {
        core.stores().filter(|store| store.meta.node_state() == wanted).count() as u64
    };
    let sum = |value: fn(&proto::pdpb::StoreStats) -> u64| -> u64 {
        core.stores().map(|store| value(&store.stats)).sum()
    };
    let led = core.regions().iter().filter(|region| region.leader.is_some()).count();
    vec![
        ("store_up_count", condition(Condition::Up)),
        ("store_disconnected_count", condition(Condition::Disconnected)),
        ("store_down_count", condition(Condition::Down)),
        ("store_offline_count", condition(Condition::Offline)),
        ("store_tombstone_count", condition(Condition::Tombstone)),
        ("store_preparing_count", node(NodeState::Preparing)),
        ("store_serving_count", node(NodeState::Serving)),
        ("store_removing_count", node(NodeState::Removing)),
        ("store_removed_count", node(NodeState::Removed)),
        ("region_count", core.regions().len() as u64),
        ("leader_count", led as u64),
        ("storage_capacity", sum(|stats| stats.capacity)),
        ("storage_size", sum(|stats| stats.used_size)),
    ]
}

fn of_regions(core: &Core) -> Vec<(&'static str, u64)> {
    let wanted = core.settings().policy().max_replicas;
    let count = |is_counted: &dyn Fn(&Region) -> bool| {
        core.regions().iter().filter(|region| is_counted(region)).count() as u64
    };
    vec![
        ("miss-peer-region-count", count(&|region| region.voters().count() < wanted)),
        ("extra-peer-region-count", count(&|region| region.voters().count() > wanted)),
        ("down-peer-region-count", count(&|region| !region.down.is_empty())),
        ("pending-peer-region-count", count(&|region| !region.pending.is_empty())),
        ("learner-peer-region-count", count(&|region| region.learners().next().is_some())),
        ("empty-region-count", count(&|region| region.flow.approximate_keys == 0)),
    ]
}
