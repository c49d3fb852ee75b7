//! The allowed directions between the rooms, as ARCHITECTURE.md lists them, checked against Cargo's own view; and that
//! nothing on a simulation's way asks a clock, chance or the order of a random map (`cluster/clippy.toml` does the same
//! for the cluster's own logic).

use std::{collections::BTreeMap, path::Path, process::Command};

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

/// What a simulation runs beside the cluster's own logic, folders and files.
const ON_A_SIMULATIONS_WAY: [&str; 15] = [
    "cluster/src/simulation",
    "src/simulate",
    "src/workload",
    "src/workers.rs",
    "src/recording.rs",
    "src/key_count.rs",
    "src/clock.rs",
    "nemesis/src/run.rs",
    "nemesis/src/field.rs",
    "nemesis/src/injection.rs",
    "nemesis/src/actions.rs",
    "nemesis/src/disturb.rs",
    "nemesis/src/schedule.rs",
    "nemesis/src/select.rs",
    "client/src/direct",
];

/// What may not be there, and why. Time is tokio's, which a simulation drives.
const BANNED: [(&str, &str); 10] = [
    ("HashMap", "its order is random: use BTreeMap"),
    ("HashSet", "its order is random: use BTreeSet"),
    ("RandomState", "random"),
    ("SystemTime", "a clock"),
    ("std::time::Instant", "a clock"),
    ("rand::random", "chance without a seed"),
    ("rand::rng(", "chance without a seed"),
    ("thread_rng", "chance without a seed"),
    ("std::env", "the environment"),
    ("thread::spawn", "threads race"),
];

/// The Rust files in a folder, or the file itself; tests apart.
fn sources(path: &Path) -> Vec<(String, String)> {
    if path.is_file() {
        let text = std::fs::read_to_string(path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        return vec![(path.display().to_string(), code)];
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}; say here what replaced it", path.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|entry| entry.is_dir() || entry.extension().is_some_and(|it| it == "rs"))
        .filter(|entry| !entry.ends_with("tests") && !entry.ends_with("tests.rs"))
        .collect();
    entries.sort();
    entries.iter().flat_map(|entry| sources(entry)).collect()
}

#[test]
fn nothing_on_a_simulations_way_asks_a_clock_or_chance() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for (file, code) in ON_A_SIMULATIONS_WAY.iter().flat_map(|path| sources(&root.join(path))) {
        for (number, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            for (banned, why) in BANNED.iter().filter(|(banned, _)| line.contains(banned)) {
                if !comment {
                    broken.push(format!("{file}:{}: {banned}: {why}", number + 1));
                }
            }
        }
        // A `select!` draws by chance which branch it looks at first, unless told not to.
        let unbiased = |rest: &str| !rest.lines().take(3).any(|line| line.trim() == "biased;");
        if code.split("select! {").skip(1).any(unbiased) {
            broken.push(format!("{file}: a select! without biased"));
        }
    }
    assert!(broken.is_empty(), "not the same on every machine:\n{}", broken.join("\n"));
}

/// Who may ask the wall clock, which anybody may set while a run goes, and what for. No duration, no wait and no time in a
/// history comes from there.
const WALL_CLOCK: [(&str, &str); 17] = [
    ("src/live_tester.rs", "when something was said, for a person"),
    ("src/progress.rs", "when something was said, for a person"),
    ("src/observe/sampler.rs", "when a look was, for a person"),
    ("src/clusters/spec.rs", "when a cluster was started, for a person"),
    ("src/clusters/watch.rs", "the time of day on the screen"),
    ("src/run_directory.rs", "a run directory's name"),
    ("src/state/own.rs", "a record's name"),
    ("src/wall_clock.rs", "a clock before 1970, which the storage crate does not survive"),
    ("src/nightly/nights.rs", "a night's name"),
    ("src/nightly/journal.rs", "when a night began and ended, for a person"),
    ("src/nightly/failing_plans.rs", "files' times: the newest first"),
    ("src/serve/archive.rs", "files' times, in an archive"),
    ("src/run_archive.rs", "files' times, in an archive"),
    ("src/serve/runs.rs", "files' times: has it changed"),
    ("src/serve/row.rs", "files' times: was it written to a moment ago"),
    ("cluster/src/pd/shell.rs", "where PD's timestamps begin; monotonic from there on"),
    ("cluster/src/store/driver.rs", "when keys expire, as in TiKV"),
];

#[test]
fn time_that_is_measured_or_recorded_never_comes_from_the_wall_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rooms = ["src", "histories/src", "checker/src", "nemesis/src", "client/src", "cluster/src"];
    let mut broken = Vec::new();
    for (file, code) in rooms.iter().flat_map(|room| sources(&root.join(room))) {
        let relative = file.trim_start_matches(&root.display().to_string()).trim_start_matches('/');
        let asks = |line: &&str| {
            ["SystemTime", "Timestamp::now", "Zoned::now"].iter().any(|clock| line.contains(clock))
        };
        let may = WALL_CLOCK.iter().any(|(allowed, _)| *allowed == relative);
        if !may && let Some(line) = code.lines().find(asks) {
            broken.push(format!("{relative}: {}", line.trim()));
        }
    }
    assert!(broken.is_empty(), "use the monotonic clock, or say what for:\n{}", broken.join("\n"));
}
