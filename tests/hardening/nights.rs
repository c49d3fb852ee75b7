//! A night whose machine goes down: the same command goes on with it, and what was done is not done
//! again.

use crate::tester::{Ended, PROGRAM, Tester, processes, words};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const SETTINGS: &str =
    "budget = \"60\"\ntime = \"5\"\nworkloads = [\"register --keys 20\"]\nnemeses = [\"none\"]
targets = [\"embedded --stores 3\"]\nprofiles = [\"fast\"]\nclients = [\"direct\"]\n";

fn night(dir: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words("nightly --config nightly.toml --seed 7 --out nights")).current_dir(dir);
    command
}

fn journal(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("nights/latest/journal.jsonl")).unwrap_or_default()
}

/// Starts the night, and kills it with SIGKILL once its self-test has a cluster.
fn killed_in_its_self_test(dir: &Path) {
    let said = File::create(dir.join("first.txt")).expect("a file");
    let mut first = night(dir).stdout(said).spawn().expect("it starts");
    let until = Instant::now() + Duration::from_mins(1);
    let has_cluster = || processes(dir).iter().any(|(_, it)| it.contains("internal-store"));
    while !has_cluster() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = Pid::from_raw(first.id().cast_signed());
    kill(pid, Signal::SIGKILL).expect("it runs");
    first.wait().expect("it can be waited for");
    while !processes(dir).is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(processes(dir), [], "they outlive the night");
}

#[test]
fn a_night_that_was_killed_goes_on_and_does_nothing_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("nightly.toml"), SETTINGS).expect("written");
    killed_in_its_self_test(dir.path());
    assert!(journal(dir.path()).ends_with("{\"begun\":\"self-test-1\"}\n"));

    // Had it lived a little longer, its self-test would have ended; and then the machine went down
    // while it wrote.
    let row = r#"{"ended":{"label":"self-test-1","kind":"self-test","command":"jepsen-tikv self-test --quick --seed 7",
        "seed":7,"outcome":"valid","exit_code":0,"reasons":[],"seconds":1.0,"measured":null,"run":null,"archive":null}}"#;
    let row = row.split_whitespace().collect::<Vec<_>>().join(" ");
    let path = std::fs::canonicalize(dir.path().join("nights/latest")).expect("a night");
    let mut file =
        OpenOptions::new().append(true).open(path.join("journal.jsonl")).expect("a journal");
    write!(file, "{row}\n{{\"begun\":\"regis").expect("written");

    let Ended { code, said } = Tester::start(dir.path(), &mut night(dir.path())).end();
    assert!(said.contains("goes on after an interruption, 1 runs are done"), "{said}");
    // Whether so short a run tested enough depends on the machine.
    assert!(matches!(code, Some(0 | 2)), "{code:?}: {said}");
    let journal = journal(dir.path());
    assert_eq!(journal.matches("\"begun\":\"self-test-1\"").count(), 1, "{journal}");
    assert_eq!(journal.matches("\"ended\":").count(), 2, "{journal}");
    assert!(journal.contains("\"over\":"), "{journal}");
    let summary = std::fs::read(path.join("summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_slice(&summary).expect("JSON");
    assert_eq!(summary["rows"].as_array().map(Vec::len), Some(2), "{summary}");
}
