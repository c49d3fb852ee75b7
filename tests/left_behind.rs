//! Kill -9 of whatever starts or hurts something; then `heal`, and everything is as it was.
//!
//! An embedded cluster, started apart and with a state directory of its own, stands for one that
//! somebody else started: its stores do not end with the tester that stopped them. What is asked
//! afterwards: that `heal`, without arguments and in another folder, resumes them, sets
//! `max-replicas` back and deletes the keys; that it says so once; and that nothing runs any more.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_jepsen-tikv");
/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(4);
/// Faults that come soon and last.
const HURT: &str =
    "--nemesis pause-one --pause-ms-min 60000 --pause-ms-max 90000 --nemesis-interval 1 --keys 20";

/// Starts a command whose output goes to a file.
fn started(mut command: Command, output: &Path) -> Child {
    let said = File::create(output).expect("a file");
    command.stdout(said.try_clone().expect("a second handle")).stderr(said);
    command.spawn().expect("it starts")
}

/// A cluster of others, and a tester with a state directory of its own.
struct Place {
    folder: TempDir,
    pd: String,
    pids: Vec<i32>,
}

impl Place {
    fn new() -> Self {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        let place = PLACES.fetch_add(1, Ordering::Relaxed);
        let offset = (18_000 + (std::process::id() % 20) * 500 + place % 10 * 50).to_string();
        let folder = tempfile::tempdir().expect("a directory");
        let mut place = Self { folder, pd: String::new(), pids: Vec::new() };
        let up =
            format!("cluster up --kv 3 -d --tag foreign --without-monitor --port-offset {offset}");
        let said = place.cluster(&up);
        let line = said.lines().find(|line| line.starts_with("PD client endpoints:"));
        let pd = line.and_then(|line| line.split(['[', ']']).nth(1));
        pd.unwrap_or_else(|| panic!("{said}")).clone_into(&mut place.pd);
        let status: Value =
            serde_json::from_str(&place.cluster("cluster status --json --tag foreign"))
                .expect("JSON");
        let pids = status["instances"].as_array().expect("instances").iter();
        place.pids = pids.filter_map(|it| i32::try_from(it["pid"].as_i64()?).ok()).collect();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cluster(&self, words: &str) -> String {
        let mut command = Command::new(BINARY);
        command.args(words.split(' ')).arg("--runs-dir").arg(self.at("clusters"));
        let output = command.env("XDG_STATE_HOME", self.at("other-state")).output();
        String::from_utf8_lossy(&output.expect("the binary runs").stdout).into_owned()
    }

    fn tester(&self, words: &str) -> Command {
        let words = words.replace("ATTACH", &format!("--target attach --pd {}", self.pd));
        let mut command = Command::new(BINARY);
        command.args(words.split_whitespace()).current_dir(self.folder.path());
        command.env("XDG_STATE_HOME", self.at("state")).stdin(Stdio::null());
        command
    }

    /// Runs a tester's command to its end; its code, and what it said.
    fn run(&self, words: &str) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.tester(words).output().expect("it runs");
        let said = [stdout, stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
        (status.code(), said)
    }

    fn start(&self, words: &str) -> Child {
        started(self.tester(words), &self.at("said.txt"))
    }

    fn said(&self) -> String {
        fs::read_to_string(self.at("said.txt")).unwrap_or_default()
    }

    fn paused(&self) -> usize {
        self.pids.iter().filter(|pid| state(**pid).as_deref() == Some("T")).count()
    }

    /// Kills a tester once a store is stopped.
    fn kill_when_paused(&self, tester: &mut Child) {
        await_that(|| self.paused() > 0, || self.said());
        kill9(tester);
        // What it started ends with it, and does nothing more.
        await_that(|| self.of_testers().is_empty(), || format!("{:?}", self.of_testers()));
        assert!(self.paused() > 0, "nobody else resumes it");
    }

    /// Processes of testers of this place.
    fn of_testers(&self) -> Vec<String> {
        let needle = self.folder.path().to_string_lossy().into_owned();
        let clusters = self.at("clusters").to_string_lossy().into_owned();
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&needle) && !line.contains(&clusters)).collect()
    }

    fn max_replicas(&self) -> u64 {
        self.http("GET", "/pd/api/v1/config/replicate", "")["max-replicas"]
            .as_u64()
            .expect("a number")
    }

    fn http(&self, method: &str, path: &str, body: &str) -> Value {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&self.pd).expect("PD listens");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{body}",
            self.pd
        )
        .expect("it hears");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
        serde_json::from_str(body).unwrap_or_default()
    }

    fn keys(&self) -> String {
        self.run(&format!("count --pd {} --prefix jepsen-tikv/", self.pd)).1.trim().to_owned()
    }

    /// Heals from another folder: everything is as it was, and a second time there is nothing.
    fn heals(&self, what: &str) {
        self.http("POST", "/pd/api/v1/config", r#"{"max-replicas":2}"#);
        let elsewhere = tempfile::tempdir().expect("a directory");
        let heal = || {
            let output =
                self.tester("heal").current_dir(elsewhere.path()).output().expect("it runs");
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8_lossy(&said).into_owned())
        };
        let (code, said) = heal();
        assert_eq!(code, Some(0), "{what}: {said}");
        assert!(
            said.contains("resumed process") && said.contains("deleted the keys"),
            "{what}: {said}"
        );
        assert_eq!((self.paused(), self.max_replicas()), (0, 3), "{what}: {said}");
        assert_eq!(self.keys(), "0", "{what}");
        assert_eq!(heal(), (Some(0), "nothing to heal\n".into()), "{what}");
        // A hidden folder is a record that a killed process had begun to write or to remove.
        let names = fs::read_dir(self.at("state/jepsen-tikv")).expect("there").flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let left: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        assert!(left.is_empty(), "{what}: no record is left: {left:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in &self.pids {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGCONT);
        }
        self.cluster("cluster down --tag foreign");
    }
}

