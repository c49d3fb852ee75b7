//! `cluster down`: ends what `cluster up` started, and nothing else.
//!
//! In: which cluster. Out: what was ended, in sentences. The supervisor is asked by SIGTERM, as Ctrl-C would; one that
//! does not hear is killed, and its processes die with it. Processes are told from others by PID and start time.

use super::{
    choice,
    directory::ClusterDirectory,
    spec::{Life, Spec},
};
use crate::{
    cli::DownArgs,
    exit::{Exit, Failure},
    heal::{self, Healed},
    run_directory::RunDirectory,
    targets::embedded::{ClusterFile, ProcessEntry},
    terminal,
};
use nemesis::{ProcessIdentity, ProcessState};
use nix::sys::signal::Signal;
use std::{fs, time::Duration};

/// How long a supervisor may take to end its processes: it may be starting one.
const END_WITHIN: Duration = Duration::from_mins(1);
/// How long what was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// `jepsen-tikv cluster down`.
pub fn command(args: &DownArgs) -> Result<Exit, Failure> {
    let runs_dir = &args.place.runs_dir;
    if !args.all {
        return end(&choice::of(runs_dir, args.place.tag.as_deref())?).map(|()| Exit::Valid);
    }
    let mut first = Ok(Exit::Valid);
    let mut any = false;
    for directory in ClusterDirectory::all(runs_dir)? {
        if choice::life(&directory)? != Life::Down {
            any = true;
            first = first.and(end(&directory).map(|()| Exit::Valid));
        }
    }
    if !any {
        terminal::result(format_args!("no cluster runs in {}", runs_dir.display()));
    }
    first
}

fn end(directory: &ClusterDirectory) -> Result<(), Failure> {
    let tag = directory.tag();
    let spec = Spec::read(directory)?;
    let file: Option<ClusterFile> =
        fs::read(directory.cluster()).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let running = running(file.as_ref());
    let supervisor = spec.as_ref().and_then(|spec| spec.supervisor.clone());
    match (spec.as_ref().map(Spec::life), supervisor) {
        (Some(Life::Up), Some(supervisor)) => {
            end_supervisor(tag.name(), &supervisor)?;
        }
        (Some(Life::SupervisorGone), Some(supervisor)) => terminal::result(format_args!(
            "the supervisor of {tag} (PID {}) was killed before, and its processes ended with it",
            supervisor.pid
        )),
        _ => {
            terminal::result(format_args!("the cluster {tag} does not run"));
            return Ok(());
        }
    }
    let left = heal::heal_run(&RunDirectory::at(directory.path().to_owned()));
    report(&running, &left)?;
    tidy(directory)
}

fn running(file: Option<&ClusterFile>) -> Vec<(ProcessEntry, ProcessIdentity)> {
    let entries = file.into_iter().flat_map(ClusterFile::processes);
    entries
        .filter_map(|entry| Some((entry.clone(), entry.process.clone()?)))
        .filter(|(_, process)| process.state() != ProcessState::Gone)
        .collect()
}

/// Asks the supervisor to end; kills it if it does not.
fn end_supervisor(tag: &str, supervisor: &ProcessIdentity) -> Result<(), Failure> {
    let refused = |error: nemesis::SignalError| {
        let pid = supervisor.pid;
        Failure::target_or_disk(format!(
            "the supervisor of {tag} (PID {pid}) cannot be ended: {error}"
        ))
    };
    let gone = |state| state == ProcessState::Gone;
    supervisor.signal(Signal::SIGTERM).map_err(refused)?;
    supervisor.signal(Signal::SIGCONT).map_err(refused)?;
    if gone(supervisor.await_state(gone, END_WITHIN)) {
        return Ok(());
    }
    terminal::note(format_args!(
        "the supervisor of {tag} did not end within {} s and is killed",
        END_WITHIN.as_secs()
    ));
    supervisor.signal(Signal::SIGKILL).map_err(refused)?;
    supervisor.await_state(gone, GONE_WITHIN);
    Ok(())
}

/// Says what ended; fails if something did not.
fn report(running: &[(ProcessEntry, ProcessIdentity)], left: &Healed) -> Result<(), Failure> {
    for (entry, process) in running {
        let state = process.await_state(|state| state == ProcessState::Gone, GONE_WITHIN);
        let (name, pid) = (&entry.name, process.pid);
        if state != ProcessState::Gone {
            let sentence = format!("{name} (PID {pid}) did not end: it is {}", state.name());
            return Err(Failure::target_or_disk(sentence));
        }
        terminal::result(format_args!("ended {name} (PID {pid})"));
    }
    left.done.iter().for_each(terminal::result);
    left.failed.first().map_or(Ok(()), |sentence| Err(Failure::target_or_disk(sentence)))
}

/// What a supervisor that was killed could not do any more: note the end, remove what is not kept.
fn tidy(directory: &ClusterDirectory) -> Result<(), Failure> {
    let tag = directory.tag();
    let Some(mut spec) = Spec::read(directory)? else {
        terminal::result(format_args!(
            "the data of {tag} is removed; a cluster with a --tag keeps it"
        ));
        return Ok(());
    };
    let Some(lock) = directory.lock()? else { return Ok(()) };
    if spec.keep_data {
        spec.supervisor = None;
        spec.write(directory)?;
        let path = directory.path().display();
        terminal::result(format_args!("the data of {tag} is kept in {path}"));
        return Ok(());
    }
    directory.remove(&lock)?;
    terminal::result(format_args!("the data of {tag} is removed; a cluster with a --tag keeps it"));
    Ok(())
}
