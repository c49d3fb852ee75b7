//! Tests of workers against a client library in this process: their records are correct histories.
//!
//! The time is tokio's and paused: it jumps to the next timer, so no test waits in real time.

use super::*;
use crate::clock::Clock;
use client::{Cause, ClientError, Reply, Request, Response};
use futures::future::BoxFuture;
use histories::{Event, Header, Process, Recorder, RecorderOptions, What, jsonl};
use plan::config::{AtomicMode, ClientName, Distribution, WorkloadConfig, WorkloadName};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, atomic::AtomicU64},
};
use tempfile::TempDir;

const OP_TIMEOUT: Duration = Duration::from_secs(2);

/// A map as a client library. Every answer takes a while, and some calls go wrong.
#[derive(Default)]
struct Library {
    data: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    calls: AtomicU64,
    answer_after: Duration,
    /// One in this many calls is reported as not applied.
    not_applied_every: Option<u64>,
    /// One in this many calls has an unknown outcome. Half of them are applied.
    unknown_every: Option<u64>,
    /// If true, calls reported as not applied are applied all the same.
    lies: bool,
}

impl Library {
    fn apply(&self, request: &Request) -> Response {
        let mut data = self.data.lock().expect("no test panics under the lock");
        match request.clone() {
            Request::Get { key } => Response::Got(data.get(&key).cloned()),
            Request::Put { key, value, .. } => {
                data.insert(key, value);
                Response::Done
            }
            Request::Delete { key } => {
                data.remove(&key);
                Response::Done
            }
            Request::Cas { key, expected, new } => {
                let previous = data.get(&key).cloned();
                let swapped = previous == expected;
                if swapped {
                    data.insert(key, new);
                }
                Response::Cas { swapped, previous }
            }
            Request::Scan { start, end, limit, reverse, .. } => {
                let inside =
                    |key: &Vec<u8>| *key >= start && end.as_ref().is_none_or(|end| key < end);
                let mut pairs: Vec<_> =
                    data.clone().into_iter().filter(|(k, _)| inside(k)).collect();
                if reverse {
                    pairs.reverse();
                }
                pairs.truncate(limit as usize);
                Response::Scanned(pairs)
            }
            Request::BatchGet { keys } => {
                let get = |key: Vec<u8>| (key.clone(), data.get(&key).cloned());
                Response::GotBatch(keys.into_iter().map(get).collect())
            }
            Request::BatchPut { pairs } => {
                data.extend(pairs);
                Response::Done
            }
            Request::BatchDelete { keys } => {
                data.retain(|key, _| !keys.contains(key));
                Response::Done
            }
            other @ Request::DeleteRange { .. } => panic!("no workload asks {other:?}"),
        }
    }

    async fn answer(&self, request: &Request) -> client::Outcome {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let error = || ClientError { cause: Cause::Other, message: "mishap".into() };
        let hits = |every: Option<u64>| every.is_some_and(|every| call % every == every - 1);
        tokio::time::sleep(self.answer_after / 2).await;
        let outcome = if hits(self.not_applied_every) {
            if self.lies {
                self.apply(request);
            }
            client::Outcome::NotApplied(error())
        } else if hits(self.unknown_every) && !request.is_read() {
            if call.is_multiple_of(2) {
                self.apply(request);
            }
            client::Outcome::Unknown(error())
        } else {
            client::Outcome::Ok(self.apply(request))
        };
        tokio::time::sleep(self.answer_after / 2).await;
        outcome
    }
}

impl RawKv for Library {
    fn execute<'a>(&'a self, request: &'a Request, _: Duration) -> BoxFuture<'a, Reply> {
        Box::pin(async { Reply { outcome: self.answer(request).await, attempts: vec![] } })
    }
}

/// A run's files and the parts of its workers.
struct Bench {
    folder: TempDir,
    recorder: Recorder,
    workers: Workers,
}

