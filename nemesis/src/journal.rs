//! The journal of stopped processes, and [`heal()`], which resumes what a killed tester left stopped.
//!
//! The file, version 1, is JSON lines. The first is the header:
//! `{"format":"jepsen-tikv journal","version":1,"boot_id":…,"tester":{"pid":…,"start_ticks":…,"command":…}}`.
//! Every other line is `{"stopping":PROCESS}`, on disk *before* the process is stopped, or `{"resumed":PROCESS}`,
//! written after it was; a process is one of the shape of `tester`, with `host` if it is reached by ssh. A torn last line was written by a tester that had
//! not yet stopped the process, so it is dropped.
//! A process whose last line is `stopping` may be stopped. It is resumed only if its machine was not booted since, the
//! PID's start time is the same, and the tester no longer lives.

use crate::process::{ProcessIdentity, ProcessState, SignalError, boot_id};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

const FORMAT: &str = "jepsen-tikv journal";
const VERSION: u32 = 1;
const RESUME_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
struct JournalHeader {
    format: String,
    version: u32,
    boot_id: String,
    tester: ProcessIdentity,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Stopping(ProcessIdentity),
    Resumed(ProcessIdentity),
}

/// What is wrong with a journal.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("the journal {path} cannot be used: {source}")]
    Io {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not one of ours.
    #[error("{path}, line {line}: not a line of a journal of version {VERSION}: {reason}")]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The system does not tell about processes.
    #[error("/proc says nothing about this process: stopping stores needs Linux's /proc")]
    NoProc,
}

/// What [`heal()`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealReport {
    /// The tester that wrote the journal still lives: nothing was done.
    pub tester_lives: Option<ProcessIdentity>,
    /// Were stopped, run again.
    pub resumed: Vec<ProcessIdentity>,
    /// Could not be resumed, and why.
    pub failed: Vec<(ProcessIdentity, String)>,
    /// A torn last line was dropped.
    pub torn_tail: bool,
}

/// The journal of a living tester.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> Result<Self, JournalError> {
        let error = |source| JournalError::Io { path: path.to_owned(), source };
        let header = JournalHeader {
            format: FORMAT.into(),
            version: VERSION,
            boot_id: boot_id(),
            tester: ProcessIdentity::own().ok_or(JournalError::NoProc)?,
        };
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(error)?;
        let mut journal = Self { file, path: path.to_owned() };
        journal.append(&[header])?;
        // The file's name must be as durable as its lines.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|it| it.sync_all()).map_err(error)?;
        Ok(journal)
    }

    pub(crate) fn stopping(&mut self, processes: &[ProcessIdentity]) -> Result<(), JournalError> {
        self.append(&processes.iter().cloned().map(Line::Stopping).collect::<Vec<_>>())
    }

    pub(crate) fn resumed(&mut self, processes: &[ProcessIdentity]) -> Result<(), JournalError> {
        self.append(&processes.iter().cloned().map(Line::Resumed).collect::<Vec<_>>())
    }

    fn append<T: Serialize>(&mut self, lines: &[T]) -> Result<(), JournalError> {
        let mut text = Vec::new();
        for line in lines {
            // Lines are plain structs with string fields: writing them to memory cannot fail.
            serde_json::to_writer(&mut text, line).expect("a journal line is JSON");
            text.push(b'\n');
        }
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        written.map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

/// Resumes what the journal's tester left stopped, if that tester is gone. Safe to call again.
pub fn heal(path: &Path) -> Result<HealReport, JournalError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    let mut report = HealReport::default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    report.torn_tail = whole < text.len();
    let malformed =
        |line, reason: String| JournalError::Malformed { path: path.to_owned(), line, reason };

    let mut lines = text[..whole].lines();
    let Some(first) = lines.next() else {
        // A tester died while it wrote the header, thus before it stopped anything.
        return Ok(report);
    };
    let header: JournalHeader =
        serde_json::from_str(first).map_err(|error| malformed(1, error.to_string()))?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(malformed(1, format!("it says {:?}, {}", header.format, header.version)));
    }
    let mut stopped = BTreeSet::new();
    for (position, line) in lines.enumerate() {
        match serde_json::from_str(line) {
            Ok(Line::Stopping(process)) => stopped.insert(process),
            Ok(Line::Resumed(process)) => stopped.remove(&process),
            Err(error) => return Err(malformed(position + 2, error.to_string())),
        };
    }
    if header.boot_id == boot_id() {
        let is_own = ProcessIdentity::own().as_ref() == Some(&header.tester);
        if !is_own && header.tester.state() != ProcessState::Gone {
            report.tester_lives = Some(header.tester);
            return Ok(report);
        }
    } else {
        // Of this machine's processes none is left; those of other hosts may still be stopped.
        stopped.retain(|process: &ProcessIdentity| process.host.is_some());
    }
    for process in stopped {
        // Also one that looks as if it ran: its stop may have been under way when the tester was killed.
        let was_stopped = process.state() == ProcessState::Stopped;
        match resume(&process) {
            Ok(_) if was_stopped => report.resumed.push(process),
            Ok(_) => {}
            Err(reason) => report.failed.push((process, reason)),
        }
    }
    if report.torn_tail || !report.resumed.is_empty() {
        let noted = note_healed(path, whole as u64, &report.resumed);
        // Healing again does no harm, so a full or read-only disk is no reason to fail.
        if let Err(error) = noted {
            tracing::warn!(%error, "could not note what was resumed");
        }
    }
    Ok(report)
}

fn note_healed(path: &Path, whole: u64, resumed: &[ProcessIdentity]) -> Result<(), JournalError> {
    let file = OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|file| file.set_len(whole).map(|()| file))
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    Journal { file, path: path.to_owned() }.resumed(resumed)
}

/// Resumes a process and sees that it runs. Its state at the end: `Running`, or `Gone` if it is no more.
pub(crate) fn resume(process: &ProcessIdentity) -> Result<ProcessState, String> {
    await_resumed(process, process.signal(Signal::SIGCONT))
}

/// Sees that a process runs to which SIGCONT was sent.
pub(crate) fn await_resumed(
    process: &ProcessIdentity,
    sent: Result<bool, SignalError>,
) -> Result<ProcessState, String> {
    if !sent.map_err(|error| format!("SIGCONT: {error}"))? {
        return Ok(ProcessState::Gone);
    }
    match process.await_state(|state| state != ProcessState::Stopped, RESUME_PATIENCE) {
        ProcessState::Stopped => Err("it is still stopped after SIGCONT".into()),
        state => Ok(state),
    }
}
