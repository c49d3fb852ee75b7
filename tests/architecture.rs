//! The allowed directions between the rooms, as ARCHITECTURE.md lists them, checked against Cargo's own view.

use std::{collections::BTreeMap, process::Command};

/// room → the rooms it may know.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("histories", &[]),
    ("proto", &[]),
    ("checker", &["histories"]),
    ("nemesis", &["histories"]),
    ("client", &["proto"]),
    ("cluster", &["proto"]),
    ("benchmarks", &["histories", "checker"]),
    ("jepsen-tikv", &["histories", "proto", "checker", "nemesis", "client", "cluster"]),
];

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--no-deps"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// Each workspace package's normal and build dependencies by name.
fn edges(metadata: &serde_json::Value) -> BTreeMap<String, Vec<String>> {
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .filter(|package| package["source"].is_null())
        .map(|package| {
            let needed = package["dependencies"].as_array().expect("dependencies");
            let names = needed
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| dependency["name"].as_str().expect("name").to_owned())
                .collect();
            (package["name"].as_str().expect("name").to_owned(), names)
        })
        .collect()
}

#[test]
fn rooms_know_only_what_they_may() {
    let edges = edges(&metadata());
    let rooms: Vec<&str> = ALLOWED.iter().map(|(room, _)| *room).collect();
    assert_eq!(
        edges.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(),
        rooms.iter().copied().collect(),
        "a room was added or removed: say so in ARCHITECTURE.md and here"
    );
    for (room, allowed) in ALLOWED {
        for needed in edges[room].iter().filter(|name| rooms.contains(&name.as_str())) {
            assert!(allowed.contains(&needed.as_str()), "{room} must not know {needed}");
        }
    }
}

#[test]
fn the_checker_has_no_runtime_and_no_clock() {
    let edges = edges(&metadata());
    for banned in ["tokio", "rand", "rand_chacha", "nix", "jiff"] {
        assert!(
            !edges["checker"].iter().any(|name| name == banned),
            "checker must not know {banned}"
        );
    }
}
