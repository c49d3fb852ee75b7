//! Virtual time, tried on the built binary: one seed gives one history on any machine, and fuzzing
//! finds a defect.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn jepsen_tikv(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(arguments)
        .args(["--runs-dir", &dir.display().to_string()])
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs")
}

fn history(runs_dir: &Path) -> Vec<u8> {
    std::fs::read(runs_dir.join("latest/history.jsonl")).expect("a history")
}

const PLAN: [&str; 12] = [
    "simulate",
    "--workload",
    "register",
    "--nemesis",
    "mix",
    "--time",
    "10",
    "--rate",
    "100",
    "--stores",
    "5",
    "--seed",
];

/// Every fault that only a simulation offers, each once before any comes again.
const SIMULATED_FAULTS: &str = "partition-one,partition-leader,partition-halves,partition-ring,partition-bridge,\
                                partition-one-way,delay-messages,lose-messages,slow-disk,disk-error,clock-skew,\
                                pause-pd,kill-pd";

#[test]
fn a_seed_gives_the_same_history_in_every_process_and_locale() {
    let dir = tempfile::tempdir().expect("a directory");
    let simulate = |name: &str, seed: &str, locale: &str| {
        let runs_dir = dir.path().join(name);
        let arguments: Vec<&str> = PLAN.iter().copied().chain([seed]).collect();
        let output = jepsen_tikv(&runs_dir, &arguments, &[("LANG", locale), ("LC_ALL", locale)]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        history(&runs_dir)
    };
    let first = simulate("first", "11", "C");
    assert!(first.len() > 50_000, "{} bytes", first.len());
    assert!(first == simulate("again", "11", "tr_TR.UTF-8"), "the same seed, another history");
    assert!(first != simulate("other", "12", "C"), "another seed, the same history");
}

#[test]
fn faults_that_only_a_simulation_offers_are_met_healed_and_repeated_by_the_seed() {
    let dir = tempfile::tempdir().expect("a directory");
    let simulate = |name: &str, locale: &str| {
        let runs_dir = dir.path().join(name);
        let flags = "simulate --workload register --keys 5 --time 40 --rate 60 --stores 6 --seed 5 \
                     --nemesis-interval 1 --pause-ms-min 1000 --pause-ms-max 2500 --nemesis";
        let arguments: Vec<&str> = flags.split_whitespace().chain([SIMULATED_FAULTS]).collect();
        let output = jepsen_tikv(&runs_dir, &arguments, &[("LC_ALL", locale)]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        (history(&runs_dir), runs_dir.join("latest/verdict.json"))
    };
    let (first, verdict) = simulate("first", "C");
    assert!(first == simulate("again", "tr_TR.UTF-8").0, "the same seed, another history");

    let verdict: serde_json::Value =
        serde_json::from_slice(&std::fs::read(verdict).expect("written")).expect("JSON");
    let faults = verdict["faults"].as_array().expect("faults");
    let mut names: Vec<&str> = faults.iter().filter_map(|it| it["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 13, "{names:?}");
    for fault in faults {
        assert_eq!(fault["confirmed"], true, "{fault}");
    }
    // It recovered, and that was looked at.
    assert_eq!(verdict["recovery"]["stuck"], serde_json::json!([]), "{}", verdict["recovery"]);
    assert_eq!(verdict["recovery"]["missing"], serde_json::Value::Null);
}

#[test]
fn a_fault_that_only_a_simulation_offers_is_refused_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in SIMULATED_FAULTS.split(',') {
        let output = jepsen_tikv(dir.path(), &["test", "--nemesis", name], &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains(name) && said.contains("jepsen-tikv simulate"), "{said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
}

#[test]
fn a_plan_is_simulated_again_from_its_run_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let arguments: Vec<&str> = PLAN.iter().copied().chain(["13"]).collect();
    assert_eq!(jepsen_tikv(dir.path(), &arguments, &[]).status.code(), Some(0));
    let (first, run) = (history(dir.path()), dir.path().join("latest"));
    let run = std::fs::canonicalize(run).expect("a run").display().to_string();
    assert_eq!(jepsen_tikv(dir.path(), &["simulate", &run], &[]).status.code(), Some(0));
    // The header names the plan, which is the same.
    assert!(first == history(dir.path()), "the same plan, another history");
}

#[test]
fn fuzzing_finds_a_defect_remembers_its_seed_and_tries_it_first_next_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let arguments = |seed: &'static str| {
        [
            "fuzz",
            "--simulate",
            "--runs",
            "20",
            "--time-max",
            "10",
            "--defect",
            "failed-cas-writes",
            "--seed",
            seed,
        ]
    };
    let first = jepsen_tikv(dir.path(), &arguments("1"), &[]);
    let said = String::from_utf8_lossy(&first.stdout).into_owned();
    assert_eq!(first.status.code(), Some(1), "{said}");
    let seeds = |said: &str| {
        let line = said.lines().find(|line| line.starts_with("seeds that failed: "));
        line.expect("the seeds are named").to_owned()
    };
    let again = jepsen_tikv(dir.path(), &arguments("2"), &[]);
    let said_again = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(again.status.code(), Some(1), "{said_again}");
    assert!(said_again.contains("1 regressions first"), "{said_again}");
    assert_eq!(seeds(&said), seeds(&said_again));

    // The failing run stays, and its history is judged again by itself.
    let history = dir.path().join("latest/history.jsonl");
    let check = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .arg("check")
        .arg(&history)
        .current_dir(dir.path())
        .output()
        .expect("the binary runs");
    assert_eq!(check.status.code(), Some(1));

    // So is the smallest part of it, which a person can read.
    let minimal = dir.path().join("minimal.jsonl");
    let on = |arguments: &[&std::ffi::OsStr]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"));
        command.args(arguments).current_dir(dir.path()).output().expect("the binary runs")
    };
    let minimized = on(&["minimize".as_ref(), history.as_os_str()]);
    let said = String::from_utf8_lossy(&minimized.stdout).into_owned();
    assert_eq!(minimized.status.code(), Some(1), "{said}");
    assert_eq!(on(&["check".as_ref(), minimal.as_os_str()]).status.code(), Some(1));
    let lines = std::fs::read_to_string(&minimal).expect("written").lines().count();
    assert!(lines <= 13, "a header and at most six operations: {lines} lines");
    // What is there is not overwritten.
    assert_eq!(on(&["minimize".as_ref(), history.as_os_str()]).status.code(), Some(64));
}

#[test]
fn batches_alone_are_judged_and_show_a_defect() {
    let dir = tempfile::tempdir().expect("a directory");
    let simulate = |more: &[&str]| {
        let flags = "simulate --workload register --operations batch-get=3,batch-put=3,batch-delete=1 --keys 12 \
                     --regions 3 --stores 3 --nemesis kill-all --pause-ms-max 500 --time 12 --rate 100 --seed 2";
        let arguments: Vec<&str> = flags.split_whitespace().chain(more.iter().copied()).collect();
        let code = jepsen_tikv(dir.path(), &arguments, &[]).status.code();
        let verdict = std::fs::read(dir.path().join("latest/verdict.json")).expect("a verdict");
        let verdict: serde_json::Value = serde_json::from_slice(&verdict).expect("JSON");
        (code, verdict["operations"].clone())
    };
    let (code, operations) = simulate(&[]);
    assert_eq!(code, Some(0), "{operations}");
    for name in ["batch-get", "batch-put", "batch-delete"] {
        assert!(operations[name]["ok"].as_u64() > Some(20), "{name}: {operations}");
    }
    assert_eq!(simulate(&["--defect", "delete-resurrects"]).0, Some(1));
}

#[test]
fn a_leader_that_was_stopped_takes_writes_before_it_hears_that_it_is_deposed() {
    let dir = tempfile::tempdir().expect("a directory");
    let flags = "simulate --nemesis pause-leader --pause-ms-min 2500 --op-timeout 8 --keys 500 --rate 400 --time 20 \
                 --seed 1 --defect lost-on-leader-change";
    let arguments: Vec<&str> = flags.split_whitespace().collect();
    let output = jepsen_tikv(dir.path(), &arguments, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("lost write"), "{said}");
}

#[test]
fn what_cannot_be_simulated_is_refused_in_one_sentence() {
    let dir = tempfile::tempdir().expect("a directory");
    let absent: PathBuf = dir.path().join("absent.json");
    let absent = absent.display().to_string();
    for (arguments, code) in [
        (vec!["simulate", absent.as_str()], 66),
        (vec!["simulate", "--defect", "none-such"], 64),
        (vec!["fuzz", "--simulate", "--nemesis", "none-such"], 64),
        (vec!["fuzz", "--simulate", "--runs", "0"], 64),
    ] {
        let output = jepsen_tikv(dir.path(), &arguments, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_correct_cluster_is_never_accused_and_always_recovers() {
    let dir = tempfile::tempdir().expect("a directory");
    let arguments =
        ["fuzz", "--simulate", "--runs", "8", "--time-max", "10", "--seed", "3", "--keep-going"];
    let output = jepsen_tikv(dir.path(), &arguments, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("8 runs: ") && said.contains(" 0 failed"), "{said}");
}

/// What a simulation of these flags says of itself in verdict.json.
fn judged(flags: &str, code: i32) -> serde_json::Value {
    let dir = tempfile::tempdir().expect("a directory");
    let arguments: Vec<&str> = flags.split_whitespace().collect();
    let output = jepsen_tikv(dir.path(), &arguments, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{flags}: {said}");
    let verdict = std::fs::read(dir.path().join("latest/verdict.json")).expect("written");
    serde_json::from_slice(&verdict).expect("JSON")
}

#[test]
fn overlaps_alone_find_the_one_store_whose_leadership_is_wrong_whichever_it_is() {
    for (defect, read) in [("stale-read", "read-index"), ("long-lease", "lease")] {
        for store in 1..=3 {
            let verdict = judged(
                &format!(
                    "simulate --nemesis pause-overlap --stores 3 --keys 100 --rate 200 --time 40 --seed 6 \
                     --client direct --read {read} --defect {defect}@{store}"
                ),
                1,
            );
            let leaders = &verdict["leaders"];
            assert_eq!(leaders["led"], serde_json::json!([1, 2, 3]), "{defect}@{store}: {leaders}");
            assert_eq!(leaders["never-led"], serde_json::json!([]), "{defect}@{store}: {leaders}");
        }
    }
}

/// Below the least that a defect's nature needs, it must not show: a race needs two clients, a
/// deposed leader a fault.
#[test]
fn with_less_than_its_nature_needs_no_defect_shows() {
    let run = |defect: &str, clients: u32, seed: u32, more: &str| {
        judged(
            &format!(
                "simulate --workload register --nemesis none --keys 2 --rate 200 --time 4 --stores 3 \
                 --client direct --idle-clients 0 --concurrency {clients} --seed {seed} \
                 --defect {defect} {more}"
            ),
            0,
        )
    };
    for seed in 1..=3 {
        run("cas-race", 1, seed, "");
        run("failed-cas-writes", 1, seed, "");
    }
    for defect in [
        "stale-read",
        "follower-read",
        "lost-on-leader-change",
        "ack-before-fsync",
        "apply-twice",
        "vote-twice",
        "delete-resurrects",
        "key-lost-in-split",
        "torn-membership",
        "scan-skips-boundary",
    ] {
        run(defect, 6, 1, "");
    }
    run("long-lease", 6, 1, "--read lease");
}
