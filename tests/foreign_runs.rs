//! Run directories of somebody else: whatever a file in them says, no command starts a process or
//! signals one.
//!
//! Each hostile file names commands that would leave a mark, hosts behind such commands, and two
//! processes of the test: one that runs and one that is stopped. Programs of that kind on PATH
//! leave the mark as well. After every command there must be no mark, and both processes must be as
//! they were.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const USAGE: i32 = 64;

/// A process that nobody may touch.
struct Innocent {
    child: Child,
    start_ticks: u64,
}

impl Innocent {
    fn start() -> Self {
        let child = Command::new("sleep").arg("6000").stdin(Stdio::null()).spawn();
        let child = child.expect("sleep starts");
        let stat = stat(child.id()).expect("it runs");
        let start_ticks = stat[19].parse().expect("a number");
        Self { child, start_ticks }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// As files name it, with a way to its host that leaves a mark.
    fn named(&self, host: Option<&Value>) -> Value {
        let mut named = json!({
            "pid": self.child.id(), "start_ticks": self.start_ticks, "command": "internal-store",
        });
        if let Some(host) = host {
            named["host"] = host.clone();
        }
        named
    }

    fn state(&self) -> Option<String> {
        stat(self.child.id()).map(|stat| stat[0].clone())
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fields of a process's stat behind its name: state first, start time at 19.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// A place with hostile files, and programs that leave a mark.
struct Trap {
    folder: tempfile::TempDir,
    runs: Innocent,
    stopped: Innocent,
}

impl Trap {
    fn set() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let (runs, stopped) = (Innocent::start(), Innocent::start());
        kill(stopped.pid(), Signal::SIGSTOP).expect("it runs");
        let trap = Self { folder, runs, stopped };
        let until = Instant::now() + Duration::from_secs(10);
        while trap.stopped.state().as_deref() != Some("T") && Instant::now() < until {
            std::thread::yield_now();
        }
        for name in ["ssh", "scp", "tikv-server", "pd-server", "tiup", "evil"] {
            let program = trap.at("bin").join(name);
            fs::create_dir_all(trap.at("bin")).expect("made");
            let text = format!("#!/bin/sh\necho {name} >> {}\n", trap.mark().display());
            fs::write(&program, text).expect("written");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
        }
        trap.hostile_files();
        trap
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mark(&self) -> PathBuf {
        self.at("MARK")
    }

    /// `sh -c 'echo … >> MARK'`.
    fn ssh(&self) -> Value {
        json!(["sh", "-c", format!("echo ssh >> {}", self.mark().display())])
    }

    fn run_directory(&self) -> PathBuf {
        self.at("runs/hostile/20260101T000000.000Z")
    }

    fn hostile_files(&self) {
        let run = self.run_directory();
        fs::create_dir_all(run.join("logs")).expect("made");
        let write = |path: PathBuf, value: &Value| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, serde_json::to_vec_pretty(value).expect("JSON")).expect("written");
        };
        let corpus =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("histories/corpus/stale-read.jsonl");
        fs::copy(corpus, run.join("history.jsonl")).expect("copied");
        let host = json!({"ssh": self.ssh(), "destination": "x", "boot_id": ""});
        let gone = json!({"pid": 1, "start_ticks": 1, "command": "x", "host": host});
        let (a, b) = (self.runs.named(None), self.stopped.named(None));
        let far = self.runs.named(Some(&host));
        let entry = |name: &str, process: &Value| {
            json!({"name": name, "store-id": 1, "process": process, "addr": "127.0.0.1:1",
                   "data-dir": "d", "log": "l"})
        };
        let cluster = |target: &str, tester: &Value| {
            json!({"format": "jepsen-tikv cluster", "version": 1, "target": target, "tester": tester,
                   "record": "../../x", "pd": entry("pd1", &a),
                   "stores": [entry("store-1", &b), entry("store-2", &far)]})
        };
        let dead = json!({"pid": self.runs.child.id(), "start_ticks": 1, "command": "x"});
        let attached = json!({
            "format": "jepsen-tikv attached", "version": 1, "tester": gone,
            "attach": {"pd": ["127.0.0.1:1"], "ssh": ["x"], "ssh-command": self.ssh(),
                       "allow-faults": true, "keep-keys": false},
            "pd-endpoints": ["127.0.0.1:1"], "max-replicas": 1, "prefix": "", "done": false});
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
        let machine = json!({"boot_id": boot.trim(), "machine_id": "", "pid_namespace": ""});
        for (number, (target, tester)) in
            [("embedded", &gone), ("binaries", &dead), ("binaries", &far)].into_iter().enumerate()
        {
            let run = run.with_file_name(format!("2026010{}T000000.000Z", number + 1));
            write(run.join("cluster.json"), &cluster(target, tester));
            write(run.join("attached.json"), &attached);
            let header = json!({"format": "jepsen-tikv journal", "version": number + 1,
                                "boot_id": boot.trim(), "machine": machine, "tester": tester});
            let lines = [
                &header,
                &json!({"stopping": a}),
                &json!({"stopping": b}),
                &json!({"stopping": far}),
                &gone,
            ];
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            fs::write(run.join("nemesis.journal"), lines.join("\n") + "\n").expect("written");
            let record = json!({"format": "jepsen-tikv record", "version": 1, "uid": 0,
                "machine": machine, "tester": dead, "directory": run, "keeps": false,
                "started": [{"name": "x", "process": a}], "attached": null});
            write(run.join("record.json"), &record);
        }
        let clusters = self.at("runs/clusters/x");
        for (name, tester) in [("x", &far), ("y", &a), ("z", &gone)] {
            let folder = clusters.with_file_name(name);
            write(folder.join("cluster.json"), &cluster("binaries", tester));
            let shape = json!({"stores": 3, "replicas": 3, "regions": 1, "profile": "fast",
                               "pd-port": 0, "store-port": 0, "read": "read-index", "defects": []});
            write(
                folder.join("spec.json"),
                &json!({
                "format": "jepsen-tikv cluster spec", "version": 1, "tag": name, "keep-data": true,
                "shape": shape, "host": "127.0.0.1", "started-at": "2026-01-01T00:00:00Z",
                "supervisor": tester, "pd": "127.0.0.1:1"}),
            );
        }
        self.hostile_plans();
    }

    /// Plans as `plan draw` writes them, with other targets.
    fn hostile_plans(&self) {
        let drawn = self.run(&["plan", "draw", "--time", "1", "--keys", "5", "--seed", "1"]);
        let plan: Value = serde_json::from_slice(&drawn.stdout).expect("a plan");
        let evil = self.at("bin/evil").display().to_string();
        let attach = |ssh: &[&str]| {
            json!({"kind": "attach", "pd": ["127.0.0.1:1"], "ssh": ssh, "ssh-command": self.ssh(),
                   "allow-faults": true, "keep-keys": false})
        };
        for (name, target) in [
            ("binaries", json!({"kind": "binaries", "tikv-server": evil, "pd-server": evil})),
            ("attach", attach(&[])),
            ("attach-ssh", attach(&["x"])),
            (
                "playground",
                json!({"kind": "playground", "tiup": evil, "version": "--kv.binpath=x"}),
            ),
        ] {
            let mut plan = plan.clone();
            plan["config"]["target"] = target;
            if name != "binaries" {
                plan["config"]["workload"]["prefix"] = json!("p/");
            }
            let text = serde_json::to_vec(&plan).expect("JSON");
            fs::write(self.at(&format!("{name}.json")), &text).expect("written");
            let failing = self.at("nights/failing-plans");
            fs::create_dir_all(&failing).expect("made");
            fs::write(failing.join(format!("{name}.plan.json")), &text).expect("written");
        }
        fs::copy(self.at("binaries.json"), self.run_directory().join("plan.json")).expect("copied");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.at("bin").display()));
        command.env("XDG_STATE_HOME", self.at("state"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Runs a command that may say what it likes, and asserts that nothing was started or
    /// signalled.
    fn holds(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.run(arguments);
        let said = [stdout, stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        self.is_untouched(&format!("{arguments:?}: {said}"));
        (status.code(), said)
    }

    fn is_untouched(&self, after: &str) {
        let mark = fs::read_to_string(self.mark()).unwrap_or_default();
        assert_eq!(mark, "", "a file's command was run: {after}");
        assert_eq!(self.runs.state().as_deref(), Some("S"), "{after}");
        assert_eq!(self.stopped.state().as_deref(), Some("T"), "{after}");
    }
}

#[test]
fn no_command_that_reads_runs_starts_or_signals_anything() {
    let trap = Trap::set();
    let run = trap.run_directory().display().to_string();
    for arguments in [
        vec!["check", &run],
        vec!["check", "runs"],
        vec!["report", &run],
        vec!["export", &run, "--out", "edn"],
        vec!["minimize", &run],
        vec!["plan", "check", &run],
        vec!["heal"],
        vec!["heal", "runs"],
        vec!["heal", &run],
        vec!["cluster", "status"],
        vec!["cluster", "status", "--tag", "x"],
        vec!["cluster", "status", "--tag", "y", "--json"],
        vec!["cluster", "kill", "store-1", "--tag", "x"],
        vec!["cluster", "pause", "store-1", "--tag", "y"],
        vec!["cluster", "resume", "store-1", "--tag", "y"],
        vec!["cluster", "start", "store-1", "--tag", "y"],
        vec!["cluster", "down"],
        vec!["cluster", "down", "--tag", "x"],
        vec!["cluster", "down", "--tag", "y"],
        vec!["cluster", "down", "--tag", "z"],
        vec!["cluster", "down", "--all"],
        vec!["count"],
        vec!["load", "--tag", "x", "-p", "recordcount=1"],
        vec!["ycsb", "--tag", "y", "-p", "operationcount=1"],
        vec![
            "test",
            "--time",
            "1",
            "--stores",
            "1",
            "--replicas",
            "1",
            "--keys",
            "5",
            "--nemesis",
            "none",
        ],
        vec!["cluster", "clean", "--tag", "x"],
        vec!["cluster", "clean", "--all"],
    ] {
        trap.holds(&arguments);
    }
    for tag in ["x", "y", "z"] {
        assert!(trap.at("runs/clusters").join(tag).join("spec.json").exists(), "{tag} stays");
    }
    let (code, said) = trap.holds(&["heal"]);
    assert_eq!(code, Some(2), "{said}");
    let pid = trap.stopped.child.id();
    assert!(said.contains(&format!("kill -CONT {pid}")), "it says what to do by hand: {said}");
}

#[test]
fn serve_asks_nobody_whether_a_run_goes_on() {
    let trap = Trap::set();
    let mut server = trap.command(&["serve", "runs", "--port", "0"]);
    let mut server =
        server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let addr = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.split_once("http://").map(|(_, rest)| rest.trim_end_matches('/').to_owned())
    });
    let addr = addr.expect("it says where");
    for path in ["/runs.json", "/", "/runs/hostile/20260101T000000.000Z/"] {
        let mut stream = TcpStream::connect(&addr).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(path != "/runs.json" || answer.contains("20260101T000000.000Z"), "{answer}");
        trap.is_untouched(path);
    }
    server.kill().expect("it runs");
    server.wait().expect("ended");
}

#[test]
fn what_a_plan_names_is_used_only_if_a_flag_names_it_too() {
    let trap = Trap::set();
    let run = trap.run_directory().display().to_string();
    for (plan, flag) in [
        (run.as_str(), "--tikv-server"),
        ("binaries.json", "--tikv-server"),
        ("attach.json", "--pd 127.0.0.1:1"),
        ("attach-ssh.json", "--ssh x"),
        ("attach-ssh.json", "--ssh-command"),
    ] {
        for command in [&["replay"][..], &["replay", "--times", "2"], &["shrink"]] {
            let (code, said) = trap.holds(&[command, &[plan]].concat());
            assert_eq!(code, Some(USAGE), "{plan}: {said}");
            assert!(said.contains(flag), "{plan}: {said}");
        }
    }
    // Words that would be flags of another program are no version.
    let (code, said) = trap.holds(&["replay", "playground.json"]);
    assert_eq!(code, Some(65), "{said}");
    // Named by a flag it is used: here a program that is none.
    let named = ["replay", "binaries.json", "--tikv-server", "bin/evil", "--pd-server", "bin/evil"];
    trap.run(&named);
    assert!(fs::read_to_string(trap.mark()).is_ok_and(|mark| mark.contains("evil")));
}

/// A cluster of somebody else, with a state directory and a folder of its own; it ends with this.
struct Foreign<'a>(&'a Trap);

