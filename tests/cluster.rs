//! The life of a cluster of one's own, on the built binary: started, looked at, hurt, ended,
//! removed; and every way out of it leaves no process.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

const USAGE: i32 = 64;
const TARGET_OR_DISK: i32 = 74;

/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// A runs directory whose clusters end with the test, and the port offset of its clusters.
struct Runs {
    directory: tempfile::TempDir,
    offset: String,
}

impl Runs {
    fn new() -> Self {
        // Tests that run at the same time keep apart, most likely also those of another process.
        // All of it is below the ports that the system hands out by itself.
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let test = TESTS.fetch_add(1, Ordering::Relaxed) % 10;
        let offset = 1_000 + (std::process::id() % 10) * 1_000 + test * 100;
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, offset: offset.to_string() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"));
        command.arg("cluster").args(arguments).arg("--runs-dir").arg(self.path());
        // Another test's command heals what it finds, also what a test is about to look at.
        command.env("XDG_STATE_HOME", self.path().join("state"));
        command
    }

    /// Runs a command; its code, and what it said on stdout and stderr.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } =
            self.command(arguments).stdin(Stdio::null()).output().expect("the binary runs");
        let said =
            [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        (status.code(), said)
    }

    /// Runs a command that shall go well; what it said.
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, said) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        said
    }

    /// Runs a command that shall be refused in one sentence.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let (found, said) = self.run(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
        said
    }

    /// Starts a small detached cluster.
    fn up(&self, more: &[&str]) -> String {
        let small = ["up", "--kv", "3", "--detach", "--without-monitor"];
        self.ok(&[&small[..], &["--port-offset", &self.offset], more].concat())
    }

    /// Runs a go-ycsb-like command against a cluster; what it said.
    fn keys(&self, tag: &str, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .args(arguments)
            .args(["--tag", tag, "--runs-dir"])
            .arg(self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn status(&self, tag: &str) -> Value {
        let text = self.ok(&["status", "--json", "--tag", tag]);
        serde_json::from_str(&text).expect("JSON")
    }

    /// The PIDs of processes that work in this directory.
    fn processes(&self) -> Vec<u32> {
        let needle = self.path().to_string_lossy().into_owned();
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        processes
            .filter_map(|entry| {
                let command_line = std::fs::read(entry.path().join("cmdline")).ok()?;
                let command_line = String::from_utf8_lossy(&command_line).into_owned();
                let ours = command_line.contains("internal-") && command_line.contains(&needle);
                ours.then(|| entry.file_name().to_string_lossy().parse().ok()).flatten()
            })
            .collect()
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        let _ = self.command(&["down", "--all"]).stdout(Stdio::null()).status();
    }
}

/// A field of the process of that name.
fn of<'a>(status: &'a Value, name: &str, field: &str) -> &'a Value {
    let instances = status["instances"].as_array().expect("instances");
    let instance = instances.iter().find(|it| it["name"] == name).expect(name);
    &instance[field]
}

