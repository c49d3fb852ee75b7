//! What surrounds the runs, tried on the built binary: completions, manual pages, settings,
//! exports, a night's bad input.

use std::{
    path::Path,
    process::{Command, Output},
};

const USAGE: i32 = 64;
const NO_INPUT: i32 = 66;

fn jepsen_tikv(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs it, asserts that it is refused with this code, and gives what it said.
fn refused(dir: &Path, arguments: &[&str], variables: &[(&str, &str)], code: i32) -> String {
    let output = jepsen_tikv(dir, arguments, variables);
    let said = said(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?} said: {said}");
    assert!(!said.contains("panicked"), "{arguments:?} panicked: {said}");
    said
}

#[test]
fn every_shell_gets_completions_and_every_command_a_page() {
    let dir = tempfile::tempdir().expect("a directory");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = said(&jepsen_tikv(dir.path(), &["completions", shell], &[]).stdout);
        assert!(script.contains("nightly") && script.contains("nemesis-interval"), "{shell}");
    }
    let written = jepsen_tikv(dir.path(), &["man", "--out", "man"], &[]);
    assert_eq!(written.status.code(), Some(0));
    for page in ["jepsen-tikv.1", "jepsen-tikv-test.1", "jepsen-tikv-cluster-up.1"] {
        let text = std::fs::read_to_string(dir.path().join("man").join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}");
    }
}

#[test]
fn flags_come_from_the_environment_and_a_file_and_the_command_line_wins() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = "[test]\nstores = 2\nreplicas = 3\n";
    std::fs::write(dir.path().join("jepsen-tikv.toml"), file).expect("written");
    let stores = [("JEPSEN_TIKV_STORES", "0")];
    let of_variable = refused(dir.path(), &["test"], &stores, USAGE);
    assert!(of_variable.contains("--stores is 0"), "{of_variable}");
    let with_file = ["test", "--config", "jepsen-tikv.toml"];
    let of_file = refused(dir.path(), &with_file, &[], USAGE);
    assert!(of_file.contains("more than --stores 2"), "{of_file}");
    let over_file = refused(dir.path(), &with_file, &stores, USAGE);
    assert!(over_file.contains("--stores is 0"), "the variable wins over the file: {over_file}");
    let typed = [&with_file[..], &["--stores", "1"]].concat();
    let over_both = refused(dir.path(), &typed, &stores, USAGE);
    assert!(over_both.contains("more than --stores 1"), "{over_both}");
    refused(dir.path(), &["test", "--config", "no-such-file.toml"], &[], NO_INPUT);
    std::fs::write(dir.path().join("slip.toml"), "[test]\nstore = 2\n").expect("written");
    let slip = refused(dir.path(), &["test", "--config", "slip.toml"], &[], USAGE);
    assert!(slip.contains("slip.toml") && slip.contains("--store"), "{slip}");
}

#[test]
fn a_night_that_cannot_be_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let write =
        |text: &str| std::fs::write(dir.path().join("nightly.toml"), text).expect("written");
    let nightly = ["nightly", "--config", "nightly.toml"];
    for (text, named) in [
        ("nemeses = [\"earthquake\"]", "earthquake"),
        ("nemesis = [\"none\"]", "nemesis"),
        ("clients = []", "client"),
        ("targets = [\"attach\"]", "--pd"),
        ("budget = \"0\"", "budget"),
    ] {
        write(text);
        let said = refused(dir.path(), &nightly, &[], USAGE);
        assert!(said.contains(named), "{text}: {said}");
        assert!(!dir.path().join("nights").exists(), "{text} must leave nothing behind");
    }
    refused(dir.path(), &["nightly", "--config", "no-such-file.toml"], &[], NO_INPUT);
}

#[test]
fn an_exported_history_is_judged_as_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories/corpus");
    for (name, code) in [("stale-read", 1), ("cas-chain", 0)] {
        let history = corpus.join(format!("{name}.jsonl"));
        let history = history.to_string_lossy().into_owned();
        let exported = jepsen_tikv(dir.path(), &["export", &history], &[]);
        assert_eq!(exported.status.code(), Some(0), "{}", said(&exported.stderr));
        std::fs::write(dir.path().join("one.edn"), &exported.stdout).expect("written");
        let check = ["-q", "check", "--initial", ":absent", "one.edn"];
        let judged = jepsen_tikv(dir.path(), &check, &[]);
        assert_eq!(judged.status.code(), Some(code), "{name}: {}", said(&judged.stdout));
        assert!(judged.stderr.is_empty(), "-q: {}", said(&judged.stderr));
    }
    let several = corpus.join("two-keys-are-independent.jsonl").to_string_lossy().into_owned();
    let which = refused(dir.path(), &["export", &several], &[], USAGE);
    assert!(which.contains("--key") && which.contains("--out"), "{which}");
    let all = jepsen_tikv(dir.path(), &["export", &several, "--out", "edn"], &[]);
    assert_eq!(all.status.code(), Some(0));
    assert_eq!(std::fs::read_dir(dir.path().join("edn")).expect("there").count(), 2);
    let ttl = corpus.join("ttl-expired.jsonl").to_string_lossy().into_owned();
    assert!(refused(dir.path(), &["export", &ttl], &[], USAGE).contains("TTL"));
}
