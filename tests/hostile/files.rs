//! Links, FIFOs, devices and files with giant holes under the names of a run's files.

use super::{LOST_WRITE, PROGRAM, Place, assert_ended_well, run};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// What a run directory may hold.
const FILES: [&str; 9] = [
    "history.jsonl",
    "plan.json",
    "verdict.json",
    "report.html",
    "report.part",
    "cluster-samples.jsonl",
    "counterexample-k.jsonl",
    "versions.json",
    "parts.jsonl",
];

/// What may be under a file's name.
#[derive(Debug, Clone, Copy)]
pub enum Obstacle {
    Link,
    Device,
    Fifo,
    Hole,
    HoleBehindABeginning,
}

/// Every obstacle.
pub const OBSTACLES: [Obstacle; 5] = [
    Obstacle::Link,
    Obstacle::Device,
    Obstacle::Fifo,
    Obstacle::Hole,
    Obstacle::HoleBehindABeginning,
];

impl Obstacle {
    /// Puts it there; a link leads to `precious`.
    pub fn put(self, path: &Path, precious: &Path) {
        let _ = fs::remove_file(path);
        let hole = |beginning: &str| {
            let mut file = File::create(path)?;
            file.write_all(beginning.as_bytes())?;
            file.set_len(1 << 40)
        };
        match self {
            Self::Link => symlink(precious, path),
            Self::Device => symlink("/dev/zero", path),
            Self::Fifo => {
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).map_err(Into::into)
            }
            Self::Hole => hole(""),
            Self::HoleBehindABeginning => {
                hole("{\"format\":\"jepsen-tikv history\",\"version\":1}\n{\"")
            }
        }
        .expect("made");
    }
}

/// A run that lost a write, with a plan.
fn make_run(run: &Path) {
    fs::create_dir_all(run.join("logs")).expect("made");
    fs::write(run.join("history.jsonl"), LOST_WRITE.replace("KEY", "k")).expect("written");
    let drawn = Command::new(PROGRAM).args(["plan", "draw", "--seed", "1"]).output().expect("runs");
    fs::write(run.join("plan.json"), drawn.stdout).expect("written");
}

impl Place {
    /// A run for each file and each obstacle in its place.
    fn runs(&self) -> Vec<(String, PathBuf)> {
        let mut runs = Vec::new();
        let whole = self.dir.path().join("whole");
        make_run(&whole);
        for file in FILES {
            for obstacle in OBSTACLES {
                let name = format!("{obstacle:?}-{file}");
                let run = self.dir.path().join("runs/t").join(&name);
                fs::create_dir_all(&run).expect("made");
                for file in ["history.jsonl", "plan.json"] {
                    fs::copy(whole.join(file), run.join(file)).expect("copied");
                }
                obstacle.put(&run.join(file), &self.precious);
                runs.push((name, run));
            }
        }
        runs
    }

    fn assert_untouched(&self, what: &str) {
        assert_eq!(fs::read_to_string(&self.precious).expect("there"), "mine", "{what}");
    }
}

#[test]
fn what_reads_and_writes_a_run_waits_for_nothing_and_overwrites_nothing_outside() {
    let place = Place::new();
    for (name, run_dir) in place.runs() {
        let path = run_dir.to_str().expect("text");
        for command in ["check", "report"] {
            let output = run(place.dir.path(), &[command, path]);
            let what = format!("{command} {name}");
            assert_ended_well(&output, &what);
            place.assert_untouched(&what);
            if name.contains("history.jsonl") {
                assert!(matches!(output.status.code(), Some(65 | 66)), "{what}: {output:?}");
            }
        }
    }
}

