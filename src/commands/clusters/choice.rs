//! The choice of the cluster that a command is about.
//!
//! The choice follows `tiup playground`: the cluster of the given tag, or without a tag the only
//! one that runs. If several run, the tag is required.

use super::{
    directory::ClusterDirectory,
    spec::{Life, Spec},
    tag::Tag,
};
use failure::{Exit, Failure};
use std::path::Path;
use targets::consent;

/// Returns the cluster of a tag; without a tag the only one that runs or whose supervisor was
/// killed.
pub fn of(runs_dir: &Path, tag: Option<&str>) -> Result<ClusterDirectory, Failure> {
    let Some(tag) = tag else { return only_one(runs_dir) };
    let directory = ClusterDirectory::of(runs_dir, Tag::checked(tag)?)?;
    directory.check_no_link()?;
    if directory.exists() && directory.spec().exists() {
        return Ok(directory);
    }
    let known = ClusterDirectory::all(runs_dir)?;
    let known: Vec<&str> = known.iter().map(|it| it.tag().name()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Failure::usage(format!(
        "there is no cluster tagged {tag} in {}; there: {known}",
        runs_dir.display()
    )))
}

/// Returns the cluster as [`of`] does, and fails if it does not run.
pub fn of_running(runs_dir: &Path, tag: Option<&str>) -> Result<ClusterDirectory, Failure> {
    let directory = of(runs_dir, tag)?;
    match Life::of(&directory).0 {
        Life::Up => Ok(directory),
        Life::Foreign => Err(foreign(&directory)),
        Life::Down | Life::SupervisorGone => {
            let tag = directory.tag();
            Err(Failure::target_or_disk(format!(
                "the cluster {tag} does not run: start it with jepsen-tikv cluster up --tag {tag}"
            )))
        }
    }
}

/// Returns PD's address in the cluster of a tag, or in the only one that runs; `None` = without a
/// tag, none runs.
pub fn running_pd(runs_dir: &Path, tag: Option<&str>) -> Result<Option<String>, Failure> {
    let all = ClusterDirectory::all(runs_dir)?;
    let mut runs = false;
    for directory in &all {
        runs |= Life::of(directory).0 == Life::Up;
    }
    if tag.is_none() && !runs {
        return Ok(None);
    }
    let directory = of_running(runs_dir, tag)?;
    let pd = Spec::read(&directory)?.and_then(|spec| spec.pd);
    let tag = directory.tag();
    let early = || Failure::target_or_disk(format!("the cluster {tag} does not serve yet"));
    pd.ok_or_else(early).map(Some)
}

/// The refusal to act on a cluster that this user's own records do not mention.
pub fn foreign(directory: &ClusterDirectory) -> Failure {
    Failure::new(
        Exit::Unknown,
        format!(
            "{} is left alone: you did not start this cluster, or not with this version or this XDG_STATE_HOME; once you looked \
             into it, end its processes and remove it by hand",
            directory.path().display()
        ),
    )
}

/// Refuses to start a cluster in a directory that somebody else may have made, unless the user
/// agrees at the terminal. Data and logs are written there, and its file names may lead anywhere.
pub fn refuse_foreign(directory: &ClusterDirectory) -> Result<(), Failure> {
    directory.check_no_link()?;
    if Life::of(directory).0 != Life::Foreign {
        return Ok(());
    }
    let path = directory.path().display();
    let question = format!("{path} is not known as a cluster that you started");
    if consent::is_given(&question, "to start it all the same")? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Unknown,
        format!(
            "{path} is not started: it is no cluster that you started before, or not with this version or this \
             XDG_STATE_HOME; look into it and remove it by hand, or use another --tag"
        ),
    ))
}

fn only_one(runs_dir: &Path) -> Result<ClusterDirectory, Failure> {
    let mut with_life = Vec::new();
    for directory in ClusterDirectory::all(runs_dir)? {
        with_life.push((Life::of(&directory).0, directory));
    }
    for wanted in [Life::Up, Life::SupervisorGone] {
        let mut these: Vec<&ClusterDirectory> =
            with_life.iter().filter(|(life, _)| *life == wanted).map(|(_, it)| it).collect();
        match (these.pop(), these.is_empty()) {
            (None, _) => {}
            (Some(only), true) => return Ok(only.clone()),
            (Some(last), false) => {
                these.push(last);
                let tags: Vec<&str> = these.iter().map(|it| it.tag().name()).collect();
                return Err(Failure::usage(format!(
                    "several clusters are there ({}): say which with --tag",
                    tags.join(", ")
                )));
            }
        }
    }
    Err(Failure::target_or_disk(format!(
        "no cluster runs in {}: start one with jepsen-tikv cluster up",
        runs_dir.display()
    )))
}
