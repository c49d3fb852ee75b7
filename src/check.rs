//! `check`: judges recorded histories again, offline.
//!
//! In: run directories or history files. Out: a report for each, and how the program ends: as the worst of them.

use crate::{
    exit::{Exit, Failure},
    judge, report,
    run_directory::RunDirectory,
};
use std::path::{Path, PathBuf};

/// Judges each of these.
pub fn command(paths: &[PathBuf]) -> Result<Exit, Failure> {
    let mut worst = Exit::Valid;
    for path in paths {
        let judgement = judge::judge(&history(path)?, &checker::Options::default())?;
        println!("{}", path.display());
        report::print(&judgement);
        worst = match (worst, judgement.exit()) {
            (Exit::Invalid, _) | (_, Exit::Invalid) => Exit::Invalid,
            (Exit::Unknown, _) | (_, Exit::Unknown) => Exit::Unknown,
            _ => Exit::Valid,
        };
    }
    Ok(worst)
}

/// The history that a path names: the file itself, or that of a run directory.
fn history(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    RunDirectory::open(path).map(|run| run.history()).ok_or_else(|| {
        Failure::new(
            Exit::NoInput,
            format!(
                "{} holds no history.jsonl: name a run directory or a history file",
                path.display()
            ),
        )
    })
}
