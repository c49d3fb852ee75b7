//! Keys, values, names and settings that a terminal would obey.

use super::{LOST_WRITE, assert_ended_well, run};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::Command,
};

/// Moves the cursor, sets the title, is C1, turns the direction, is not seen, and begins a line
/// that looks like a verdict.
const HOSTILE: &str = "k\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{200b}\u{feff}\nverdict: VALID\rVALID";

/// Asserts that a terminal obeys nothing of a text, and shows all of it.
fn assert_shown(text: &str, what: &str) {
    let bad = text.chars().find(|it| {
        (it.is_control() && *it != '\n')
            || matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    });
    assert_eq!(bad, None, "{what}: {text}");
}

fn assert_harmless(output: &std::process::Output, what: &str) {
    assert_ended_well(output, what);
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(text.clone()).expect("UTF-8");
        assert_shown(&text, what);
        let forged = text.lines().any(|line| line.starts_with("verdict: VALID") || line == "VALID");
        assert!(!forged, "{what}: {text}");
    }
}

#[test]
fn keys_values_and_headers_are_shown_as_escapes() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = |text: &str| serde_json::to_string(text).expect("JSON").trim_matches('"').to_owned();
    let hostile = text(HOSTILE);
    let history = LOST_WRITE.replace("KEY", &hostile).replacen(
        "\"value\":\"1\"",
        &format!("\"value\":\"{hostile}\""),
        2,
    );
    let header = format!(
        "\"version\":1,\"target\":\"{hostile}\",\"workload\":\"{hostile}\",\"why\":\"{hostile}\""
    );
    let history = history.replace("\"version\":1", &header);
    fs::create_dir(dir.path().join("run")).expect("made");
    fs::write(dir.path().join("run/history.jsonl"), &history).expect("written");
    fs::write(
        dir.path().join("broken.jsonl"),
        history.replace("\"ok\"", &format!("\"{hostile}\"")),
    )
    .expect("written");
    for arguments in [
        vec!["check", "run"],
        vec!["check", "run", "run/history.jsonl"],
        vec!["check", "broken.jsonl"],
        vec!["check", "broken.jsonl", "run"],
        vec!["report", "run"],
        vec!["export", "run", "--key", "absent"],
        vec!["export", "run"],
        vec!["minimize", "run", "--output", "smallest.jsonl"],
    ] {
        let output = run(dir.path(), &arguments);
        assert_harmless(&output, &format!("{arguments:?}"));
        let _ = fs::remove_file(dir.path().join("smallest.jsonl"));
    }
    // JSON says the same as before, in characters that a terminal only shows.
    let output = run(dir.path(), &["check", "--json", "run"]);
    assert_harmless(&output, "check --json");
    let judged: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(judged["checked"]["keys"][0]["key"], HOSTILE);
    assert_eq!(judged["target"], HOSTILE);
}

/// The parts of a page that come from a run: its body up to the scripts, and their data.
fn parts_of_a_page(page: &str) -> (&str, &str) {
    let (_, rest) = page.split_once("<body>").expect("a body");
    let (body, rest) = rest.split_once("<script>const DATA = ").expect("data");
    (body, rest.split_once(";</script>").expect("an end").0)
}

#[test]
fn a_report_shows_what_it_was_given() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = |text: &str| serde_json::to_string(text).expect("JSON").trim_matches('"').to_owned();
    let hostile = text(HOSTILE);
    let fault = |index: u32, kind: &str, f: &str, value: Value| {
        let event = json!({ "index": index, "time": index * 1_000_000, "process": "nemesis", "type": kind,
            "f": f, "key": null, "value": value });
        format!("{event}\n")
    };
    let stores = json!([{ "id": 1, "state": "stopped" }]);
    let history = [
        LOST_WRITE.replace("KEY", &hostile).replace("\"1\"", &format!("\"{hostile}\"")),
        fault(4, "invoke", "pause", json!({ "fault": 0, "name": HOSTILE, "stores": stores })),
        fault(
            5,
            "info",
            "pause",
            json!({ "fault": 0, "stores": stores, "changed": HOSTILE, "error": HOSTILE }),
        ),
    ]
    .concat();
    let header = format!("\"version\":1,\"target\":\"{hostile}\",\"workload\":\"{hostile}\"");
    fs::create_dir(dir.path().join("run")).expect("made");
    fs::write(dir.path().join("run/history.jsonl"), history.replacen("\"version\":1", &header, 1))
        .expect("written");
    let look = json!({ "at_ms": 1, "run_ns": 1, "stores": [], "regions": [], "operations": { HOSTILE: {} },
        "pd_error": HOSTILE });
    fs::write(dir.path().join("run/cluster-samples.jsonl"), format!("{look}\n")).expect("written");
    assert_harmless(&run(dir.path(), &["report", "run"]), "report");
    let page = fs::read_to_string(dir.path().join("run/report.html")).expect("a report");
    let (body, data) = parts_of_a_page(&page);
    assert_shown(&body.replace('\t', " "), "the body");
    assert!(body.contains("k\\u{1b}[2J") && body.contains("\\u{202e}"), "{body}");
    // What data has in it as an escape of its own is in a script what it stands for.
    let data: Value = serde_json::from_str(&data.replace("\\u003c", "<")).expect("JSON");
    let labels = data["bands"].to_string();
    assert!(labels.contains("k\\\\u{1b}[2J"), "{labels}");
    assert_shown(&data.to_string(), "the data");
    assert!(!data.to_string().contains("\\u001b"), "{data}");
}

