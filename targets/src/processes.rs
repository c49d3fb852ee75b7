//! The operating-system processes of the embedded cluster: started, watched, terminated and reaped.
//!
//! In: a command and the path of its log. Out: a [`Process`] that serves. Knows nothing of the
//! service. Invariants:
//! - A process is forked by one thread that lives as long as the [`Spawner`]: the kernel sends the
//!   parent-death signal when the forking *thread* ends.
//! - Every started process is ended and reaped, at the latest when the [`Process`] is dropped, even
//!   if paused.

use cluster::process::Ready;
use nemesis::ProcessIdentity;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use run_directory::plain_file;
use std::{
    ffi::{CStr, OsStr},
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::{
        ffi::OsStrExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// The time in which a process must serve.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The time for a foreign program to terminate in order before it is killed.
pub const FOREIGN_END_WITHIN: Duration = Duration::from_secs(10);
/// The time in which a foreign program must serve.
const FOREIGN_READY_WITHIN: Duration = Duration::from_mins(2);
/// The interval of asking a foreign program if it serves.
const FOREIGN_POLL_EVERY: Duration = Duration::from_millis(200);
/// The time for one of our processes to terminate in order before it is killed.
pub const END_WITHIN: Duration = Duration::from_secs(3);
/// The interval of looks while waiting.
const POLL_EVERY: Duration = Duration::from_millis(10);
/// The number of bytes at a log's end that are searched for its last line.
const LOG_END_BYTES: u64 = 64 << 10;

/// The reason why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system refused.
    #[error("cannot start {name}: {error}")]
    Refused {
        /// The process's name.
        name: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// The process ended before it served.
    #[error("{name} ended at its start ({status}): {last_words}; its log is {log}")]
    Ended {
        /// The process's name.
        name: String,
        /// The exit status.
        status: ExitStatus,
        /// The last line of the process's log.
        last_words: String,
        /// The path of the process's log.
        log: PathBuf,
    },
    /// The process did not serve in time.
    #[error("{name} did not serve within {within_s} s; its log is {log}")]
    Late {
        /// The process's name.
        name: String,
        /// The time waited, in seconds.
        within_s: u64,
        /// The path of the process's log.
        log: PathBuf,
    },
}

/// Forks processes from one long-lived thread.
#[derive(Debug)]
pub struct Spawner {
    requests: mpsc::Sender<(Command, mpsc::Sender<std::io::Result<Child>>)>,
}

/// A started process that serves.
#[derive(Debug)]
pub struct Process {
    child: Child,
    identity: ProcessIdentity,
    ready: Ready,
    reaped: bool,
}

impl Spawner {
    /// Starts the forking thread. The thread and its processes end when the spawner is dropped.
    pub fn new() -> std::io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<(Command, mpsc::Sender<std::io::Result<Child>>)>();
        std::thread::Builder::new().name("spawner".into()).spawn(move || {
            for (mut command, reply) in inbox {
                if let Err(mpsc::SendError(Ok(mut orphan))) = reply.send(command.spawn()) {
                    // The requester is gone.
                    let _ = orphan.kill();
                    let _ = orphan.wait();
                }
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts this binary with these arguments as a process called `program`, and waits until it
    /// reports that it serves.
    pub fn start(
        &self,
        name: &str,
        program: &CStr,
        arguments: &[String],
        log: &Path,
    ) -> Result<Process, StartError> {
        let refused = |error| StartError::Refused { name: name.to_owned(), error };
        let log_file = log_file(log).map_err(refused)?;
        let mut command = Command::new(std::env::current_exe().map_err(refused)?);
        command.arg0(OsStr::from_bytes(program.to_bytes()));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
        // A terminal sends Ctrl-C to the whole group; only the tester must get it, and ends these
        // in order.
        command.process_group(0);
        let (reply, answer) = mpsc::channel();
        let gone = || refused(std::io::Error::other("the spawner thread is gone"));
        self.requests.send((command, reply)).map_err(|_| gone())?;
        let mut child = answer.recv().map_err(|_| gone())?.map_err(refused)?;
        let ready = wait_until_ready(&mut child);
        // Until the child is reaped, no other process has its PID.
        match ready.zip(ProcessIdentity::of(child.id())) {
            Some((ready, identity)) => Ok(Process { child, identity, ready, reaped: false }),
            None => Err(explain(name, child, log)),
        }
    }
}

impl Spawner {
    /// Starts a program that does not report when it serves, and asks `serves` until it does. Its
    /// output goes to `log`.
    pub fn start_foreign(
        &self,
        name: &str,
        command: &[String],
        log: &Path,
        serves: impl Fn() -> Option<Ready>,
    ) -> Result<Process, StartError> {
        let refused = |error| StartError::Refused { name: name.to_owned(), error };
        let log_file = log_file(log).map_err(refused)?;
        let mut program = Command::new(std::env::current_exe().map_err(refused)?);
        program.arg("internal-exec").arg(format!("--parent-pid={}", std::process::id()));
        program.arg("--").args(command).stdin(Stdio::null());
        program.stdout(log_file.try_clone().map_err(refused)?).stderr(log_file);
        program.process_group(0);
        let (reply, answer) = mpsc::channel();
        let gone = || refused(std::io::Error::other("the spawner thread is gone"));
        self.requests.send((program, reply)).map_err(|_| gone())?;
        let mut child = answer.recv().map_err(|_| gone())?.map_err(refused)?;
        let until = Instant::now() + FOREIGN_READY_WITHIN;
        loop {
            if let Some(ready) = serves()
                && let Some(identity) = ProcessIdentity::of(child.id())
            {
                return Ok(Process { child, identity, ready, reaped: false });
            }
            let ended = child.try_wait().map_err(refused)?.is_some();
            if ended || Instant::now() >= until {
                return Err(explain(name, child, log));
            }
            std::thread::sleep(FOREIGN_POLL_EVERY);
        }
    }
}

/// Reads the one line that reports readiness; `None` if the process ended or took too long.
fn wait_until_ready(child: &mut Child) -> Option<Ready> {
    let stdout = child.stdout.take()?;
    let (sender, line) = mpsc::channel();
    // Reads on after the line, so that the process never blocks on a full pipe; ends with the
    // process.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let until = Instant::now() + READY_WITHIN;
    loop {
        let line = line.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
        if let Ok(ready) = serde_json::from_str(&line) {
            return Some(ready);
        }
    }
}

fn explain(name: &str, mut child: Child, log: &Path) -> StartError {
    // The process's stdout may close a moment before it can be reaped.
    let status = wait_for_end(&mut child, END_WITHIN);
    if let Some(status) = status {
        let last_words = last_line(log).unwrap_or_else(|| "it said nothing".into());
        return StartError::Ended { name: name.into(), status, last_words, log: log.into() };
    }
    let _ = child.kill();
    let _ = child.wait();
    StartError::Late { name: name.into(), within_s: READY_WITHIN.as_secs(), log: log.into() }
}

/// Opens a log for appending. A cluster's directory may hold something else under its name.
fn log_file(log: &Path) -> std::io::Result<File> {
    plain_file::open_with(log, OpenOptions::new().create(true).append(true))
}

/// The last line of a log that is not empty.
fn last_line(log: &Path) -> Option<String> {
    let mut file = plain_file::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_END_BYTES))).ok()?;
    let mut end = Vec::new();
    file.take(LOG_END_BYTES).read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let line = end.lines().rfind(|line| !line.trim().is_empty())?;
    Some(line.trim_start_matches("jepsen-tikv: ").to_owned())
}

fn wait_for_end(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + within;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => std::thread::sleep(POLL_EVERY),
            Ok(None) | Err(_) => return None,
        }
    }
}

