//! `cluster down`: ends the processes that `cluster up` started, and nothing else.
//!
//! In: the choice of a cluster. Out: sentences about the processes that ended. The supervisor gets
//! a SIGTERM, which works like Ctrl-C. One that does not react is killed, and its processes die
//! with it. Processes are identified by PID and start time.

use super::{
    choice,
    directory::ClusterDirectory,
    spec::{Life, Spec},
};
use crate::cli::DownArgs;
use failure::{Exit, Failure};
use nemesis::{ProcessIdentity, ProcessState, Whereabouts};
use nix::sys::signal::Signal;
use std::time::Duration;
use targets::{
    heal::{self, Healed},
    state::{self, Started},
};

/// The time that a supervisor may take to end its processes: it may be starting one.
const END_WITHIN: Duration = Duration::from_mins(1);
/// The time until a killed process must be gone.
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
        if Life::of(&directory).0 != Life::Down {
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
    let (life, Some(left)) = Life::of(directory) else {
        return Err(choice::foreign(directory));
    };
    let supervisor = &left.record.tester;
    let running = running(&left.record.started);
    match life {
        Life::Up if left.record.machine.whereabouts() != Whereabouts::Here => {
            let sentence =
                format!("the supervisor of {tag} runs in another container: end it there");
            return Err(Failure::target_or_disk(sentence));
        }
        Life::Up => end_supervisor(tag.name(), supervisor)?,
        Life::SupervisorGone => terminal::result(format_args!(
            "the supervisor of {tag} (PID {}) was killed before, and its processes ended with it",
            supervisor.pid
        )),
        Life::Down | Life::Foreign => {
            terminal::result(format_args!("the cluster {tag} does not run"));
            return Ok(());
        }
    }
    // The record as the supervisor left it.
    let healed = state::of_directory(directory.path()).map(|left| heal::heal_record(&left));
    report(&running, &healed.unwrap_or_default())?;
    tidy(directory)
}

fn running(started: &[Started]) -> Vec<Started> {
    started.iter().filter(|it| it.process.state() != ProcessState::Gone).cloned().collect()
}

/// Asks the supervisor to end, and kills it if it does not.
fn end_supervisor(tag: &str, supervisor: &ProcessIdentity) -> Result<(), Failure> {
    let refused = |error: nemesis::SignalError| {
        let pid = supervisor.pid;
        Failure::target_or_disk(format!(
            "the supervisor of {tag} (PID {pid}) cannot be ended: {error}"
        ))
    };
    let gone = |state| state == ProcessState::Gone;
    if let Some(doubt) = supervisor.doubt() {
        let sentence =
            format!("{supervisor} was not ended as the supervisor of {tag}, since {doubt}");
        return Err(Failure::new(Exit::Unknown, sentence));
    }
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

/// Prints which processes ended; fails if one did not.
fn report(running: &[Started], left: &Healed) -> Result<(), Failure> {
    for Started { name, process, .. } in running {
        let state = process.await_state(|state| state == ProcessState::Gone, GONE_WITHIN);
        let pid = process.pid;
        if state != ProcessState::Gone {
            let sentence = format!("{name} (PID {pid}) did not end: it is {}", state.name());
            return Err(Failure::target_or_disk(sentence));
        }
        terminal::result(format_args!("ended {name} (PID {pid})"));
    }
    left.done.iter().for_each(terminal::result);
    left.troubles().next().map_or(Ok(()), |sentence| Err(Failure::target_or_disk(sentence)))
}

/// Finishes what a killed supervisor could not: records the end, and removes the data unless it is
/// kept.
fn tidy(directory: &ClusterDirectory) -> Result<(), Failure> {
    let tag = directory.tag();
    let Some(spec) = Spec::read(directory)? else {
        terminal::result(format_args!(
            "the data of {tag} is removed; a cluster with a --tag keeps it"
        ));
        return Ok(());
    };
    let Some(lock) = directory.lock()? else { return Ok(()) };
    if spec.keep_data {
        let path = directory.path().display();
        terminal::result(format_args!("the data of {tag} is kept in {path}"));
        return Ok(());
    }
    directory.remove(&lock)?;
    terminal::result(format_args!("the data of {tag} is removed; a cluster with a --tag keeps it"));
    Ok(())
}
