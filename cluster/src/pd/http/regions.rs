//! `/pd/api/v1/region…`: the region cache.

use super::{
    Context,
    answer::{compact, pretty, refused, text},
};
use crate::pd::core::{
    Core, Refusal,
    regions::Region,
    saved::{hex, unhex},
};
use axum::{
    Router,
    extract::{Path, Query, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use proto::metapb;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The number of regions in a scan without a limit of its own.
const SCAN_LIMIT: usize = 16;
/// The largest number of regions in a scan.
const SCAN_LIMIT_MAX: usize = 10_240;

type Arguments = Query<HashMap<String, String>>;

pub fn routes() -> Router<Context> {
    Router::new()
        .route("/regions", get(all))
        .route("/regions/key", get(scan))
        .route("/regions/count", get(count))
        .route("/regions/range-holes", get(holes))
        .route("/regions/{order}", get(top))
        .route("/hotspot/regions/{kind}", get(hot))
        .route("/regions/store/{id}", get(of_store))
        .route("/regions/sibling/{id}", get(siblings))
        .route("/regions/check/{what}", get(check))
        .route("/region/id/{id}", get(by_id))
        .route("/region/key/{*key}", get(by_key))
        .route("/stats/region", get(statistics))
}

fn view(context: &Context, question: impl FnOnce(&Core) -> Value) -> Response {
    let answer = context.shell.view(|core, _| {
        core.expect_bootstrapped()?;
        Ok::<_, Refusal>(question(core))
    });
    match answer {
        Ok(value) => compact(&value),
        Err(refusal) => refused(&refusal),
    }
}

async fn all(State(context): State<Context>) -> Response {
    view(&context, |core| list(core.regions().iter()))
}

async fn count(State(context): State<Context>) -> Response {
    view(&context, |core| json!({ "count": core.regions().len() }))
}

async fn scan(State(context): State<Context>, Query(query): Arguments) -> Response {
    let is_hex = query.get("format").is_some_and(|format| format == "hex");
    let key = |name: &str| {
        let given = query.get(name).map(String::as_str).unwrap_or_default();
        if is_hex { unhex(given) } else { Some(given.as_bytes().to_vec()) }
    };
    let (Some(start), Some(end)) = (key("key"), key("end_key")) else { return bad_hex() };
    let limit = query.get("limit").and_then(|limit| limit.parse::<i64>().ok());
    let limit = match limit {
        None => SCAN_LIMIT,
        Some(limit) if limit <= 0 => SCAN_LIMIT_MAX,
        Some(limit) => (limit as usize).min(SCAN_LIMIT_MAX),
    };
    view(&context, |core| list(core.regions().scan(&start, &end, limit).into_iter()))
}

async fn of_store(
    State(context): State<Context>,
    Path(id): Path<u64>,
    Query(query): Arguments,
) -> Response {
    let is_shown: fn(&Region, u64) -> bool = match query.get("type").map(String::as_str) {
        None | Some("all") => |region, store| region.peer_on(store).is_some(),
        Some("leader") => |region, store| region.leader_store() == store,
        Some("learner") => |region, store| region.learners().any(|p| p.store_id == store),
        Some("pending") => |region, store| region.pending.iter().any(|p| p.store_id == store),
        Some(other) => {
            return text(StatusCode::BAD_REQUEST, format!("unknown region type {other}"));
        }
    };
    view(&context, |core| list(core.regions().iter().filter(|region| is_shown(region, id))))
}

/// The regions in the order of `pd-ctl region topread` and its like, the largest first.
async fn top(
    State(context): State<Context>,
    Path(order): Path<String>,
    Query(query): Arguments,
) -> Response {
    let measure: fn(&Region) -> u64 = match order.as_str() {
        "readflow" => |region| region.flow.bytes_read,
        "writeflow" => |region| region.flow.bytes_written,
        "readquery" => |region| region.flow.keys_read,
        "writequery" => |region| region.flow.keys_written,
        "confver" => |region| region.epoch().conf_ver,
        "version" => |region| region.epoch().version,
        "size" => Region::size_mib,
        "keys" => |region| region.flow.approximate_keys,
        "cpu" => |region| region.flow.cpu_usage,
        _ => return (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    };
    let limit = query.get("limit").map_or(Ok(SCAN_LIMIT), |limit| limit.parse::<usize>());
    let Ok(limit) = limit else { return text(StatusCode::BAD_REQUEST, "invalid limit") };
    view(&context, |core| {
        let mut regions: Vec<&Region> = core.regions().iter().collect();
        regions.sort_by_key(|region| (std::cmp::Reverse(measure(region)), region.meta.id));
        list(regions.into_iter().take(limit.min(SCAN_LIMIT_MAX)))
    })
}

/// Ranges of keys that no region covers, as pairs of hexadecimal bounds.
async fn holes(State(context): State<Context>) -> Response {
    view(&context, |core| {
        let mut holes = Vec::new();
        let mut end = Some(Vec::new());
        for region in core.regions().scan(b"", b"", 0) {
            if end.as_ref().is_some_and(|end| *end != region.meta.start_key) {
                let from = end.unwrap_or_default();
                holes.push(json!([hex(&from), hex(&region.meta.start_key)]));
            }
            end = Some(region.meta.end_key.clone()).filter(|end| !end.is_empty());
        }
        if let Some(end) = end {
            holes.push(json!([hex(&end), ""]));
        }
        Value::Array(holes)
    })
}

/// Hot regions: none is measured here.
async fn hot(State(context): State<Context>) -> Response {
    let none = context.shell.view(|core, _| {
        let of = |store: &crate::pd::core::stores::Store| {
            let none = json!({ "total_flow_bytes": 0, "regions_count": 0, "statistics": [] });
            (store.meta.id.to_string(), none)
        };
        core.stores().map(of).collect::<serde_json::Map<_, _>>()
    });
    pretty(StatusCode::OK, &json!({ "as_peer": none, "as_leader": none }))
}

async fn siblings(State(context): State<Context>, Path(id): Path<u64>) -> Response {
    view(&context, |core| {
        let Some(region) = core.regions().get(id) else { return list(std::iter::empty()) };
        let before = core.regions().before_key(&region.meta.start_key);
        let end = &region.meta.end_key;
        let after = if end.is_empty() { None } else { core.regions().by_key(end) };
        list(before.into_iter().chain(after))
    })
}

async fn check(State(context): State<Context>, Path(what): Path<String>) -> Response {
    let is_shown: fn(&Region, usize) -> bool = match what.as_str() {
        "miss-peer" => |region, wanted| region.voters().count() < wanted,
        "extra-peer" => |region, wanted| region.voters().count() > wanted,
        "down-peer" => |region, _| !region.down.is_empty(),
        "pending-peer" => |region, _| !region.pending.is_empty(),
        "learner-peer" => |region, _| region.learners().count() > 0,
        "empty-region" => |region, _| region.flow.approximate_keys == 0,
        _ => return text(StatusCode::BAD_REQUEST, "unknown region check type"),
    };
    view(&context, |core| {
        let wanted = core.settings().policy().max_replicas;
        list(core.regions().iter().filter(|region| is_shown(region, wanted)))
    })
}

async fn by_id(State(context): State<Context>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else {
        let said = format!("strconv.ParseUint: parsing {id:?}: invalid syntax");
        return text(StatusCode::BAD_REQUEST, said);
    };
    view(&context, |core| region_json(core.regions().get(id)))
}

async fn by_key(State(context): State<Context>, Query(query): Arguments, uri: Uri) -> Response {
    // Taken from the path itself: a key is any bytes, a path parameter would have to be text.
    let encoded = uri.path().split_once("/region/key/").map_or("", |(_, key)| key);
    let mut key = percent_decoded(encoded);
    if query.get("format").is_some_and(|format| format == "hex") {
        match std::str::from_utf8(&key).ok().and_then(unhex) {
            Some(bytes) => key = bytes,
            None => return bad_hex(),
        }
    }
    view(&context, |core| region_json(core.regions().by_key(&key)))
}

/// The sums that `pd-ctl region --jq` and the dashboard ask for.
async fn statistics(State(context): State<Context>) -> Response {
    let answer = context.shell.view(|core, _| {
        let regions = || core.regions().iter();
        let per_store = |value: fn(crate::pd::core::regions::Load) -> u64| -> Value {
            core.stores()
                .map(|store| {
                    let load = core.regions().load(store.meta.id);
                    (store.meta.id.to_string(), json!(value(load)))
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        json!({
            "count": core.regions().len(),
            "empty_count": regions().filter(|region| region.flow.approximate_keys == 0).count(),
            "storage_size": regions().map(Region::size_mib).sum::<u64>(),
            "storage_keys": regions().map(|region| region.flow.approximate_keys).sum::<u64>(),
            "store_leader_count": per_store(|load| load.leaders),
            "store_peer_count": per_store(|load| load.peers),
            "store_leader_size": per_store(|load| load.leaders_mib),
            "store_peer_size": per_store(|load| load.peers_mib),
        })
    });
    pretty(StatusCode::OK, &answer)
}

fn bad_hex() -> Response {
    text(StatusCode::BAD_REQUEST, "encoding/hex: invalid byte or odd length hex string")
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped =
            (bytes[at] == b'%').then(|| text.get(at + 1..at + 3).and_then(unhex)).flatten();
        if let Some(byte) = escaped {
            decoded.extend(byte);
            at += 3;
        } else {
            // Decoded like Go's `url.QueryUnescape`, which PD applies to the path.
            decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    decoded
}

fn list<'a>(regions: impl Iterator<Item = &'a Region>) -> Value {
    let regions: Vec<_> = regions.map(|region| region_json(Some(region))).collect();
    json!({ "count": regions.len(), "regions": regions })
}

fn peer_json(peer: &metapb::Peer) -> Value {
    let mut json = json!({ "role_name": peer.role().as_str_name() });
    if peer.role() == metapb::PeerRole::Learner {
        json["is_learner"] = json!(true);
    }
    json["id"] = json!(peer.id);
    json["store_id"] = json!(peer.store_id);
    if peer.role != 0 {
        json["role"] = json!(peer.role);
    }
    json
}

fn region_json(region: Option<&Region>) -> Value {
    let mut json = json!({ "id": 0, "start_key": "", "end_key": "" });
    let nobody = json!({ "role_name": "" });
    if let Some(region) = region {
        json["id"] = json!(region.meta.id);
        json["start_key"] = json!(hex(&region.meta.start_key));
        json["end_key"] = json!(hex(&region.meta.end_key));
        let epoch = region.epoch();
        json["epoch"] = json!({ "conf_ver": epoch.conf_ver, "version": epoch.version });
        json["peers"] = region.meta.peers.iter().map(peer_json).collect();
        // The leader as the peers list has it: a heartbeat need not repeat its role.
        let leader = region.leader.as_ref().map(|leader| {
            let peer = region.meta.peers.iter().find(|peer| peer.id == leader.id);
            peer_json(peer.unwrap_or(leader))
        });
        json["leader"] = leader.unwrap_or(nobody);
        if !region.down.is_empty() {
            let down = |stats: &proto::pdpb::PeerStats| {
                let peer = stats.peer.unwrap_or_default();
                json!({ "peer": peer_json(&peer), "down_seconds": stats.down_seconds })
            };
            json["down_peers"] = region.down.iter().map(down).collect();
        }
        if !region.pending.is_empty() {
            json["pending_peers"] = region.pending.iter().map(peer_json).collect();
        }
    } else {
        json["leader"] = nobody;
    }
    let flow = region.map(|region| region.flow).unwrap_or_default();
    json["cpu_usage"] = json!(flow.cpu_usage);
    json["written_bytes"] = json!(flow.bytes_written);
    json["read_bytes"] = json!(flow.bytes_read);
    json["written_keys"] = json!(flow.keys_written);
    json["read_keys"] = json!(flow.keys_read);
    json["approximate_size"] = json!(region.map_or(0, Region::size_mib));
    json["approximate_keys"] = json!(flow.approximate_keys);
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_paths_are_any_bytes() {
        assert_eq!(percent_decoded("a%2Fb%00%fF%"), b"a/b\0\xFF%");
        assert_eq!(percent_decoded("a+b%2B"), b"a b+");
        assert_eq!(percent_decoded("%zz%é"), "%zz%é".as_bytes());
    }
}
