//! Kills, starts, pauses and resumes the processes of a running cluster on request; and sends such
//! requests.
//!
//! In: requests. Out: the actions done, in sentences. All the processes of a request are chosen
//! before any action: if one of them is unsuitable, nothing is done. A pause is in the journal
//! before the process is paused.

use super::{
    announcement::{Announcement, Announcer},
    choice,
    control::{Act, Answer, Reply, Request},
};
use crate::cli::ChosenArgs;
use failure::{Exit, Failure};
use nemesis::{PausedProcesses, ProcessIdentity, ProcessState, Signalled};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use targets::{
    embedded::{ClusterFile, EmbeddedCluster, ProcessEntry},
    observe::{self, ProcessSeen, ProcessWord},
};

/// The processes of a running cluster.
#[derive(Debug, Clone)]
pub struct Processes {
    cluster: Arc<Mutex<EmbeddedCluster>>,
    paused: Arc<PausedProcesses>,
    announcer: Arc<Announcer>,
    /// The last description that was read: while a store is being started, the cluster is locked.
    last: Arc<Mutex<ClusterFile>>,
}

impl Processes {
    /// The processes of a cluster that was started.
    pub fn new(
        cluster: EmbeddedCluster,
        paused: PausedProcesses,
        announcer: Arc<Announcer>,
    ) -> Self {
        let last = Arc::new(Mutex::new(cluster.describe()));
        Self { cluster: Arc::new(Mutex::new(cluster)), paused: Arc::new(paused), announcer, last }
    }

    /// Describes the running processes and their addresses.
    pub fn describe(&self) -> ClusterFile {
        lock(&self.cluster).describe()
    }

    /// Describes the processes without waiting, perhaps as they were a moment ago.
    fn glance(&self) -> ClusterFile {
        let mut last = lock(&self.last);
        if let Some(cluster) = try_lock(&self.cluster) {
            *last = cluster.describe();
        }
        last.clone()
    }

    /// Returns the processes that run.
    pub fn running(&self) -> Vec<ProcessIdentity> {
        self.describe().processes().filter_map(|entry| entry.process.clone()).collect()
    }

    /// Reaps the processes that ended unasked, and returns a sentence about each.
    pub fn look_for_ended(&self) -> Vec<String> {
        // While a process is being started or killed, the check is left to the next call.
        let Some(mut cluster) = try_lock(&self.cluster) else { return Vec::new() };
        let ended = cluster.ended_by_themselves();
        let ended: Vec<String> = ended.iter().map(ToString::to_string).collect();
        self.announcer.lines(&ended);
        ended
    }

    /// Resumes the paused processes, then ends all processes.
    pub fn stop(&self) {
        self.paused.resume_all();
        lock(&self.cluster).stop();
    }

    fn act(&self, request: &Request) -> Result<Vec<String>, Failure> {
        let mut cluster = lock(&self.cluster);
        let file = cluster.describe();
        let chosen = chosen(&file, request)?;
        let ids: Vec<u64> = chosen.iter().filter_map(|entry| entry.store_id).collect();
        let pd = chosen.iter().any(|entry| entry.store_id.is_none());
        match request.act {
            Act::Kill => {
                let processes = running(&chosen, "it cannot be killed")?;
                cluster.kill(&ids, pd)?;
                // A process that was paused is no longer.
                self.paused.resume(&processes).map_err(Failure::target_or_disk)?;
                Ok(sentences("killed", &chosen))
            }
            Act::Start => {
                if let Some(entry) = chosen.iter().find(|entry| entry.process.is_some()) {
                    return Err(Failure::usage(format!("{} runs already", named(entry))));
                }
                if file.pd.process.is_none() && !pd {
                    return Err(Failure::usage(
                        "a store cannot start while PD does not run: start both with --pd",
                    ));
                }
                if pd {
                    cluster.start_killed_pd()?;
                }
                cluster.start_killed_stores(&ids)?;
                let now = cluster.describe();
                let of =
                    |old: &ProcessEntry| now.processes().find(|new| new.name == old.name).cloned();
                let started: Vec<ProcessEntry> = chosen.iter().filter_map(of).collect();
                Ok(sentences("started", &started))
            }
            Act::Pause => {
                let processes = running(&chosen, "it cannot be paused")?;
                let states = self.paused.pause(&processes).map_err(Failure::target_or_disk)?;
                seen("paused", &chosen, &states, ProcessState::Stopped)
            }
            Act::Resume => {
                let processes = running(&chosen, "it cannot be resumed; start it")?;
                let states = self.paused.resume(&processes).map_err(Failure::target_or_disk)?;
                seen("resumed", &chosen, &states, ProcessState::Running)
            }
        }
    }
}

