//! The processes that are paused, and the guarantee that each runs again.
//!
//! In: processes to pause and resume. Out: their observed states. Invariants:
//! - a process is paused only after the journal says so on disk;
//! - a process that [`PausedProcesses`] paused is resumed at the latest when that is dropped, which
//!   a panic does too;
//! - only the intended process is signalled, never a later one with its PID.
//!
//! Nothing here needs a runtime. Knows nothing of stores.

use crate::{
    journal::{Journal, JournalError, await_resumed},
    process::{ProcessIdentity, ProcessState, signal_all},
};
use nix::sys::signal::Signal;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant},
};
use thiserror::Error;

/// The longest time that processes may take to stop: a thread in the middle of an fsync stops after
/// it.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The longest wait of [`PausedProcesses::resume_all`] for a concurrent pause or resume.
const LOCK_PATIENCE: Duration = Duration::from_secs(6);

/// Pauses processes, and ensures that they run again.
#[derive(Debug)]
pub struct PausedProcesses {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    journal: Journal,
    paused: BTreeSet<ProcessIdentity>,
    closed: bool,
}

/// The reason that a process could not be paused or resumed.
#[derive(Debug, Error)]
pub enum PauseError {
    /// The journal cannot be written; nothing was paused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Everything was resumed for good.
    #[error("the run is on its way out, nothing is stopped any more")]
    Closed,
    /// The system refused the signal.
    #[error("{process} cannot be signalled: {reason}")]
    Refused {
        /// The process.
        process: ProcessIdentity,
        /// The reason.
        reason: String,
    },
}

/// A process that was sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signalled {
    /// The time of sending: the signal acts from then on, and is seen to have acted only later.
    pub at: Instant,
    /// The observed state of the process afterwards.
    pub state: ProcessState,
}

impl PausedProcesses {
    /// Creates a new journal at `path`, with no process paused.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let inner =
            Inner { journal: Journal::create(path)?, paused: BTreeSet::new(), closed: false };
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Pauses processes in the same instant and returns the state of each afterwards. Blocks until
    /// all are seen stopped or gone, a few seconds at most. If one cannot be signalled, none stays
    /// stopped.
    pub fn pause(&self, processes: &[ProcessIdentity]) -> Result<Vec<Signalled>, PauseError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(PauseError::Closed);
        }
        inner.journal.stopping(processes)?;
        inner.paused.extend(processes.iter().cloned());
        // Nothing stands between these signals: that makes it one instant.
        let at = Instant::now();
        let sent = signal_all(processes, Signal::SIGSTOP);
        for (process, sent) in processes.iter().zip(sent) {
            if let Err(refusal) = sent {
                inner.resume(processes);
                let reason = refusal.to_string();
                return Err(PauseError::Refused { process: process.clone(), reason });
            }
        }
        let settled = |state| state != ProcessState::Running;
        let deadline = Instant::now() + STOP_PATIENCE;
        let rest = || deadline.saturating_duration_since(Instant::now());
        let seen = processes.iter().map(|it| it.await_state(settled, rest()));
        Ok(seen.map(|state| Signalled { at, state }).collect())
    }

    /// Resumes processes in the same instant and returns the state of each afterwards.
    pub fn resume(&self, processes: &[ProcessIdentity]) -> Result<Vec<Signalled>, PauseError> {
        let seen = self.lock().resume(processes);
        processes
            .iter()
            .zip(seen)
            .map(|(process, seen)| {
                seen.map_err(|reason| PauseError::Refused { process: process.clone(), reason })
            })
            .collect()
    }

    /// Resumes every paused process without a runtime and refuses later pauses: the last way out.
    /// Returns the resumed processes.
    pub fn resume_all(&self) -> Vec<ProcessIdentity> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        let mut inner = loop {
            match self.inner.try_lock() {
                Ok(inner) => break inner,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                // The holder of the lock is stuck; the journal lets `heal` do what this cannot.
                Err(TryLockError::WouldBlock) => return Vec::new(),
            }
        };
        let paused: Vec<_> = inner.paused.iter().cloned().collect();
        inner.closed = true;
        inner.resume(&paused);
        paused
    }

    /// The processes that are paused now.
    pub fn paused(&self) -> Vec<ProcessIdentity> {
        self.lock().paused.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each step leaves `paused` a superset of the stopped processes, so it is right also after
        // a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn resume(&mut self, processes: &[ProcessIdentity]) -> Vec<Result<Signalled, String>> {
        let at = Instant::now();
        let sent = signal_all(processes, Signal::SIGCONT);
        let seen: Vec<_> = processes
            .iter()
            .zip(sent)
            .map(|(process, sent)| await_resumed(process, sent))
            .map(|seen| seen.map(|state| Signalled { at, state }))
            .collect();
        let healed: Vec<_> = processes
            .iter()
            .zip(&seen)
            .filter(|(process, seen)| seen.is_ok() && self.paused.remove(process))
            .map(|(process, _)| process.clone())
            .collect();
        // A journal that cannot be written lists too many processes, which `heal` tolerates.
        if !healed.is_empty()
            && let Err(error) = self.journal.resumed(&healed)
        {
            tracing::warn!(%error, "could not note what was resumed");
        }
        seen
    }
}

impl Drop for PausedProcesses {
    fn drop(&mut self) {
        self.resume_all();
    }
}