fn state(pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().next().map(str::to_owned)
}

fn kill9(process: &mut Child) {
    kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGKILL).expect("it runs");
    process.wait().expect("it can be waited for");
}

fn await_that(holds: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it does not come: {}", otherwise());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn heal_puts_back_what_any_killed_command_changed() {
    let place = Place::new();
    for words in [
        format!("test ATTACH --allow-faults --time 120 {HURT}"),
        format!("test ATTACH --allow-faults --time 120 --rotate-keys 60 {HURT}"),
        "fuzz ATTACH --allow-faults --runs 1 --seed 1 --profile small.toml".to_owned(),
        "scenario one-store ATTACH --allow-faults --keys 50".to_owned(),
    ] {
        let small = "faults = [\"pause-one\"]\nkeys = [5, 20]\ntime-ms = [60000, 60000]\npause-ms = [50000, 50001]\n\
                     interval-ms = [1000, 1000]\nclients = [2, 4]\n";
        fs::write(place.at("small.toml"), small).expect("written");
        let mut tester = place.start(&words);
        place.kill_when_paused(&mut tester);
        place.heals(&words);
    }
}

#[test]
fn heal_puts_back_what_a_killed_replay_or_shrink_changed() {
    let place = Place::new();
    let (code, plan) = place.run(&format!("plan draw ATTACH --allow-faults --time 120 {HURT}"));
    assert_eq!(code, Some(0), "{plan}");
    fs::write(place.at("plan.json"), &plan).expect("written");
    for command in ["replay plan.json", "replay plan.json --times 2", "shrink plan.json"] {
        let mut tester = place.start(&format!("{command} --pd {} --allow-faults", place.pd));
        place.kill_when_paused(&mut tester);
        place.heals(command);
    }
}