impl Foreign<'_> {
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.0.command(arguments);
        command.args(["--runs-dir", "clusters"]).env("XDG_STATE_HOME", self.0.at("other"));
        String::from_utf8_lossy(&command.output().expect("it runs").stdout).into_owned()
    }
}

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        self.run(&["cluster", "down", "--tag", "foreign"]);
    }
}

#[test]
fn leave_to_hurt_does_not_come_from_a_plan() {
    let trap = Trap::set();
    let up = ["cluster", "up", "--kv", "3", "--detach", "--tag", "foreign", "--without-monitor"];
    let cluster = Foreign(&trap);
    let said = cluster.run(&[&up[..], &["--port-offset", "17000"]].concat());
    let line = said.lines().find(|line| line.starts_with("PD client endpoints:"));
    let pd = line.and_then(|line| line.split(['[', ']']).nth(1)).expect("an address").to_owned();
    let drawn = [
        "plan",
        "draw",
        "--target",
        "attach",
        "--pd",
        &pd,
        "--time",
        "5",
        "--keys",
        "5",
        "--nemesis",
        "transfer-leader",
        "--nemesis-interval",
        "1",
        "--seed",
        "1",
        "--allow-faults",
    ];
    let drawn = trap.run(&drawn);
    let mut plan: Value = serde_json::from_slice(&drawn.stdout).expect("a plan");
    assert!(plan["config"]["target"]["allow-faults"].is_null(), "it is not even written");
    plan["config"]["target"]["allow-faults"] = json!(true);
    fs::write(trap.at("plan.json"), plan.to_string()).expect("written");
    let (code, said) = trap.holds(&["replay", "plan.json", "--pd", &pd]);
    assert_eq!(code, Some(USAGE), "{said}");
    assert!(said.contains("--allow-faults"), "{said}");
}

