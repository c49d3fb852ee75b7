//! The list of all runs below a folder.
//!
//! In: the folder. Out: a row for each run, the newest first; a run by its id. A run is a folder
//! with a plan or a history, a few levels down. Clusters are not runs, and links are not followed.
//! A row is cached until one of the run's files changes.

use super::{
    inside::{Inside, inside},
    row::{self, Row, State},
};
use failure::{Exit, Failure};
use rayon::prelude::*;
use run_directory::{RunDirectory, run_files::is_plain};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// The number of levels searched: `self-test/NAME/TIME` is three.
const DEPTH_MAX: usize = 4;
/// The longest list; older runs are left out.
const ROWS_MAX: usize = 5_000;

/// The time of the last change and the length of each of a run's files.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// The cached row of each run, with the stamp of its files at the time.
type Known = Arc<HashMap<String, (Stamp, Row)>>;

/// The runs below a folder.
#[derive(Debug)]
pub struct Runs {
    root: PathBuf,
    known: Mutex<Known>,
}

impl Runs {
    /// The runs below a folder, which must exist.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let refuse = |why: String| {
            let folder = folder.display();
            Failure::new(
                Exit::NoInput,
                format!(
                    "{folder}: {why}; name the folder that holds your runs (--runs-dir of test)"
                ),
            )
        };
        let root = folder.canonicalize().map_err(|error| refuse(error.to_string()))?;
        if !root.is_dir() {
            return Err(refuse("this is no folder".into()));
        }
        if is_run(&root) {
            return Err(refuse("this is one run, not a folder of runs".into()));
        }
        Ok(Self { root, known: Mutex::default() })
    }

    /// The folder of all runs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Lists every run, the newest first.
    pub fn list(&self) -> Vec<Row> {
        let mut ids = Vec::new();
        collect(&self.root, "", 0, &mut ids);
        // Sorted by the time of the beginning, regardless of the tests' names.
        ids.sort_by(|a, b| began(b).cmp(began(a)).then_with(|| a.cmp(b)));
        ids.truncate(ROWS_MAX);
        // No file is read while the lock is held: a slow disk would hold up other requests.
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = Known::clone(&known());
        let rows: Vec<(String, Stamp, Row)> = ids
            .into_par_iter()
            .map(|id| {
                let run = RunDirectory::at(self.root.join(&id));
                let stamp = stamp(&run);
                let is_same = |(then, row): &&(Stamp, Row)| {
                    // A run's end is not visible in its files, so a row of a run in progress is
                    // never reused.
                    *then == stamp && row.state != State::Running
                };
                let kept = before.get(&id).filter(is_same).map(|(_, row)| row.clone());
                let row = kept.unwrap_or_else(|| row::read(&run, &id));
                (id, stamp, row)
            })
            .collect();
        let rows_by_id =
            rows.iter().map(|(id, stamp, row)| (id.clone(), (stamp.clone(), row.clone())));
        *known() = Arc::new(rows_by_id.collect());
        rows.into_iter().map(|(_, _, row)| row).collect()
    }

    /// Returns the run with this id, if there is one.
    pub fn find(&self, id: &str) -> Option<RunDirectory> {
        let is_cluster = id.split('/').next() == Some("clusters");
        match inside(&self.root, id)? {
            Inside::Folder(path) if is_run(&path) && !is_cluster => Some(RunDirectory::at(path)),
            _ => None,
        }
    }

    /// Splits a path into the run that it begins with, its id, and the rest.
    pub fn split<'a>(&self, path: &'a str) -> Option<(RunDirectory, &'a str, &'a str)> {
        let cuts = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        cuts.take(DEPTH_MAX).find_map(|at| {
            let run = self.find(&path[..at])?;
            Some((run, &path[..at], path[at..].strip_prefix('/').unwrap_or_default()))
        })
    }
}

fn began(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn is_run(path: &Path) -> bool {
    ["plan.json", "history.jsonl"]
        .iter()
        .any(|name| path.join(name).symlink_metadata().is_ok_and(|it| it.is_file()))
}

fn collect(folder: &Path, prefix: &str, depth: usize, ids: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // A name that is not UTF-8 cannot stand in an address.
        let Some(name) = name.to_str().filter(|name| is_plain(name)) else { continue };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || (depth == 0 && name == "clusters") {
            continue;
        }
        let id = format!("{prefix}{name}");
        if is_run(&entry.path()) {
            ids.push(id);
        } else if depth + 1 < DEPTH_MAX {
            collect(&entry.path(), &format!("{id}/"), depth + 1, ids);
        }
    }
}

fn stamp(run: &RunDirectory) -> Stamp {
    let files = [run.verdict(), run.plan(), run.history(), run.html(), run.cluster()];
    let of = |path: &PathBuf| {
        let metadata = path.symlink_metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(root: &Path, id: &str) {
        fs::create_dir_all(root.join(id)).expect("made");
        fs::write(root.join(id).join("plan.json"), r#"{"config":{"seed":3}}"#).expect("written");
    }

    #[test]
    fn the_newest_comes_first_and_clusters_are_no_runs() {
        let place = tempfile::tempdir().expect("a directory");
        run(place.path(), "b/20260101T000000.000Z");
        run(place.path(), "a/20260102T000000.000Z");
        run(place.path(), "self-test/deep/20260103T000000.000Z");
        run(place.path(), "clusters/default");
        std::os::unix::fs::symlink("a/20260102T000000.000Z", place.path().join("latest"))
            .expect("made");
        let runs = Runs::open(place.path()).expect("a folder");
        let ids = |rows: &[Row]| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
        let listed = runs.list();
        assert_eq!(
            ids(&listed),
            [
                "self-test/deep/20260103T000000.000Z",
                "a/20260102T000000.000Z",
                "b/20260101T000000.000Z"
            ]
        );
        assert_eq!(listed[0].seed, Some(3));
        let verdict = r#"{"validity":"valid","operations":{"get":{"ok":5,"fail":0,"info":0}}}"#;
        fs::write(place.path().join("b/20260101T000000.000Z/verdict.json"), verdict)
            .expect("written");
        assert_eq!((runs.list()[2].state, runs.list()[2].operations), (State::Valid, Some(5)));
        fs::remove_dir_all(place.path().join("a")).expect("removed");
        assert_eq!(runs.list().len(), 2);
    }

    #[test]
    fn a_path_is_a_run_and_a_file_of_it() {
        let place = tempfile::tempdir().expect("a directory");
        run(place.path(), "a/1");
        run(place.path(), "clusters/1");
        let runs = Runs::open(place.path()).expect("a folder");
        let (_, id, rest) = runs.split("a/1/logs/pd1.log").expect("a run");
        assert_eq!((id, rest), ("a/1", "logs/pd1.log"));
        assert_eq!(runs.split("a/1").map(|(_, id, rest)| (id, rest)), Some(("a/1", "")));
        for other in ["a", "a/2", "../a/1", "a/../a/1", "clusters/1", "", "/", "a/1x"] {
            assert!(runs.split(other).is_none(), "{other}");
        }
        assert!(Runs::open(&place.path().join("a/1")).is_err(), "one run is no folder of runs");
        assert!(Runs::open(&place.path().join("nothing")).is_err());
    }
}
