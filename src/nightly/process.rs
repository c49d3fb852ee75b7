//! A command of this binary as a process of its own, until it ends, takes too long, or somebody interrupts the night.
//!
//! In: arguments. Out: how it ended, how long it took, what it said. What hangs or crashes is one bad row, not the end of
//! the night. It is in a process group of its own, so that an interrupt reaches it through us and once; the kernel ends
//! it with us, and with it what it started.

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

/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Who was asked to end and does not is asked again, and then killed.
const END_WITHIN: Duration = Duration::from_mins(1);

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none = by a signal.
    pub code: Option<i32>,
    /// How long it took.
    pub took: Duration,
    /// It was asked to end because it took too long.
    pub took_too_long: bool,
    /// All that it said.
    pub said: String,
}

impl Ended {
    /// The last thing that it said.
    pub fn last_words(&self) -> String {
        self.said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
    }
}

/// Starts processes.
#[derive(Debug)]
pub struct Starter {
    program: PathBuf,
    interrupt: Interrupt,
}

impl Starter {
    /// Starts this very binary.
    pub fn new(interrupt: Interrupt) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::software)?;
        Ok(Self { program, interrupt })
    }

    /// Whether somebody asked the night to end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.urgency() != Urgency::None
    }

    /// Runs a command to its end; what it says goes to a file. None if somebody asked for an early end.
    pub fn run(
        &self,
        arguments: &[String],
        output: &Path,
        time_max: Duration,
    ) -> Result<Option<Ended>, Failure> {
        if self.is_interrupted() {
            return Ok(None);
        }
        let began = Instant::now();
        let mut child = self.start(arguments, output).map_err(|error| {
            Failure::target_or_disk(format!(
                "cannot start a run, said in {}: {error}",
                output.display()
            ))
        })?;
        let (status, took_too_long) = self.await_end(&mut child, began, time_max)?;
        if self.is_interrupted() {
            return Ok(None);
        }
        let said = std::fs::read(output).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok(Some(Ended { code: status.code(), took: began.elapsed(), took_too_long, said }))
    }

    fn start(&self, arguments: &[String], output: &Path) -> std::io::Result<Child> {
        let said = File::create(output)?;
        defaults::without(&mut Command::new(&self.program))
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

    fn await_end(
        &self,
        child: &mut Child,
        began: Instant,
        time_max: Duration,
    ) -> Result<(std::process::ExitStatus, bool), Failure> {
        let (mut told, mut killed) = (Urgency::None, false);
        loop {
            if let Some(status) = child.try_wait().map_err(Failure::software)? {
                return Ok((status, began.elapsed() > time_max && told != Urgency::None));
            }
            let over = began.elapsed().saturating_sub(time_max);
            let late = match over {
                Duration::ZERO => Urgency::None,
                over if over < END_WITHIN => Urgency::Early,
                _ => Urgency::Now,
            };
            let wanted = self.interrupt.urgency().max(late);
            while told < wanted {
                told = if told == Urgency::None { Urgency::Early } else { Urgency::Now };
                signal(child, Signal::SIGINT);
            }
            if over > 2 * END_WITHIN && !killed {
                killed = true;
                signal(child, Signal::SIGKILL);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// It is our child and not yet reaped, so the number is still its own.
fn signal(child: &Child, signal: Signal) {
    let _ = kill(Pid::from_raw(child.id() as i32), signal);
}
