//! The folder of all nights: finds the night to continue, creates new ones, and lets only one run
//! at a time.
//! In: the folder. Out: the night's own folder and its journal. Layout: `DIR/<UTC timestamp>/` for
//! each night, `DIR/latest` for the newest, `DIR/failing-plans/` ([`super::failing_plans`]),
//! `DIR/lock`.

use super::{
    journal::{Header, Journal, cells_that_ended},
    matrix::Tried,
    settings::Settings,
};
use failure::Failure;
use run_directory::plain_file;
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

/// The name of a night's journal.
const JOURNAL: &str = "journal.jsonl";

/// The number of earlier nights that are searched for cells that were tried.
const TRIED_NIGHTS_MAX: usize = 400;

/// The folder of all nights, held by this process alone.
#[derive(Debug)]
pub struct Nights {
    path: PathBuf,
    /// Released by the kernel, however this process ends.
    _lock: File,
}

impl Nights {
    /// Opens the folder, or creates it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::target_or_disk(format!(
                "cannot make {}: {error}; name a writable place with --out",
                path.display()
            ))
        };
        std::fs::create_dir_all(path).map_err(cannot)?;
        let path = std::path::absolute(path).map_err(cannot)?;
        let mut options = OpenOptions::new();
        let lock = plain_file::open_with(&path.join("lock"), options.create(true).append(true));
        let lock = lock.map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::target_or_disk(format!(
                "another night is under way in {}: wait for its end, or choose another --out",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lists the nights, oldest first.
    pub fn all(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let own = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let nights = entries.filter(own).map(|entry| entry.path());
        let mut nights: Vec<PathBuf> =
            nights.filter(|night| night.join(JOURNAL).is_file()).collect();
        nights.sort();
        nights
    }

    /// Counts how often each cell ran in the nights before this one.
    pub fn tried_before(&self, night: &Path) -> Tried {
        let mut tried = Tried::new();
        let earlier = self.all().into_iter().rev().filter(|it| it.file_name() < night.file_name());
        for night in earlier.take(TRIED_NIGHTS_MAX) {
            for label in cells_that_ended(&night.join(JOURNAL)) {
                *tried.entry(label).or_default() += 1;
            }
        }
        tried
    }

    /// Returns the last night, if it was interrupted.
    pub fn interrupted(&self) -> Result<Option<(PathBuf, Journal)>, Failure> {
        let Some(last) = self.all().pop() else { return Ok(None) };
        let journal = Journal::open(&last.join(JOURNAL))?;
        Ok(journal.over.is_none().then_some((last, journal)))
    }

    /// Creates a new night.
    pub fn begin(&self, seed: u64, settings: Settings) -> Result<(PathBuf, Journal), Failure> {
        let name = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        let night = self.path.join(&name);
        let cannot = |error: std::io::Error| {
            Failure::target_or_disk(format!("cannot make {}: {error}", night.display()))
        };
        std::fs::create_dir_all(&night).map_err(cannot)?;
        // Linked under another name first, so that `latest` is a whole link at every moment.
        let fresh = self.path.join(".latest");
        let _ = std::fs::remove_file(&fresh);
        std::os::unix::fs::symlink(&name, &fresh).map_err(cannot)?;
        std::fs::rename(&fresh, self.path.join("latest")).map_err(cannot)?;
        let journal = Journal::create(&night.join(JOURNAL), Header::now(seed, settings))?;
        Ok((night, journal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_night_goes_on_until_it_is_over_and_only_one_works_at_a_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let nights = Nights::open(directory.path()).expect("opened");
        assert!(nights.interrupted().expect("readable").is_none());
        let (path, journal) = nights.begin(7, Settings::default()).expect("begun");
        drop(journal);
        let refused = Nights::open(directory.path()).expect_err("held");
        assert!(refused.sentence.contains("another night"), "{refused}");
        drop(nights);

        let nights = Nights::open(directory.path()).expect("opened");
        let (same, mut journal) = nights.interrupted().expect("readable").expect("one");
        assert_eq!((same, journal.header.seed), (path, 7));
        journal.is_over().expect("noted");
        assert!(nights.interrupted().expect("readable").is_none());
    }

    #[test]
    fn cells_of_earlier_nights_are_counted_and_those_of_this_one_are_not() {
        use crate::nightly::{
            outcome::{Kind, Outcome},
            summary::tests::row,
        };
        let directory = tempfile::tempdir().expect("a directory");
        let nights = Nights::open(directory.path()).expect("opened");
        let names = ["20000101T000000.000Z", "20000102T000000.000Z", "20000103T000000.000Z"];
        for name in names {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).expect("made");
            let header = Header::now(7, Settings::default());
            let mut journal = Journal::create(&path.join(JOURNAL), header).expect("begun");
            for (label, kind) in [("a", Kind::Matrix), ("self-test-1", Kind::SelfTest)] {
                journal.ended(row(label, kind, Outcome::Valid, Some(0))).expect("noted");
            }
        }
        let tried = nights.tried_before(&directory.path().join(names[2]));
        assert_eq!(tried, Tried::from([("a".to_owned(), 2)]));
        assert!(nights.tried_before(&directory.path().join(names[0])).is_empty());
    }
}
