//! Plans as a user meets them, tried on the built binary: drawn, edited, carried out again, shrunk,
//! in virtual time and on real processes. What goes wrong is one sentence, and nothing is lost.

use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(5);

fn jepsen_tikv(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

/// What it says on stdout, when it ends with this code.
fn said(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = jepsen_tikv(dir, arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}\n{errors}");
    said
}

/// What it says on stderr, when it ends with this code.
fn refused(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = jepsen_tikv(dir, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    said
}

/// A plan on a small cluster, with these flags too.
fn draw(dir: &Path, file: &str, more: &str) -> PathBuf {
    let flags =
        "plan draw --workload register --keys 3 --rate 100 --seed 1 --nemesis transfer-leader";
    let arguments: Vec<&str> = flags.split(' ').chain(more.split(' ')).collect();
    let path = dir.join(file);
    std::fs::write(&path, said(dir, &arguments, 0)).expect("written");
    path
}

fn edited(path: &Path, edit: impl FnOnce(&mut Value)) {
    let text = std::fs::read(path).expect("a plan");
    let mut plan: Value = serde_json::from_slice(&text).expect("JSON");
    edit(&mut plan);
    std::fs::write(path, serde_json::to_vec(&plan).expect("written")).expect("written");
}

#[test]
fn a_plan_is_drawn_edited_and_carried_out_as_it_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = draw(dir.path(), "plan.json", "--stores 3 --concurrency 4 --time 9");
    let before = said(dir.path(), &["plan", "check", "plan.json"], 0);
    assert!(before.contains("(transfer-leader), 4 clients (1 idle), 3 stores"), "{before}");
    // One fault that no flags would draw.
    let fault = json!({"begin-ms": 1_500, "kind": "kill-one", "overlaps": false, "required": false,
        "draw": 7, "what": {"action": "kill", "whom": "one", "length_ms": 777}});
    edited(&path, |plan| plan["schedule"] = json!([fault]));
    let output = said(dir.path(), &["simulate", "plan.json", "--details"], 0);
    assert!(output.contains("fault 0: kill-one"), "{output}");
    assert!(!output.contains("fault 1"), "{output}");
    // Its flags would draw another schedule.
    assert!(output.contains("repeat   jepsen-tikv replay runs/"), "{output}");
    let history = std::fs::read_to_string(dir.path().join("runs/latest/history.jsonl"));
    assert!(history.expect("a history").contains("\"length_ms\":777"));

    edited(&path, |plan| plan["config"]["cluster"]["stores"] = json!("three"));
    let reason = refused(dir.path(), &["replay", "plan.json"], 65);
    assert!(reason.contains("config.cluster.stores: invalid type"), "{reason}");
    assert_eq!(refused(dir.path(), &["plan", "check", "none.json"], 66).lines().count(), 1);
    let beside = refused(dir.path(), &["simulate", "plan.json", "--keys", "5"], 64);
    assert!(beside.contains("--keys says what the plan says already"), "{beside}");
}

#[test]
fn a_simulated_run_fails_again_every_time_and_shrinks_to_next_to_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    draw(dir.path(), "plan.json", "--stores 3 --concurrency 4 --time 4 --defect failed-cas-writes");
    let found = said(dir.path(), &["simulate", "plan.json"], 1);
    assert!(found.contains("failed write observed"), "{found}");
    let run = std::fs::canonicalize(dir.path().join("runs/latest")).expect("a run");
    let run = run.display().to_string();
    let again = said(dir.path(), &["replay", &run, "--times", "3"], 1);
    assert!(again.contains("failed 3 of 3, same key kind, same anomaly class"), "{again}");
    assert!(again.contains("3 of 3 as the run itself"), "{again}");
    assert!(again.contains("every history is the same, byte for byte"), "{again}");

    let shrunk = said(dir.path(), &["shrink", &run], 1);
    assert!(shrunk.contains("no faults, 2 clients (0 idle), 1 store"), "{shrunk}");
    let smallest = format!("{run}-shrink/smallest-plan.json");
    said(dir.path(), &["replay", &smallest, "--times", "1"], 1);
    let journal = std::fs::read_to_string(format!("{run}-shrink/journal.jsonl")).expect("there");
    // It is all known now: nothing is tried again.
    said(dir.path(), &["shrink", &run], 1);
    let after = std::fs::read_to_string(format!("{run}-shrink/journal.jsonl")).expect("there");
    assert_eq!(journal, after);
    let other = refused(dir.path(), &["shrink", &run, "--attempts-per-step", "2"], 64);
    assert!(other.contains("made 10 attempts a step"), "{other}");
}

#[test]
fn a_race_shrinks_to_the_two_clients_that_it_needs() {
    let dir = tempfile::tempdir().expect("a directory");
    let flags = "plan draw --workload register --keys 1 --rate 400 --seed 1 --nemesis none --stores 3 \
                 --operations get=1,cas=4 --concurrency 6 --idle-clients 0 --time 3 --defect cas-race";
    let drawn = said(dir.path(), &flags.split_whitespace().collect::<Vec<_>>(), 0);
    std::fs::write(dir.path().join("plan.json"), drawn).expect("written");
    said(dir.path(), &["simulate", "plan.json"], 1);
    let verdict = std::fs::read(dir.path().join("runs/latest/verdict.json")).expect("written");
    let verdict: Value = serde_json::from_slice(&verdict).expect("JSON");
    let findings = verdict["checked"]["findings"].as_array().expect("findings");
    let race = findings.iter().find(|it| it["kind"] == "lost-update").expect("two winners");
    let roles: Vec<&Value> =
        race["participants"].as_array().expect("two").iter().map(|it| &it["role"]).collect();
    assert_eq!(roles[..2], ["observer", "other-cas"], "{race}");
    assert_ne!(race["participants"][0]["client"], race["participants"][1]["client"], "{race}");

    let run = std::fs::canonicalize(dir.path().join("runs/latest")).expect("a run");
    let run = run.display().to_string();
    let shrunk = said(dir.path(), &["shrink", &run, "--attempts-per-step", "2"], 1);
    assert!(shrunk.contains("no faults, 2 clients (0 idle), "), "{shrunk}");
    let smallest = std::fs::read(format!("{run}-shrink/smallest-plan.json")).expect("a plan");
    let smallest: Value = serde_json::from_slice(&smallest).expect("JSON");
    assert_eq!(smallest["config"]["workload"]["concurrency"], 2);
}

