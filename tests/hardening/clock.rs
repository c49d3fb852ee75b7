//! The wall clock of the whole run, tester and cluster, is set back and forth; time that counts
//! comes from elsewhere.

use crate::tester::{PROGRAM, Tester, judged, words};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const TROUBLE: i32 = 74;
const HOUR_MS: i64 = 3_600_000;

/// Debian's `libfaketime`, made for programs with threads.
fn faketime() -> Option<PathBuf> {
    let places = ["x86_64-linux-gnu/", "aarch64-linux-gnu/", ""];
    let path = |place| PathBuf::from(format!("/usr/lib/{place}faketime/libfaketimeMT.so.1"));
    places.map(path).into_iter().find(|path| path.is_file())
}

/// By how much the wall clock of the looks at the cluster jumps at most, milliseconds.
fn jump_max_ms(run: &Path) -> i64 {
    let text = std::fs::read_to_string(run.join("cluster-samples.jsonl")).expect("looks");
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let at: Vec<i64> = lines.filter_map(|look: serde_json::Value| look["at_ms"].as_i64()).collect();
    at.windows(2).map(|two| (two[1] - two[0]).abs()).max().unwrap_or_default()
}

/// The functions that read the clock are tested beside themselves, also where there is no library.
#[test]
fn a_wall_clock_before_1970_ends_no_process_by_a_signal() {
    let Some(library) = faketime() else {
        eprintln!("left out: there is no libfaketime here (Debian: apt-get install faketime)");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let run = |line: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(words(line)).env("LD_PRELOAD", &library);
        command.envs([("FAKETIME", "1969-06-01 00:00:00"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        Tester::start(dir.path(), &mut command).end()
    };
    for line in [
        "test --nemesis none --time 2 --keys 5 --stores 1 --replicas 1",
        "cluster up --kv 1 -d --without-monitor",
        "serve . --port 0",
    ] {
        let ended = run(line);
        assert_eq!(ended.code, Some(TROUBLE), "{line}: {}", ended.said);
        let last = ended.said.lines().last().unwrap_or_default();
        assert!(last.contains("says a time before 1970: set it"), "{line}: {}", ended.said);
    }
    // Whatever starts no store and serves nothing does not mind.
    let ended = run("simulate --nemesis none --time 2 --keys 5 --stores 3 --seed 3");
    assert!(matches!(ended.code, Some(0 | 2)), "{}", ended.said);
    let ended = run("report runs/latest");
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[test]
fn a_wall_clock_that_steps_by_hours_changes_nothing() {
    let Some(library) = faketime() else {
        eprintln!("left out: there is no libfaketime here (Debian: apt-get install faketime)");
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let stamp = dir.path().join("stamp");
    let set = |offset: &str| std::fs::write(&stamp, format!("{offset}\n")).expect("written");
    set("+0");
    let arguments = words(
        "test --workload register --nemesis pause-one,kill-one --nemesis-interval 1 --time 15 --keys 50 --stores 3 --seed 3",
    );
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &stamp);
    command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
    let mut tester = Tester::start(dir.path(), &mut command);
    tester.await_words("clients and faults");
    for offset in ["+3600", "-3600", "+7200", "+0", "-86400", "+3600"] {
        std::thread::sleep(Duration::from_secs(2));
        set(offset);
    }
    let ended = tester.end();
    let run = std::fs::canonicalize(dir.path().join("runs/latest")).expect("a run");
    assert!(jump_max_ms(&run) > HOUR_MS / 2, "the clock was never set: {}", ended.said);
    // Whether so short a run tested enough depends on the machine; it is never accused.
    let code = ended.code.expect("it ended by itself");
    assert!(matches!(code, 0 | 2), "{}", ended.said);
    judged(&run, code);
    let history = std::fs::read_to_string(run.join("history.jsonl")).expect("a history");
    let last = history.lines().next_back().expect("an event");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let last_ms = last["time"].as_i64().expect("a time") / 1_000_000;
    assert!(last_ms < HOUR_MS / 2, "the run lasted {last_ms} ms, it believes");
}
