//! The allowed directions between the rooms, as ARCHITECTURE.md lists them, checked against Cargo's
//! own view; and that nothing on a simulation's way asks a clock, chance or the order of a random
//! map (`cluster/clippy.toml` does the same for the cluster's own logic).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// room → the rooms that it knows, the lowest first. All of it, so that an arrow that is gone is
/// taken away here too.
const EDGES: [(&str, &[&str]); 18] = [
    ("histories", &[]),
    ("proto", &[]),
    ("failure", &[]),
    ("checker", &["histories"]),
    ("nemesis", &["histories"]),
    ("client", &["proto"]),
    ("cluster", &["proto"]),
    ("benchmarks", &["checker", "histories"]),
    ("terminal", &["failure", "histories"]),
    ("run-directory", &["failure", "histories"]),
    // The names of defects and profiles are the cluster's.
    ("plan", &["cluster", "failure", "histories", "nemesis", "run-directory"]),
    ("workload", &["histories", "plan"]),
    (
        "targets",
        &[
            "client",
            "cluster",
            "failure",
            "histories",
            "nemesis",
            "plan",
            "run-directory",
            "terminal",
            "workload",
        ],
    ),
    ("judge", &["checker", "failure", "histories", "plan", "run-directory"]),
    // The rule against requests of foreign web pages is one, for the cluster's HTTP servers and for
    // ours.
    ("pages", &["cluster", "failure", "terminal"]),
    // The judge's part in a run is to end it at the first broken promise.
    (
        "run",
        &[
            "checker",
            "client",
            "cluster",
            "failure",
            "histories",
            "judge",
            "nemesis",
            "plan",
            "run-directory",
            "targets",
            "terminal",
            "workload",
        ],
    ),
    (
        "report",
        &["checker", "failure", "histories", "judge", "pages", "plan", "run-directory", "terminal"],
    ),
    (
        "campaigns",
        &[
            "checker",
            "client",
            "cluster",
            "failure",
            "histories",
            "judge",
            "nemesis",
            "plan",
            "report",
            "run",
            "run-directory",
            "targets",
            "terminal",
            "workload",
        ],
    ),
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
fn rooms_know_what_the_list_says_and_nothing_else() {
    let edges = edges(&metadata());
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (room, needed) in edges.iter().filter(|(room, _)| *room != "jepsen-tikv") {
        let mut rooms: Vec<&str> =
            needed.iter().map(String::as_str).filter(|name| edges.contains_key(*name)).collect();
        rooms.sort_unstable();
        rooms.dedup();
        found.insert(room, rooms);
    }
    let listed: BTreeMap<&str, Vec<&str>> =
        EDGES.iter().map(|(room, needed)| (*room, needed.to_vec())).collect();
    assert_eq!(found, listed, "an arrow was added or removed: say so in ARCHITECTURE.md and here");
    // Each room stands on those before it, so there is no circle.
    for (at, (room, needed)) in EDGES.iter().enumerate() {
        let below: Vec<&str> = EDGES[..at].iter().map(|(room, _)| *room).collect();
        let above = needed.iter().find(|name| !below.contains(name));
        assert_eq!(above, None, "{room} stands on a room that is listed after it");
    }
}

/// The source folders of the program's own crates.
const PROGRAM: [&str; 12] = [
    "src",
    "failure/src",
    "terminal/src",
    "run-directory/src",
    "plan/src",
    "workload/src",
    "targets/src",
    "judge/src",
    "pages/src",
    "run/src",
    "report/src",
    "campaigns/src",
];

/// Circles of a crate's top modules that may stay, each with its reason.
const CIRCLES: [(&str, &[&str], &str); 0] = [];

/// The top modules of a crate, and which of them each one names by `crate::`.
fn modules(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, code) in sources(source) {
        let below = Path::new(&file).strip_prefix(source).expect("below").to_owned();
        let top = below.components().next().expect("a part").as_os_str().to_string_lossy();
        let top = top.trim_end_matches(".rs").to_owned();
        if matches!(&*top, "lib" | "main") {
            continue;
        }
        let code: String = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let named = known.entry(top).or_default();
        for after in code.split("crate::").skip(1) {
            if let Some(list) = after.strip_prefix('{') {
                named.extend(first_names(list));
            } else {
                named.insert(name_at(after));
            }
        }
    }
    let all: BTreeSet<String> = known.keys().cloned().collect();
    for (top, named) in &mut known {
        named.retain(|name| all.contains(name) && name != top);
    }
    known
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|it| it.is_ascii_alphanumeric() || *it == '_').collect()
}

