//! The state directory: `$XDG_STATE_HOME/jepsen-tikv`, by default `~/.local/state/jepsen-tikv`, of
//! this user alone.
//!
//! In: the environment. Out: a directory of mode 0700 that belongs to this user and is no link, or
//! an error of one sentence.

use super::record::LeftRecord;
use failure::Failure;
use std::{
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// The age at which an unfinished record counts as abandoned.
const UNFINISHED_FOR: Duration = Duration::from_hours(1);

/// The state directory.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// The directory, created if missing.
    pub fn make() -> Result<Self, Failure> {
        Self::make_at(wanted()?)
    }

    /// The directory, if it exists.
    pub fn find() -> Result<Option<Self>, Failure> {
        Self::find_at(wanted()?)
    }

    /// Creates the directory at a path, if it is missing.
    pub(super) fn make_at(path: PathBuf) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::target_or_disk(format!(
                "cannot make the state directory {}: {error}; set XDG_STATE_HOME to a directory of yours",
                path.display()
            ))
        };
        fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(cannot)?;
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made.map_err(cannot)?,
        }
        check(&path)?;
        Ok(Self { path })
    }

    pub(super) fn find_at(path: PathBuf) -> Result<Option<Self>, Failure> {
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            _ => check(&path).map(|()| Some(Self { path })),
        }
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes records that a killed tester left half made or half removed.
    pub fn tidy(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            let modified = entry.metadata().and_then(|it| it.modified()).ok();
            let age = modified.and_then(|at| at.elapsed().ok());
            if is_hidden && age.is_some_and(|age| age > UNFINISHED_FOR) {
                // A leftover does no harm.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The records of all testers, living or dead, the oldest first.
    pub fn records(&self) -> Result<Vec<LeftRecord>, Failure> {
        let cannot = |error| {
            Failure::target_or_disk(format!("cannot read {}: {error}", self.path.display()))
        };
        let entries = fs::read_dir(&self.path).map_err(cannot)?.flatten();
        // A record whose name begins with a dot is unfinished, and nothing was started yet.
        let is_record = |entry: &fs::DirEntry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            is_folder && !entry.file_name().to_string_lossy().starts_with('.')
        };
        let mut folders: Vec<PathBuf> =
            entries.filter(is_record).map(|entry| entry.path()).collect();
        folders.sort();
        // `heal` reports unreadable records.
        Ok(folders.into_iter().filter_map(LeftRecord::read).collect())
    }
}

fn wanted() -> Result<PathBuf, Failure> {
    let home = || std::env::home_dir().map(|home| home.join(".local").join("state"));
    let given = std::env::var_os("XDG_STATE_HOME").filter(|it| !it.is_empty());
    let state = given.map(PathBuf::from).or_else(home).filter(|path| path.is_absolute());
    state.map(|state| state.join("jepsen-tikv")).ok_or_else(|| {
        Failure::usage(
            "there is no place to note what must be undone if the tester is killed: set HOME, or XDG_STATE_HOME, to the \
             absolute path of a directory of yours",
        )
    })
}

/// Refuses a directory that others could write.
fn check(path: &Path) -> Result<(), Failure> {
    let refuse = |why: String| {
        Err(Failure::target_or_disk(format!(
            "the state directory {} {why}, so that nothing in it can be trusted: mend that, or set XDG_STATE_HOME to \
             another directory",
            path.display()
        )))
    };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) => return refuse(format!("cannot be looked at ({error})")),
    };
    let us = nix::unistd::geteuid().as_raw();
    if found.file_type().is_symlink() {
        return refuse("is a symbolic link".into());
    }
    if !found.is_dir() {
        return refuse("is no directory".into());
    }
    if found.uid() != us {
        return refuse(format!("belongs to user {}, and not to {us}", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        let mode = found.mode() & 0o777;
        return refuse(format!("is open to others (mode {mode:o}; it must be 700)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_directory_that_others_could_write_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("a/b/jepsen-tikv");
        assert!(StateDirectory::find_at(path.clone()).expect("looked").is_none());
        let made = StateDirectory::make_at(path.clone()).expect("made");
        assert_eq!(made.path().metadata().expect("there").mode() & 0o777, 0o700);
        StateDirectory::make_at(path.clone()).expect("there already");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("set");
        let refused = StateDirectory::find_at(path.clone()).expect_err("refused");
        assert!(refused.sentence.contains("mode 750"), "{refused}");

        let link = place.path().join("link");
        symlink(&path, &link).expect("linked");
        let refused = StateDirectory::make_at(link).expect_err("refused");
        assert!(refused.sentence.contains("symbolic link"), "{refused}");

        let file = place.path().join("file");
        fs::write(&file, "").expect("written");
        let refused = StateDirectory::find_at(file).expect_err("refused");
        assert!(refused.sentence.contains("no directory"), "{refused}");
    }
}
