//! Executes docs/walkthrough.md: every command of its `console` blocks, in order, and compares what
//! it shows.
//!
//! A line `$ jepsen-tikv …` is run as it stands, in an empty directory, with this build's binary;
//! `$ echo $?` after it shows its exit code. The line with `lsof` goes to a shell as it stands, but
//! for the port, should another program have taken 20180 before: whatever listens there must not be
//! stopped. The lines below it must appear in its output in this order; `…` stands for anything.
//! What would take minutes is shortened by [`SHORTER`], and nothing else is changed. Ports need no
//! care: a taken one gives way to the next, and later commands find the cluster by its directory.

use std::{
    path::Path,
    process::{Command, Output},
};

/// What the document says, and what is run here: the same with less of it. A bound on time is no
/// test on a busy machine, so the gap is only stated.
const SHORTER: [(&str, &str); 3] = [
    ("operationcount=1000000", "operationcount=2000"),
    ("scenario one-store", "scenario one-store --window 2"),
    ("scenario two-stores", "scenario two-stores --window 2 --gap-max 5m"),
];

/// A command of the document and the lines that it must show.
#[derive(Debug, Default)]
struct Step {
    command: String,
    shows: Vec<String>,
}

/// The steps of the `console` blocks.
fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { command: command.to_owned(), shows: Vec::new() });
                }
                (None, Some(step)) => step.shows.push(line.trim_end().to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            },
        }
    }
    steps
}

/// Whether a line is as the document has it, `…` standing for anything.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    open || rest.trim_end().is_empty()
}

/// The first line that the output lacks, if any.
fn missing<'a>(output: &str, shows: &'a [String]) -> Option<&'a str> {
    let mut lines = output.lines();
    shows
        .iter()
        .filter(|pattern| pattern.as_str() != "…" && !pattern.is_empty())
        .find(|pattern| !lines.any(|line| is_like(line, pattern)))
        .map(String::as_str)
}

fn run(directory: &Path, command: &str) -> Output {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("jepsen-tikv"), "{command}");
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(words)
        .current_dir(directory)
        .output()
        .expect("the binary runs")
}

/// Carries out the original's own line; where there is no lsof, the same is done by name, and said.
fn stop_by_hand(directory: &Path, line: &str) -> Output {
    let status = run(directory, "jepsen-tikv cluster status --json");
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let instances = status["instances"].as_array().expect("a list");
    let first = instances.iter().find(|it| it["name"] == "store-1").expect("the first store");
    let port = first["status_address"].as_str().and_then(|it| it.rsplit(':').next());
    let line = line.replace("20180", port.expect("a port"));
    if Command::new("lsof").arg("-v").output().is_err() {
        eprintln!("skipped: there is no lsof for {line}");
        return run(directory, "jepsen-tikv cluster pause store-1");
    }
    println!("$ {line}");
    Command::new("sh").args(["-c", &line]).current_dir(directory).output().expect("a shell")
}

/// Ends the cluster whatever happens.
struct Down<'a>(&'a Path);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        run(self.0, "jepsen-tikv cluster down --all");
    }
}

#[test]
fn every_command_of_the_walk_through_shows_what_it_says() {
    let document = include_str!("../docs/walkthrough.md");
    let steps = steps(document);
    assert!(steps.len() >= 10, "the document has lost its commands");
    let directory = tempfile::tempdir().expect("a directory");
    let _down = Down(directory.path());
    let mut last_code = None;
    for Step { command, shows } in steps {
        let (output, code) = if command == "echo $?" {
            (format!("{}\n", last_code.expect("a command before it")), last_code)
        } else if command.starts_with("kill -STOP $(lsof ") {
            let output = stop_by_hand(directory.path(), &command);
            assert!(output.status.success(), "{output:?}");
            (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
        } else {
            let shorter =
                SHORTER.iter().fold(command, |command, (long, short)| command.replace(long, short));
            println!("$ {shorter}");
            let output = run(directory.path(), &shorter);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            println!("{text}{}", String::from_utf8_lossy(&output.stderr));
            (text, output.status.code())
        };
        if let Some(line) = missing(&output, &shows) {
            panic!("the output lacks {line:?} (exit code {code:?}):\n{output}");
        }
        last_code = code;
    }
}

#[test]
fn patterns_are_compared_strictly() {
    assert!(is_like("10000", "10000") && !is_like("100001", "10000") && !is_like("10000", "1000"));
    assert!(is_like("INSERT - Takes(s): 3.1, Count: 10000, OPS: 9", "INSERT - …, Count: 10000, …"));
    assert!(!is_like("INSERT - Takes(s): 3.1, Count: 9999, OPS: 9", "INSERT - …, Count: 10000, …"));
    let shows = ["a…".to_owned(), "…".into(), "c".into()];
    assert_eq!(missing("ab\nx\nc\n", &shows), None);
    assert_eq!(missing("c\nab\n", &shows), Some("c"), "in this order");
}
