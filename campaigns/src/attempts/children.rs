//! Runs commands of this program as child processes.
//!
//! In: arguments as a user would type them, and the file for the output. Out: how the process
//! ended, unless this program was interrupted meanwhile. A child has a process group of its own, so
//! an interrupt reaches it once, through us. When we die, the kernel ends the child and everything
//! it started. A shell's settings do not reach it.

use failure::Failure;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use run::interrupt::{Interrupt, Urgency};
use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The prefix of the environment variables that stand for flags.
pub const SETTINGS_PREFIX: &str = "JEPSEN_TIKV_";
/// The log filter of the embedded cluster's processes.
const LOG: &str = "JEPSEN_TIKV_LOG";

/// The interval at which a run is checked for its end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The time after which a child that was asked to end is killed.
const END_WITHIN: Duration = Duration::from_mins(1);

/// The end of a process.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// The exit code; `None` = ended by a signal.
    pub code: Option<i32>,
    /// The duration of the process.
    pub took: Duration,
    /// True if it was asked to end because it took too long.
    pub took_too_long: bool,
}

/// Starts this program again, and waits for it.
#[derive(Debug)]
pub struct Children {
    program: PathBuf,
    interrupt: Interrupt,
}

impl Children {
    /// Children that are asked to end when we are.
    pub fn new(interrupt: Interrupt) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::software)?;
        Ok(Self { program, interrupt })
    }

    /// Returns true if this program was asked to end.
    pub fn are_interrupted(&self) -> bool {
        self.interrupt.urgency() != Urgency::None
    }

    /// Runs a command for `time_max` at most; then it is asked to end, and its verdict so far
    /// counts. `None` if this program was interrupted before or meanwhile: then the command may not
    /// have begun.
    pub fn run(
        &self,
        arguments: &[String],
        output: &Path,
        time_max: Duration,
    ) -> Result<Option<Ended>, Failure> {
        if self.are_interrupted() {
            return Ok(None);
        }
        let child = self.start(arguments, output).map_err(|error| {
            Failure::target_or_disk(format!(
                "cannot start a run that writes to {}: {error}",
                output.display()
            ))
        })?;
        self.await_end(child, time_max)
    }

    fn start(&self, arguments: &[String], output: &Path) -> std::io::Result<Child> {
        // The file is created anew, never written through a link of that name.
        let _ = std::fs::remove_file(output);
        let said = File::create_new(output)?;
        without_settings(&mut Command::new(&self.program))
            .arg("internal-exec")
            .arg(format!("--parent-pid={}", std::process::id()))
            .arg(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .process_group(0)
            .spawn()
    }

    /// Waits for a run; `None` if an interrupt ended it.
    fn await_end(&self, mut child: Child, time_max: Duration) -> Result<Option<Ended>, Failure> {
        let begun = Instant::now();
        let (mut told, mut killed) = (Urgency::None, false);
        loop {
            let too_long = begun.elapsed() > time_max;
            if let Some(status) = child.try_wait().map_err(Failure::software)? {
                let took_too_long = told != Urgency::None;
                let (code, took) = (status.code(), begun.elapsed());
                let ended = Ended { code, took, took_too_long };
                return Ok((!self.are_interrupted()).then_some(ended));
            }
            let wanted =
                self.interrupt.urgency().max(if too_long { Urgency::Early } else { Urgency::None });
            while told < wanted {
                told = if told == Urgency::None { Urgency::Early } else { Urgency::Now };
                signal(&child, Signal::SIGINT);
            }
            if begun.elapsed() > time_max + END_WITHIN && !killed {
                killed = true;
                signal(&child, Signal::SIGKILL);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Sends a signal. The process is our unreaped child, so no other process has its number.
fn signal(child: &Child, signal: Signal) {
    let _ = kill(Pid::from_raw(child.id() as i32), signal);
}

/// Returns the last line of a run's output file.
pub fn last_words(output: &Path) -> String {
    last_line(&said(output)).to_owned()
}

/// Returns a run's whole output.
pub fn said(output: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(output).unwrap_or_default()).into_owned()
}

/// Returns the last line that is not empty.
pub fn last_line(said: &str) -> &str {
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default()
}

/// Removes this process' settings from the environment of a command.
pub fn without_settings(command: &mut std::process::Command) -> &mut std::process::Command {
    let ours = std::env::vars_os().map(|(name, _)| name);
    let ours = ours.filter(|name| name.to_str().is_some_and(|it| it.starts_with(SETTINGS_PREFIX)));
    ours.filter(|name| name != LOG).fold(command, |command, name| command.env_remove(name))
}
