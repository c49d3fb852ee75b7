//! Messages of a supervisor while its cluster starts, for its terminal or for the command that
//! detached it.
//!
//! A detached supervisor writes a line of JSON for each [`Announcement`] on its standard output, a
//! pipe. When the cluster serves, the supervisor closes the pipe; every later message goes to its
//! log.

use failure::{Exit, Failure};
use serde::{Deserialize, Serialize};
use std::{
    fs::OpenOptions,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announcement {
    /// A line for the user.
    Line(String),
    /// The cluster serves; no message follows.
    Serving,
    /// The cluster does not come up; no message follows.
    Failed {
        /// The exit code.
        exit: u8,
        /// The whole sentence of the failure.
        sentence: String,
    },
}

/// The destination of the messages.
#[derive(Debug)]
pub enum Announcer {
    /// On the terminal that the supervisor is in.
    Terminal,
    /// Through the pipe, and in the log once the pipe is closed; the flag is true once it is
    /// closed.
    Pipe(AtomicBool),
}

impl Announcement {
    /// The message of a failure.
    pub fn failed(failure: &Failure) -> Self {
        Self::Failed { exit: failure.exit.code(), sentence: failure.sentence.clone() }
    }

    /// The failure that a message reported.
    pub fn failure(exit: u8, sentence: String) -> Failure {
        let known = Exit::ALL.into_iter().find(|kind| kind.code() == exit);
        Failure::new(known.unwrap_or(Exit::Software), sentence)
    }
}

impl Announcer {
    /// Writes a line.
    pub fn line(&self, line: impl std::fmt::Display) {
        match self {
            Self::Terminal => terminal::result(line),
            Self::Pipe(closed) => {
                terminal::note(&line);
                if !closed.load(Ordering::Relaxed) {
                    // A reader that went away is noticed by `serving`.
                    let _ = write(&Announcement::Line(line.to_string()));
                }
            }
        }
    }

    /// Writes several lines.
    pub fn lines(&self, lines: &[String]) {
        for line in lines {
            self.line(line);
        }
    }

    /// Reports that the cluster serves; fails if the reader of the pipe is gone.
    pub fn serving(&self) -> Result<(), Failure> {
        let Self::Pipe(closed) = self else { return Ok(()) };
        let close = || {
            write(&Announcement::Serving)?;
            let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
            nix::unistd::dup2_stdout(nowhere).map_err(std::io::Error::from)
        };
        closed.store(true, Ordering::Relaxed);
        close().map_err(|error| {
            Failure::target_or_disk(format!("whoever asked for the cluster is gone ({error})"))
        })
    }

    /// Reports that the cluster does not come up, in the log and, while it is open, the pipe.
    pub fn failed(&self, failure: &Failure) {
        if let Self::Pipe(closed) = self {
            terminal::note(failure);
            if !closed.load(Ordering::Relaxed) {
                let _ = write(&Announcement::failed(failure));
            }
        }
    }
}

fn write(announcement: &Announcement) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(announcement)?)?;
    out.flush()
}
