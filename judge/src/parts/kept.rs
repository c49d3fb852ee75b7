//! The kept files of a run in parts, for judging or showing it again.
//!
//! In: a run's directory. Out: its parts whose files are kept, and the verdict on all of them.
//! Valid parts were deleted when they were over, so only the verdict is left of them.

use crate::Judgement;

use run_directory::RunDirectory;
use std::path::{Path, PathBuf};

/// The kept parts and the verdict.
#[derive(Debug)]
pub struct Kept {
    /// The parts that can be judged again, in order.
    pub parts: Vec<PathBuf>,
    /// The verdict on all parts, if the run came to its end.
    pub verdict: Option<Judgement>,
}

/// The run in parts that a path names.
pub fn open(path: &Path) -> Option<RunDirectory> {
    path.join("parts.jsonl")
        .symlink_metadata()
        .is_ok_and(|it| it.is_file())
        .then(|| RunDirectory::at(path.to_owned()))
}

impl Kept {
    /// The kept files of the run in parts that a path names; `None` if it names none.
    pub fn of(path: &Path) -> Option<Self> {
        let run = open(path)?;
        let entries = std::fs::read_dir(path.join("parts")).into_iter().flatten().flatten();
        let mut parts: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|part| RunDirectory::open(part).is_some())
            .collect();
        parts.sort();
        Some(Self { parts, verdict: crate::read_verdict(&run) })
    }
}
