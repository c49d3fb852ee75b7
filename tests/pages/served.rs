//! `serve` as a browser and as an attacker see it: the list, what is behind it, and that nothing
//! else is.

use super::{axe, browser::Browser, busy, look_at, make_run, screenshots};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

const HANGING: Duration = Duration::from_mins(1);

/// A server over a folder of runs; it ends with this.
struct Server {
    child: Child,
    addr: String,
}

impl Server {
    fn start(runs: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .arg("serve")
            .arg(runs)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines =
            BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let url =
            lines.find_map(|line| line.split_once("http://").map(|(_, rest)| rest.to_owned()));
        let addr = url.expect("it says where").trim_end_matches('/').to_owned();
        Self { child, addr }
    }

    /// Asks for a path exactly as it stands here; the answer's status, headers and body.
    fn ask(&self, path: &str, host: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.addr).expect("it listens");
        stream.set_read_timeout(Some(HANGING)).expect("set");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, head.to_lowercase(), answer[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        self.ask(path, &self.addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nothing_outside_the_folder_is_reachable() {
    let place = tempfile::tempdir().expect("a directory");
    let runs = place.path().join("runs");
    let run = make_run(&runs, "a", &busy(40, false));
    let secret = place.path().join("secret.txt");
    std::fs::write(&secret, "TOP SECRET").expect("written");
    std::os::unix::fs::symlink(&secret, run.join("link.txt")).expect("made");
    std::os::unix::fs::symlink(place.path(), run.join("out")).expect("made");
    std::os::unix::fs::symlink(place.path(), runs.join("out")).expect("made");
    std::fs::create_dir_all(run.join("data/store-1")).expect("made");
    std::fs::write(run.join("data/store-1/secret"), "TOP SECRET").expect("written");
    let server = Server::start(&runs);
    let at = "/runs/a/20260101T000000.000Z";
    let (status, head, body) = server.get(&format!("{at}/history.jsonl"));
    assert_eq!(status, 200);
    assert!(head.contains("text/plain") && head.contains("nosniff"), "{head}");
    assert_eq!(
        body.len() as u64,
        std::fs::metadata(run.join("history.jsonl")).expect("there").len() + chunked(&head, &body)
    );
    for path in [
        "/../secret.txt".to_owned(),
        "/runs/../secret.txt".into(),
        "/runs/../../secret.txt".into(),
        "/runs/%2e%2e/secret.txt".into(),
        "/runs/%2E%2E%2Fsecret.txt".into(),
        "/runs/..%2fsecret.txt".into(),
        "/runs/%252e%252e/secret.txt".into(),
        format!("/runs/{}", secret.display()),
        format!("/runs/{}", secret.display().to_string().replace('/', "%2f")),
        format!("{at}/../../../secret.txt"),
        format!("{at}/%2e%2e/%2e%2e/%2e%2e/secret.txt"),
        format!("{at}/..%2f..%2f..%2fsecret.txt"),
        format!("{at}/link.txt"),
        format!("{at}/out/secret.txt"),
        format!("{at}/data/store-1/secret"),
        format!("{at}//{}", secret.display()),
        format!("{at}/%00"),
        "/runs/out/secret.txt".into(),
        "/runs/out".into(),
        "/archive/..".into(),
        "/archive/out".into(),
        "/archive/a".into(),
        "/panels/..".into(),
        "/compare?a=..&b=../..".into(),
        "/compare?a=out&b=out".into(),
        "/nothing".into(),
    ] {
        let (status, _, body) = server.get(&path);
        assert!(matches!(status, 400 | 404), "{path}: {status}");
        assert!(!String::from_utf8_lossy(&body).contains("TOP SECRET"), "{path}");
    }
    let (status, _, archive) = server.get("/archive/a/20260101T000000.000Z");
    assert_eq!(status, 200);
    let text = String::from_utf8_lossy(&archive);
    assert!(
        text.contains("history.jsonl") && !text.contains("store-1") && !text.contains("link.txt")
    );
}

/// What the encoding in chunks adds to a body.
fn chunked(head: &str, body: &[u8]) -> u64 {
    if !head.contains("chunked") {
        return 0;
    }
    let (mut at, mut added) = (0, 0);
    while at < body.len() {
        let line = body[at..].windows(2).position(|part| part == b"\r\n").expect("a length");
        let length = std::str::from_utf8(&body[at..at + line]).expect("text");
        let length = usize::from_str_radix(length, 16).expect("a number");
        added += line + 4;
        at += line + 4 + length;
    }
    added as u64
}

#[test]
fn who_asks_under_another_name_is_refused() {
    let runs = tempfile::tempdir().expect("a directory");
    let server = Server::start(runs.path());
    for host in ["evil.example", "127.0.0.1.evil.example", "192.0.2.1"] {
        assert_eq!(server.ask("/runs.json", host).0, 403, "{host}");
    }
    let (status, head, body) = server.get("/runs.json");
    assert_eq!((status, &*body), (200, &b"[]"[..]));
    assert!(head.contains("etag"), "{head}");
}

#[test]
fn what_cannot_be_served_is_one_sentence() {
    let runs = tempfile::tempdir().expect("a directory");
    let server = Server::start(runs.path());
    let port = server.addr.rsplit(':').next().expect("a port").to_owned();
    let folder = runs.path().display().to_string();
    for (arguments, code, part) in [
        (vec![&*folder, "--port", &port], 74, "in use"),
        (vec![&*folder, "--port", "6000"], 64, "no browser opens port 6000"),
        (vec!["/nothing/there"], 66, "--runs-dir"),
    ] {
        let ended =
            Command::new(env!("CARGO_BIN_EXE_jepsen-tikv")).arg("serve").args(&arguments).output();
        let ended = ended.expect("runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(part), "{said}");
    }
}

#[test]
fn the_list_is_filtered_and_sorted_and_follows_the_folder() {
    let Some(mut browser) = Browser::start() else { return };
    let runs = tempfile::tempdir().expect("a directory");
    let nasty = "<script>alert(1)<!--&'\"";
    for (name, history) in
        [("good", busy(4_000, false)), ("bad", busy(4_000, true)), (nasty, busy(40, false))]
    {
        let run = make_run(runs.path(), name, &history);
        let judged = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .args(["check", "--json"])
            .arg(&run)
            .output();
        std::fs::write(run.join("verdict.json"), judged.expect("runs").stdout).expect("written");
    }
    let torn = make_run(runs.path(), "torn", &busy(40, false));
    let history = std::fs::read(torn.join("history.jsonl")).expect("read");
    std::fs::write(torn.join("history.jsonl"), &history[..history.len() - 30]).expect("written");
    // What was written to a moment ago may go on.
    let history = std::fs::File::open(torn.join("history.jsonl")).expect("open");
    history.set_modified(std::time::SystemTime::now() - HANGING).expect("set");
    let server = Server::start(runs.path());
    let home = format!("http://{}/", server.addr);
    browser.open(&home, 1280, false);
    let names = "[...document.querySelectorAll('#runs tbody tr')].map(row => row.cells[2].firstChild.textContent)";
    browser.wait_for(&format!("{names}.length === 4"));
    let listed = browser.evaluate(names);
    let mut listed: Vec<&str> =
        listed.as_array().expect("names").iter().filter_map(|it| it.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, [nasty, "bad", "good", "torn"], "names are text");
    let text = browser.evaluate("document.body.innerText");
    assert!(text.as_str().expect("text").contains("no verdict, torn"), "{text}");
    axe::assert_accessible(&mut browser, "the list");

    browser.evaluate("(() => { const box = document.getElementById('words'); box.value = 'goo pause'; box.dispatchEvent(new Event('input')); })()");
    browser.wait_for(&format!("JSON.stringify({names}) === '[\"good\"]'"));
    browser.evaluate("(() => { const box = document.getElementById('words'); box.value = ''; box.dispatchEvent(new Event('input')); })()");
    browser.evaluate("[...document.querySelectorAll('#heads button')].find(it => it.textContent.startsWith('Run')).click()");
    browser.wait_for(&format!("{names}[0] === {}", json!(nasty)));
    browser.evaluate("[...document.querySelectorAll('#heads button')].find(it => it.textContent.startsWith('Run')).click()");
    browser.wait_for(&format!("{names}[0] === 'torn'"));

    make_run(runs.path(), "zz-later", &busy(40, false));
    browser.wait_for(&format!("{names}[0] === 'zz-later'"));
    for (width, dark) in [(1280, true), (390, false)] {
        browser.open(&home, width, dark);
        browser.wait_for(&format!("{names}.length === 5"));
        look_at(&mut browser, "list", width, &home);
    }

    // Two of them side by side.
    browser.evaluate("[...document.querySelectorAll('#runs input[type=checkbox]')].filter(it => /good|bad/.test(it.ariaLabel)).forEach(it => it.click())");
    browser.evaluate("document.getElementById('compare').click()");
    browser.wait_for("!!window.drawn && window.drawn.length === 2");
    let text = browser.evaluate("document.querySelector('.comparison').innerText");
    let text = text.as_str().expect("text");
    assert!(
        text.contains("Operations: get") && text.contains("Keys that cannot be explained"),
        "{text}"
    );
    axe::assert_accessible(&mut browser, "two runs");
    look_at(&mut browser, "compare", 390, &home);
    if let Some(folder) = screenshots() {
        let here = browser.evaluate("location.href");
        browser.open(here.as_str().expect("an address"), 1280, false);
        browser.wait_for("!!window.drawn && window.drawn.length === 2");
        browser.screenshot(1280, &folder.join("compare-1280.png"));
    }

    // A run's page, and the report of one that has none.
    browser.open(
        &format!("{home}runs/{}/20260101T000000.000Z/", "%3Cscript%3Ealert(1)%3C!--%26'%22"),
        1280,
        false,
    );
    let text = browser.evaluate("document.querySelector('h1').textContent");
    assert!(text.as_str().expect("text").contains(nasty), "{text}");
    axe::assert_accessible(&mut browser, "a run");
    look_at(&mut browser, "run", 1280, &home);
    browser.open(&format!("{home}runs/zz-later/20260101T000000.000Z/report.html"), 1280, false);
    browser.wait_for("!!window.panels");
    let complaints = browser.complaints(&home);
    assert!(complaints.is_empty(), "{complaints:?}");
}