/// The way to a host, over which nothing is resumed before `go` is there.
const SSH: &str = r#"#!/bin/sh
case "$*" in
"-G "*) echo "hostname 127.0.0.1"; exit ;;
*" CONT "*) if [ ! -e FOLDER/go ]; then
    while [ ! -e FOLDER/go ]; do sleep 0.1; done
    exit 255
  fi ;;
esac
while [ "$1" != -- ]; do shift; done
shift 2
exec "$@"
"#;

#[test]
fn heal_puts_back_what_a_killed_target_check_changed() {
    let place = Place::new();
    let folder = place.folder.path().display().to_string();
    fs::write(place.at("ssh"), SSH.replace("FOLDER", &folder)).expect("written");
    fs::set_permissions(place.at("ssh"), fs::Permissions::from_mode(0o755)).expect("executable");
    let words =
        format!("target-check ATTACH --allow-faults --ssh 127.0.0.1 --ssh-command {folder}/ssh");
    let mut tester = place.start(&words);
    await_that(|| place.paused() > 0, || place.said());
    kill9(&mut tester);
    // What it was about to resume stays as it is.
    fs::write(place.at("go"), "").expect("written");
    await_that(|| place.of_testers().is_empty(), || format!("{:?}", place.of_testers()));
    assert!(place.paused() > 0, "nobody else resumes it");
    place.heals("target-check");
}