#[test]
fn a_night_takes_its_settings_and_programs_from_whoever_types_it() {
    let trap = Trap::set();
    // An interrupted night of somebody else, whose settings start a program.
    let night = trap.at("nights/20260101T000000.000Z");
    fs::create_dir_all(&night).expect("made");
    let evil = trap.at("bin/evil").display().to_string();
    let header = json!({
        "format": "jepsen-tikv night", "version": 1, "tool-version": env!("CARGO_PKG_VERSION"), "seed": 7,
        "began": "2026-01-01T00:00:00Z", "settings": {
            "budget": "60", "time": "5", "self-test": "auto", "keep": "failing", "workloads": ["register"],
            "nemeses": ["none"], "profiles": ["fast"], "clients": ["direct"],
            "targets": [format!("binaries --tikv-server {evil} --pd-server {evil}")]}});
    let row = json!({"ended": {"label": "self-test-1", "kind": "self-test", "command": "x", "seed": 7,
        "outcome": "valid", "exit_code": 0, "reasons": [], "seconds": 1.0, "measured": null, "run": null,
        "archive": null}});
    fs::write(night.join("journal.jsonl"), format!("{header}\n{row}\n")).expect("written");
    let (code, said) = trap.holds(&["nightly", "--out", "nights"]);
    assert_eq!(code, Some(USAGE), "{said}");
    assert!(said.contains("other settings"), "{said}");
}
