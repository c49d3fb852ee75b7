//! Tests of experiments: their events, and the findings from them.

use super::*;
use histories::{Answer, Event, Operation, Outcome, Process, What};
use serde_json::json;

const MS: u64 = 1_000_000;

fn config(name: ScenarioName, wait: bool) -> ScenarioConfig {
    ScenarioConfig {
        name,
        window_ms: 1_000,
        wait,
        gap_max_ms: 500,
        ops_back_percent: 80,
        patience_ms: 60_000,
    }
}

fn header(config: &ScenarioConfig) -> Header {
    let fields = json!({
        "scenario": config, "keys": 2,
        "key-count": { "start": "k", "end": "l", "one-more": "kz" },
    });
    let serde_json::Value::Object(fields) = fields else { panic!("an object") };
    Header { fields }
}

fn event(time_ms: u64, process: Process, what: What) -> Event {
    Event { index: 0, time_ns: time_ms * MS, process, what, error: None, attempts: vec![] }
}

fn fault(time_ms: u64, f: &str, invoked: bool, value: Value) -> Event {
    let f = f.to_owned();
    let what =
        if invoked { What::FaultInvoke { f, value } } else { What::FaultComplete { f, value } };
    event(time_ms, Process::Nemesis, what)
}

/// A success that takes a millisecond.
fn read(end_ms: u64) -> [Event; 2] {
    let operation = Operation::Get { key: b"k0".to_vec() };
    let done = What::Complete(operation.clone(), Outcome::Ok(Answer::Got(None)));
    [
        event(end_ms - 1, Process::Client(1), What::Invoke(operation)),
        event(end_ms, Process::Client(1), done),
    ]
}

fn scan(time_ms: u64, keys: &[&str]) -> [Event; 2] {
    let operation = Operation::Scan {
        start: b"k".to_vec(),
        end: Some(b"l".to_vec()),
        limit: 5_000,
        reverse: false,
        key_only: false,
    };
    let pairs = keys.iter().map(|key| (key.as_bytes().to_vec(), b"v".to_vec())).collect();
    let done = What::Complete(operation.clone(), Outcome::Ok(Answer::Scanned(pairs)));
    [
        event(time_ms, Process::Client(2), What::Invoke(operation)),
        event(time_ms, Process::Client(2), done),
    ]
}

fn put(time_ms: u64) -> [Event; 2] {
    let operation = Operation::Put { key: b"kz".to_vec(), value: b"v".to_vec(), ttl_s: None };
    let done = What::Complete(operation.clone(), Outcome::Ok(Answer::Done));
    [
        event(time_ms, Process::Client(2), What::Invoke(operation)),
        event(time_ms, Process::Client(2), done),
    ]
}

fn judged(config: &ScenarioConfig, mut events: Vec<Event>) -> Vec<Finding> {
    events.sort_by_key(|event| event.time_ns);
    let mut finder = ExperimentFinder::of(&header(config)).expect("a scenario");
    let mut traffic = Traffic::default();
    for event in &events {
        finder.observe(event.borrowed());
        traffic.observe(event.borrowed());
    }
    finder.finish(&traffic.finish())
}

fn worst(findings: &[Finding]) -> Weight {
    let order = [Weight::Invalid, Weight::Unknown, Weight::Note];
    let is = |weight: &Weight| findings.iter().any(|finding| finding.weight == *weight);
    order.into_iter().find(is).unwrap_or(Weight::Good)
}

fn said(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|it| format!("{:?}: {}", it.weight, it.said));
    lines.collect::<Vec<_>>().join("\n")
}

/// One store paused from 2 s to 6 s; another leads after a second and a half; reads every
/// `before_ms`, then `after_ms`.
fn one_store(before_ms: u64, after_ms: u64) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    events.extend((1_000..2_000).step_by(before_ms as usize).flat_map(read));
    events.extend((4_000..5_000).step_by(after_ms as usize).flat_map(read));
    events.push(fault(
        2_000,
        "pause",
        true,
        json!({ "fault": 0, "stores": [{ "id": 4, "role": "leader" }] }),
    ));
    events.push(fault(
        2_010,
        "pause",
        false,
        json!({ "fault": 0, "stores": [{ "id": 4, "state": "stopped" }] }),
    ));
    let moved =
        json!({ "fault": 0, "regions": [{ "region": 2, "leader_before": 4, "leader_after": 1 }] });
    events.push(fault(3_500, "leader-moved", false, moved));
    let windows = json!({ "windows-ns": { "before": [1_000 * MS, 2_000 * MS - 1], "moved": [4_000 * MS, 5_000 * MS - 1] },
        "tester-late-ns": 0 });
    events.push(fault(6_000, "resume", true, json!({ "fault": 0, "scene": windows })));
    events
}