/// A folder of runs with a state directory of its own, for testers that start their clusters
/// themselves.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        for name in ["tikv-server", "pd-server"] {
            symlink(BINARY, home.at(name)).expect("a link");
        }
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn tester(&self, words: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.args(words.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.at("state"));
        command
    }

    fn start(&self, words: &str) -> Child {
        started(self.tester(words), &self.at("said.txt"))
    }

    fn said(&self) -> String {
        fs::read_to_string(self.at("said.txt")).unwrap_or_default()
    }

    /// The states of all processes that have this folder in their command lines.
    fn processes(&self) -> Vec<String> {
        let needle = self.0.path().to_string_lossy().into_owned();
        let pids = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_ours = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&needle)
        };
        pids.filter(is_ours).filter_map(state).filter(|state| state != "Z").collect()
    }

    /// Asserts that nothing runs, or will be, and that `heal` has something to say once at most.
    fn is_healed(&self, what: &str) {
        await_that(|| self.processes().is_empty(), || format!("{what}: {:?}", self.processes()));
        let heal = || {
            let output = self.tester("heal").output().expect("it runs");
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8_lossy(&said).into_owned())
        };
        let (code, said) = heal();
        assert_eq!(code, Some(0), "{what}: {said}");
        assert_eq!(heal(), (Some(0), "nothing to heal\n".into()), "{what}");
        assert_eq!(self.processes(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn nothing_is_left_of_what_a_killed_command_started_itself() {
    let hurt = "--nemesis pause-one --pause-ms-min 60000 --pause-ms-max 90000 --nemesis-interval 1";
    for words in [
        "self-test --only stale-read --jobs 2 --seed 1".to_owned(),
        format!("test --time 120 --keys 20 --stores 3 {hurt}"),
        format!("test --time 120 --rotate-keys 60 --keys 20 --stores 3 {hurt}"),
        format!(
            "test --target binaries --tikv-server ./tikv-server --pd-server ./pd-server --time 120 --keys 20 \
             --stores 3 {hurt}"
        ),
        "scenario one-store --keys 50".to_owned(),
    ] {
        let home = Home::new();
        let mut tester = home.start(&words);
        await_that(|| home.processes().iter().any(|state| state == "T"), || home.said());
        kill9(&mut tester);
        home.is_healed(&words);
    }
}

#[test]
fn nothing_is_left_of_what_was_killed_at_its_start() {
    for words in [
        "self-test --quick --jobs 1 --seed 1",
        "target-check --stores 3",
        "target-check --target binaries --tikv-server ./tikv-server --pd-server ./pd-server --stores 3",
        "fuzz --runs 1 --seed 1",
        "cluster up --kv 3 --without-monitor --port-offset 16000",
    ] {
        let home = Home::new();
        let mut tester = home.start(words);
        await_that(|| home.processes().len() > 1, || home.said());
        kill9(&mut tester);
        home.is_healed(words);
    }
}

#[test]
fn a_killed_supervisor_takes_its_paused_stores_along() {
    let home = Home::new();
    let run = |words: &str| {
        let output = home.tester(words).output().expect("it runs");
        assert!(output.status.success(), "{words}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run("cluster up --kv 3 -d --without-monitor --tag own --port-offset 16500");
    run("cluster pause store-2");
    let status: Value = serde_json::from_str(&run("cluster status --json")).expect("JSON");
    let supervisor = status["supervisor_pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    kill(Pid::from_raw(supervisor.expect("a PID")), Signal::SIGKILL).expect("it runs");
    home.is_healed("cluster up --detach");
    run("cluster up --kv 3 -d --without-monitor --tag own --port-offset 16500");
    run("cluster down");
    home.is_healed("cluster down");
}

/// The night's own process dies, and with it the run that it started.
#[test]
fn a_killed_night_is_healed_by_heal_and_by_the_same_night() {
    let place = Place::new();
    let settings = format!(
        "budget = \"900\"\ntime = \"120\"\nself-test = \"quick\"\nworkloads = [\"register --keys 20\"]\n\
         nemeses = [\"pause-one --pause-ms-min 60000 --pause-ms-max 90000 --nemesis-interval 1\"]\n\
         targets = [\"attach --pd {} --allow-faults\"]\nprofiles = [\"fast\"]\nclients = [\"direct\"]\n",
        place.pd
    );
    fs::write(place.at("nightly.toml"), settings).expect("written");
    let command = "nightly --config nightly.toml --seed 7 --out nights";
    // Nobody waits for a self-test here: it is said to have passed.
    let mut night = place.start(command);
    let journal = || place.at("nights/latest/journal.jsonl");
    let begun = || fs::read_to_string(journal()).is_ok_and(|it| it.contains("begun"));
    await_that(begun, || place.said());
    kill9(&mut night);
    await_that(|| place.of_testers().is_empty(), || format!("{:?}", place.of_testers()));
    let row = r#"{"ended":{"label":"self-test-1","kind":"self-test","command":"x","seed":7,"outcome":"valid","exit_code":0,"reasons":[],"seconds":1.0,"measured":null,"run":null,"archive":null}}"#;
    let text = fs::read_to_string(journal()).expect("a journal");
    fs::write(journal(), format!("{text}{row}\n")).expect("written");

    let mut night = place.start(command);
    place.kill_when_paused(&mut night);
    place.heals("nightly");

    // And once more: the same night heals before it forgets.
    let mut night = place.start(command);
    place.kill_when_paused(&mut night);
    let stopped: Vec<i32> =
        place.pids.iter().copied().filter(|pid| state(*pid).as_deref() == Some("T")).collect();
    let mut night = place.start(command);
    await_that(|| place.said().contains("deleted the keys"), || place.said());
    assert!(place.said().contains("resumed process"), "{}", place.said());
    assert!(!stopped.is_empty());
    place.kill_when_paused(&mut night);
    place.heals("nightly again");
}

#[test]
fn another_cluster_at_the_same_address_is_left_as_it_is() {
    let place = Place::new();
    let mut tester = place.start(&format!("test ATTACH --allow-faults --time 120 {HURT}"));
    place.kill_when_paused(&mut tester);
    // As if another cluster had taken the address since.
    let records = fs::read_dir(place.at("state/jepsen-tikv")).expect("there").flatten();
    let record =
        records.map(|it| it.path().join("record.json")).find(|it| it.exists()).expect("one");
    let text = fs::read_to_string(&record).expect("there");
    let mut said: Value = serde_json::from_str(&text).expect("JSON");
    said["attached"]["cluster-id"] = 1.into();
    fs::write(&record, said.to_string()).expect("written");
    let before = place.keys();
    place.http("POST", "/pd/api/v1/config", r#"{"max-replicas":2}"#);
    let (code, said) = place.run("heal");
    assert_eq!(code, Some(74), "{said}");
    assert!(said.contains("belongs to the cluster") && said.contains("resumed process"), "{said}");
    assert_eq!((place.keys(), place.max_replicas()), (before, 2));
    assert!(record.exists(), "it is known until somebody decides");
    place.http("POST", "/pd/api/v1/config", r#"{"max-replicas":3}"#);
}

/// What a playground's tiup started does not end with it.
#[test]
fn what_a_killed_playground_left_running_is_ended() {
    let folder = tempfile::tempdir().expect("a directory");
    for name in ["tikv-server", "pd-server"] {
        symlink(BINARY, folder.path().join(name)).expect("a link");
    }
    let tiup = folder.path().join("tiup");
    fs::write(&tiup, include_str!("stand_ins/tiup")).expect("written");
    fs::set_permissions(&tiup, fs::Permissions::from_mode(0o755)).expect("executable");
    let inherited = std::env::var("PATH").unwrap_or_default();
    let tester = |words: &str| {
        let mut command = Command::new(BINARY);
        command.args(words.split_whitespace()).current_dir(folder.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{inherited}", folder.path().display()));
        command.env("BIN", folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
        // The stand-in's data goes where it is removed with the rest.
        command.env("TMPDIR", folder.path());
        command
    };
    let left = || servers(folder.path());
    for stores in [0, 3] {
        let mut run =
            tester("test --target playground --stores 3 --time 120 --nemesis none --keys 10");
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        // Killed while tiup starts PD, or when everything serves.
        await_that(|| left().len() > stores, || format!("{:?}", left()));
        if stores > 0 {
            let latest = folder.path().join("runs/latest/history.jsonl");
            await_that(|| latest.exists(), || format!("{:?}", left()));
        }
        kill9(&mut run);
        assert!(!left().is_empty(), "the stand-in's processes go on");
        let output = tester("heal").output().expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(left(), Vec::<String>::new(), "{said}");
    }
}

/// Processes of PD and stores below a folder.
fn servers(folder: &Path) -> Vec<String> {
    let needle = folder.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&needle) && line.contains("--data-dir")).collect()
}

#[test]
fn a_living_tester_is_left_alone_and_its_state_directory_must_be_its_own() {
    let folder = tempfile::tempdir().expect("a directory");
    let tester = |words: &str| {
        let mut command = Command::new(BINARY);
        command.args(words.split_whitespace()).current_dir(folder.path()).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", folder.path().join("state"));
        command
    };
    let up = "cluster up --kv 1 -d --without-monitor --tag own --port-offset 29000";
    let up = tester(up).output().expect("it runs");
    assert!(up.status.success(), "{up:?}");
    let heal = tester("heal").output().expect("it runs");
    let said = String::from_utf8_lossy(&heal.stdout).into_owned();
    assert!(heal.status.success(), "{said}");
    let supervisor = "alone: the supervisor of the cluster own, process ";
    assert!(said.contains(supervisor) && said.contains("is running"), "{said}");
    assert!(tester("cluster pause store-1").output().expect("it runs").status.success());
    let down = tester("cluster down").output().expect("it runs");
    assert!(down.status.success(), "{down:?}");

    let state = folder.path().join("state/jepsen-tikv");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).expect("set");
    for words in ["heal", "test --time 1 --keys 5", "cluster up --kv 1 -d"] {
        let refused = tester(words).output().expect("it runs");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(74), "{words}: {said}");
        assert!(said.contains("is open to others"), "{words}: {said}");
    }
}
