//! Links, FIFOs, devices and files with giant holes in the user's own state directory, and in the
//! directories of clusters: nobody waits for them, follows them, or reads them to their end.

use super::{
    PROGRAM, Place, assert_ended_well,
    files::{OBSTACLES, Obstacle},
    run,
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const UNKNOWN: i32 = 2;
const TROUBLE: i32 = 74;
const RUN: [&str; 12] = [
    "test",
    "--nemesis",
    "none",
    "--time",
    "1",
    "--stores",
    "1",
    "--replicas",
    "1",
    "--keys",
    "5",
    "--rate=50",
];

impl Place {
    /// Runs a command that may say what it likes; its code.
    fn ends(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = run(self.dir.path(), arguments);
        assert_ended_well(&output, &format!("{arguments:?}"));
        let precious = fs::read_to_string(&self.precious).expect("there");
        assert_eq!(precious, "mine", "{arguments:?}");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The folder of a record that a killed tester left.
    fn record(&self) -> PathBuf {
        let mut tester = Command::new(PROGRAM)
            .args(["test", "--nemesis", "none", "--time", "1200", "--stores", "1"])
            .args(["--replicas", "1", "--keys", "5", "--rate", "5"])
            .current_dir(self.dir.path())
            .env("XDG_STATE_HOME", self.at("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let state = self.at("state/jepsen-tikv");
        let found = || {
            let folders = fs::read_dir(&state).ok()?.flatten().map(|it| it.path());
            folders.into_iter().find(|it| {
                let text = fs::read_to_string(it.join("record.json")).unwrap_or_default();
                text.contains("store-1")
            })
        };
        let folder = loop {
            assert!(tester.try_wait().expect("a child").is_none(), "it ended by itself");
            if let Some(folder) = found() {
                break folder;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        tester.kill().expect("it runs");
        tester.wait().expect("it can be waited for");
        folder
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("there").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

#[test]
fn records_that_are_no_plain_files_hold_up_neither_heal_nor_a_run() {
    let place = Place::new();
    let whole = place.record();
    let mut obstacles = 0;
    for file in ["record.json", "lock", "nemesis.journal"] {
        for obstacle in OBSTACLES {
            let folder = whole.with_file_name(format!("{obstacle:?}-{file}"));
            copy(&whole, &folder);
            obstacle.put(&folder.join(file), &place.precious);
            obstacles += 1;
        }
    }
    symlink(&place.precious, whole.with_file_name("a-link")).expect("made");
    Obstacle::Fifo.put(&whole.with_file_name("a-fifo"), &place.precious);
    let (code, said) = place.ends(&RUN);
    assert!(matches!(code, Some(0 | UNKNOWN)), "{said}");
    let (code, said) = place.ends(&["heal"]);
    assert_eq!(code, Some(TROUBLE), "{said}");
    let told = said.lines().filter(|line| line.contains("no record of this version")).count();
    assert!(told >= OBSTACLES.len(), "of {obstacles}: {said}");
    assert!(!whole.exists(), "what can be healed is");
    for file in ["lock", "nemesis.journal"] {
        let link = whole.with_file_name(format!("Link-{file}"));
        assert!(said.contains(link.to_str().expect("text")), "{said}");
    }
}

/// Files that earlier versions and others write, which `heal` tells of.
#[test]
fn run_directories_of_no_plain_files_hold_up_neither_heal_nor_a_run() {
    let place = Place::new();
    for file in ["nemesis.journal", "attached.json", "cluster.json", "record.json", "history.jsonl"]
    {
        for obstacle in OBSTACLES {
            let folder = place.at("runs/t").join(format!("{obstacle:?}-{file}"));
            fs::create_dir_all(&folder).expect("made");
            obstacle.put(&folder.join(file), &place.precious);
        }
    }
    symlink("/", place.at("runs/everything")).expect("made");
    symlink(place.at("runs"), place.at("runs/t/itself")).expect("made");
    for arguments in [&["heal"][..], &["heal", "runs"], &["heal", "runs/t"]] {
        let (code, said) = place.ends(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        assert!(said.starts_with("nothing to heal"), "{arguments:?}: {said}");
    }
    let (code, said) = place.ends(&RUN);
    assert!(matches!(code, Some(0 | UNKNOWN)), "{said}");
}

#[test]
fn a_state_directory_that_is_something_else_is_one_sentence() {
    for obstacle in OBSTACLES {
        let place = Place::new();
        fs::create_dir(place.at("state")).expect("made");
        obstacle.put(&place.at("state/jepsen-tikv"), &place.precious);
        for command in [&["heal"][..], &RUN] {
            let (code, said) = place.ends(command);
            assert_eq!(code, Some(TROUBLE), "{obstacle:?}, {command:?}: {said}");
            assert!(said.contains("the state directory"), "{obstacle:?}: {said}");
        }
    }
}

#[test]
fn clusters_of_others_are_neither_waited_for_nor_started() {
    let place = Place::new();
    for file in ["spec.json", "cluster.json", "lock", "control.sock", "data", "logs"] {
        for obstacle in OBSTACLES {
            let tag = format!("{obstacle:?}-{file}").to_lowercase().replace('.', "-");
            let cluster = place.at("runs/clusters").join(tag);
            fs::create_dir_all(&cluster).expect("made");
            fs::write(cluster.join("spec.json"), "{}").expect("written");
            obstacle.put(&cluster.join(file), &place.precious);
        }
    }
    place.ends(&["cluster", "status"]);
    place.ends(&["cluster", "down", "--all"]);
    place.ends(&["count"]);
    for entry in fs::read_dir(place.at("runs/clusters")).expect("there").flatten() {
        let tag = entry.file_name().into_string().expect("text");
        for command in ["status", "down"] {
            place.ends(&["cluster", command, "--tag", &tag]);
        }
        let (code, said) = place.ends(&["cluster", "up", "--kv", "1", "-d", "--tag", &tag]);
        assert_eq!(code, Some(UNKNOWN), "{said}");
        assert!(said.contains("is not started: "), "{said}");
    }
    let (code, said) = place.ends(&["cluster", "clean", "--all"]);
    assert!(matches!(code, Some(UNKNOWN | TROUBLE)), "{said}");
}

#[test]
fn an_own_cluster_writes_no_log_through_a_link() {
    let place = Place::new();
    let up = ["cluster", "up", "--kv", "1", "-d", "--without-monitor", "--tag", "own"];
    let up = [&up[..], &["--port-offset", "15000"]].concat();
    let (code, said) = place.ends(&up);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.ends(&["cluster", "down"]).0, Some(0));
    for (log, obstacle) in [
        ("supervisor.log", Obstacle::Link),
        ("supervisor.log", Obstacle::Fifo),
        ("pd1.log", Obstacle::Link),
        ("pd1.log", Obstacle::Fifo),
    ] {
        let log = place.at("runs/clusters/own/logs").join(log);
        obstacle.put(&log, &place.precious);
        let (code, said) = place.ends(&up);
        assert_eq!(code, Some(TROUBLE), "{obstacle:?} {}: {said}", log.display());
        fs::remove_file(log).expect("there");
    }
    assert_eq!(place.ends(&up).0, Some(0));
    assert_eq!(place.ends(&["cluster", "down"]).0, Some(0));
    let mode = fs::metadata(place.at("state/jepsen-tikv")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_lock_of_nights_is_no_way_to_another_file() {
    for obstacle in [Obstacle::Link, Obstacle::Device, Obstacle::Fifo] {
        let place = Place::new();
        fs::write(place.at("nightly.toml"), "budget = \"1\"\n").expect("written");
        fs::create_dir(place.at("nights")).expect("made");
        obstacle.put(&place.at("nights/lock"), &place.precious);
        let night = ["nightly", "--config", "nightly.toml", "--out", "nights"];
        let (code, said) = place.ends(&night);
        assert_eq!(code, Some(TROUBLE), "{obstacle:?}: {said}");
    }
}
