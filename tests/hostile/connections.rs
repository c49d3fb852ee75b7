//! Somebody opens connections and says nothing, or asks under a foreign name: whoever comes after
//! is answered, and nobody else gets a page.

use super::{PROGRAM, files::Server};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// More than any of our servers holds open.
const MANY: usize = 300;
/// How long an answer may take before its server counts as hanging.
const HANGING: Duration = Duration::from_mins(2);

/// Connections that are opened and bring nothing, or the beginning of a request.
fn idle(addr: &str) -> Vec<TcpStream> {
    let open = |number: usize| {
        let mut stream = TcpStream::connect(addr).expect("it listens");
        if number % 2 == 1 {
            // It may be closed already.
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: loc");
        }
        stream
    };
    (0..MANY).map(open).collect()
}

/// The first line of the answer to a request with these headers.
fn status(addr: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream.set_read_timeout(Some(HANGING)).expect("set");
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

/// Asserts that a page is there for its own name only, whoever else is connected.
fn assert_guarded(addr: &str, path: &str) {
    let own = format!("Host: {addr}\r\n");
    let _idle = idle(addr);
    assert_eq!(status(addr, path, &own), "HTTP/1.1 200 OK", "{path} beside idle connections");
    for foreign in [
        "Host: evil.example\r\n".to_owned(),
        "Host: 127.0.0.1.evil.example\r\n".to_owned(),
        format!("{own}Origin: http://evil.example\r\n"),
        format!("{own}Origin: null\r\n"),
        String::new(),
    ] {
        let refused = status(addr, path, &foreign);
        let is_refused = refused.contains(" 403 ") || refused.contains(" 400 ");
        assert!(is_refused, "{path}, {foreign:?}: {refused}");
    }
}

#[test]
fn the_list_of_runs_is_guarded() {
    let runs = tempfile::tempdir().expect("a directory");
    let server = Server::start(runs.path());
    assert_guarded(&server.1, "/");
    assert_guarded(&server.1, "/runs.json");
}

/// A run that shows itself; it and its cluster end with this.
struct Shown(Child);

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Shown {
    /// Starts one, and returns where its live page and its metrics are.
    fn start(runs: &Path) -> (Self, [String; 2]) {
        let flags = "test --nemesis none --time 1200 --stores 1 --replicas 1 --keys 5 --concurrency 1 --rate 5 --live --metrics";
        let mut child = Command::new(PROGRAM)
            .args(flags.split(' '))
            .arg("--runs-dir")
            .arg(runs)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let shown = Self(child);
        let (mut live, mut metrics) = (None, None);
        let mut lines = stdout.lines();
        while live.is_none() || metrics.is_none() {
            let said = lines.next().expect("it says where").expect("text");
            let addr = |name: &str| {
                let (_, rest) = said.strip_prefix(name)?.split_once("http://")?;
                Some(rest.split('/').next()?.to_owned())
            };
            live = live.or_else(|| addr("live"));
            metrics = metrics.or_else(|| addr("metrics"));
        }
        // Read on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        (shown, [live.expect("said"), metrics.expect("said")])
    }
}

#[test]
fn live_page_and_metrics_are_guarded() {
    let runs = tempfile::tempdir().expect("a directory");
    let (_shown, [live, metrics]) = Shown::start(runs.path());
    assert_guarded(&live, "/");
    assert_guarded(&metrics, "/metrics");
}
