//! `cluster clean`: removes the data of clusters that have ended.
//!
//! In: a tag, or all. Out: directories that are gone. Never removes what runs, what is no cluster's, or anything
//! behind a symbolic link.

use super::{choice, directory::ClusterDirectory};
use crate::{
    cli::CleanArgs,
    exit::{Exit, Failure},
    targets::embedded::ClusterFile,
    terminal,
};
use nemesis::ProcessState;
use std::fs;

/// `jepsen-tikv cluster clean`.
pub fn command(args: &CleanArgs) -> Result<Exit, Failure> {
    if let Some(tag) = &args.tag {
        return clean(&choice::of(&args.runs_dir, Some(tag))?).map(|()| Exit::Valid);
    }
    let clusters: Vec<ClusterDirectory> = ClusterDirectory::all(&args.runs_dir)?
        .into_iter()
        .filter(|directory| directory.spec().exists())
        .collect();
    if clusters.is_empty() {
        terminal::result(format_args!("no cluster's data is in {}", args.runs_dir.display()));
    }
    let mut first = Ok(Exit::Valid);
    for directory in clusters {
        match clean(&directory) {
            // What runs was not meant: `--all` is about those that have ended.
            Err(failure) if failure.exit == Exit::Usage => terminal::note(failure),
            cleaned => first = first.and(cleaned.map(|()| Exit::Valid)),
        }
    }
    first
}

fn clean(directory: &ClusterDirectory) -> Result<(), Failure> {
    let tag = directory.tag();
    let runs = || {
        Failure::usage(format!(
            "the cluster {tag} runs, its data stays: end it first with jepsen-tikv cluster down --tag {tag}"
        ))
    };
    directory.check_no_link()?;
    let lock = directory.lock()?.ok_or_else(runs)?;
    let file = fs::read(directory.cluster()).ok();
    let file: Option<ClusterFile> = file.and_then(|text| serde_json::from_slice(&text).ok());
    let entries = file.iter().flat_map(ClusterFile::processes);
    let mut processes = entries.filter_map(|entry| entry.process.as_ref());
    if processes.any(|process| process.state() != ProcessState::Gone) {
        return Err(runs());
    }
    directory.remove(&lock)?;
    terminal::result(format_args!("removed {}", directory.path().display()));
    Ok(())
}