fn pid(value: &Value) -> Pid {
    Pid::from_raw(i32::try_from(value.as_u64().expect("a PID")).expect("a PID"))
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

/// Waits until it ended; its code.
fn end(process: &mut Child) -> Option<i32> {
    let mut code = None;
    let ended = within_patience(|| {
        code = process.try_wait().expect("it can be waited for");
        code.is_some()
    });
    if !ended {
        process.kill().expect("it can be killed");
    }
    assert!(ended, "it hangs");
    code.and_then(|status| status.code())
}

#[test]
fn a_cluster_is_started_looked_at_hurt_ended_and_removed() {
    let runs = Runs::new();
    let said = runs.up(&["--tag", "walk"]);
    for line in ["Start pd instance: pd1", "Start tikv instance: store-3", "PD client endpoints: ["]
    {
        assert!(said.contains(line), "{line}: {said}");
    }

    // Everything runs, and PD knows it.
    let status = runs.status("walk");
    assert_eq!((&status["life"], &status["version"]), (&"up".into(), &1.into()), "{status}");
    assert_eq!(status["instances"].as_array().map(Vec::len), Some(4), "{status}");
    assert_eq!(of(&status, "pd1", "pd_state"), "healthy");
    for name in ["store-1", "store-2", "store-3"] {
        assert_eq!(
            (of(&status, name, "process"), of(&status, name, "pd_state")),
            (&"running".into(), &"Up".into())
        );
        assert_eq!(of(&status, name, "regions"), 5, "{status}");
    }
    let table = runs.ok(&["status"]);
    assert!(table.contains("cluster walk: up") && table.contains("PD SAYS"), "{table}");
    let foreign = runs.ok(&["status", "--pd", status["pd"].as_str().expect("an address")]);
    assert!(foreign.contains("healthy") && foreign.contains("Up"), "{foreign}");
    // Of a cluster that we are not told about, the processes on this machine are found by where
    // they listen.
    for name in ["pd1", "store-1", "store-2", "store-3"] {
        let pid = of(&status, name, "pid").to_string();
        assert!(foreign.contains(&format!(" {pid}  running")), "{pid}: {foreign}");
    }

    // Watched until nobody reads any more, or until Ctrl-C.
    for ends_by_signal in [false, true] {
        let mut watch = runs.command(&["status", "--watch", "--json"]);
        let mut watch = watch.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
        for _ in 0..2 {
            let line = lines.next().expect("a line each second").expect("text");
            let seen: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(of(&seen, "store-1", "process"), "running");
        }
        if ends_by_signal {
            kill(Pid::from_raw(watch.id().cast_signed()), Signal::SIGINT).expect("it runs");
        } else {
            drop(lines);
        }
        assert_eq!(end(&mut watch), Some(0), "by signal: {ends_by_signal}");
    }

    // The same tag a second time, and the data of what runs.
    let said = runs.refused(&["up", "--tag", "walk", "--detach"], USAGE);
    assert!(said.contains("is running already"), "{said}");
    assert!(runs.refused(&["clean", "--tag", "walk"], USAGE).contains("runs"));

    // Killed by name and address, started by id.
    let address = of(&status, "store-2", "address").as_str().expect("an address").to_owned();
    runs.ok(&["kill", "store-1", &address]);
    let killed = runs.status("walk");
    assert_eq!(
        (of(&killed, "store-1", "process"), of(&killed, "store-2", "process")),
        (&"killed".into(), &"killed".into())
    );
    assert!(of(&killed, "store-1", "pid").is_null());
    runs.refused(&["kill", "store-1"], USAGE);
    assert!(runs.refused(&["kill", "nonsense"], USAGE).contains("store-3"));
    let ids: Vec<String> =
        ["store-1", "store-2"].map(|name| of(&status, name, "store_id").to_string()).into();
    runs.ok(&["start", &ids[0], &ids[1]]);
    let started = runs.status("walk");
    assert_eq!(of(&started, "store-1", "process"), "running");
    assert_eq!(of(&started, "store-1", "address"), of(&status, "store-1", "address"));
    assert_ne!(of(&started, "store-1", "pid"), of(&status, "store-1", "pid"));

    // Paused and resumed; PD as well.
    runs.ok(&["pause", "store-3", "--pd"]);
    let paused = runs.status("walk");
    assert_eq!(
        (of(&paused, "store-3", "process"), of(&paused, "pd1", "process")),
        (&"stopped".into(), &"stopped".into())
    );
    assert!(paused["pd_error"].is_string(), "{paused}");
    runs.ok(&["resume", "store-3", "--pd"]);
    assert_eq!(of(&runs.status("walk"), "store-3", "process"), "running");
    assert!(runs.refused(&["stop", "store-3"], USAGE).contains("cluster pause"));

    // Ended while something is paused; then the data is still there, and removed on request.
    runs.ok(&["pause", "store-2"]);
    let said = runs.ok(&["down"]);
    assert!(said.contains("ended store-2 (PID") && said.contains("is kept"), "{said}");
    assert_eq!(runs.processes(), Vec::<u32>::new());
    assert_eq!(runs.status("walk")["life"], "down");
    runs.refused(&["status"], TARGET_OR_DISK);
    runs.ok(&["clean", "--tag", "walk"]);
    assert!(!runs.path().join("clusters/walk").exists());
}

#[test]
fn what_was_written_outlives_down_and_up_and_a_taken_port_gives_way() {
    let runs = Runs::new();
    runs.up(&["--tag", "kept"]);
    let first = runs.status("kept");
    let count = |runs: &Runs| {
        let pd = runs.status("kept")["pd"].as_str().expect("an address").to_owned();
        let config = http_get(&pd, "/pd/api/v1/config/replicate");
        config["max-replicas"].clone()
    };
    assert_eq!(count(&runs), 3);
    let pd = first["pd"].as_str().expect("an address").to_owned();
    http_post(&pd, "/pd/api/v1/config", r#"{"max-replicas":2}"#);
    runs.ok(&["down"]);
    let taken = TcpListener::bind(&pd).expect("the port is free again");
    let said = runs.ok(&["up", "--tag", "kept", "--detach", "--without-monitor"]);
    drop(taken);
    assert!(said.contains("is taken: pd1 uses"), "{said}");
    let second = runs.status("kept");
    assert_ne!(second["pd"], first["pd"]);
    // Ids and addresses of stores and PD's settings are those of the earlier life.
    for name in ["store-1", "store-2", "store-3"] {
        for field in ["store_id", "address"] {
            assert_eq!(of(&second, name, field), of(&first, name, field));
        }
    }
    assert_eq!(count(&runs), 2);
    runs.ok(&["down", "--all"]);
    let said = runs.refused(&["up", "--tag", "kept", "--kv", "2", "--detach"], USAGE);
    assert!(said.contains("clean --tag kept"), "{said}");
    assert!(runs.ok(&["clean", "--all"]).contains("kept"));
}

#[test]
fn a_killed_supervisor_takes_everything_along_and_is_told_of() {
    let runs = Runs::new();
    runs.up(&["--tag", "a"]);
    runs.up(&["--tag", "b"]);
    runs.refused(&["status"], USAGE);
    runs.keys("a", &["load", "-p", "recordcount=200", "-p", "threadcount=8"]);
    runs.ok(&["pause", "store-1", "--tag", "a"]);
    let status = runs.status("a");
    kill(pid(&status["supervisor_pid"]), Signal::SIGKILL).expect("it runs");
    let gone = || {
        let status = runs.status("a");
        let instances = status["instances"].as_array().expect("instances");
        status["life"] == "supervisor-gone" && instances.iter().all(|it| it["process"] == "ended")
    };
    assert!(within_patience(gone), "{}", runs.status("a"));
    // The other cluster did not notice.
    assert_eq!(of(&runs.status("b"), "store-1", "process"), "running");
    let said = runs.ok(&["down", "--tag", "a"]);
    assert!(said.contains("was killed before"), "{said}");
    assert_eq!(runs.status("a")["life"], "down");
    // What was acknowledged before every process was killed at once is there.
    runs.ok(&["up", "--tag", "a", "--detach", "--without-monitor"]);
    assert_eq!(runs.keys("a", &["count"]).trim(), "200");
    assert_eq!(of(&runs.status("a"), "store-3", "pd_state"), "Up");
    runs.ok(&["down", "--all"]);
    assert_eq!(runs.processes(), Vec::<u32>::new());
}

#[test]
fn a_store_that_ends_by_itself_is_told_of_and_started_again() {
    let runs = Runs::new();
    runs.up(&["--tag", "a"]);
    kill(pid(of(&runs.status("a"), "store-2", "pid")), Signal::SIGKILL).expect("it runs");
    let told = || {
        let status = runs.status("a");
        let how = of(&status, "store-2", "ended").as_str().unwrap_or_default().to_owned();
        of(&status, "store-2", "process") == "ended" && how.contains("signal: 9")
    };
    assert!(within_patience(told), "{}", runs.status("a"));
    runs.ok(&["start", "store-2"]);
    assert_eq!(of(&runs.status("a"), "store-2", "process"), "running");
}

/// In the foreground, without a tag: any of these signals ends it, and removes its data.
#[test]
fn every_signal_ends_a_cluster_in_the_foreground() {
    let runs = Runs::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut up = runs
            .command(&["up", "--kv", "1", "--port-offset", &runs.offset])
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let tag = || {
            let clusters = std::fs::read_dir(runs.path().join("clusters")).ok()?;
            let tag = clusters.flatten().next()?.file_name().to_string_lossy().into_owned();
            let (code, said) = runs.run(&["status", "--json", "--tag", &tag]);
            let status: Value = serde_json::from_str(&said).unwrap_or_default();
            (code == Some(0) && status["dashboard"].is_string()).then_some(tag)
        };
        let mut serving = None;
        let serves = within_patience(|| {
            serving = tag();
            serving.is_some()
        });
        assert!(serves && serving.is_some_and(|tag| tag.starts_with("unnamed-")));
        kill(Pid::from_raw(up.id().cast_signed()), signal).expect("it runs");
        assert_eq!(end(&mut up), Some(0), "{signal}");
        assert_eq!(runs.processes(), Vec::<u32>::new(), "{signal}");
        assert_eq!(std::fs::read_dir(runs.path().join("clusters")).expect("there").count(), 0);
    }
}

#[test]
fn wrong_usage_and_bad_places_are_refused_and_leave_nothing() {
    let runs = Runs::new();
    for (arguments, named) in [
        (vec!["up", "--pd", "3"], "the embedded cluster has one PD"),
        (vec!["up", "--kv", "0"], "--kv is 0"),
        (vec!["up", "--tag", "../up"], "--tag"),
        (vec!["up", "--host", "0.0.0.0", "--detach"], "--host"),
        (vec!["down", "--tag", ".."], "--tag"),
        (vec!["clean", "--tag", "a/b"], "--tag"),
        (vec!["clean"], "--tag"),
        (vec!["clean", "--tag", "nowhere"], "nowhere"),
        (vec!["status", "--tag", "nowhere"], "nowhere"),
        (vec!["kill"], "STORE"),
        (vec![], "Usage"),
    ] {
        let said = runs.refused(&arguments, USAGE);
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
    let foreign_host = ["up", "--host", "192.0.2.1", "--detach", "--tag", "far"];
    assert!(runs.refused(&foreign_host, TARGET_OR_DISK).contains("--host"));
    assert!(!runs.path().join("clusters/far").exists());
    let said = runs.refused(&["status", "--pd", "127.0.0.1:1"], TARGET_OR_DISK);
    assert!(said.contains("--pd"), "{said}");
    runs.ok(&["down", "--all"]);
    runs.ok(&["clean", "--all"]);
    assert_eq!(runs.processes(), Vec::<u32>::new());
}

#[test]
fn what_a_link_points_at_is_never_touched() {
    let runs = Runs::new();
    let elsewhere = tempfile::tempdir().expect("a directory");
    std::fs::write(elsewhere.path().join("spec.json"), "precious").expect("written");
    std::fs::create_dir(runs.path().join("clusters")).expect("made");
    let link = runs.path().join("clusters/link");
    std::os::unix::fs::symlink(elsewhere.path(), &link).expect("linked");
    for arguments in
        [["clean", "--tag", "link"], ["down", "--tag", "link"], ["up", "--tag", "link"]]
    {
        assert!(runs.refused(&arguments, USAGE).contains("symbolic link"), "{arguments:?}");
    }
    runs.ok(&["clean", "--all"]);
    assert!(elsewhere.path().join("spec.json").exists() && link.is_symlink());
}

/// A folder so deep that a socket's path has no room in it.
#[test]
fn the_control_socket_does_not_mind_a_long_path() {
    let outer = Runs::new();
    let deep = outer.path().join("x".repeat(100)).join("y".repeat(100));
    let said = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"));
        let output = command.arg("cluster").args(arguments).arg("--runs-dir").arg(&deep).output();
        let output = output.expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    said(&["up", "--kv", "1", "-d", "--without-monitor", "--port-offset", &outer.offset]);
    said(&["pause", "store-1"]);
    said(&["down"]);
    assert_eq!(outer.processes(), Vec::<u32>::new());
}

fn http_get(address: &str, path: &str) -> Value {
    let answer = http(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n"));
    serde_json::from_str(&answer).expect("JSON")
}

fn http_post(address: &str, path: &str, body: &str) {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n");
    http(address, &(head + body));
}

/// The body of an answer that is a success.
fn http(address: &str, request: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("PD listens");
    stream.write_all(request.as_bytes()).expect("it hears");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.contains(" 200 "), "{head}");
    body.to_owned()
}

/// What an HTTP server answers to these bytes, to the end of the connection.
fn answer(address: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_playground_users_words_and_processes_are_what_they_are_used_to() {
    let runs = Runs::new();
    let typed = "v8.5.4 --mode tikv-slim --db 0 --tiflash 0 --pd 1 --host 127.0.0.1 --tag slim";
    let said = runs.up(&typed.split(' ').collect::<Vec<_>>());
    assert!(said.contains("Not TiKV v8.5.4"), "{said}");

    // Processes bear the names of TiKV's programs, stores one name that is PD's id.
    let status = runs.status("slim");
    let comm = |pid: &Value| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("it runs");
        comm.trim_end().to_owned()
    };
    assert_eq!(comm(of(&status, "pd1", "pid")), "pd-server");
    for id in 1..=3 {
        let name = format!("store-{id}");
        assert_eq!(comm(of(&status, &name, "pid")), "tikv-server");
        assert_eq!(of(&status, &name, "store_id"), id, "{status}");
    }
    assert!(!comm(&status["supervisor_pid"]).contains("tikv"));

    // Regions say where the data is.
    let regions = status["regions"].as_array().expect("a list");
    assert_eq!(regions.len(), 5, "{status}");
    for region in regions {
        let leader = region["leader"].as_str().unwrap_or_default();
        let replicas = region["replicas"].as_array().expect("a list");
        assert!(replicas.iter().any(|it| it == leader) && region["keys"].is_u64(), "{region}");
    }
    let table = runs.ok(&["status"]);
    assert!(table.contains("REGION  LEADER") && table.contains("(first) .. "), "{table}");

    // pd-ctl's words without pd-ctl.
    assert_eq!(runs.ok(&["config", "set", "max-replicas", "1", "--tag", "slim"]), "Success!\n");
    let shown: Value =
        serde_json::from_str(&runs.ok(&["config", "show", "--tag", "slim"])).expect("JSON");
    assert_eq!(shown["replication"]["max-replicas"], 1);
    assert!(shown["schedule"]["leader-schedule-limit"].is_number(), "{shown}");
    let said = runs.refused(&["config", "set", "no-such-thing", "1", "--tag", "slim"], USAGE);
    assert!(said.contains("no-such-thing"), "{said}");

    // A web page of somebody else cannot do the same through a browser.
    let pd = status["pd"].as_str().expect("an address");
    let status_port = of(&status, "store-1", "status_address").as_str().expect("an address");
    let post = |headers: &str| {
        let body = r#"{"max-replicas":2}"#;
        format!(
            "POST /pd/api/v1/config HTTP/1.1\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    for foreign in [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: {pd}\r\nOrigin: http://evil.example\r\n"),
        format!("Host: {pd}\r\nOrigin: null\r\n"),
        format!("Host: {pd}\r\nOrigin: http://127.0.0.1.evil.example\r\n"),
    ] {
        let refused = answer(pd, &post(&foreign));
        assert!(refused.starts_with("HTTP/1.1 403"), "{foreign}: {refused}");
        let get = format!("GET /status HTTP/1.1\r\n{foreign}Connection: close\r\n\r\n");
        let refused = answer(status_port, &get);
        assert!(refused.starts_with("HTTP/1.1 403"), "{foreign}: {refused}");
    }
    let replicas = || {
        let shown = runs.ok(&["config", "show", "replication", "--tag", "slim"]);
        serde_json::from_str::<Value>(&shown).expect("JSON")["max-replicas"].clone()
    };
    assert_eq!(replicas(), 1, "nothing of it was done");
    for ours in ["Host: localhost:1\r\n", "Host: 127.0.0.1\r\nOrigin: http://localhost:3000\r\n"] {
        let done = answer(pd, &post(ours));
        assert!(done.starts_with("HTTP/1.1 200"), "{ours}: {done}");
    }
    assert_eq!(replicas(), 2);
}
