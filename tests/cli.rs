//! Bad input, tried on the built binary: one clear sentence on stderr, its exit code, nothing left
//! behind.

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

/// A history of keys whose newer value is not read, each by clients of its own.
fn stale_keys(keys: usize) -> String {
    let mut lines = vec![r#"{"format":"jepsen-tikv history","version":1}"#.to_owned()];
    let steps = [("put", "\"1\"", "\"1\""), ("put", "\"2\"", "\"2\""), ("get", "null", "\"1\"")];
    for key in 0..keys {
        for (f, asked, answered) in steps {
            for (kind, value) in [("invoke", asked), ("ok", answered)] {
                let at = lines.len() - 1;
                lines.push(format!(
                    r#"{{"index":{at},"time":{at},"process":{key},"type":"{kind}","f":"{f}","key":"k{key:06}","value":{value}}}"#
                ));
            }
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn many_invalid_keys_are_counted_and_the_first_are_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("many.jsonl"), stale_keys(1_312)).expect("written");
    for (flags, files, said_more) in [
        (&[][..], 10, "  - and 1,302 more invalid keys"),
        (&["--counterexamples-max", "2"], 2, "  - and 1,310 more invalid keys"),
        (&["--counterexamples-max", "0"], 0, "  - 1,312 invalid keys"),
        (&["--counterexamples-max", "1311"], 1_311, "  - and 1 more invalid key"),
    ] {
        let folder = format!("of-{files}");
        let command =
            [&["check", "many.jsonl", "--details", "--counterexamples", &folder], flags].concat();
        let judged = jepsen_tikv(dir.path(), &command);
        let said = String::from_utf8_lossy(&judged.stdout).into_owned();
        assert_eq!(judged.status.code(), Some(1), "{said}");
        assert!(said.lines().any(|line| line == said_more), "{said}");
        let entries = std::fs::read_dir(dir.path().join(&folder)).map_or(0, Iterator::count);
        assert_eq!(entries, files, "{flags:?}");
    }
    let json = jepsen_tikv(dir.path(), &["check", "many.jsonl", "--json"]);
    let json = serde_json::from_slice::<serde_json::Value>(&json.stdout).expect("JSON");
    let keys = json["checked"]["keys"].as_array().expect("keys");
    assert!(keys.iter().all(|key| key["validity"] == "invalid" && key["reason"].is_string()));
    assert_eq!(json["reasons"].as_array().map(Vec::len), Some(11));
    let findings = json["checked"]["findings"].as_array().expect("findings");
    assert_eq!((findings.len(), &findings[0]["kind"]), (1_000, &"stale-read".into()));
}

#[test]
fn a_folder_that_cannot_be_written_hides_no_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("stale.jsonl"), stale_keys(1)).expect("written");
    std::fs::write(dir.path().join("a-file"), "").expect("written");
    for also in [&[][..], &["--json"], &["stale.jsonl"]] {
        let command = [&["check", "stale.jsonl", "--counterexamples", "a-file"], also].concat();
        let judged = jepsen_tikv(dir.path(), &command);
        let said = String::from_utf8_lossy(&judged.stdout).to_lowercase();
        let complained = String::from_utf8_lossy(&judged.stderr).into_owned();
        assert_eq!(judged.status.code(), Some(1), "{complained}");
        assert!(said.contains("invalid"), "{said}");
        assert!(complained.contains("cannot write counterexamples to a-file"), "{complained}");
    }
}

#[test]
fn a_report_that_cannot_be_written_says_the_verdict_all_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(dir.path().join("run/report.html/in-the-way")).expect("made");
    std::fs::write(dir.path().join("run/history.jsonl"), stale_keys(1)).expect("written");
    let reported = jepsen_tikv(dir.path(), &["report", "run"]);
    let said = String::from_utf8_lossy(&reported.stdout).into_owned();
    assert_eq!(reported.status.code(), Some(74), "{said}");
    assert!(said.starts_with("INVALID  "), "{said}");
    assert!(String::from_utf8_lossy(&reported.stderr).contains("report.html"));
}

#[test]
fn the_counterexamples_of_several_histories_do_not_meet() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("b")).expect("made");
    for name in ["one.jsonl", "two.jsonl", "b/one.jsonl"] {
        std::fs::write(dir.path().join(name), stale_keys(1)).expect("written");
    }
    let command =
        ["check", "one.jsonl", "two.jsonl", "b/one.jsonl", "--counterexamples", "found/here"];
    assert_eq!(jepsen_tikv(dir.path(), &command).status.code(), Some(1));
    for folder in ["one", "two", "one-2"] {
        let file = format!("found/here/{folder}/counterexample-k000000.jsonl");
        assert!(dir.path().join(&file).is_file(), "{file}");
    }
}

#[test]
fn keys_are_said_to_be_accounted_for_only_where_they_were_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let history = [
        r#"{"format":"jepsen-tikv history","version":1}"#,
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"put","key":"a","value":"1"}"#,
        r#"{"index":1,"time":2,"process":0,"type":"ok","f":"put","key":"a","value":"1"}"#,
    ];
    std::fs::write(dir.path().join("one.jsonl"), history.join("\n") + "\n").expect("written");
    let judged = jepsen_tikv(dir.path(), &["check", "one.jsonl"]);
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(said.contains("1 operation on 1 key is linearizable\n"), "{said}");
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
    assert!(said.contains("├ get → 1 ┤ ✗"), "{said}");
    let written = || std::fs::read_dir(dir.path()).expect("a folder").count();
    assert_eq!(written(), 1, "nothing is written unasked");
    let judged = jepsen_tikv(dir.path(), &["check", "--counterexamples", ".", "stale.edn"]);
    assert_eq!((judged.status.code(), written()), (Some(1), 2));
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
