//! Our HTTP answers and real PD's, member by member: the same names in the same order with the same kinds of values.
//!
//! Real PD's answers lie in `../shared/data/pd-http/` beside the repository; where they are not, this says so.

use super::{any_port, bootstrap, client, get, start};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// What a store or the environment says of itself or leaves out; the store of this test says its address alone.
const OPTIONAL: [&str; 5] =
    ["version", "peer_address", "status_address", "git_hash", "deploy_path"];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Notes where `ours` differs in shape from `real`.
fn compare(real: &Value, ours: &Value, path: &str, differences: &mut Vec<String>) {
    match (real, ours) {
        (Value::Object(real), Value::Object(ours)) => {
            // Maps from ids to values have other ids, or none.
            if real.keys().all(|name| name.parse::<u64>().is_ok()) {
                return;
            }
            let shared = |names: serde_json::map::Keys<'_>| -> Vec<String> {
                let skipped = |name: &&String| OPTIONAL.contains(&name.as_str());
                names.filter(|name| !skipped(name)).cloned().collect()
            };
            let (expected, got) = (shared(real.keys()), shared(ours.keys()));
            if expected != got {
                differences.push(format!("{path}: {expected:?} but we have {got:?}"));
            }
            for (name, value) in real {
                if let Some(ours) = ours.get(name) {
                    compare(value, ours, &format!("{path}/{name}"), differences);
                }
            }
        }
        (Value::Array(real), Value::Array(ours)) => {
            if let (Some(real), Some(ours)) = (real.first(), ours.first()) {
                compare(real, ours, &format!("{path}[]"), differences);
            }
        }
        (real, ours) if kind(real) != kind(ours) => {
            differences.push(format!("{path}: {} but we have {}", kind(real), kind(ours)));
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_real_pds_shapes() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pd-http");
    if !data.is_dir() {
        eprintln!("skipped: real PD's answers are not at {}", data.display());
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    bootstrap(&mut client(&pd).await).await;
    let mut differences = Vec::new();
    for (file, path) in [
        ("cluster", "cluster"),
        ("config", "config"),
        ("config-replicate", "config/replicate"),
        ("config-rules", "config/rules"),
        ("health", "health"),
        ("hotspot-stores", "hotspot/stores"),
        ("leader", "leader"),
        ("members", "members"),
        ("operators", "operators"),
        ("region-id-unknown", "region/id/4242"),
        ("schedulers", "schedulers"),
        ("status", "status"),
        ("store-1", "store/1"),
        ("stores", "stores"),
        ("version", "version"),
    ] {
        let real = std::fs::read_to_string(data.join(format!("{file}.json"))).expect("a file");
        let (code, ours) = get(&pd, &format!("pd/api/v1/{path}")).await;
        assert_eq!(code, 200, "{path}");
        assert_eq!(
            real.trim_end().contains('\n'),
            ours.trim_end().contains('\n'),
            "{path}: indent"
        );
        let real = serde_json::from_str(&real).expect("JSON");
        let ours = serde_json::from_str(&ours).expect("JSON");
        compare(&real, &ours, path, &mut differences);
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
