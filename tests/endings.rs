//! The words of the built binary at the end of a run, to a person and to a program.

use std::{
    path::Path,
    process::{Command, Output},
};

/// Simulates a short run with more flags.
fn simulate(dir: &Path, more: &[&str]) -> Output {
    let flags = "simulate --nemesis pause-leader --nemesis-interval 2 --stores 3 --keys 50 --rate 100 \
                 --time 12 --seed 1";
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(flags.split_whitespace())
        .args(more)
        .env("NO_COLOR", "1")
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

fn verdict(dir: &Path) -> serde_json::Value {
    let text = std::fs::read(dir.join("runs/latest/verdict.json")).expect("a verdict");
    serde_json::from_slice(&text).expect("JSON")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn an_ending_fits_a_screen_and_is_all_that_is_said_if_nothing_else_is_wanted() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = simulate(dir.path(), &["-q"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(text(&output.stderr), "");
    assert!(said.starts_with("VALID    "), "{said}");
    assert!(said.lines().count() <= 20, "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    for row in ["target", "faults", "clients", "keys", "report", "repeat"] {
        assert!(said.lines().any(|line| line.starts_with(row)), "{row}: {said}");
    }
    let all = verdict(dir.path());
    let keys = |all: &serde_json::Value| all["keys-judged"]["total"].as_u64().expect("a number");
    assert!(keys(&all) > 50, "{all}");
    assert_eq!(all["checked"]["keys"].as_array().map(Vec::len), Some(0), "plainly valid");

    let output = simulate(dir.path(), &["-q", "--defect", "ack-before-commit", "--per-key"]);
    let said = text(&output.stdout);
    let word = if output.status.code() == Some(0) { "VALID    " } else { "INVALID  " };
    assert!(said.starts_with(word), "{said}");
    let all = verdict(dir.path());
    let listed = all["checked"]["keys"].as_array().map(|keys| keys.len() as u64);
    assert_eq!(listed, Some(keys(&all)));
}

#[test]
fn a_program_gets_the_head_of_the_verdict_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = simulate(dir.path(), &["--json"]);
    let mut head: serde_json::Value = serde_json::from_slice(&output.stdout).expect("only JSON");
    assert_eq!(head["validity"], "valid");
    assert!(head["checked"]["keys"].is_null(), "{head}");
    let mut all = verdict(dir.path());
    for judged in [&mut head, &mut all] {
        judged["checked"].as_object_mut().expect("an object").remove("keys");
    }
    assert_eq!(head, all, "the same as verdict.json");
}

#[test]
fn everything_is_said_on_demand() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = text(&simulate(dir.path(), &["--details"]).stdout);
    let (details, ending) = said.split_once("\nVALID    ").expect("an ending");
    assert!(details.contains("fault 0: pause-leader of store-"), "{said}");
    assert!(details.contains("VALID: ") && ending.contains("\nfaults   "), "{said}");
    let output = simulate(dir.path(), &["--details", "--json"]);
    assert_eq!(output.status.code(), Some(64), "one or the other");
}