/// Locks a mutex, even after a panic elsewhere: the data behind these locks is consistent after
/// every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Answer for Processes {
    async fn answer(&self, request: Request) -> Reply {
        let processes = self.clone();
        let acted = tokio::task::spawn_blocking(move || processes.act(&request)).await;
        match acted.map_err(Failure::software).and_then(|acted| acted) {
            Ok(done) => {
                self.announcer.lines(&done);
                Reply::Done(done)
            }
            Err(failure) => Reply::refused(&failure),
        }
    }
}

impl observe::Processes for Processes {
    fn look(&self) -> Vec<ProcessSeen> {
        let seen = |entry: ProcessEntry| {
            let process = entry.process.as_ref();
            Some(ProcessSeen {
                store: entry.store_id?,
                pid: process.map(|process| process.pid),
                state: process.map_or(ProcessWord::Gone, |process| process.state().into()),
            })
        };
        self.glance().stores.into_iter().filter_map(seen).collect()
    }
}

/// Sends a request to a cluster's supervisor.
pub fn ask(act: Act, args: &ChosenArgs) -> Result<Exit, Failure> {
    let directory = choice::of_running(&args.place.runs_dir, args.place.tag.as_deref())?;
    let request = Request { act, stores: args.stores.clone(), pd: args.pd };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = super::control::ask(&directory, &request);
    match runtime.map_err(Failure::software)?.block_on(asked)? {
        Reply::Done(sentences) => {
            sentences.iter().for_each(terminal::result);
            Ok(Exit::Valid)
        }
        Reply::Refused { exit, sentence } => Err(Announcement::failure(exit, sentence)),
    }
}

/// Returns the processes that a request names, each once.
fn chosen(file: &ClusterFile, request: &Request) -> Result<Vec<ProcessEntry>, Failure> {
    let mut chosen: Vec<&ProcessEntry> = Vec::new();
    for name in &request.stores {
        let meant = |entry: &&ProcessEntry| {
            entry.store_id.is_some_and(|id| id.to_string() == *name)
                || entry.name == *name
                || entry.addr.to_string() == *name
        };
        let entry = file.processes().find(meant).ok_or_else(|| {
            let known: Vec<String> = file
                .processes()
                .map(|entry| {
                    entry
                        .store_id
                        .map_or_else(|| entry.name.clone(), |id| format!("{id} ({})", entry.name))
                })
                .collect();
            Failure::usage(format!(
                "there is no store {name:?}: give an id, a name or an address of {}",
                known.join(", ")
            ))
        })?;
        chosen.push(entry);
    }
    chosen.extend(request.pd.then_some(&file.pd));
    chosen.sort_by_key(|entry| entry.store_id);
    chosen.dedup_by_key(|entry| entry.store_id);
    Ok(chosen.into_iter().cloned().collect())
}

/// Returns the entries' processes; fails if one does not run.
fn running(chosen: &[ProcessEntry], why: &str) -> Result<Vec<ProcessIdentity>, Failure> {
    let process = |entry: &ProcessEntry| {
        entry
            .process
            .clone()
            .ok_or_else(|| Failure::usage(format!("{} does not run: {why}", entry.name)))
    };
    chosen.iter().map(process).collect()
}

fn named(entry: &ProcessEntry) -> String {
    let pid =
        entry.process.as_ref().map_or_else(String::new, |process| format!(", PID {}", process.pid));
    format!("{} ({}{pid})", entry.name, entry.addr)
}

fn sentences(done: &str, chosen: &[ProcessEntry]) -> Vec<String> {
    chosen.iter().map(|entry| format!("{done} {}", named(entry))).collect()
}

/// Returns sentences about the action, if every process is observed in the state it should have.
fn seen(
    done: &str,
    chosen: &[ProcessEntry],
    states: &[Signalled],
    wanted: ProcessState,
) -> Result<Vec<String>, Failure> {
    match chosen.iter().zip(states).find(|(_, seen)| seen.state != wanted) {
        Some((entry, Signalled { state, .. })) => Err(Failure::target_or_disk(format!(
            "{} is {} and not {}",
            named(entry),
            state.name(),
            wanted.name()
        ))),
        None => Ok(sentences(done, chosen)),
    }
}
