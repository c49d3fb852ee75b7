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
