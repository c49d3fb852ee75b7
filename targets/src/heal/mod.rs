//! Heals the leftovers of a killed tester: resumes paused processes, ends the tester's own
//! processes, and puts back clusters that somebody else started.
//!
//! In: the records in the user's state directory. Out: the actions, in sentences. It leaves alone
//! the processes of a living tester, and processes whose identity is not certain. Healing runs at
//! every start, and by `jepsen-tikv heal`, which also looks for files of earlier versions and of
//! others (`by_hand`).

mod by_hand;

use crate::{
    state::{LeftRecord, Record, Started, StateDirectory},
    undo::Undo,
};
use failure::{Exit, Failure};
use nemesis::{ProcessIdentity, ProcessState, Whereabouts};
use nix::sys::signal::Signal;
use std::{path::Path, time::Duration};

/// The time in which a killed process must be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// The time in which PD must answer at all.
const PD_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// The result of healing, in sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healed {
    /// Successful actions.
    pub done: Vec<String>,
    /// Failed actions.
    pub failed: Vec<String>,
    /// Things left alone since a tester uses them.
    pub in_use: Vec<String>,
    /// Things left alone since their identity is not certain.
    pub doubtful: Vec<String>,
}

/// Carries out `jepsen-tikv heal`.
pub fn command(below: Option<&Path>) -> Result<Exit, Failure> {
    let mut healed = match StateDirectory::find()? {
        Some(state) => heal(&state, below)?,
        None => Healed::default(),
    };
    healed.doubtful.extend(by_hand::left_below(below.unwrap_or(Path::new("runs"))));
    for sentence in healed.done.iter().chain(&healed.in_use).chain(&healed.doubtful) {
        terminal::result(format_args!("{sentence}"));
    }
    if let Some(first) = healed.failed.first() {
        healed.failed[1..]
            .iter()
            .for_each(|sentence| terminal::note(format_args!("jepsen-tikv: {sentence}")));
        return Err(Failure::target_or_disk(first));
    }
    if !healed.doubtful.is_empty() {
        return Ok(Exit::Unknown);
    }
    if healed.done.is_empty() {
        let place = below.map_or_else(String::new, |below| format!(" in {}", below.display()));
        terminal::result(format_args!("nothing to heal{place}"));
    }
    Ok(Exit::Valid)
}

/// Heals before something is started; prints only if there was something to heal.
pub fn before_a_run() -> Result<(), Failure> {
    let Some(state) = StateDirectory::find()? else { return Ok(()) };
    let healed = heal(&state, None)?;
    for sentence in healed.done.iter().chain(&healed.failed) {
        terminal::note(format_args!("{sentence}"));
    }
    Ok(())
}

/// Heals leftovers in a directory and below it. Prints the actions and returns the result.
pub fn left_in(directory: &Path) -> Result<Healed, Failure> {
    let Some(state) = StateDirectory::find()? else { return Ok(Healed::default()) };
    let healed = heal(&state, Some(directory))?;
    healed.done.iter().for_each(terminal::note);
    Ok(healed)
}

/// Heals the leftovers of every dead tester, or only those below a directory.
pub fn heal(state: &StateDirectory, below: Option<&Path>) -> Result<Healed, Failure> {
    let below = below.map(|below| std::fs::canonicalize(below).unwrap_or(below.to_owned()));
    let mut healed = Healed::default();
    state.tidy();
    for left in state.records()? {
        if below.as_ref().is_none_or(|below| left.record.directory.starts_with(below)) {
            healed.heal(&left);
        }
    }
    if below.is_none() {
        healed.failed.extend(state.unreadable().into_iter().map(|folder| {
            format!(
                "{} is no record of this version: use the version that wrote it, or remove it once you looked",
                folder.display()
            )
        }));
    }
    Ok(healed)
}

/// Heals the leftovers of one tester, if it is dead.
pub fn heal_record(left: &LeftRecord) -> Healed {
    let mut healed = Healed::default();
    healed.heal(left);
    healed
}

impl Healed {
    /// Everything that is not healed, in sentences.
    pub fn troubles(&self) -> impl Iterator<Item = &String> {
        self.failed.iter().chain(&self.in_use).chain(&self.doubtful)
    }

