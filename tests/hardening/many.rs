//! Ten thousand clients, a thousand regions: more than any test needs. In virtual time, so that two
//! cores are enough.

use crate::tester::{jepsen_tikv, judged, words};
use std::path::Path;

/// What a report may be, bytes.
const PAGE_MAX: u64 = 5 << 20;

/// Simulates it; it is valid or tested too little, and its page is no larger than a page may be.
fn simulated(dir: &Path, flags: &str) -> (i32, String) {
    let ended = jepsen_tikv(dir, &[&["simulate"], &words(flags)[..]].concat());
    let code = ended.code.expect("it ended by itself");
    let run = dir.join("runs/latest");
    judged(&run, code);
    let page = std::fs::metadata(run.join("report.html")).expect("a report").len();
    assert!(page <= PAGE_MAX, "{page} bytes");
    (code, ended.said)
}

#[test]
fn ten_thousand_clients_are_recorded_and_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    let flags = "--concurrency 10000 --rate 5000 --nemesis pause-leader --time 5 --keys 200 --stores 3 --seed 1";
    let (code, said) = simulated(dir.path(), flags);
    // Each of so many clients had time for a few operations only.
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("fewer than 100000"), "{said}");
    let run = dir.path().join("runs/latest");
    let history = std::fs::read_to_string(run.join("history.jsonl")).expect("a history");
    let mut clients: Vec<&str> = history
        .lines()
        .filter_map(|line| line.split_once("\"process\":")?.1.split(',').next())
        .collect();
    clients.sort_unstable();
    clients.dedup();
    assert!(clients.len() > 7_500, "{} clients", clients.len());
}

#[test]
fn a_thousand_regions_are_loaded_scanned_counted_and_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let flags = "--regions 1000 --rate 200 --nemesis pause-leader --nemesis-interval 2 --time 10 --keys 1000 --stores 3 --seed 1";
    let (code, said) = simulated(dir.path(), flags);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("keys     1,000, after one more put 1,001"), "{said}");
    let longest = said.lines().map(str::len).max().expect("lines");
    assert!(longest < 1_000, "a line of {longest} bytes is not for a person: {said}");
}
