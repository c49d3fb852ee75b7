//! Every process killed at any instant, PD among them: no acknowledged write is lost.

use super::cluster::{Cluster, PATIENCE, until};
use client::{DirectClient, DirectOptions, Outcome, RawKv, Request, Response};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const WRITERS: usize = 8;
const ROUNDS: usize = 4;
/// Writes that must have been acknowledged before the kill.
const WRITES_MIN: usize = 200;
pub const OP_TIMEOUT: Duration = Duration::from_secs(5);

/// Writers that go on until they are told to stop, and the keys of the writes that were
/// acknowledged.
struct Load {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(runtime: &Runtime, pd: &str, round: usize) -> Self {
        let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let writer = |writer: usize| {
            let (client, acknowledged, stop) =
                (client(pd), Arc::clone(&acknowledged), Arc::clone(&stop));
            runtime.spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // Keys on both sides of the bounds at 'r' and 'x'.
                    let key = format!("{}:{round}:{writer}:{number}", ["a", "s", "z"][number % 3]);
                    if let Outcome::Ok(_) = client.execute(&put_of(&key), OP_TIMEOUT).await.outcome
                    {
                        acknowledged.lock().expect("no writer panics").insert(key);
                    }
                }
            })
        };
        let writers = (0..WRITERS).map(writer).collect();
        Self { acknowledged, stop, writers }
    }

    fn await_writes(&self) {
        until("writes enough", || {
            (self.acknowledged.lock().expect("no writer panics").len() >= WRITES_MIN).then_some(())
        });
    }

    fn end(self, runtime: &Runtime) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            runtime.block_on(writer).expect("no writer panics");
        }
        self.acknowledged.lock().expect("no writer panics").clone()
    }
}

fn value_of(key: &str) -> Vec<u8> {
    format!("value of {key}").into_bytes()
}

/// The put of a key's own value.
pub fn put_of(key: &str) -> Request {
    Request::Put { key: key.into(), value: value_of(key), ttl_s: None }
}

pub fn client(pd: &str) -> DirectClient {
    let options = DirectOptions { pd_timeout: OP_TIMEOUT, ..Default::default() };
    DirectClient::new(vec![pd.to_owned()], options)
}

/// The keys of `written` that are absent or have another value.
pub async fn lost(pd: &str, written: &BTreeSet<String>) -> Vec<String> {
    let client = client(pd);
    let mut lost = Vec::new();
    for key in written {
        let deadline = Instant::now() + PATIENCE;
        let get = Request::Get { key: key.clone().into() };
        let found = loop {
            match client.execute(&get, OP_TIMEOUT).await.outcome {
                Outcome::Ok(Response::Got(found)) => break found,
                other => assert!(Instant::now() < deadline, "{key}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        if found.as_deref() != Some(&value_of(key)[..]) {
            lost.push(key.clone());
        }
    }
    lost
}

#[test]
fn no_kill_of_all_stores_and_pd_loses_an_acknowledged_write() {
    let runtime = Runtime::new().expect("a runtime");
    let mut cluster = Cluster::start();
    let mut written = BTreeSet::new();
    for round in 0..ROUNDS {
        let load = Load::start(&runtime, &cluster.pd, round);
        load.await_writes();
        if round % 2 == 0 {
            let all = ["store-1", "store-2", "store-3", "--pd"];
            cluster.act("kill", &all);
            cluster.act("start", &all);
        } else {
            cluster.kill_everything();
            cluster.start_again();
        }
        written.extend(load.end(&runtime));
        let lost = runtime.block_on(lost(&cluster.pd, &written));
        assert_eq!(lost, Vec::<String>::new(), "round {round}, of {} writes", written.len());
    }
    println!("{} acknowledged writes survived {ROUNDS} kills of everything", written.len());
}
