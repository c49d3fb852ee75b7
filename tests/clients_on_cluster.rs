//! Both clients and PD's admin API on a whole embedded cluster: every operation, a split, a moved
//! leader.

use client::{
    DirectClient, DirectOptions, Outcome, PdHttp, RawKv, Request, Response, TikvClient,
    TikvClientOptions,
};
use std::future::Future;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// For what must happen, on a machine that others use too.
const PATIENCE: Duration = Duration::from_mins(1);
const OP_TIMEOUT: Duration = Duration::from_secs(20);

/// A cluster of three stores, which ends with the test.
struct Cluster {
    process: Child,
    pd: String,
    /// Held, so that whatever else it prints has somewhere to go.
    _stdout: BufReader<ChildStdout>,
    _runs: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Self {
        let runs = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .args(["cluster", "up", "--kv", "3", "--runs-dir"])
            .arg(runs.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let pd = stdout
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let endpoints = line.strip_prefix("PD client endpoints: [")?;
                Some(endpoints.trim_end_matches(']').to_owned())
            })
            .expect("the cluster becomes whole and says where PD is");
        Self { process, pd, _stdout: stdout, _runs: runs }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Asked kindly, it ends its stores itself.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn put(key: &str, value: &str) -> Request {
    Request::Put { key: key.into(), value: value.into(), ttl_s: None }
}

fn get(key: &str) -> Request {
    Request::Get { key: key.into() }
}

/// Asks until it succeeds. Nothing but a CAS is changed by being done twice.
async fn ok(client: &dyn RawKv, request: &Request) -> Response {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.execute(request, OP_TIMEOUT).await.outcome {
            Outcome::Ok(response) => return response,
            Outcome::NotApplied(error) | Outcome::Unknown(error) => {
                assert!(Instant::now() < deadline, "{request:?}: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn exercise(client: &dyn RawKv, prefix: &str) {
    let key = |name: &str| format!("{name}{prefix}");
    let value = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(ok(client, &get(&key("a"))).await, Response::Got(None));
    assert_eq!(ok(client, &put(&key("a"), "1")).await, Response::Done);
    assert_eq!(ok(client, &get(&key("a"))).await, Response::Got(value("1")));
    // A new cluster has bounds at "r" and "x", so these lie in three regions.
    let pairs = vec![(key("b").into(), "3".into()), (key("s").into(), "4".into())];
    assert_eq!(ok(client, &Request::BatchPut { pairs }).await, Response::Done);
    assert_eq!(ok(client, &put(&key("z"), "5")).await, Response::Done);
    let names = ["z", "c", "s"].map(|name| key(name).into_bytes());
    let found = names.clone().into_iter().zip([value("5"), None, value("4")]).collect();
    let batch = Request::BatchGet { keys: names.to_vec() };
    assert_eq!(ok(client, &batch).await, Response::GotBatch(found));
    for (reverse, order) in [(false, ["a", "b", "s", "z"]), (true, ["z", "s", "b", "a"])] {
        let end = None;
        let scan = Request::Scan { start: vec![], end, limit: 100, reverse, key_only: true };
        let expected = order.map(|name| key(name).into_bytes()).to_vec();
        assert_eq!(ok(client, &scan).await, Response::ScannedKeys(expected));
    }
    exercise_cas(client, prefix).await;
    let keys = ["a", "b", "s", "z"].map(|name| key(name).into_bytes()).to_vec();
    assert_eq!(ok(client, &Request::BatchDelete { keys }).await, Response::Done);
    assert_eq!(ok(client, &get(&key("s"))).await, Response::Got(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_clients_are_served_over_a_split_and_a_moved_leader() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster");
    let endpoints = vec![cluster.pd.clone()];
    let pd = PdHttp::new(&cluster.pd, OP_TIMEOUT).expect("a client");
    let options = DirectOptions { atomic: true, pd_timeout: OP_TIMEOUT, ..Default::default() };
    let direct = DirectClient::new(endpoints.clone(), options);
    let options =
        TikvClientOptions { atomic: true, rpc_timeout: OP_TIMEOUT, ..TikvClientOptions::default() };
    let tikv = TikvClient::new(endpoints, options);
    let clients: [&dyn RawKv; 2] = [&direct, &tikv];

    let stores = pd.stores().await.expect("stores");
    assert_eq!(stores.len(), 3);
    assert!(stores.iter().all(|store| store.state == "Up"), "{stores:?}");
    assert_eq!(pd.members().await.expect("members").len(), 1);
    assert_eq!(pd.max_replicas().await.expect("a number"), 3);
    for client in clients {
        exercise(client, "-before").await;
    }

    let whole = pd.region_of_key(b"m").await.expect("an answer").expect("a region");
    pd.split_region(whole.id, &[b"m".to_vec()]).await.expect("PD agrees to split");
    until("two regions up to \"r\"", async || {
        let regions = pd.regions_of_range(b"", Some(b"r")).await.expect("regions");
        regions.iter().any(|region| region.start_key == b"m")
    })
    .await;
    for client in clients {
        ok(client, &put("n", "1")).await;
        exercise_point(client, "b").await;
    }
    ok(&direct, &Request::Delete { key: "n".into() }).await;

    let region = pd.region_of_key(b"n").await.expect("an answer").expect("a region");
    assert_eq!(region.start_key, b"m");
    let leader = region.leader_store().expect("a leader");
    let other = region.voter_stores().into_iter().find(|store| *store != leader).expect("three");
    pd.transfer_leader(region.id, other).await.expect("PD agrees to transfer");
    until("another leader", async || {
        let region = pd.region(region.id).await.expect("an answer").expect("a region");
        region.leader_store() == Some(other)
    })
    .await;
    for client in clients {
        exercise_point(client, "n").await;
    }
    for client in clients {
        exercise(client, "-after").await;
    }
}

/// A CAS that fails and one that succeeds. After an unknown outcome a fresh key is taken.
async fn exercise_cas(client: &dyn RawKv, prefix: &str) {
    for attempt in 0..20 {
        let key = format!("a{prefix}-{attempt}");
        ok(client, &put(&key, "1")).await;
        let cas = |expected: Option<&str>| Request::Cas {
            key: key.clone().into(),
            expected: expected.map(Into::into),
            new: "2".into(),
        };
        let refused = client.execute(&cas(None), OP_TIMEOUT).await.outcome;
        let swapped = client.execute(&cas(Some("1")), OP_TIMEOUT).await.outcome;
        ok(client, &Request::Delete { key: key.into() }).await;
        if let (Outcome::Ok(refused), Outcome::Ok(swapped)) = (refused, swapped) {
            let previous = Some(b"1".to_vec());
            assert_eq!(refused, Response::Cas { swapped: false, previous: previous.clone() });
            assert_eq!(swapped, Response::Cas { swapped: true, previous });
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no two CAS in a row were answered");
}

/// A put is read back, and deleted.
async fn exercise_point(client: &dyn RawKv, key: &str) {
    assert_eq!(ok(client, &put(key, "1")).await, Response::Done);
    assert_eq!(ok(client, &get(key)).await, Response::Got(Some(b"1".to_vec())));
    assert_eq!(ok(client, &Request::Delete { key: key.into() }).await, Response::Done);
}