#[test]
fn the_pages_scripts_show_what_they_are_told() {
    let Ok(version) = Command::new("node").arg("--version").output() else {
        eprintln!("left out: there is no node here");
        return;
    };
    assert!(version.status.success(), "{version:?}");
    let script = format!(
        "{}\nconsole.log(JSON.parse({}, visible)[0])",
        include_str!("../../pages/src/theme.js"),
        serde_json::to_string(&json!([HOSTILE]).to_string()).expect("JSON")
    );
    let output = Command::new("node").args(["-e", &script]).output().expect("node runs");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert_shown(&shown, "the list");
    let wanted = "k\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}31m\\u{202e}\\u{2066}\\u{200f}\\u{200b}\\u{feff}\nverdict: VALID\\u{d}VALID\n";
    assert_eq!(shown, wanted);
}

/// Answers like a PD that has hostile names for everything, or with nothing but hostile text.
fn hostile_pd(with_json: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    let answer = move |path: &str| {
        let peer = json!({ "id": 1, "store_id": 1 });
        match path.rsplit('/').next() {
            _ if !with_json => HOSTILE.to_owned(),
            Some("health") => json!([{ "name": HOSTILE, "member_id": 1, "health": true }]).to_string(),
            Some("members") => json!({ "members": [{ "name": HOSTILE, "member_id": 1, "client_urls": [HOSTILE] }] }).to_string(),
            Some("stores") => json!({ "count": 1, "stores": [{
                "store": { "id": 1, "address": HOSTILE, "status_address": HOSTILE, "state_name": HOSTILE },
                "status": {} }] })
            .to_string(),
            Some("regions") => json!({ "count": 1, "regions": [{ "id": 1, "start_key": "", "end_key": "1B5B",
                "epoch": {}, "peers": [peer], "leader": peer }] })
            .to_string(),
            Some("cluster") => json!({ "id": 1 }).to_string(),
            _ => json!({ "max-replicas": 3 }).to_string(),
        }
    };
    // It ends with the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("accepted");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let body = answer(head.split(' ').nth(1).unwrap_or_default());
            let status = if with_json { "200 OK" } else { "500 No" };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    addr
}

#[test]
fn what_a_cluster_says_is_shown_as_escapes() {
    let dir = tempfile::tempdir().expect("a directory");
    for with_json in [true, false] {
        let pd = hostile_pd(with_json);
        for arguments in [
            vec!["cluster", "status", "--pd", &pd],
            vec!["count", "--pd", &pd, "--list", "--prefix", HOSTILE],
            vec!["target-check", "--target", "attach", "--pd", &pd, "--allow-faults"],
            vec!["test", "--target", "attach", "--pd", &pd, "--nemesis", "none", "--time", "1"],
        ] {
            assert_harmless(&run(dir.path(), &arguments), &format!("{arguments:?}, {with_json}"));
        }
    }
}

/// Ends a cluster, whatever becomes of the test.
struct Cluster<'a>(&'a std::path::Path);

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        run(self.0, &["cluster", "down"]);
    }
}

#[test]
fn keys_are_counted_and_listed_as_escapes() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster(dir.path());
    let up = ["cluster", "up", "--kv", "1", "-d", "--without-monitor", "--port-offset", "15500"];
    assert_eq!(run(cluster.0, &up).status.code(), Some(0));
    let table = format!("table={HOSTILE}");
    let (records, other) = (["-p", "recordcount=3"], ["-p", &table]);
    for arguments in [
        [&["load"][..], &records, &other].concat(),
        [&["ycsb"][..], &records, &other, &["-p", "operationcount=3"]].concat(),
        vec!["count"],
        vec!["count", "--prefix", HOSTILE],
        vec!["cluster", "status"],
    ] {
        let output = run(cluster.0, &arguments);
        assert_harmless(&output, &format!("{arguments:?}"));
    }
    let output = run(cluster.0, &["count", "--list", "--prefix", HOSTILE]);
    assert_harmless(&output, "count --list");
    let listed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let lines = listed.lines().all(|line| line.starts_with("k\\x1b[2J\\x1b]0;title\\x07"));
    assert!(lines, "{listed}");
}

#[test]
fn names_of_files_plans_and_settings_are_shown_as_escapes() {
    let dir = tempfile::tempdir().expect("a directory");
    let name = HOSTILE.replace('/', "");
    fs::create_dir(dir.path().join(&name)).expect("made");
    fs::write(dir.path().join(&name).join("history.jsonl"), LOST_WRITE.replace("KEY", "k"))
        .expect("written");
    fs::write(dir.path().join(&name).join("plan.json"), format!("{{\"format\":{:?}}}", "x"))
        .expect("written");
    let plan = serde_json::json!({ "format": HOSTILE, "version": 1 });
    fs::write(dir.path().join("plan.json"), plan.to_string()).expect("written");
    let settings = format!("[test]\nnemesis = {}\n", serde_json::to_string(HOSTILE).expect("JSON"));
    fs::write(dir.path().join("settings.toml"), settings).expect("written");
    fs::write(dir.path().join("property"), "recordcount=\\u001b[2J\\u202e\n").expect("written");
    for arguments in [
        vec!["check", &name],
        vec!["check", &name, &name],
        vec!["report", &name],
        vec!["replay", &name],
        vec!["replay", "plan.json"],
        vec!["plan", "check", "plan.json"],
        vec!["--config", "settings.toml", "plan", "draw"],
        vec!["--config", "settings.toml", "test"],
        vec!["load", "-P", "property"],
        vec!["test", "--nemesis", &name],
        vec!["test", "--name", &name],
        vec!["test", "--time", &name],
        vec!["check", &format!("--no-such-{name}")],
        vec!["serve", &name],
    ] {
        assert_harmless(&run(dir.path(), &arguments), &format!("{arguments:?}"));
    }
}
