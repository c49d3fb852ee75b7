//! Whatever way the tester goes while a store is stopped, nothing of its cluster is left running or
//! stopped.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts a run and waits until a store is said to be paused.
fn run_with_a_store_stopped(dir: &Path) -> Child {
    let mut tester = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(["test", "--time", "120", "--nemesis", "pause-one", "--seed", "1"])
        .args(["--stores", "3", "--keys", "100", "--pause-ms-min", "20000"])
        .args(["--pause-ms-max", "30000", "--nemesis-interval", "1"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stderr = tester.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(stderr).lines();
    let seen = lines.by_ref().map_while(Result::ok).any(|line| line.contains(" s  paused "));
    assert!(seen, "the run ended before its first fault");
    // Read on, so that the tester never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    let paused = || states(dir).iter().any(|state| state == "T");
    assert!(within_patience(paused), "no store is seen stopped");
    tester
}

/// The states of the cluster's processes that work in this directory.
fn states(dir: &Path) -> Vec<String> {
    let needle = dir.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter_map(|entry| {
            let command_line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let command_line = String::from_utf8_lossy(&command_line).into_owned();
            let ours = command_line.contains("internal-") && command_line.contains(&needle);
            let status = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let state = status.rsplit(')').next()?.split_whitespace().next()?.to_owned();
            ours.then_some(state)
        })
        .collect()
}

fn within_patience(mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn send(tester: &Child, signal: Signal) {
    kill(Pid::from_raw(tester.id().cast_signed()), signal).expect("the tester runs");
}

/// Waits until the tester ended; its code, and what it said on stdout.
fn end(tester: &mut Child) -> (Option<i32>, String) {
    let mut code = None;
    let ended = within_patience(|| {
        code = tester.try_wait().expect("it can be waited for");
        code.is_some()
    });
    if !ended {
        tester.kill().expect("it can be killed");
    }
    assert!(ended, "the tester hangs");
    let mut said = String::new();
    tester.stdout.take().expect("it is piped").read_to_string(&mut said).expect("text");
    (code.and_then(|status| status.code()), said)
}

#[test]
fn one_interrupt_heals_and_judges_what_there_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tester = run_with_a_store_stopped(dir.path());
    send(&tester, Signal::SIGINT);
    let (code, said) = end(&mut tester);
    // Whether so short a run is vacuous depends on the machine; it is never accused.
    assert!(matches!(code, Some(0 | 2)), "code {code:?}: {said}");
    assert!(said.contains("VALID") || said.contains("UNKNOWN"), "{said}");
    assert!(dir.path().join("runs/latest/verdict.json").is_file());
    assert_eq!(states(dir.path()), Vec::<String>::new());
}

#[test]
fn two_signals_heal_and_leave() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tester = run_with_a_store_stopped(dir.path());
    send(&tester, Signal::SIGTERM);
    send(&tester, Signal::SIGINT);
    let (code, said) = end(&mut tester);
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(states(dir.path()), Vec::<String>::new());
}

#[test]
fn one_signal_before_anything_could_be_judged_is_enough() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut tester = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .args(["test", "--time", "120", "--nemesis", "none", "--seed", "1", "--stores", "3"])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = tester.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("starting the cluster")), "it says that it starts");
        send(&tester, signal);
        let (code, said) = end(&mut tester);
        assert_eq!(code, Some(130), "{said}");
        let said: String = lines.collect();
        assert!(said.contains("interrupted; faults are healed, nothing was judged"), "{said}");
        assert_eq!(states(dir.path()), Vec::<String>::new());
    }
}

#[test]
fn one_signal_after_the_clients_is_enough_while_pd_does_not_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tester = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(["test", "--time", "2", "--nemesis", "none", "--stores", "1", "--replicas", "1"])
        .args(["--keys", "10"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(tester.stderr.take().expect("it is piped")).lines();
    let begun =
        lines.by_ref().map_while(Result::ok).any(|line| line.contains("clients and faults"));
    assert!(begun, "the run ended before its clients");
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    let pd = pd_of(dir.path()).expect("a PD");
    kill(pd, Signal::SIGSTOP).expect("PD runs");
    // The clients' time is over long before: the tester waits for PD, for a minute and more.
    std::thread::sleep(Duration::from_secs(8));
    send(&tester, Signal::SIGTERM);
    let (code, said) = end(&mut tester);
    let rest = rest.join().expect("text");
    assert!(rest.iter().any(|line| line.contains("interrupted: undoing faults")), "{rest:?}");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("UNKNOWN"), "{said}");
    assert_eq!(states(dir.path()), Vec::<String>::new());
}

/// The process of the PD that works in this directory.
fn pd_of(dir: &Path) -> Option<Pid> {
    let needle = dir.to_string_lossy().into_owned();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let command_line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let command_line = String::from_utf8_lossy(&command_line).into_owned();
        let is_pd = command_line.contains("internal-pd") && command_line.contains(&needle);
        let pid = entry.file_name().to_str()?.parse().ok()?;
        is_pd.then(|| Pid::from_raw(pid))
    })
}

#[test]
fn a_killed_tester_takes_its_cluster_along() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tester = run_with_a_store_stopped(dir.path());
    send(&tester, Signal::SIGKILL);
    tester.wait().expect("it can be waited for");
    assert!(within_patience(|| states(dir.path()).is_empty()), "left: {:?}", states(dir.path()));
    let heal = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .arg("heal")
        .current_dir(dir.path())
        .output()
        .expect("the binary runs");
    assert_eq!(heal.status.code(), Some(0), "{heal:?}");
}
