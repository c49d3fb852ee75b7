//! Runs of this program as processes of their own.
//!
//! In: arguments as a user would type them, and where the output goes. Out: that the process has ended, and whether
//! somebody asked us to end meanwhile. A run is in a process group of its own, so that an interrupt reaches it through us
//! and once; it asks the kernel to end with us.

use crate::{
    cli::defaults,
    exit::Failure,
    interrupt::{Interrupt, Urgency},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Between two looks at a run.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Who was asked to end and does not is killed after so long.
const END_WITHIN: Duration = Duration::from_mins(1);

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

    /// Runs one, at most so long; then it is asked to end, and what it judged counts. False if somebody asked us to end
    /// meanwhile, or before: then it may not have begun.
    pub fn run(
        &self,
        arguments: &[String],
        output: &Path,
        time_max: Duration,
    ) -> Result<bool, Failure> {
        if self.interrupt.urgency() != Urgency::None {
            return Ok(false);
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
        let said = File::create(output)?;
        defaults::without(&mut Command::new(&self.program))
            .args(arguments)
            .arg(format!("--parent-pid={}", std::process::id()))
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .process_group(0)
            .spawn()
    }

    /// Waits for a run; whether nobody interrupted it.
    fn await_end(&self, mut child: Child, time_max: Duration) -> Result<bool, Failure> {
        let begun = Instant::now();
        let (mut told, mut killed) = (Urgency::None, false);
        loop {
            if child.try_wait().map_err(Failure::software)?.is_some() {
                return Ok(self.interrupt.urgency() == Urgency::None);
            }
            let too_long = begun.elapsed() > time_max;
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

/// It is our child and not yet reaped, so the number is still its own.
fn signal(child: &Child, signal: Signal) {
    let _ = kill(Pid::from_raw(child.id() as i32), signal);
}

/// The last line that a run said.
pub fn last_words(output: &Path) -> String {
    let said = std::fs::read_to_string(output).unwrap_or_default();
    said.lines().next_back().unwrap_or_default().to_owned()
}