#[test]
fn plans_histories_and_exports_are_held_to_the_same() {
    let place = Place::new();
    let obstacle_runs = place.runs();
    for (name, run_dir) in &obstacle_runs {
        let path = run_dir.to_str().expect("text");
        if name.ends_with("plan.json") {
            // A refused plan starts nothing.
            let output = run(place.dir.path(), &["replay", path]);
            assert!(matches!(output.status.code(), Some(65 | 66)), "replay {name}: {output:?}");
        }
        if name.ends_with("history.jsonl") {
            let output = run(place.dir.path(), &["export", path, "--key", "k"]);
            assert!(matches!(output.status.code(), Some(65 | 66)), "export {name}: {output:?}");
        }
    }
    let run_dir = place.dir.path().join("whole");
    let out = run_dir.join("edn");
    for obstacle in [Obstacle::Link, Obstacle::Device, Obstacle::Fifo] {
        fs::create_dir_all(&out).expect("made");
        obstacle.put(&out.join("0-k.edn"), &place.precious);
        let (path, out) = (run_dir.to_str().expect("text"), out.to_str().expect("text"));
        let output = run(place.dir.path(), &["export", path, "--out", out]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        place.assert_untouched("export");
        let written = fs::symlink_metadata(run_dir.join("edn/0-k.edn")).expect("there");
        assert!(written.is_file() && written.len() > 10);
    }
}

#[test]
fn what_the_user_names_may_be_a_pipe_or_a_link() {
    let dir = tempfile::tempdir().expect("a directory");
    let history = dir.path().join("history.jsonl");
    fs::write(&history, LOST_WRITE.replace("KEY", "k")).expect("written");
    symlink(&history, dir.path().join("link.jsonl")).expect("made");
    assert_eq!(run(dir.path(), &["check", "link.jsonl"]).status.code(), Some(1));
    let piped = Command::new("bash")
        .args(["-c", "\"$0\" check <(cat history.jsonl)", PROGRAM])
        .current_dir(dir.path())
        .output()
        .expect("bash runs");
    assert_eq!(piped.status.code(), Some(1), "{piped:?}");
    // But not without an end.
    symlink("/dev/zero", dir.path().join("endless")).expect("made");
    for arguments in [
        &["check", "endless"][..],
        &["replay", "endless"],
        &["plan", "check", "endless"],
        &["--config", "endless", "plan", "draw"],
        &["nightly", "--config", "endless"],
        &["fuzz", "--simulate", "--runs", "1", "--profile", "endless"],
        &["load", "-P", "endless"],
    ] {
        let output = run(dir.path(), arguments);
        assert_ended_well(&output, &format!("{arguments:?}"));
        assert!(matches!(output.status.code(), Some(65 | 66)), "{arguments:?}: {output:?}");
    }
}

/// A server over a folder of runs, and its address; it ends with this.
pub struct Server(Child, pub String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub fn start(runs: &Path) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .arg(runs)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("http://").map(|(_, rest)| rest.to_owned()));
        Self(child, url.expect("it says where").trim_end_matches('/').to_owned())
    }

    /// The answer, whole; it fails if none comes.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.1).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("set");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.1)
            .expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{path}: {error}"));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[test]
fn the_list_of_runs_is_there_whatever_they_hold() {
    let place = Place::new();
    let runs = place.runs();
    let server = Server::start(&place.dir.path().join("runs"));
    assert!(server.get("/").starts_with("HTTP/1.1 200"));
    let list = server.get("/runs.json");
    for (name, _) in &runs {
        let lists_it = !name.contains("history.jsonl") && !name.contains("plan.json");
        assert!(!lists_it || list.contains(name.as_str()), "{name} is not in {list}");
        let page = server.get(&format!("/runs/t/{name}/"));
        assert!(page.starts_with("HTTP/1.1 200") || page.starts_with("HTTP/1.1 404"), "{name}");
        let archive = server.get(&format!("/archive/t/{name}"));
        assert!(archive.len() < 10 << 20, "{name}: {} bytes", archive.len());
        assert!(!archive.contains("mine") && !page.contains("mine"), "{name}");
    }
    place.assert_untouched("serve");
    let status = fs::read_to_string(format!("/proc/{}/status", server.0.id())).expect("it lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak_kib < 1 << 20, "{peak_kib} KiB");
}

#[test]
fn a_cluster_that_cannot_be_read_is_not_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let clusters = dir.path().join("runs/clusters");
    for tag in ["broken", "linked"] {
        fs::create_dir_all(clusters.join(tag)).expect("made");
        fs::write(clusters.join(tag).join("spec.json"), "{}").expect("written");
    }
    fs::write(clusters.join("broken/cluster.json"), "{").expect("written");
    symlink("/dev/zero", clusters.join("linked/cluster.json")).expect("made");
    let output = run(dir.path(), &["cluster", "clean", "--all"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    for tag in ["broken", "linked"] {
        assert!(clusters.join(tag).join("spec.json").is_file(), "{tag}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(tag), "{output:?}");
    }
}

#[test]
fn a_simulation_refuses_flags_that_it_would_leave_out() {
    let dir = tempfile::tempdir().expect("a directory");
    for flag in ["--history-segment=1", "--live", "--metrics", "--rotate-keys=1s"] {
        let output = run(dir.path(), &["simulate", flag, "--time", "1"]);
        assert_eq!(output.status.code(), Some(64), "{flag}: {output:?}");
        assert!(!dir.path().join("runs").exists(), "{flag}");
    }
}
