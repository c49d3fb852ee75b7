//! A run's directory: `runs/<test name>/<UTC timestamp>/`, with `runs/latest` pointing at the newest.
//!
//! In: where runs are kept and a test's name. Out: the paths of the run's files. Knows names only, no contents.

use crate::exit::Failure;
use std::path::{Path, PathBuf};

/// The directory of one run.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes a new directory below `runs_dir` and points `latest` at it.
    pub fn create(runs_dir: &Path, test_name: &str) -> Result<Self, Failure> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        let relative = Path::new(test_name).join(stamp);
        let path = runs_dir.join(&relative);
        let refuse = |error: std::io::Error| {
            Failure::target_or_disk(format!(
                "cannot make the run directory {}: {error}; name a writable place with --runs-dir",
                path.display()
            ))
        };
        std::fs::create_dir_all(path.join("logs")).map_err(refuse)?;
        // Linked under another name first: at every moment `latest` is a whole link.
        let fresh = runs_dir.join(format!(".latest-{}", std::process::id()));
        let _ = std::fs::remove_file(&fresh);
        std::os::unix::fs::symlink(&relative, &fresh).map_err(refuse)?;
        std::fs::rename(&fresh, runs_dir.join("latest")).map_err(refuse)?;
        let path = std::path::absolute(&path).map_err(refuse)?;
        Ok(Self { path })
    }

    /// The run that a path names: a run directory, or any link to one. `None` if it holds no history.
    pub fn open(path: &Path) -> Option<Self> {
        let run = Self { path: path.to_owned() };
        run.history().is_file().then_some(run)
    }

    /// The run in this directory, whatever it holds.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that determines the run.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// What clients and nemesis did.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// What runs where.
    pub fn cluster(&self) -> PathBuf {
        self.path.join("cluster.json")
    }

    /// What is put back on a cluster that somebody else started.
    pub fn attached(&self) -> PathBuf {
        self.path.join("attached.json")
    }

    /// What was seen of the cluster, about once a second.
    pub fn samples(&self) -> PathBuf {
        self.path.join("cluster-samples.jsonl")
    }

    /// What a run said that was a process of its own.
    pub fn output(&self) -> PathBuf {
        self.path.join("logs").join("tester.txt")
    }

    /// The report for a browser.
    pub fn html(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// What is judged of it.
    pub fn verdict(&self) -> PathBuf {
        self.path.join("verdict.json")
    }
}

/// Writes a file whole or not at all.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    let fresh = path.with_extension("part");
    let write = || {
        std::fs::write(&fresh, contents)?;
        std::fs::File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    write().map_err(|error: std::io::Error| {
        Failure::target_or_disk(format!(
            "cannot write {}: {error}; make room or choose another --runs-dir",
            path.display()
        ))
    })
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
    }

    #[test]
    fn a_place_that_cannot_be_written_is_one_sentence() {
        let place = tempfile::NamedTempFile::new().expect("a file");
        let failure = RunDirectory::create(place.path(), "a").expect_err("not a directory");
        assert_eq!(failure.exit, crate::exit::Exit::TargetOrDisk);
        assert!(failure.sentence.contains("--runs-dir"));
    }
}
