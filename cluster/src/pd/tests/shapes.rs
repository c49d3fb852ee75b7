//! Compares our HTTP answers with real PD's, member by member: the same names in the same order
//! with the same kinds of values.
//!
//! Real PD's answers are in `../shared/data/pd-http/` beside the repository; if they are missing,
//! the test says so.

use super::{Running, any_port, bootstrap, client, get, http, start};
use proto::{metapb, pdpb};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// The members that depend on the store or the environment; the store of this test reports only its
/// address.
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

/// Notes the differences in shape between `ours` and `real`.
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
    let _leader = two_replicas(&pd).await;
    let mut differences = Vec::new();
    let mut compared = BTreeSet::from(["posts.txt".to_owned()]);
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
        ("region-id", "region/id/2"),
        ("region-id-unknown", "region/id/4242"),
        ("regions", "regions"),
        ("regions-key", "regions/key?key=73&format=hex&limit=2"),
        ("schedulers", "schedulers"),
        ("status", "status"),
        ("store-1", "store/1"),
        ("stores", "stores"),
        ("version", "version"),
    ] {
        compared.insert(format!("{file}.json"));
        let real = std::fs::read_to_string(data.join(format!("{file}.json"))).expect("a file");
        let (code, ours) = get(&pd, &format!("pd/api/v1/{path}")).await;
        assert_eq!(code, 200, "{path}");
        // An answer that is empty there and not here shows nothing about indentation.
        if real.trim_end() != "[]" {
            let indented = |text: &str| text.trim_end().contains('\n');
            assert_eq!(indented(&real), indented(&ours), "{path}: indent");
        }
        let real = serde_json::from_str(&real).expect("JSON");
        let ours = serde_json::from_str(&ours).expect("JSON");
        compare(&real, &ours, path, &mut differences);
    }
    assert!(differences.is_empty(), "{differences:#?}");
    let all = std::fs::read_dir(&data)
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    assert_eq!(all.collect::<BTreeSet<_>>(), compared, "every answer of real PD is compared");
}

/// Creates a cluster of three stores and one region on the first two of them. While the sender is
/// kept, the region's leader sends heartbeats.
pub(super) async fn two_replicas(pd: &Running) -> mpsc::Sender<pdpb::RegionHeartbeatRequest> {
    let mut client = client(pd).await;
    let (header, mut region) = bootstrap(&mut client).await;
    for id in [2, 3] {
        let address = format!("127.0.0.1:{id}");
        let store = Some(metapb::Store { id, address, ..Default::default() });
        client.put_store(pdpb::PutStoreRequest { header, store }).await.expect("registers");
        let stats = Some(pdpb::StoreStats { store_id: id, ..Default::default() });
        let heard = client.store_heartbeat(pdpb::StoreHeartbeatRequest { header, stats }).await;
        heard.expect("heard");
    }
    region.peers.push(metapb::Peer { id: 4, store_id: 2, ..Default::default() });
    region.region_epoch = Some(metapb::RegionEpoch { conf_ver: 3, version: 1 });
    let (beats, stream) = mpsc::channel(4);
    let beat = pdpb::RegionHeartbeatRequest {
        header,
        leader: Some(region.peers[0]),
        region: Some(region),
        term: 6,
        approximate_size: 10 << 20,
        approximate_keys: 10_000,
        ..Default::default()
    };
    beats.send(beat).await.expect("queued");
    let answers = client.region_heartbeat(ReceiverStream::new(stream)).await.expect("a stream");
    // An answer to the heartbeat: from here on PD knows the region.
    answers.into_inner().message().await.expect("open").expect("a step");
    beats
}

/// One request of `posts.txt` with real PD's answer.
#[derive(Debug)]
struct Asked {
    method: String,
    path: String,
    body: String,
    answer: String,
    code: u16,
}

fn asked(posts: &str) -> Vec<Asked> {
    let mut all = Vec::new();
    let mut lines = posts.lines();
    while let (Some(request), Some(answer), Some(code)) = (lines.next(), lines.next(), lines.next())
    {
        let mut words = request.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, path, body) = (word(), word(), word());
        let code = code.trim().strip_prefix("-> HTTP ").expect("a code").parse().expect("a number");
        all.push(Asked { method, path, body, answer: answer.to_owned(), code });
    }
    all
}

/// The names of an operator's parts, in order: its line without ids and times.
fn parts(line: &str) -> Vec<&str> {
    let line = line.split_once(" (kind").map_or(line, |(_, parts)| parts);
    let is_name = |word: &&str| !word.is_empty() && word.chars().all(char::is_alphabetic);
    let before_colon = line
        .split(':')
        .map(|part| part.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
    // The text after the last colon names nothing.
    let names: Vec<&str> = before_colon.collect();
    names[..names.len() - 1].iter().copied().filter(is_name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_as_real_pd_answered_them() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pd-http/posts.txt");
    let Ok(posts) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: real PD's answers are not at {}", file.display());
        return;
    };
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    let _leader = two_replicas(&pd).await;
    let asked = asked(&posts);
    assert_eq!(asked.len(), posts.lines().count() / 3);
    for real in asked {
        // The same request about this cluster's region and its free store.
        let path = real.path.replace("/15", "/2");
        let body = real.body.replace("\"region_id\":15", "\"region_id\":2").replace(":10}", ":3}");
        let url = format!("http://{}/pd/api/v1/{path}", pd.addr);
        let http = http();
        let request = match real.method.as_str() {
            "POST" => http.post(url).body(body),
            "GET" => http.get(url),
            other => panic!("{other} in {}", file.display()),
        };
        let ours = request.send().await.expect("answers");
        let code = ours.status().as_u16();
        let ours = ours.text().await.expect("text");
        let expected = (real.code, real.answer.as_str());
        if real.answer.contains("operator: ") {
            let said = "\"status: RUNNING, operator: ";
            assert!(code == real.code && ours.starts_with(said), "{real:?}: {code} {ours}");
            assert_eq!(parts(&ours), parts(&real.answer), "{ours}");
        } else {
            assert_eq!((code, ours.trim_end()), expected, "{real:?}");
        }
    }
}
