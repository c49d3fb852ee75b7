//! `/metrics` in Prometheus text, with PD's names where they mean the same.

use super::Context;
use crate::pd::core::{Core, Now, stores::Condition};
use axum::{extract::State, http::header, response::IntoResponse};
use std::fmt::Write;

pub async fn metrics(State(context): State<Context>) -> impl IntoResponse {
    let body = context.shell.view(exposition);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body)
}

fn exposition(core: &Core, now: Now) -> String {
    let mut text = String::new();
    let conditions: Vec<_> =
        core.stores().filter_map(|store| core.condition(now, store.meta.id)).collect();
    let count = |wanted: Condition| conditions.iter().filter(|c| **c == wanted).count() as u64;
    let regions = core.regions();
    let sum = |value: fn(&proto::pdpb::StoreStats) -> u64| -> u64 {
        core.stores().map(|store| value(&store.stats)).sum()
    };
    let _ = writeln!(text, "# HELP pd_cluster_status Status of the cluster.");
    let _ = writeln!(text, "# TYPE pd_cluster_status gauge");
    for (kind, value) in [
        ("store_up_count", count(Condition::Up)),
        ("store_disconnected_count", count(Condition::Disconnected)),
        ("store_down_count", count(Condition::Down)),
        ("store_offline_count", count(Condition::Offline)),
        ("store_tombstone_count", count(Condition::Tombstone)),
        ("region_count", regions.len() as u64),
        ("leader_count", regions.iter().filter(|region| region.leader.is_some()).count() as u64),
        ("storage_capacity", sum(|stats| stats.capacity)),
        ("storage_size", sum(|stats| stats.used_size)),
    ] {
        let _ = writeln!(text, "pd_cluster_status{{type=\"{kind}\"}} {value}");
    }
    let _ = writeln!(text, "# HELP pd_scheduler_store_status Store status for schedule");
    let _ = writeln!(text, "# TYPE pd_scheduler_store_status gauge");
    for store in core.stores() {
        let load = regions.load(store.meta.id);
        for (kind, value) in [
            ("leader_count", load.leaders),
            ("leader_size", load.leaders_mib),
            ("region_count", load.peers),
            ("region_size", load.peers_mib),
            ("store_capacity", store.stats.capacity),
            ("store_available", store.stats.available),
            ("store_used", store.stats.used_size),
        ] {
            let _ = writeln!(
                text,
                "pd_scheduler_store_status{{address=\"{}\",store=\"{}\",type=\"{kind}\"}} {value}",
                store.meta.address, store.meta.id
            );
        }
    }
    let wanted = core.settings().policy().max_replicas;
    let _ = writeln!(text, "# HELP pd_regions_status Status of the regions.");
    let _ = writeln!(text, "# TYPE pd_regions_status gauge");
    for (kind, value) in [
        ("miss-peer-region-count", regions.iter().filter(|r| r.voters().count() < wanted).count()),
        ("extra-peer-region-count", regions.iter().filter(|r| r.voters().count() > wanted).count()),
        ("down-peer-region-count", regions.iter().filter(|r| !r.down.is_empty()).count()),
        ("pending-peer-region-count", regions.iter().filter(|r| !r.pending.is_empty()).count()),
    ] {
        let _ = writeln!(text, "pd_regions_status{{type=\"{kind}\"}} {value}");
    }
    text
}
