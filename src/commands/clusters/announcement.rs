//! What a supervisor says while its cluster starts: to the terminal it is in, or to the command that detached it.
//!
//! A detached supervisor writes a line of JSON for each [`Announcement`] on its standard output, a pipe; when the
//! cluster serves it closes the pipe, and everything it says later goes to its log.

use failure::{Exit, Failure};
use serde::{Deserialize, Serialize};
use std::{
    fs::OpenOptions,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announcement {
    /// A line for the person who asked.
    Line(String),
    /// The cluster serves; nothing follows.
    Serving,
    /// It does not come up; nothing follows.
    Failed {
        /// The exit code.
        exit: u8,
        /// The whole sentence.
        sentence: String,
    },
}

/// Where it is said.
#[derive(Debug)]
pub enum Speaker {
    /// On the terminal that the supervisor is in.
    Terminal,
    /// Through the pipe, and once that is closed in the log; whether it is closed.
    Pipe(AtomicBool),
}

impl Announcement {
    /// Of a failure.
    pub fn failed(failure: &Failure) -> Self {
        Self::Failed { exit: failure.exit.code(), sentence: failure.sentence.clone() }
    }

    /// The failure that was told.
    pub fn failure(exit: u8, sentence: String) -> Failure {
        let known = Exit::ALL.into_iter().find(|kind| kind.code() == exit);
        Failure::new(known.unwrap_or(Exit::Software), sentence)
    }
}

impl Speaker {
    /// Says a line.
    pub fn line(&self, line: impl std::fmt::Display) {
        match self {
            Self::Terminal => terminal::result(line),
            Self::Pipe(closed) => {
                terminal::note(&line);
                if !closed.load(Ordering::Relaxed) {
                    // That nobody listens any more is found out by `serving`.
                    let _ = write(&Announcement::Line(line.to_string()));
                }
            }
        }
    }

    /// Says several.
    pub fn lines(&self, lines: &[String]) {
        for line in lines {
            self.line(line);
        }
    }

    /// Says that the cluster serves; fails if nobody is there to hear it.
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

    /// Says that it does not come up. Whether somebody is left to be told so.
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