/// Two stores paused from 2 s to 4 s, with reads at these times, and the keys counted at 3 s.
fn two_stores(reads_ms: &[u64], after: &[&str], late_ms: u64, waited: bool) -> Vec<Event> {
    let mut events: Vec<Event> = reads_ms.iter().copied().flat_map(read).collect();
    events.push(fault(
        500,
        "max-replicas",
        false,
        json!({ "fault": 0, "to": 5, "waited": waited }),
    ));
    let whom = json!([{ "id": 2, "role": "follower" }, { "id": 3, "role": "follower" }]);
    events.push(fault(2_000, "pause", true, json!({ "fault": 1, "stores": whom })));
    let seen = json!([{ "id": 2, "state": "stopped" }, { "id": 3, "state": "stopped" }]);
    events.push(fault(2_010, "pause", false, json!({ "fault": 1, "stores": seen })));
    events.extend(scan(3_000, &["k0", "k1"]));
    events.extend(put(3_001));
    events.extend(scan(3_002, after));
    let experiment = json!({ "tester-late-ns": late_ms * MS });
    events.push(fault(4_000, "resume", true, json!({ "fault": 1, "scene": experiment })));
    // No fault from 5 s to 7 s; reads every 10 ms.
    events.extend((4_110..7_000).step_by(10).flat_map(read));
    let quiet = json!({ "window-ns": [5_000 * MS, 7_000 * MS] });
    events.push(fault(7_000, "quiet", false, quiet));
    events.push(fault(
        7_100,
        "max-replicas",
        false,
        json!({ "fault": 2, "to": 3, "waited": true }),
    ));
    events
}

#[test]
fn one_store_as_it_should_be() {
    let findings = judged(&config(ScenarioName::OneStore, true), one_store(10, 11));
    let said = said(&findings);
    assert_eq!(worst(&findings), Weight::Good, "{said}");
    assert!(said.contains("store-4 (leader) seen stopped, resumed after 4.0 s"), "{said}");
    assert!(said.contains("region 2 moved from store-4 to store-1, 1.5 s after"), "{said}");
    assert!(said.contains("without a success while it was stopped: 2.0 s"), "{said}");
    assert!(said.contains("99 operations a second before, 90 with"), "{said}");
}

#[test]
fn slower_is_a_note_and_no_leader_is_unknown() {
    let config = config(ScenarioName::OneStore, true);
    let slower = judged(&config, one_store(10, 20));
    assert_eq!(worst(&slower), Weight::Note, "{}", said(&slower));
    let mut events = one_store(10, 10);
    events.retain(
        |event| !matches!(&event.what, What::FaultComplete { f, .. } if f == "leader-moved"),
    );
    assert_eq!(worst(&judged(&config, events)), Weight::Unknown);
    assert_eq!(worst(&judged(&config, vec![])), Weight::Unknown, "nothing was stopped");
}

#[test]
fn two_stores_as_it_should_be() {
    let config = config(ScenarioName::TwoStores, true);
    let reads = [1_900, 2_300, 2_700, 3_100, 3_500, 3_900, 4_100];
    let findings = judged(&config, two_stores(&reads, &["k0", "k1", "kz"], 0, true));
    let said = said(&findings);
    assert_eq!(worst(&findings), Weight::Good, "{said}");
    assert!(said.contains("2 keys, one put, 3 keys while both were stopped"), "{said}");
    assert!(said.contains(": 400 ms (bound 500 ms"), "{said}");
}

#[test]
fn a_gap_is_held_against_the_bound_unless_the_tester_slept_or_it_raced() {
    let reads = [1_900, 2_300, 3_500, 3_900, 4_100];
    let after = ["k0", "k1", "kz"];
    let waits = config(ScenarioName::TwoStores, true);
    // The scans succeed at 3 s, so the gap is 700 ms.
    assert_eq!(worst(&judged(&waits, two_stores(&reads, &after, 0, true))), Weight::Invalid);
    assert_eq!(worst(&judged(&waits, two_stores(&reads, &after, 300, true))), Weight::Unknown);
    let unwatched = |mut events: Vec<Event>| {
        events
            .retain(|event| !matches!(&event.what, What::FaultComplete { f, .. } if f == "quiet"));
        events
    };
    let (slow, none) = (
        two_stores(&reads, &after, 0, true).into_iter().filter(|event| {
            // The same clients have gaps of 200 ms without a fault too.
            event.time_ns < 5_000 * MS
                || event.process != Process::Client(1)
                || event.time_ns % (200 * MS) < 2 * MS
        }),
        unwatched(two_stores(&reads, &after, 0, true)),
    );
    assert_eq!(worst(&judged(&waits, slow.collect())), Weight::Unknown);
    assert_eq!(worst(&judged(&waits, none)), Weight::Unknown);
    let races = config(ScenarioName::TwoStores, false);
    assert_eq!(worst(&judged(&races, two_stores(&reads, &after, 0, false))), Weight::Note);
}

#[test]
fn a_count_that_is_not_one_more_is_not_good() {
    let config = config(ScenarioName::TwoStores, true);
    let reads = [1_900, 2_300, 2_700, 3_100, 3_500, 3_900, 4_100];
    let findings = judged(&config, two_stores(&reads, &["k0", "kz"], 0, true));
    assert_eq!(worst(&findings), Weight::Unknown, "{}", said(&findings));
}
