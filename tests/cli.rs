//! Bad input, tried on the built binary: one clear sentence on stderr, its exit code, nothing left behind.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

const USAGE: i32 = 64;
const MALFORMED: i32 = 65;
const NO_INPUT: i32 = 66;
const TARGET_OR_DISK: i32 = 74;

fn jepsen_tikv(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

/// Runs it, asserts the code, and gives what it said.
fn refused(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = jepsen_tikv(dir, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?} said: {said}");
    assert!(!said.contains("panicked"), "{arguments:?} panicked: {said}");
    assert_nothing_runs_in(dir);
    said
}

/// No process of the embedded cluster works in this directory.
fn assert_nothing_runs_in(dir: &Path) {
    let needle = dir.to_string_lossy().into_owned();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(command_line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let command_line = String::from_utf8_lossy(&command_line).into_owned();
        assert!(
            !(command_line.contains("internal-") && command_line.contains(&needle)),
            "left running: {command_line}"
        );
    }
}

#[test]
fn wrong_usage_is_one_sentence_and_64() {
    let dir = tempfile::tempdir().expect("a directory");
    for (arguments, named) in [
        (vec!["test", "--nemesis", "earthquake"], "pause-two"),
        (vec!["test", "--stores", "0"], "--stores"),
        (vec!["test", "--stores", "3", "--replicas", "5"], "--replicas"),
        (vec!["test", "--time", "0"], "--time"),
        (vec!["test", "--time", "soon"], "--time"),
        (vec!["test", "--no-such-flag"], "--no-such-flag"),
        (vec!["test", "--defect", "gremlins"], "stale-read"),
        (vec!["no-such-command"], "no-such-command"),
    ] {
        let said = refused(dir.path(), &arguments, USAGE);
        assert!(said.contains(named), "{arguments:?} should name {named}: {said}");
        assert!(!dir.path().join("runs").exists(), "{arguments:?} must leave nothing behind");
    }
}

#[test]
fn help_lists_the_exit_codes() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = jepsen_tikv(dir.path(), &["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    for code in ["0", "1", "2", "64", "65", "70", "74"] {
        assert!(
            help.lines().any(|line| line.split_whitespace().next() == Some(code)),
            "{code} is missing: {help}"
        );
    }
}

#[test]
fn histories_that_are_none_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).expect("written");
    };
    let header = r#"{"format":"jepsen-tikv history","version":1}"#;
    let invoke =
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"get","key":"a","value":null}"#;
    write("torn.jsonl", &format!("{header}\n{invoke}\n{{\"index\":1,\"ti"));
    write("foreign.jsonl", "{\"hello\":\"world\"}\n");
    write("empty.jsonl", "");
    write(
        "return-without-invoke.jsonl",
        &format!("{header}\n{}\n", invoke.replace("invoke", "ok")),
    );
    let torn = refused(dir.path(), &["check", "torn.jsonl"], MALFORMED);
    assert!(torn.contains("line 3"), "the torn line is named: {torn}");
    refused(dir.path(), &["check", "foreign.jsonl"], MALFORMED);
    refused(dir.path(), &["check", "empty.jsonl"], MALFORMED);
    let unpaired = refused(dir.path(), &["check", "return-without-invoke.jsonl"], MALFORMED);
    assert!(unpaired.contains("line 2"), "the line is named: {unpaired}");
    refused(dir.path(), &["check", "no-such-file.jsonl"], NO_INPUT);
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left_running() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let said = refused(dir.path(), &["test", "--time", "1", "--pd-port", &port], TARGET_OR_DISK);
    assert!(said.contains(&port), "the port is named: {said}");
}

#[test]
fn a_place_that_cannot_be_written_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("file"), "").expect("written");
    let said =
        refused(dir.path(), &["test", "--time", "1", "--runs-dir", "file/runs"], TARGET_OR_DISK);
    assert!(said.contains("--runs-dir"), "what to do is said: {said}");
}

#[test]
fn a_cluster_that_did_not_recover_is_stuck_for_check_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let history = [
        r#"{"format":"jepsen-tikv history","version":1}"#,
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"put","key":"a","value":"1"}"#,
        r#"{"index":1,"time":2,"process":0,"type":"ok","f":"put","key":"a","value":"1"}"#,
        r#"{"index":2,"time":3,"process":"nemesis","type":"info","f":"recovery","value":{"serves_after_ms":120000,"whole_after_ms":120000,"stuck":["region 7"],"missing":null}}"#,
    ];
    std::fs::write(dir.path().join("stuck.jsonl"), history.join("\n") + "\n").expect("written");
    let output = jepsen_tikv(dir.path(), &["check", "stuck.jsonl"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("region 7"), "{said}");
}

#[test]
fn an_invalid_history_leaves_a_counterexample_that_is_judged_invalid_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let edn = "[{:process 0 :type :invoke :f :write :value 1}
        {:process 0 :type :ok :f :write :value 1}
        {:process 0 :type :invoke :f :write :value 2}
        {:process 0 :type :ok :f :write :value 2}
        {:process 1 :type :invoke :f :read :value nil}
        {:process 1 :type :ok :f :read :value 1}]";
    std::fs::write(dir.path().join("stale.edn"), edn).expect("written");
    let judged = jepsen_tikv(dir.path(), &["check", "stale.edn"]);
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert_eq!(judged.status.code(), Some(1), "{said}");
    assert!(said.contains("├ get → \"1\" ┤"), "{said}");
    let again = jepsen_tikv(dir.path(), &["check", "counterexample-register.jsonl"]);
    assert_eq!(again.status.code(), Some(1));
    let table = jepsen_tikv(dir.path(), &["check", "stale.edn", "counterexample-register.jsonl"]);
    assert_eq!(table.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&table.stdout).lines().count(), 3);
    for engine in ["search", "porcupine", "near-linear"] {
        let judged = jepsen_tikv(dir.path(), &["check", "--json", "--engine", engine, "stale.edn"]);
        assert_eq!(judged.status.code(), Some(1), "{engine}");
        let json = serde_json::from_slice::<serde_json::Value>(&judged.stdout).expect("JSON");
        assert_eq!(json["checked"]["keys"][0]["decided_by"], engine);
    }
    let spent = jepsen_tikv(
        dir.path(),
        &["check", "--engine", "search", "--budget", "0", "--threads", "1", "stale.edn"],
    );
    assert_eq!(spent.status.code(), Some(2));
}