fn bench(name: WorkloadName, busy: Library, idle: Vec<Library>, rate: Option<u64>) -> Bench {
    let config = WorkloadConfig {
        operations: None,
        name,
        keys: 20,
        distribution: Distribution::Uniform,
        value_bytes: 10,
        client: ClientName::Direct,
        client_retries: false,
        atomic: AtomicMode::On,
        prefix: String::new(),
        concurrency: 6,
        idle_clients: idle.len() as u32,
        rate,
        op_timeout_ms: OP_TIMEOUT.as_millis() as u64,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::create(
        &folder.path().join("history.jsonl"),
        &Header::default(),
        RecorderOptions::default(),
    )
    .expect("a history");
    let workers = Workers {
        workload: Workload::new(&config, 7),
        recording: Recording::new(Clock::start(), recorder.handle()),
        busy_library: Arc::new(busy),
        idle_libraries: idle.into_iter().map(|it| Arc::new(it) as Arc<dyn RawKv>).collect(),
        busy_clients: 4,
        op_timeout: OP_TIMEOUT,
        idle_op_timeout: OP_TIMEOUT * 4,
        rate,
    };
    Bench { folder, recorder, workers }
}

impl Bench {
    /// Works for `length` and returns the recorded events.
    async fn work(self, load: bool, length: Duration) -> Vec<Event> {
        let (switch, stop) = watch::channel(false);
        if load {
            assert_eq!(self.workers.load(&stop).await, Vec::<Key>::new());
        }
        let work = self.workers.work(&stop);
        let end = async {
            tokio::time::sleep(length).await;
            switch.send_replace(true);
        };
        tokio::join!(work, end);
        self.recorder.finish().expect("a whole history");
        let path = self.folder.path().join("history.jsonl");
        let reader = jsonl::open(&path).expect("a history");
        // The reader refuses two open operations of a client, and a client whose time runs
        // backwards.
        reader.collect::<Result<_, _>>().expect("a well-formed history")
    }
}

fn is_valid(events: &[Event]) -> bool {
    let mut collector = checker::Collector::new();
    for event in events {
        collector.push(event.clone()).expect("a well-formed history");
    }
    let verdict = checker::check(&collector.finish(), &checker::Options::default());
    verdict.validity == checker::Validity::Valid
}

fn invoked(events: &[Event]) -> impl Iterator<Item = &Operation> {
    events.iter().filter_map(|event| match &event.what {
        What::Invoke(operation) => Some(operation),
        _ => None,
    })
}

/// A correct map, of whose calls some go wrong.
fn mishaps() -> Library {
    Library {
        answer_after: Duration::from_millis(4),
        not_applied_every: Some(11),
        unknown_every: Some(7),
        ..Library::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_of_a_correct_map_is_valid_mishaps_and_all() {
    for name in [WorkloadName::YcsbA, WorkloadName::Register] {
        let bench = bench(name, mishaps(), vec![], None);
        let load = bench.workers.workload.loads();
        let events = bench.work(load, Duration::from_secs(2)).await;
        assert!(invoked(&events).count() > 200, "{}", invoked(&events).count());
        assert!(is_valid(&events));
    }
}

#[tokio::test(start_paused = true)]
async fn a_library_that_says_not_applied_of_what_it_applied_is_found_out() {
    let lies = Library { lies: true, not_applied_every: Some(5), ..mishaps() };
    let events =
        bench(WorkloadName::Register, lies, vec![], None).work(false, Duration::from_secs(2)).await;
    assert!(!is_valid(&events));
}

#[tokio::test(start_paused = true)]
async fn a_client_is_retired_after_an_unknown_outcome() {
    let events = bench(WorkloadName::YcsbA, mishaps(), vec![], None)
        .work(true, Duration::from_secs(1))
        .await;
    let mut retired = HashSet::new();
    for event in &events {
        let Process::Client(client) = event.process else { continue };
        assert!(!retired.contains(&client), "client {client} works after its end");
        if matches!(event.what, What::Complete(_, Outcome::Info)) {
            retired.insert(client);
            assert_eq!(event.error.as_deref(), Some("mishap"));
        }
    }
    assert!(!retired.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_value_is_written_twice_by_load_and_work() {
    let events = bench(WorkloadName::YcsbA, mishaps(), vec![], None)
        .work(true, Duration::from_secs(1))
        .await;
    let mut seen = HashSet::new();
    for operation in invoked(&events) {
        if let Operation::Put { value, .. } = operation {
            assert!(seen.insert(value.clone()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_loaded_is_named_and_ends_the_load() {
    let never = Library { not_applied_every: Some(1), ..mishaps() };
    let bench = bench(WorkloadName::YcsbA, never, vec![], None);
    let (_switch, stop) = watch::channel(false);
    let missing = bench.workers.load(&stop).await;
    let keys = bench.workers.workload.keys();
    assert!(!missing.is_empty() && missing.iter().all(|key| keys.contains(key)));
    let busy = bench.workers.busy_clients as usize;
    assert!(missing.len() <= busy, "{} keys were tried by {busy} clients", missing.len());
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_over_all_busy_clients() {
    let calm = Library { not_applied_every: None, unknown_every: None, ..mishaps() };
    let bench = bench(WorkloadName::YcsbA, calm, vec![], Some(100));
    let operations = invoked(&bench.work(false, Duration::from_secs(10)).await).count();
    assert!((980..=1020).contains(&operations), "{operations} in ten seconds at 100 a second");
}

#[tokio::test(start_paused = true)]
async fn idle_clients_only_read_and_read_on_after_a_late_answer() {
    let library = |answer_after| Library {
        answer_after,
        not_applied_every: None,
        unknown_every: None,
        ..mishaps()
    };
    let reads = async |answer_after| {
        let idle = vec![library(answer_after)];
        let mut bench = bench(WorkloadName::YcsbA, library(Duration::ZERO), idle, None);
        bench.workers.busy_clients = 0;
        let events = bench.work(false, Duration::from_secs(20)).await;
        assert!(invoked(&events).all(|operation| matches!(operation, Operation::Get { .. })));
        invoked(&events).count()
    };
    let prompt = reads(Duration::from_millis(1)).await;
    assert!((2..=100).contains(&prompt), "{prompt} reads in 20 s");
    // The reads are so late that idling in between would leave less than one a second.
    let late = reads(LATE).await;
    assert!(late > 30, "{late} reads in 20 s");
}