impl Process {
    /// The process's own report of its readiness.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The process's identity.
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Kills the process at once (SIGKILL). It is gone only after [`Process::kill`] or
    /// [`Process::end`] returned.
    pub fn strike(&mut self) {
        if !self.reaped {
            let _ = self.child.kill();
        }
    }

    /// Kills the process at once (SIGKILL) and reaps it: afterwards its PID is free. Returns its
    /// status if it had ended before.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if self.reaped {
            return None;
        }
        self.strike();
        let status = self.child.wait();
        self.reaped = true;
        status.ok().filter(|status| status.signal() != Some(Signal::SIGKILL as i32))
    }

    /// The exit status if the process ended by itself, which also reaps it. Returned only once.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.reaped {
            return None;
        }
        let status = self.child.try_wait().ok().flatten();
        self.reaped = status.is_some();
        status
    }

    /// Signals the process to terminate (SIGCONT, SIGTERM). [`Process::kill`] afterwards makes
    /// sure.
    pub fn ask_to_end(&self) {
        if !self.reaped {
            let pid = Pid::from_raw(self.child.id().cast_signed());
            let _ = kill(pid, Signal::SIGCONT);
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Waits until the process ended, and kills it at `until`. Returns true if it ended in time.
    pub fn end(&mut self, until: Instant) -> bool {
        if !self.reaped {
            let within = until.saturating_duration_since(Instant::now());
            self.reaped = wait_for_end(&mut self.child, within).is_some();
        }
        let in_time = self.reaped;
        self.kill();
        in_time
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
