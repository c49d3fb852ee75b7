//! Long runs, on real processes: parts are judged and dropped, a broken promise ends all of it, a
//! long history is cut and compressed.

use std::{
    path::Path,
    process::{Command, Output},
};

fn jepsen_tikv(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

/// The lines of parts.jsonl.
fn parts(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("runs/latest/parts.jsonl")).expect("written");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The verdict on all parts.
fn verdict(dir: &Path) -> serde_json::Value {
    let text = std::fs::read(dir.join("runs/latest/verdict.json")).expect("written");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn parts_are_judged_and_dropped_and_a_broken_promise_ends_the_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let common = ["test", "--nemesis", "none", "--stores", "3", "--rotate-keys", "5"];
    let flags = ["--time", "10", "--keys", "50", "--client", "direct"];
    let output = jepsen_tikv(dir.path(), &[&common[..], &flags].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("VALID    2 parts"), "{said}");
    let lines = parts(dir.path());
    assert_eq!((lines.len(), &lines[0]["version"]), (3, &1.into()));
    assert!(lines[1..].iter().all(|part| part["validity"] == "valid"), "{lines:?}");
    assert_ne!(lines[1]["seed"], lines[2]["seed"]);
    let left = std::fs::read_dir(dir.path().join("runs/latest/parts")).expect("there").count();
    assert_eq!(left, 0, "valid parts are dropped");
    let all = verdict(dir.path());
    assert_eq!((&all["validity"], &all["parts"]["valid"]), (&"valid".into(), &2.into()));
    let judged = jepsen_tikv(dir.path(), &["check", "runs/latest"]);
    let note = String::from_utf8_lossy(&judged.stderr).into_owned();
    assert_eq!(judged.status.code(), Some(0), "{note}");
    assert!(note.contains("VALID: 2 parts") && note.contains("judged again: 0"), "{note}");
    let report = jepsen_tikv(dir.path(), &["report", "runs/latest"]);
    assert_eq!(report.status.code(), Some(0), "{}", String::from_utf8_lossy(&report.stderr));

    let flags = ["--time", "600", "--workload", "register", "--defect", "failed-cas-writes"];
    let output =
        jepsen_tikv(dir.path(), &[&common[..5], &flags, &["--rotate-keys", "300"]].concat());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("a promise is broken"), "it ends early, not after five minutes: {said}");
    assert_eq!(parts(dir.path()).len(), 2, "no part follows");
    let judged = jepsen_tikv(dir.path(), &["-q", "check", "runs/latest/parts/000001"]);
    assert_eq!(judged.status.code(), Some(1));
    let all = verdict(dir.path());
    assert_eq!((&all["validity"], &all["parts"]["invalid"]), (&"invalid".into(), &1.into()));
    let judged = jepsen_tikv(dir.path(), &["-q", "check", "runs/latest"]);
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert_eq!(judged.status.code(), Some(1), "{said}");
    assert!(said.contains("parts/000001"), "the part that is kept is judged again: {said}");
}

#[test]
fn a_history_in_segments_is_judged_as_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let flags = ["--time", "10", "--keys", "50", "--value-bytes", "4000", "--history-segment", "1"];
    let common = ["test", "--nemesis", "none", "--stores", "3", "--fail-fast"];
    let output = jepsen_tikv(dir.path(), &[&common[..], &flags].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let run = dir.path().join("runs/latest");
    assert!(run.join("history.jsonl.000001.zst").is_file(), "{said}");
    let last = std::fs::read_to_string(run.join("history.jsonl")).expect("readable");
    assert!(last.lines().next().is_some_and(|header| header.contains("\"follows\":")), "{last}");

    let verdict = || std::fs::read(run.join("verdict.json")).expect("written");
    let first = verdict();
    let judged = jepsen_tikv(dir.path(), &["-q", "check", "runs/latest"]);
    assert_eq!(judged.status.code(), Some(0));
    assert_eq!(first, verdict(), "the same history, the same verdict");
    let alone = dir.path().join("alone.jsonl");
    std::fs::write(&alone, last).expect("written");
    let refused = jepsen_tikv(dir.path(), &["check", "alone.jsonl"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("later segment") && !said.contains("panicked"), "{said}");
    assert!(!refused.status.success());
}
