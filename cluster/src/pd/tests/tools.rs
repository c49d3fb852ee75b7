//! The requests of `pd-ctl` v8, which cannot be run here: path, body, code, and the members that it
//! reads. They follow the tool's commands, one a line.

use super::{any_port, get, http, start};
use serde_json::Value;
use tempfile::TempDir;

/// `METHOD path [body]`, the code, and a member of the answer that must be there (or a word of its
/// text).
const REQUESTS: &[(&str, u16, &str)] = &[
    // cluster, health, member, version
    ("GET cluster", 200, "max_peer_count"),
    ("GET cluster/status", 200, "is_initialized"),
    ("GET health", 200, "[0]"),
    ("GET members", 200, "etcd_leader"),
    ("GET leader", 200, "client_urls"),
    ("POST leader/resign", 500, "only this one"),
    ("GET version", 200, "version"),
    ("GET status", 200, "start_timestamp"),
    ("GET ping", 200, ""),
    // store, stores
    ("GET stores", 200, "stores"),
    ("GET stores?state=0", 200, "stores"),
    ("GET stores/check?state=Up", 200, "stores"),
    ("GET stores/check?state=Sideways", 400, "unknown StoreState"),
    ("GET stores/limit", 200, "1"),
    ("GET store/1", 200, "store"),
    ("GET store/99", 404, "ErrStoreNotFound"),
    ("GET store/x", 400, "strconv.ParseUint"),
    ("POST store/1/label {\"zone\":\"a\"}", 200, "label is updated"),
    ("GET labels", 200, "[0]"),
    ("GET labels/stores?name=zone&value=a", 200, "stores"),
    ("POST store/1/weight {\"leader\":1,\"region\":2}", 200, "weight is updated"),
    // region
    ("GET regions", 200, "regions"),
    ("GET region/id/2", 200, "peers"),
    ("GET region/key/stock%3A+a", 200, "peers"),
    ("GET region/key/7573?format=hex", 200, "peers"),
    ("GET region/key/7?format=hex", 400, "encoding/hex"),
    ("GET regions/key?key=a&end_key=b&limit=16", 200, "regions"),
    ("GET regions/sibling/2", 200, "regions"),
    ("GET regions/store/1", 200, "regions"),
    ("GET regions/store/1?type=leader", 200, "regions"),
    ("GET regions/readflow?limit=2", 200, "regions"),
    ("GET regions/writeflow", 200, "regions"),
    ("GET regions/confver", 200, "regions"),
    ("GET regions/version", 200, "regions"),
    ("GET regions/size", 200, "regions"),
    ("GET regions/keys", 200, "regions"),
    ("GET regions/cpu", 200, "regions"),
    ("GET regions/check/miss-peer", 200, "regions"),
    ("GET regions/check/empty-region", 200, "regions"),
    ("GET regions/range-holes", 200, ""),
    // config, placement rules
    ("GET config", 200, "schedule"),
    ("GET config/replicate", 200, "max-replicas"),
    ("GET config/schedule", 200, "max-store-down-time"),
    ("GET config/pd-server", 200, "use-region-storage"),
    ("GET config/replication-mode", 200, "replication-mode"),
    ("GET config/label-property", 200, ""),
    ("GET config/cluster-version", 200, "8.5"),
    ("POST config/cluster-version {\"cluster-version\":\"8.5.5\"}", 200, "is updated"),
    ("POST config {\"max-replicas\":5}", 200, "The config is updated."),
    ("POST config {\"max-store-down-time\":\"40s\"}", 200, "The config is updated."),
    ("GET config/rules", 200, "[0]"),
    ("GET config/rules/group/pd", 200, "[0]"),
    ("GET config/rules/region/2", 200, "[0]"),
    ("GET config/rule/pd/default", 200, "count"),
    ("GET config/rule/pd/none", 404, "not found"),
    ("GET config/rule_group/pd", 200, "id"),
    ("GET config/rule_groups", 200, "[0]"),
    ("GET config/placement-rule", 200, "[0]"),
    ("GET config/placement-rule/pd", 200, "rules"),
    // operator
    ("GET operators", 200, ""),
    ("GET operators?kind=region", 200, ""),
    ("POST operators {\"name\":\"transfer-leader\"}", 400, "missing region id"),
    ("POST operators {\"name\":\"split-region\",\"region_id\":2}", 400, "missing split policy"),
    (
        "POST operators {\"name\":\"split-region\",\"region_id\":2,\"policy\":\"x\"}",
        500,
        "not supported",
    ),
    ("POST operators {\"name\":\"add-peer\",\"region_id\":2,\"store_id\":3}", 200, "is created"),
    ("GET operators/2", 200, "status: RUNNING"),
    ("GET operators", 200, "admin-add-peer"),
    ("DELETE operators/2", 200, "canceled"),
    ("DELETE operators/99", 500, "operator not found"),
    ("GET operators/records", 200, "[0]"),
    (
        "POST operators {\"name\":\"transfer-peer\",\"region_id\":2,\"from_store_id\":2,\"to_store_id\":3}",
        200,
        "is created",
    ),
    ("DELETE operators/2", 200, "canceled"),
    ("POST operators {\"name\":\"remove-peer\",\"region_id\":2,\"store_id\":2}", 200, "is created"),
    ("DELETE operators/2", 200, "canceled"),
    (
        "POST operators {\"name\":\"split-region\",\"region_id\":2,\"policy\":\"scan\"}",
        200,
        "is created",
    ),
    ("GET operators/2", 200, "split region with policy SCAN"),
    ("DELETE operators/2", 200, "canceled"),
    // scheduler
    ("GET schedulers", 200, "balance-leader-scheduler"),
    ("POST schedulers {\"name\":\"evict-leader-scheduler\",\"store_id\":1}", 200, "is created"),
    ("GET scheduler-config", 200, "evict-leader-scheduler"),
    ("GET scheduler-config/evict-leader-scheduler/list", 200, "store-id-ranges"),
    ("DELETE schedulers/evict-leader-scheduler-1", 200, "is removed"),
    ("DELETE schedulers/evict-leader-scheduler-1", 404, "scheduler not found"),
    // hot, gc, min-resolved-ts
    ("GET hotspot/regions/read", 200, "as_leader"),
    ("GET hotspot/regions/write", 200, "as_peer"),
    ("GET hotspot/stores", 200, "bytes-write-rate"),
    ("GET gc/safepoint", 200, "gc_safe_point"),
    ("GET min-resolved-ts", 200, "min_resolved_ts"),
    ("GET min-resolved-ts/1", 200, "min_resolved_ts"),
    ("GET replication_mode/status", 200, "mode"),
    ("GET no/such/path", 404, "404 page not found"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_pd_ctl_has_its_answer() {
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    let _leader = super::shapes::two_replicas(&pd).await;
    let http = http();
    for (request, code, has) in REQUESTS {
        let mut words = request.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, path, body) = (word(), word(), word());
        let url = format!("http://{}/pd/api/v1/{path}", pd.addr);
        let method = method.parse().expect("a method");
        let answer = http.request(method, url).body(body).send().await.expect("answers");
        let got = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        assert_eq!(got, *code, "{request}: {text}");
        let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let there = match *has {
            "[0]" => value.get(0).is_some(),
            name => value.get(name).is_some() || text.contains(name),
        };
        assert!(there, "{request}: no {has:?} in {text}");
    }
    for path in ["pd/api/v2/members", "pd/api/v2/ready", "pd/health", "pd/ping", "metrics"] {
        assert_eq!(get(&pd, path).await.0, 200, "{path}");
    }
}
