//! A run that is watched while it goes: the live page in a browser, the metrics as Prometheus and
//! Grafana ask for them.

use super::{axe, browser::Browser, look_at};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

const HANGING: Duration = Duration::from_mins(2);

/// A run that goes on for as long as this, unless it is told to end.
struct Run {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Run {
    fn start(runs: &std::path::Path) -> Self {
        let flags = "test --nemesis pause-one --time 120 --stores 3 --keys 200 --concurrency 4 --seed 3 --live --metrics";
        let mut child = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .args(flags.split(' '))
            .arg("--runs-dir")
            .arg(runs)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    /// The rest of the first line that begins so.
    fn said(&mut self, beginning: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.lines.read_line(&mut line).expect("text") > 0,
                "it ended before it said {beginning}"
            );
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Ends it early, as Ctrl-C does, and waits for it.
    fn end(mut self) -> String {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it lives");
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text");
        self.child.wait().expect("it ends");
        rest
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is served at `http://host:port/path`; empty while it is not there.
fn fetch(url: &str) -> String {
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let Ok(mut stream) = TcpStream::connect(host) else { return String::new() };
    stream.set_read_timeout(Some(HANGING)).expect("set");
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_run_is_watched_in_a_browser_and_by_prometheus() {
    let runs = tempfile::tempdir().expect("a directory");
    let mut run = Run::start(runs.path());
    let metrics = run.said("metrics: ");
    let live = run.said("live:   ");
    if let Some(mut browser) = Browser::start() {
        browser.open(&live, 1280, false);
        // It draws, the clients work, and a fault came.
        browser
            .wait_for("!!window.panels && document.querySelectorAll('#operations tr').length > 0");
        browser.wait_for(
            "/in force: pause-one/.test(document.getElementById('progress').textContent)",
        );
        browser.wait_for("document.querySelectorAll('#events li time').length > 0");
        assert_eq!(browser.evaluate("document.querySelectorAll('#stores tr').length"), 3);
        axe::assert_accessible(&mut browser, "the live page");
        look_at(&mut browser, "live", 1280, &live);
        browser.open(&live, 390, true);
        browser
            .wait_for("!!window.panels && document.querySelectorAll('#operations tr').length > 0");
        look_at(&mut browser, "live", 390, &live);
    }
    every_panel_of_the_dashboard_finds_its_metrics(runs.path(), &metrics);
    let rest = run.end();
    assert!(rest.contains("report   "), "{rest}");
}

/// Every metric that a panel asks for is in what the tester, the stores or PD serve.
fn every_panel_of_the_dashboard_finds_its_metrics(runs: &std::path::Path, metrics: &str) {
    let cluster = std::fs::read(runs.join("latest/cluster.json")).expect("a cluster");
    let cluster: Value = serde_json::from_slice(&cluster).expect("JSON");
    let mut pages =
        vec![format!("http://{}/metrics", cluster["pd"]["addr"].as_str().expect("an address"))];
    for store in cluster["stores"].as_array().expect("stores") {
        let addr = store["status_addr"].as_str().or_else(|| store["status-addr"].as_str());
        pages.push(format!("http://{}/metrics", addr.expect("an address")));
    }
    pages.push(metrics.to_owned());
    let wanted = metrics_of_the_dashboard();
    assert!(
        wanted.iter().filter(|name| name.starts_with("jepsen_tikv_")).count() >= 5,
        "{wanted:?}"
    );
    // A fault is counted only once it began.
    let until = std::time::Instant::now() + HANGING;
    loop {
        let all: String = pages.iter().map(|page| fetch(page)).collect();
        let lines: BTreeSet<&str> =
            all.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
        let missing: Vec<&String> =
            wanted.iter().filter(|name| !lines.contains(name.as_str())).collect();
        if missing.is_empty() {
            return;
        }
        assert!(
            std::time::Instant::now() < until,
            "asked for by a panel, served by nobody: {missing:?}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The names in the panels' questions. `up` is Prometheus' own.
fn metrics_of_the_dashboard() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana/tikv-under-test.json");
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(path).expect("there")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let questions: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    assert!(questions.len() > 10, "{questions:?}");
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = questions.iter().flat_map(|question| question.split(|c| !word(c)));
    names
        .filter(|name| {
            ["jepsen_tikv_", "tikv_", "pd_"].iter().any(|prefix| name.starts_with(prefix))
        })
        .map(str::to_owned)
        .collect()
}

/// The escape sequences by which a terminal's other screen is entered and left.
const ENTERED: &str = "\u{1b}[?1049h";
const LEFT: &str = "\u{1b}[?1049l";

/// A terminal and what runs in it; its end hangs up.
struct Terminal(Child);

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A pseudo-terminal comes from util-linux' `script`; skips, saying so, where there is none.
#[test]
fn a_screen_gives_the_terminal_back_when_ctrl_c_ends_the_run() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: no `script` on this machine to make a terminal");
        return;
    }
    let runs = tempfile::tempdir().expect("a directory");
    let line = format!(
        "trap : INT; stty rows 30 cols 100; {} test --tui --nemesis none --time 120 --stores 3 --keys 100 --concurrency 4 --seed 3 \
         --runs-dir {}; stty -a",
        env!("CARGO_BIN_EXE_jepsen-tikv"),
        runs.path().display()
    );
    // Ctrl-C reaches the shell, too: some shells end with it unless they are told otherwise.
    let child = Command::new("script")
        .env("SHELL", "/bin/sh")
        .args(["-qfec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut child = Terminal(child);
    let mut keys = child.0.stdin.take().expect("piped");
    let mut screen = child.0.stdout.take().expect("piped");
    let (mut text, mut buffer, mut pressed) = (String::new(), [0; 4096], false);
    let until = std::time::Instant::now() + HANGING;
    while let Ok(length @ 1..) = screen.read(&mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        assert!(std::time::Instant::now() < until, "it does not end:\n{text}");
        // A screen is drawn in pieces; this one comes when the clients work.
        if !pressed && text.contains("READ") {
            keys.write_all(b"\x03").expect("typed");
            pressed = true;
        }
    }
    drop(child);
    let (entered, left) = (text.find(ENTERED), text.rfind(LEFT));
    assert!(pressed && entered.is_some() && entered < left, "{text}");
    let after = &text[left.expect("left")..];
    assert!(after.contains("\u{1b}[?25h"), "the cursor is shown again: {after:?}");
    assert!(after.contains("report") && after.contains("interrupted: undoing faults"), "{after:?}");
    // As `stty` says it of a terminal that echoes, and has lines and Ctrl-Z.
    for setting in [" echo ", " icanon ", "susp = ^Z"] {
        assert!(after.contains(setting), "{setting}: {after:?}");
    }
}