    fn heal(&mut self, seen: &LeftRecord) {
        let lock = match seen.take() {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                self.in_use.push(in_use(&seen.record));
                return;
            }
            Err(failure) => return self.failed.push(failure.sentence),
        };
        // The tester may have settled the record since it was read.
        let Some(left) = &seen.again() else { return };
        let record = &left.record;
        let place = record.directory.display();
        let whereabouts = record.machine.whereabouts();
        let is_other_user = record.uid != nix::unistd::geteuid().as_raw();
        if whereabouts == Whereabouts::Elsewhere || is_other_user {
            self.doubtful.push(format!(
                "left {place} alone: a tester on another machine, or of another user, wrote {}; run heal there, or remove \
                 that folder",
                left.folder.display()
            ));
            return;
        }
        let before = (self.failed.len(), self.doubtful.len());
        self.resume(left);
        let mut changed = record.clone();
        changed.started.retain(|started| self.is_left(started, whereabouts, left));
        if let Some(undo) = &record.attached
            && self.put_back(undo, left)
        {
            changed.attached = None;
        }
        let noted = match (changed.is_settled()
            && before == (self.failed.len(), self.doubtful.len()))
            && !(record.keeps && record.directory.exists())
        {
            true => left.remove(&lock),
            false if changed == *record => Ok(()),
            false => changed.write(&left.folder),
        };
        self.failed.extend(noted.err().map(|failure| failure.sentence));
    }

    fn resume(&mut self, left: &LeftRecord) {
        let (journal, place) = (left.journal(), left.record.directory.display());
        if !journal.exists() {
            return;
        }
        let report = match nemesis::heal(&journal, Some(&left.record.machine)) {
            Ok(report) => report,
            Err(error) => return self.failed.push(error.to_string()),
        };
        let resumed = report.resumed.iter();
        self.done
            .extend(resumed.map(|it| format!("resumed {it}, left paused by the run of {place}")));
        let failed = report.failed.iter();
        self.failed.extend(failed.map(|(it, why)| format!("could not resume {it}: {why}")));
        self.failed.extend(report.malformed.into_iter().map(|line| {
            format!("{line}; what could be read was acted on, remove the file once you looked")
        }));
        self.doubtful.extend(report.doubtful.iter().map(|(it, why)| {
            let pid = it.pid;
            format!(
                "{it} was not resumed, since {why}; if it is the one that the run of {place} paused: kill -CONT {pid}"
            )
        }));
        if report.tester_lives.is_some() {
            self.in_use.push(in_use(&left.record));
        }
    }

    /// Undoes the changes of a killed tester to a cluster that somebody else started. Returns true
    /// on success.
    fn put_back(&mut self, undo: &Undo, left: &LeftRecord) -> bool {
        let place = left.record.directory.display();
        let carried_out = tokio::runtime::Runtime::new()
            .map_err(Failure::software)
            .and_then(|runtime| runtime.block_on(undo.carry_out(PD_ANSWERS_WITHIN)));
        match carried_out {
            Ok(done) => {
                self.done
                    .extend(done.into_iter().map(|it| format!("{it}, left by the run of {place}")));
                true
            }
            Err(failure) => {
                self.failed.push(format!(
                    "{failure}; if that cluster is gone for good, remove {}",
                    left.folder.display()
                ));
                false
            }
        }
    }

    /// Ends a process that a tester left running. Returns true if something of it is left.
    fn is_left(&mut self, started: &Started, whereabouts: Whereabouts, left: &LeftRecord) -> bool {
        let place = left.record.directory.display();
        if whereabouts == Whereabouts::EarlierBoot {
            return false;
        }
        let mut found = if started.leads_group { started.process.group() } else { Vec::new() };
        if started.process.state() != ProcessState::Gone && !found.contains(&started.process) {
            found.push(started.process.clone());
        }
        found.retain(|process| process.state() != ProcessState::Gone);
        let mut any_left = false;
        for process in found {
            let name = &started.name;
            let doubt = match whereabouts {
                Whereabouts::Here => doubt(&process, started),
                _ => Some("it ran in another container".into()),
            };
            if let Some(doubt) = doubt {
                let pid = process.pid;
                self.doubtful.push(format!(
                    "{name} ({process}) was not ended, since {doubt}; if it is the one that the run of {place} started: \
                     kill -KILL {pid}"
                ));
                any_left = true;
                continue;
            }
            let sent = process.signal(Signal::SIGKILL);
            let state = process.await_state(|state| state == ProcessState::Gone, GONE_WITHIN);
            if state == ProcessState::Gone {
                self.done
                    .push(format!("ended {name} ({process}), left running by the run of {place}"));
            } else {
                self.failed.push(format!("could not end {name} ({process}): {sent:?}"));
                any_left = true;
            }
        }
        any_left
    }
}

/// The sentence about a record whose writer lives: a tester, or the supervisor of a cluster.
fn in_use(record: &Record) -> String {
    let (directory, process) = (&record.directory, &record.tester);
    let place = directory.display();
    if !record.keeps {
        return format!("left {place} alone: its tester, {process}, is running");
    }
    let tag = directory.file_name().unwrap_or_default().to_string_lossy();
    format!("left {place} alone: the supervisor of the cluster {tag}, {process}, is running")
}

/// The reason to doubt that a tester of this user started the process, or None.
fn doubt(process: &ProcessIdentity, started: &Started) -> Option<String> {
    let us = nix::unistd::geteuid().as_raw();
    match process.owner() {
        Some(owner) if owner == us => {}
        Some(owner) => return Some(format!("it belongs to user {owner}, and not to {us}")),
        None => return Some("it is not to be seen whose it is".into()),
    }
    // Other members of a process group are known by their group.
    if process.pid == started.process.pid { started.process.doubt() } else { None }
}
