//! The journal of paused processes, and [`heal()`], which resumes the processes that a killed
//! tester left paused.
//!
//! The file, version 2, is JSON lines. The first is the header:
//! `{"format":"jepsen-tikv journal","version":2,"machine":{"boot_id":…,"machine_id":…,`
//! `"pid_namespace":…},"tester":{"pid":…,"start_ticks":…,"command":…}}`. Every other line is one of
//! two. `{"stopping":PROCESS}` is on disk *before* the process is paused; `{"resumed":PROCESS}` is
//! written after it was resumed. A process has the shape of `tester`, with `host` if it is reached
//! by ssh. A torn last line was written by a tester that had not yet paused the process, so it is
//! dropped.
//!
//! A process whose last line is `stopping` may be paused. It is resumed only if its machine was not
//! booted since, the PID's start time and program are unchanged, and the tester no longer lives. A
//! line that cannot be read is reported, and the other lines are still acted on.
//!
//! A reader of a journal acts on its contents, including an ssh command: only files of the user's
//! own state directory may be read.

use crate::{
    machine::{Machine, Whereabouts},
    process::{ProcessIdentity, ProcessState, SignalError},
};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

const FORMAT: &str = "jepsen-tikv journal";
/// Each fault takes two lines, a few hundred bytes for each process; a week of faults is smaller
/// than this.
const BYTES_MAX: u64 = 256 << 20;
const VERSION: u32 = 2;
const RESUME_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
struct JournalHeader {
    format: String,
    version: u32,
    machine: Machine,
    tester: ProcessIdentity,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Stopping(ProcessIdentity),
    Resumed(ProcessIdentity),
}

/// An error of a journal.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("the journal {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system has no `/proc` that describes processes.
    #[error("/proc says nothing about this process: pausing stores needs Linux's /proc")]
    NoProc,
}

/// The result of [`heal()`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealReport {
    /// The tester that wrote the journal still lives: nothing was done.
    pub tester_lives: Option<ProcessIdentity>,
    /// The processes that were paused and run again.
    pub resumed: Vec<ProcessIdentity>,
    /// The processes that could not be resumed, and the reasons.
    pub failed: Vec<(ProcessIdentity, String)>,
    /// The processes left alone because they may be others than those meant, and the reasons.
    pub doubtful: Vec<(ProcessIdentity, String)>,
    /// The lines that cannot be read, described in words: their content is unknown.
    pub malformed: Vec<String>,
    /// A torn last line was dropped.
    pub torn_tail: bool,
}

/// The journal of a living tester.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    /// The length of the file without a line that was written in part.
    whole: u64,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> Result<Self, JournalError> {
        let error = |source| JournalError::Io { path: path.to_owned(), source };
        let header = JournalHeader {
            format: FORMAT.into(),
            version: VERSION,
            machine: Machine::this(),
            tester: ProcessIdentity::own().ok_or(JournalError::NoProc)?,
        };
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(path).map_err(error)?;
        let mut journal = Self { file, path: path.to_owned(), whole: 0 };
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

    /// Appends whole lines, each on a line of its own, even after an append that failed half-way.
    fn append<T: Serialize>(&mut self, lines: &[T]) -> Result<(), JournalError> {
        let mut text = Vec::new();
        for line in lines {
            // Lines are plain structs with string fields: writing them to memory cannot fail.
            serde_json::to_writer(&mut text, line).expect("a journal line is JSON");
            text.push(b'\n');
        }
        let mut write = || {
            if self.file.metadata()?.len() != self.whole {
                // A full disk took a part of the last append, for which nothing was paused.
                self.file.set_len(self.whole)?;
            }
            self.file.write_all(&text)?;
            self.file.sync_data()
        };
        write().map_err(|source| JournalError::Io { path: self.path.clone(), source })?;
        self.whole += text.len() as u64;
        Ok(())
    }
}

/// The contents of a journal.
struct Said {
    header: Option<JournalHeader>,
    paused: BTreeSet<ProcessIdentity>,
    malformed: Vec<String>,
    /// The number of bytes that are whole lines.
    whole: u64,
    torn_tail: bool,
}

