//! A process of the cluster ends though no fault killed it, or the run ends before its time: the
//! history says so, and the judge and the report do.

use crate::tester::{PROGRAM, Tester, judged, words};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const UNKNOWN: i32 = 2;
const INTERRUPTED: i32 = 130;
/// How long a process to be struck may be awaited.
const PATIENCE: Duration = Duration::from_mins(1);

fn verdict(dir: &Path) -> Value {
    let text = std::fs::read(dir.join("runs/latest/verdict.json")).expect("a verdict");
    serde_json::from_slice(&text).expect("JSON")
}

/// A run in which the process whose command line has this word gets a signal once clients work.
/// What is said of it.
fn struck(flags: &str, word: &str, signal: Signal, name: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    for program in ["tikv-server", "pd-server"] {
        symlink(PROGRAM, dir.path().join(program)).expect("a link");
    }
    let line = format!("test --time 8 --keys 50 --stores 3 --concurrency 4 --seed 3 {flags}");
    let mut tester = Tester::start(dir.path(), Command::new(PROGRAM).args(words(&line)));
    tester.await_words("clients and faults");
    // A fault may have it down just now.
    let until = Instant::now() + PATIENCE;
    while tester.signal_processes(word, signal) == 0 {
        assert!(Instant::now() < until, "no {name}: {}", tester.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = tester.end();
    assert_eq!(ended.code, Some(UNKNOWN), "{}", ended.said);
    let verdict = verdict(dir.path());
    assert_eq!(verdict["validity"], "unknown");
    let told = &verdict["ended-by-themselves"][0];
    assert_eq!(told["log"], format!("logs/{name}.log"));
    // A real store is named for the id that PD gave it.
    let called = told["process"].as_str().expect("a name");
    assert!(
        called == name || name.starts_with("tikv-") && called.starts_with("store-"),
        "{called}"
    );
    let sentence = format!("{called} ended by itself (signal: ");
    let is_reason =
        |line: &str| line.strip_prefix("why?     ").is_some_and(|it| it.starts_with(&sentence));
    assert!(ended.said.lines().any(is_reason), "{}", ended.said);
    let latest = dir.path().join("runs/latest");
    assert!(judged(&latest, UNKNOWN).contains(&sentence));
    let report = std::fs::read_to_string(latest.join("report.html")).expect("a report");
    assert!(report.contains(&sentence), "{name}");
    ended.said
}

#[test]
fn a_store_that_somebody_kills_is_a_reason() {
    struck("--nemesis none", "/data/store-2", Signal::SIGKILL, "store-2");
}

#[test]
fn a_store_that_aborts_is_not_told_as_killed_by_the_faults_that_kill() {
    let flags = "--nemesis kill-all --nemesis-interval 1 --pause-ms-min 200 --pause-ms-max 400";
    let said = struck(flags, "/data/store-1", Signal::SIGABRT, "store-1");
    assert!(said.contains("signal: 6 (SIGABRT)"), "{said}");
}

#[test]
fn pd_and_stores_of_real_binaries_are_watched_too() {
    let flags =
        "--nemesis none --target binaries --tikv-server ./tikv-server --pd-server ./pd-server";
    struck(flags, "/data/tikv-3", Signal::SIGABRT, "tikv-3");
    struck(flags, "/data/pd1", Signal::SIGKILL, "pd1");
}

#[test]
fn an_interrupted_run_says_how_much_of_it_there_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let line = "test --nemesis none --time 60 --keys 50 --stores 3 --concurrency 4 --seed 3";
    let mut tester = Tester::start(dir.path(), Command::new(PROGRAM).args(words(line)));
    tester.await_words("clients and faults");
    std::thread::sleep(Duration::from_secs(2));
    tester.interrupt();
    let ended = tester.end();
    assert!(ended.said.contains(" of 60 s, interrupted"), "{}", ended.said);
    let early = verdict(dir.path())["ended-early"].clone();
    assert_eq!((&early["of-ms"], &early["why"]), (&60_000.into(), &"interrupted".into()));
    let code = ended.code.expect("it ended by itself");
    assert!(judged(&dir.path().join("runs/latest"), code).contains(" of 60 s"));
}

#[test]
fn what_an_interrupted_search_did_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let line = "fuzz --simulate --seed 1 --runs 1000";
    let mut tester = Tester::start(dir.path(), Command::new(PROGRAM).args(words(line)));
    tester.await_words(": valid\n");
    tester.interrupt();
    let ended = tester.end();
    assert_eq!(ended.code, Some(INTERRUPTED), "{}", ended.said);
    let last = ended.said.lines().last().unwrap_or_default();
    assert!(last.contains("interrupted after ") && last.contains(" of 1000 plans: "), "{last}");
    assert!(last.contains(" valid"), "{last}");

    let draw = words("plan draw --workload register --keys 3 --seed 1 --nemesis none --time 20");
    let plan = Command::new(PROGRAM).args(draw).output().expect("it runs").stdout;
    std::fs::write(dir.path().join("plan.json"), plan).expect("written");
    let line = "replay plan.json --simulate --times 1000";
    let mut tester = Tester::start(dir.path(), Command::new(PROGRAM).args(words(line)));
    tester.await_words("   1: ");
    tester.interrupt();
    let ended = tester.end();
    assert_eq!(ended.code, Some(INTERRUPTED), "{}", ended.said);
    let last = ended.said.lines().last().unwrap_or_default();
    assert!(last.contains("interrupted after ") && last.contains(" of 1000 times: "), "{last}");
}