/// The first name of each path in a list of imports that has just been opened.
fn first_names(list: &str) -> Vec<String> {
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            it if begins && it.is_ascii_alphabetic() => {
                names.push(name_at(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// Everything that can be reached from a module.
fn reached<'a>(from: &'a str, known: &'a BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        for name in known.get(next).into_iter().flatten() {
            if seen.insert(name.as_str()) {
                open.push(name);
            }
        }
    }
    seen
}

#[test]
fn modules_of_the_program_have_no_circle_but_those_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for source in PROGRAM {
        let known = modules(&root.join(source));
        for module in known.keys() {
            let mut circle: Vec<String> = reached(module, &known)
                .into_iter()
                .filter(|other| reached(other, &known).contains(module.as_str()))
                .map(str::to_owned)
                .collect();
            circle.sort();
            if circle.contains(module) && !found.iter().any(|(_, it)| *it == circle) {
                found.push((source, circle));
            }
        }
    }
    let listed: Vec<(&str, Vec<String>)> = CIRCLES
        .iter()
        .map(|(source, circle, _)| (*source, circle.iter().map(|it| (*it).to_owned()).collect()))
        .collect();
    assert_eq!(found, listed, "cut the circle, or list it here with its reason");
}

#[test]
fn names_in_a_list_of_imports_are_found() {
    assert_eq!(first_names("a::{b, c}, d, e::f as g}; use x"), ["a", "d", "e"]);
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
    "run/src/simulate",
    "workload/src",
    "run/src/workers.rs",
    "run/src/recording.rs",
    "run/src/counting.rs",
    "run/src/clock.rs",
    "nemesis/src/run.rs",
    "nemesis/src/shared_state.rs",
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

/// Who may ask the wall clock, which anybody may set while a run goes, and what for. No duration,
/// no wait and no time in a history comes from there.
const WALL_CLOCK: [(&str, &str); 17] = [
    ("src/watch/live_tester.rs", "when something was said, for a person"),
    ("terminal/src/progress.rs", "when something was said, for a person"),
    ("targets/src/observe/sampler.rs", "when a look was, for a person"),
    ("src/commands/clusters/spec.rs", "when a cluster was started, for a person"),
    ("src/commands/clusters/watch.rs", "the time of day on the screen"),
    ("run-directory/src/lib.rs", "a run directory's name"),
    ("targets/src/state/own.rs", "a record's name"),
    ("failure/src/wall_clock.rs", "a clock before 1970, which the storage crate does not survive"),
    ("campaigns/src/nightly/nights.rs", "a night's name"),
    ("campaigns/src/nightly/journal.rs", "when a night began and ended, for a person"),
    ("campaigns/src/nightly/failing_plans.rs", "files' times: the newest first"),
    ("src/commands/serve/archive.rs", "files' times, in an archive"),
    ("run-directory/src/run_archive.rs", "files' times, in an archive"),
    ("src/commands/serve/runs.rs", "files' times: has it changed"),
    ("src/commands/serve/row.rs", "files' times: was it written to a moment ago"),
    ("cluster/src/pd/shell.rs", "where PD's timestamps begin; monotonic from there on"),
    ("cluster/src/store/driver.rs", "when keys expire, as in TiKV"),
];

#[test]
fn time_that_is_measured_or_recorded_never_comes_from_the_wall_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rooms = PROGRAM.iter().chain(&[
        "histories/src",
        "checker/src",
        "nemesis/src",
        "client/src",
        "cluster/src",
    ]);
    let mut broken = Vec::new();
    for (file, code) in rooms.flat_map(|room| sources(&root.join(room))) {
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