fn read(path: &Path) -> Result<Said, JournalError> {
    let text = histories::plain_file::read(path, BYTES_MAX)
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut said = Said {
        header: None,
        paused: BTreeSet::new(),
        malformed: Vec::new(),
        whole: whole as u64,
        torn_tail: whole < text.len(),
    };
    // A tester whose header is not whole died while writing it, so it had not paused anything.
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (position, line) in lines.enumerate() {
        let mut refuse = |reason: String| {
            let (path, line) = (path.display(), position + 1);
            said.malformed.push(format!("{path}, line {line}, says nothing: {reason}"));
        };
        if position == 0 {
            match serde_json::from_slice::<JournalHeader>(line) {
                Ok(header) if header.format == FORMAT && header.version == VERSION => {
                    said.header = Some(header);
                }
                Ok(header) => refuse(format!("it is {:?}, {}", header.format, header.version)),
                Err(error) => refuse(error.to_string()),
            }
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(Line::Stopping(process)) => {
                said.paused.insert(process);
            }
            Ok(Line::Resumed(process)) => {
                said.paused.remove(&process);
            }
            Err(error) => refuse(error.to_string()),
        }
    }
    Ok(said)
}

/// The processes that a journal lists as paused, whether or not its tester lives.
pub fn left_paused(path: &Path) -> Result<Vec<ProcessIdentity>, JournalError> {
    read(path).map(|said| said.paused.into_iter().collect())
}

/// Resumes the processes that the journal's tester left paused, if that tester is gone. Safe to
/// call again. `noted` is the machine that the tester ran on, as far as it is known from elsewhere:
/// a header may be damaged.
pub fn heal(path: &Path, noted: Option<&Machine>) -> Result<HealReport, JournalError> {
    let said = read(path)?;
    let mut report = HealReport {
        torn_tail: said.torn_tail,
        malformed: said.malformed,
        ..HealReport::default()
    };
    let machine = said.header.as_ref().map(|header| &header.machine).or(noted);
    let whereabouts = machine.map_or(Whereabouts::Elsewhere, Machine::whereabouts);
    if let Some(JournalHeader { tester, .. }) = said.header
        && whereabouts == Whereabouts::Here
        && ProcessIdentity::own().as_ref() != Some(&tester)
        && tester.state() != ProcessState::Gone
    {
        report.tester_lives = Some(tester);
        return Ok(report);
    }
    for process in said.paused {
        let doubt = match whereabouts {
            // Processes of other hosts carry their host's boot themselves.
            _ if process.host.is_some() => None,
            Whereabouts::Here if process.state() == ProcessState::Gone => continue,
            Whereabouts::Here => process.doubt(),
            Whereabouts::EarlierBoot => continue,
            Whereabouts::OtherContainer => Some("it ran in another container".into()),
            Whereabouts::Elsewhere => Some("it ran on another machine".into()),
        };
        if let Some(doubt) = doubt {
            report.doubtful.push((process, doubt));
            continue;
        }
        // A process that seems to run is resumed too: its pause may have been under way when the
        // tester was killed.
        let was_paused = process.state() == ProcessState::Stopped;
        match resume(&process) {
            Ok(_) if was_paused => report.resumed.push(process),
            Ok(_) => {}
            Err(reason) => report.failed.push((process, reason)),
        }
    }
    if report.torn_tail || !report.resumed.is_empty() {
        let noted = note_healed(path, said.whole, &report.resumed);
        // Healing again does no harm, so a full or read-only disk is no reason to fail.
        if let Err(error) = noted {
            tracing::warn!(%error, "could not note what was resumed");
        }
    }
    Ok(report)
}

fn note_healed(path: &Path, whole: u64, resumed: &[ProcessIdentity]) -> Result<(), JournalError> {
    let file = histories::plain_file::open_with(path, OpenOptions::new().append(true))
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    Journal { file, path: path.to_owned(), whole }.resumed(resumed)
}

/// Resumes a process and confirms that it runs. Returns its state at the end: `Running`, or `Gone`
/// if it no longer exists.
pub(crate) fn resume(process: &ProcessIdentity) -> Result<ProcessState, String> {
    await_resumed(process, process.signal(Signal::SIGCONT))
}

/// Waits until a process that was sent SIGCONT runs.
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
