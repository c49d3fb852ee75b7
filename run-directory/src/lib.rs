//! A run's directory: `runs/<test name>/<UTC timestamp>/`, with `runs/latest` pointing at the
//! newest.
//!
//! In: the runs directory and a test's name. Out: the paths of the run's files. Knows names only,
//! no contents.

pub mod plain_file;
pub mod run_archive;
pub mod run_files;

pub use crate::plain_file::write_whole;
use failure::Failure;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// The directory of one run.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes a new directory below `runs_dir` and points `latest` at it.
    pub fn create(runs_dir: &Path, test_name: &str) -> Result<Self, Failure> {
        let run = Self::create_apart(runs_dir, test_name)?;
        run.become_latest(runs_dir).map_err(|error| {
            Failure::target_or_disk(format!(
                "cannot point {}/latest at the run: {error}; name a writable place with --runs-dir",
                runs_dir.display()
            ))
        })?;
        Ok(run)
    }

    /// Links `latest` to this run.
    fn become_latest(&self, runs_dir: &Path) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default();
        let test = self.path.parent().and_then(Path::file_name).unwrap_or_default();
        // Linked under another name first: at every moment `latest` is a whole link.
        let fresh = self.path.join(".latest");
        std::os::unix::fs::symlink(Path::new(test).join(name), &fresh)?;
        std::fs::rename(&fresh, runs_dir.join("latest"))
    }

    /// Makes a new directory below `runs_dir` for a run that may be removed again, and leaves
    /// `latest` as it is.
    pub fn create_apart(runs_dir: &Path, test_name: &str) -> Result<Self, Failure> {
        let folder = runs_dir.join(test_name);
        let refuse = |error: io::Error| {
            Failure::target_or_disk(format!(
                "cannot make a run directory in {}: {error}; name a writable place with --runs-dir",
                folder.display()
            ))
        };
        std::fs::create_dir_all(&folder).map_err(refuse)?;
        let stamp = claim(&folder).map_err(refuse)?;
        let path = folder.join(&stamp);
        std::fs::create_dir(path.join("logs")).map_err(refuse)?;
        let path = std::path::absolute(&path).map_err(refuse)?;
        Ok(Self { path })
    }

    /// The run that a path names: a run directory, or any link to one. `None` if it holds no
    /// history.
    pub fn open(path: &Path) -> Option<Self> {
        let run = Self { path: path.to_owned() };
        run.history().symlink_metadata().is_ok().then_some(run)
    }

    /// The run in this directory, without any check.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the plan, which determines the run.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// The path of the history of clients and nemesis.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// The path of the description of the cluster's processes.
    pub fn cluster(&self) -> PathBuf {
        self.path.join("cluster.json")
    }

    /// The path of the description of changes to undo on a cluster that somebody else started.
    pub fn attached(&self) -> PathBuf {
        self.path.join("attached.json")
    }

    /// The path of the samples of the cluster, about one a second.
    pub fn samples(&self) -> PathBuf {
        self.path.join("cluster-samples.jsonl")
    }

    /// The path of the output of a run that was its own process.
    pub fn output(&self) -> PathBuf {
        self.path.join("logs").join("tester.txt")
    }

    /// The path of the report for a browser.
    pub fn html(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// The reason why the history was refused; absent if it was judged.
    pub fn refusal(&self) -> PathBuf {
        self.path.join("refused.json")
    }

    /// The path of the verdict.
    pub fn verdict(&self) -> PathBuf {
        self.path.join("verdict.json")
    }
}

/// Creates a run's folder and returns its name: the time now, or the next one that is free.
fn claim(folder: &Path) -> io::Result<String> {
    let mut at = jiff::Timestamp::now();
    loop {
        let stamp = at.strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        match std::fs::create_dir(folder.join(&stamp)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                at = at.checked_add(Duration::from_millis(1)).map_err(io::Error::other)?;
            }
            made => return made.map(|()| stamp),
        }
    }
}

/// A run directory as a person would type it.
pub fn shown(run: &RunDirectory) -> String {
    shown_path(run.path())
}

/// A path as a person would type it.
pub fn shown_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_points_at_the_newest_run() {
        let runs = tempfile::tempdir().expect("a directory");
        let first = RunDirectory::create(runs.path(), "a").expect("made");
        std::fs::write(first.history(), "x").expect("written");
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = RunDirectory::create(runs.path(), "a").expect("made");
        assert!(RunDirectory::open(&runs.path().join("latest")).is_none(), "no history yet");
        std::fs::write(second.history(), "y").expect("written");
        let latest = RunDirectory::open(&runs.path().join("latest")).expect("found");
        assert_eq!(std::fs::read(latest.history()).expect("read"), b"y");
        let apart = RunDirectory::create_apart(runs.path(), "a").expect("made");
        std::fs::remove_dir_all(apart.path()).expect("removed");
        assert_eq!(std::fs::read(latest.history()).expect("still the one before"), b"y");
    }

    #[test]
    fn runs_of_one_millisecond_have_directories_of_their_own() {
        let runs = tempfile::tempdir().expect("a directory");
        let made = std::thread::scope(|scope| {
            let many = || {
                (0..40)
                    .map(|_| RunDirectory::create(runs.path(), "a").expect("made").path)
                    .collect()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(many)).collect();
            let made =
                threads.into_iter().flat_map(|it| -> Vec<PathBuf> { it.join().expect("ends") });
            made.collect::<Vec<_>>()
        });
        let distinct: std::collections::BTreeSet<&PathBuf> = made.iter().collect();
        assert_eq!((made.len(), distinct.len()), (160, 160));
        assert!(runs.path().join("latest/logs").is_dir(), "it is one of them");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_one_sentence() {
        let place = tempfile::NamedTempFile::new().expect("a file");
        let failure = RunDirectory::create(place.path(), "a").expect_err("not a directory");
        assert_eq!(failure.exit, failure::Exit::TargetOrDisk);
        assert!(failure.sentence.contains("--runs-dir"));
    }
}