#[test]
fn an_interrupted_shrink_goes_on_where_it_was_and_ends_with_the_same_plan() {
    const SHRINK: [&str; 5] = ["shrink", "plan.json", "--simulate", "--attempts-per-step", "2"];
    let dir = tempfile::tempdir().expect("a directory");
    let flags = "--stores 3 --concurrency 6 --time 4 --defect failed-cas-writes";
    for name in ["one", "other"] {
        std::fs::create_dir(dir.path().join(name)).expect("made");
        draw(&dir.path().join(name), "plan.json", flags);
    }
    let (whole, parts) = (dir.path().join("one"), dir.path().join("other"));
    said(&whole, &SHRINK, 1);
    // Ended after three steps by Ctrl-C, then by itself.
    let mut shrink = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(SHRINK)
        .current_dir(&parts)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let journal = parts.join("plan-shrink/journal.jsonl");
    let steps = || std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let until = Instant::now() + PATIENCE;
    while steps() < 4 && shrink.try_wait().expect("it runs").is_none() {
        assert!(Instant::now() < until, "no steps");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = nix::unistd::Pid::from_raw(shrink.id().cast_signed());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
    let code = shrink.wait().expect("it ends").code();
    assert!(matches!(code, Some(130 | 1)), "{code:?}");
    assert!(parts.join("plan-shrink/smallest-plan.json").is_file());
    said(&parts, &SHRINK, 1);
    let smallest = |dir: &Path| std::fs::read(dir.join("plan-shrink/smallest-plan.json"));
    assert_eq!(smallest(&whole).expect("there"), smallest(&parts).expect("there"));
}

#[test]
fn what_cannot_be_shrunk_or_fuzzed_is_refused_in_one_sentence() {
    let dir = tempfile::tempdir().expect("a directory");
    draw(dir.path(), "sound.json", "--stores 3 --time 1");
    let none = refused(dir.path(), &["shrink", "sound.json", "--simulate"], 2);
    assert!(none.contains("did not fail, so there is nothing to shrink"), "{none}");
    refused(dir.path(), &["shrink", "none.json"], 66);
    std::fs::write(dir.path().join("profile.toml"), "stores = [5, 3]\n").expect("written");
    let profile = refused(dir.path(), &["fuzz", "--profile", "profile.toml"], 65);
    assert!(profile.contains("stores: 5 is more than 3"), "{profile}");
    let both = refused(dir.path(), &["fuzz", "--simulate", "--target", "embedded"], 64);
    assert!(both.contains("--target"), "{both}");
    std::fs::create_dir_all(dir.path().join("runs")).expect("made");
    let seeds = dir.path().join("runs/fuzz-regressions.jsonl");
    let old = "{\"format\":\"jepsen-tikv fuzz regressions\",\"version\":1}\n";
    std::fs::write(&seeds, old).expect("written");
    let version = refused(dir.path(), &["fuzz", "--simulate"], 65);
    assert!(version.contains("move it away to begin anew"), "{version}");
    assert_eq!(std::fs::read_to_string(&seeds).expect("there"), old);
}

#[test]
fn real_processes_are_fuzzed_replayed_and_shrunk() {
    let dir = tempfile::tempdir().expect("a directory");
    let profile = "stores = [3, 3]\nreplicas = [3, 3]\nregions = [1, 1]\nclients = [4, 6]\nkeys = [1, 3]\n\
                   rate = [200, 400]\ntime-ms = [2000, 3000]\nworkloads = [\"register\"]\n\
                   operations = [\"get\", \"cas\"]\nfaults = [\"transfer-leader\"]\n";
    std::fs::write(dir.path().join("profile.toml"), profile).expect("written");
    let arguments =
        "fuzz --runs 3 --seed 1 --profile profile.toml --defect failed-cas-writes".split(' ');
    let found = said(dir.path(), &arguments.collect::<Vec<_>>(), 1);
    assert!(found.contains("embedded cluster"), "{found}");
    let run = std::fs::canonicalize(dir.path().join("runs/latest")).expect("a run");
    assert!(run.join("verdict.json").is_file() && run.join("report.html").is_file());
    let run = run.display().to_string();
    let again = said(dir.path(), &["replay", &run, "--times", "2"], 1);
    assert!(again.contains("repeat the schedule, not the interleaving"), "{again}");
    assert!(again.contains(" of 2, same key kind, same anomaly class"), "{again}");
    let arguments = ["shrink", &run, "--attempts-per-step", "1", "--for", "1", "--times", "1"];
    let shrunk = said(dir.path(), &arguments, 1);
    assert!(shrunk.contains("the same command goes on"), "{shrunk}");
    assert!(Path::new(&format!("{run}-shrink/smallest-plan.json")).is_file());
}
