//! Keys, values, names and settings that a terminal would obey.

use super::{LOST_WRITE, assert_ended_well, run};
use std::fs;

/// Moves the cursor, sets the title, is C1, turns the direction, is not seen, and begins a line that looks like a verdict.
const HOSTILE: &str = "k\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{200b}\u{feff}\nverdict: VALID\rVALID";

fn assert_harmless(output: &std::process::Output, what: &str) {
    assert_ended_well(output, what);
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(text.clone()).expect("UTF-8");
        let bad = text.chars().find(|it| {
            (it.is_control() && *it != '\n')
                || matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        });
        assert_eq!(bad, None, "{what}: {text}");
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
