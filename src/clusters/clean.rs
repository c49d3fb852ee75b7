//! `cluster clean`: removes the data of clusters that have ended.
//!
//! In: a tag, or all. Out: directories that are gone. Never removes what runs, what is no cluster's, or anything
//! behind a symbolic link.

use super::{choice, directory::ClusterDirectory};
use crate::{
    cli::CleanArgs,
    exit::{Exit, Failure},
    plain_file::{self, CLUSTER_BYTES_MAX},
    targets::embedded::ClusterFile,
    terminal,
};
use nemesis::ProcessState;
use std::io;

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
            Err(failure) if first.is_err() => terminal::note(failure),
            Err(failure) => first = Err(failure),
            Ok(()) => {}
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
    let unreadable = |why: String| {
        Failure::new(
            Exit::Malformed,
            format!(
                "{}: {why}; what runs there is not known, so the data stays: end what runs, then delete {}",
                directory.cluster().display(),
                directory.path().display()
            ),
        )
    };
    let file: Option<ClusterFile> = match plain_file::read(&directory.cluster(), CLUSTER_BYTES_MAX)
    {
        Ok(text) => {
            Some(serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let entries = file.iter().flat_map(ClusterFile::processes);
    let mut processes = entries.filter_map(|entry| entry.process.as_ref());
    if processes.any(|process| process.state() != ProcessState::Gone) {
        return Err(runs());
    }
    directory.remove(&lock)?;
    terminal::result(format_args!("removed {}", directory.path().display()));
    Ok(())
}
