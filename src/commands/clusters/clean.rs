//! `cluster clean`: removes the data of clusters that have ended.
//!
//! In: a tag, or all. Out: directories that are gone. Never removes a cluster that runs, a
//! directory that is not a cluster's, or anything behind a symbolic link.

use super::{choice, directory::ClusterDirectory, spec::Life};
use crate::cli::CleanArgs;
use failure::{Exit, Failure};
use targets::{consent, heal};

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
    let (mut first, mut foreign) = (Ok(Exit::Valid), Ok(Exit::Valid));
    for directory in clusters {
        match clean(&directory) {
            // Clusters that run were not meant: `--all` is about those that have ended.
            Err(failure) if failure.exit == Exit::Usage => terminal::note(failure),
            // Other people's clusters come last, so that their refusal keeps nothing else from
            // being removed.
            Err(failure) if failure.exit == Exit::Unknown => {
                terminal::note(&failure);
                foreign = Err(failure);
            }
            Err(failure) if first.is_err() => terminal::note(failure),
            Err(failure) => first = Err(failure),
            Ok(()) => {}
        }
    }
    first.and(foreign)
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
    match Life::of(directory).0 {
        Life::Down => {}
        Life::Up => return Err(runs()),
        Life::SupervisorGone => {
            if let Some(trouble) = heal::left_in(directory.path())?.troubles().next() {
                return Err(Failure::target_or_disk(format!("the data of {tag} stays: {trouble}")));
            }
        }
        Life::Foreign => {
            let path = directory.path().display();
            let question = format!("{path} is not known as a cluster that you started");
            if !consent::is_given(&question, "to remove it all the same")? {
                return Err(choice::foreign(directory));
            }
        }
    }
    directory.remove(&lock)?;
    terminal::result(format_args!("removed {}", directory.path().display()));
    Ok(())
}
