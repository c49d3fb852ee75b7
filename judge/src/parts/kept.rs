//! What is left of a run in parts, for whoever judges or shows it again.
//!
//! In: a run's directory. Out: its parts whose files are kept, and the verdict on all of them. Parts that were valid were dropped
//! when they were over, so of these only the verdict is left.

use crate::Judgement;

use run_directory::RunDirectory;
use std::path::{Path, PathBuf};

/// What is left.
#[derive(Debug)]
pub struct Kept {
    /// The parts that can be judged again, in order.
    pub parts: Vec<PathBuf>,
    /// What was judged of all of them, if the run came to its end.
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
    /// Of the run in parts that a path names; `None` if it names none.
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
