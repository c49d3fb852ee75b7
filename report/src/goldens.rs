//! Endings as a person reads them: each kind of verdict, at three widths, with colours and without.
//!
//! `goldens/NAME.json` is the verdict.json of a run, shortened; `goldens/NAME-WIDTH.txt` its
//! ending, `-colour` the one with colours. With `BLESS_GOLDENS=1` in the environment the endings
//! are written anew.

use super::{Form, RunContext, ending};
use std::path::{Path, PathBuf};

/// The kinds of ending that are held.
const NAMES: [&str; 8] =
    ["valid", "invalid", "unknown", "stuck", "interrupted", "undecided", "scenario", "dirty"];
/// A person does not scroll.
const LINES_MAX: usize = 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/goldens")
}

fn shown(name: &str, form: Form) -> Vec<String> {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("a verdict");
    let judgement = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let run = format!("runs/{name}/20261130T194924.938Z");
    let around = RunContext {
        report: Some(format!("{run}/report.html")),
        run: Some(run),
        repeat: Some(format!(
            "jepsen-tikv test --nemesis pause-overlap,kill-one --time 30 --seed 216569346 --name {name} --keys 10000"
        )),
        ..RunContext::default()
    };
    ending(&judgement, &around, form)
}

#[test]
fn endings_are_as_they_were_read() {
    let mut differ = Vec::new();
    for name in NAMES {
        for width in [80, 100, 120] {
            for colour in [false, true] {
                let lines = shown(name, Form { width, colour });
                let text = lines.join("\n") + "\n";
                let suffix = if colour { "-colour" } else { "" };
                let path = folder().join(format!("{name}-{width}{suffix}.txt"));
                if std::env::var_os("BLESS_GOLDENS").is_some() {
                    std::fs::write(&path, &text).expect("written");
                }
                if std::fs::read_to_string(&path).ok().as_deref() != Some(&*text) {
                    differ.push(format!("{}:\n{text}", path.display()));
                }
            }
        }
    }
    assert!(
        differ.is_empty(),
        "not as before (BLESS_GOLDENS=1 takes them):\n{}",
        differ.join("\n")
    );
}

#[test]
fn an_ending_fits_a_screen() {
    for name in NAMES {
        let lines = shown(name, Form { width: 100, colour: false });
        assert!(lines.len() <= LINES_MAX, "{name}: {} lines", lines.len());
        for width in [80, 100, 120] {
            let lines = shown(name, Form { width, colour: false });
            let wide = lines.iter().find(|line| line.chars().count() > width);
            assert_eq!(wide, None, "{name} at {width} columns");
        }
    }
}
