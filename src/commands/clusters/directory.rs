//! A cluster's directory, `RUNS/clusters/TAG/`: its file names, and the lock that says who owns it.
//!
//! `spec.json` (the options), `cluster.json` (the processes and addresses), `data/`, `logs/`,
//! `control.sock` (the supervisor's, mode 0600), `lock` (held by the supervisor as long as it
//! lives; the kernel releases it, however the supervisor ends). Nothing here follows a symbolic
//! link.

use super::tag::Tag;
use failure::Failure;
use nix::fcntl::{Flock, FlockArg};
use run_directory::plain_file;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use targets::state;

/// The folder of the clusters in the runs directory; no test may have this name.
pub const FOLDER: &str = "clusters";

/// The time to wait for a lock whose holder only reads or removes the directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// A cluster's directory.
#[derive(Debug, Clone)]
pub struct ClusterDirectory {
    path: PathBuf,
    tag: Tag,
}

/// The lock of a directory; its holder may start processes there or remove it.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl ClusterDirectory {
    /// Returns the directory of a tag, existing or not.
    pub fn of(runs_dir: &Path, tag: Tag) -> Result<Self, Failure> {
        let runs_dir = std::path::absolute(runs_dir).map_err(Failure::usage)?;
        Ok(Self { path: runs_dir.join(FOLDER).join(tag.name()), tag })
    }

    /// Returns every cluster's directory in the runs directory, by tag.
    pub fn all(runs_dir: &Path) -> Result<Vec<Self>, Failure> {
        let clusters = runs_dir.join(FOLDER);
        if !is_folder(&clusters) {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&clusters).map_err(|error| {
            Failure::target_or_disk(format!("cannot read {}: {error}", clusters.display()))
        })?;
        let mut tags: Vec<Tag> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| Tag::checked(&entry.file_name().to_string_lossy()).ok())
            .collect();
        tags.sort();
        tags.into_iter().map(|tag| Self::of(runs_dir, tag)).collect()
    }

    /// Creates the directory, readable for its owner only, if it does not exist.
    pub fn make(&self) -> Result<(), Failure> {
        let make = || {
            let folders = self.path.parent().unwrap_or(&self.path);
            fs::create_dir_all(folders)?;
            for folder in [&self.path, &self.logs()] {
                match DirBuilder::new().mode(0o700).create(folder) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => made?,
                }
            }
            Ok(())
        };
        make().map_err(|error: io::Error| {
            Failure::target_or_disk(format!(
                "cannot make the cluster's directory {}: {error}; name a writable place with --runs-dir",
                self.path.display()
            ))
        })?;
        self.check_no_link()
    }

    /// Refuses a directory that is a link or lies behind one: its contents are not ours.
    pub fn check_no_link(&self) -> Result<(), Failure> {
        let folders = [self.path.parent().unwrap_or(&self.path), &self.path];
        match folders.into_iter().find(|folder| folder.is_symlink()) {
            None => Ok(()),
            Some(link) => Err(Failure::usage(format!(
                "{} is a symbolic link: what is behind it is left alone; remove the link or use another --tag",
                link.display()
            ))),
        }
    }

    /// Takes the lock; `None` if another process holds it.
    pub fn lock(&self) -> Result<Option<Lock>, Failure> {
        let path = self.path.join("lock");
        let failed = |error: io::Error| {
            Failure::target_or_disk(format!("cannot lock {}: {error}", path.display()))
        };
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            let mut options = OpenOptions::new();
            let file = plain_file::open_with(&path, options.create(true).append(true));
            let file = file.map_err(failed)?;
            let inode = file.metadata().map_err(failed)?.ino();
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                // The process that removed the directory has removed this very file: the next try
                // creates another.
                Ok(file) if fs::metadata(&path).is_ok_and(|there| there.ino() == inode) => {
                    return Ok(Some(Lock { _file: file }));
                }
                Ok(_) => {}
                Err((_, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() >= deadline => {
                    return Ok(None);
                }
                Err((_, nix::errno::Errno::EWOULDBLOCK)) => std::thread::sleep(LOCK_POLL),
                Err((_, error)) => return Err(failed(error.into())),
            }
        }
    }

    /// Returns true if the directory exists.
    pub fn exists(&self) -> bool {
        is_folder(&self.path)
    }

    /// Removes the directory and its contents, `spec.json` last, so that the remains of a failed
    /// removal are still recognised as a cluster's. Links are removed, never followed.
    pub fn remove(&self, _held: &Lock) -> Result<(), Failure> {
        let remove = || {
            let last = [self.spec(), self.path.join("lock")];
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else if !last.contains(&entry.path()) {
                    fs::remove_file(entry.path())?;
                }
            }
            for file in last {
                match fs::remove_file(file) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
            fs::remove_dir(&self.path)
        };
        self.check_no_link()?;
        remove().map_err(|error: io::Error| {
            Failure::target_or_disk(format!("cannot remove {}: {error}", self.path.display()))
        })?;
        state::forget(&self.path);
        Ok(())
    }

    /// The cluster's tag.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the options.
    pub fn spec(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    /// The file of the processes and addresses.
    pub fn cluster(&self) -> PathBuf {
        self.path.join("cluster.json")
    }

    /// The folder of the processes' data.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// The folder of the processes' logs.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(runs: &Path) -> ClusterDirectory {
        ClusterDirectory::of(runs, Tag::checked("a").expect("a tag")).expect("a directory")
    }

    #[test]
    fn one_holds_the_lock_and_the_next_gets_it_after() {
        let runs = tempfile::tempdir().expect("a directory");
        let directory = directory(runs.path());
        directory.make().expect("made");
        let held = directory.lock().expect("works").expect("free");
        assert!(directory.lock().expect("works").is_none());
        drop(held);
        assert!(directory.lock().expect("works").is_some());
    }

    #[test]
    fn removing_ends_at_links() {
        let runs = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir().expect("a directory");
        fs::write(elsewhere.path().join("precious"), "x").expect("written");
        let directory = directory(runs.path());
        directory.make().expect("made");
        std::os::unix::fs::symlink(elsewhere.path(), directory.data()).expect("linked");
        let held = directory.lock().expect("works").expect("free");
        directory.remove(&held).expect("removed");
        assert!(!directory.exists() && elsewhere.path().join("precious").exists());

        std::os::unix::fs::symlink(elsewhere.path(), directory.path()).expect("linked");
        assert!(directory.remove(&held).is_err());
        assert!(directory.make().is_err());
        assert!(elsewhere.path().join("precious").exists());
    }
}
