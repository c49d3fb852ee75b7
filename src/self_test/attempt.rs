//! One run of the self-test: `jepsen-tikv test` as a process of its own, and what its judge wrote.
//!
//! In: a plan, a defect or none, a seed. Out: the judgement in the run's verdict.json, or the last words of a run that
//! has none. A run is in a process group of its own, so that an interrupt reaches it through us and once; it asks the
//! kernel to end with us.

use super::trials::Plan;
use crate::{
    exit::Failure,
    interrupt::{Interrupt, Urgency},
    run_directory::RunDirectory,
};
use checker::{Validity, Verdict};
use cluster::defects::Defect;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

/// Between two looks at a run.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A run that takes longer is asked to end, and its judgement counts as far as it goes.
const RUN_MAX: Duration = Duration::from_mins(4);
/// Who does not end then is killed.
const END_WITHIN: Duration = Duration::from_mins(1);

/// What is run.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its folder.
    pub label: String,
    /// What the clients and the nemesis do.
    pub plan: Plan,
    /// How the cluster is wrong; none = it is not.
    pub defect: Option<Defect>,
    /// The seed.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Judged {
    /// What the judge wrote; none if the run failed before.
    pub judgement: Option<Judgement>,
    /// What it said last.
    pub last_words: String,
}

/// The part of verdict.json that matters here.
#[derive(Debug, Deserialize)]
pub struct Judgement {
    /// The whole judgement.
    pub validity: Validity,
    /// What makes it worse than valid.
    pub reasons: Vec<String>,
    /// What the checker says.
    pub checked: Verdict,
}

#[cfg(test)]
impl Judged {
    /// A judgement, for tests.
    pub fn of(validity: Validity, checked: Verdict) -> Self {
        let judgement = Judgement { validity, reasons: vec!["a reason".into()], checked };
        Self { judgement: Some(judgement), last_words: String::new() }
    }
}

impl Attempt {
    /// The arguments that a user would type.
    pub fn arguments(&self) -> Vec<String> {
        let flags = self.plan.flags.split(' ').map(str::to_owned);
        let mut arguments: Vec<String> = std::iter::once("test".to_owned()).chain(flags).collect();
        arguments.push(format!("--seed={}", self.seed));
        arguments.extend(self.defect.map(|defect| format!("--defect={}", defect.name())));
        arguments
    }
}

/// Runs attempts.
#[derive(Debug)]
pub struct Runner {
    program: PathBuf,
    dir: PathBuf,
    interrupt: Interrupt,
}

impl Runner {
    /// Runs go into folders of `dir`.
    pub fn new(dir: PathBuf, interrupt: Interrupt) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::software)?;
        Ok(Self { program, dir, interrupt })
    }

    /// Runs one. None if somebody asked for an early end.
    pub fn run(&self, attempt: &Attempt) -> Result<Option<Judged>, Failure> {
        if self.interrupt.urgency() != Urgency::None {
            return Ok(None);
        }
        let dir = self.dir.join(&attempt.label);
        let output = dir.join("output.txt");
        let child = self.start(attempt, &dir, &output).map_err(|error| {
            Failure::target_or_disk(format!("cannot start a run in {}: {error}", dir.display()))
        })?;
        if !self.await_end(child)? {
            return Ok(None);
        }
        let run = RunDirectory::at(dir.join("latest"));
        let said = std::fs::read_to_string(&output).unwrap_or_default();
        let last_words = said.lines().next_back().unwrap_or_default().to_owned();
        let judgement =
            std::fs::read(run.verdict()).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Some(Judged { judgement, last_words }))
    }

    fn start(
        &self,
        attempt: &Attempt,
        dir: &std::path::Path,
        output: &std::path::Path,
    ) -> std::io::Result<Child> {
        std::fs::create_dir_all(dir)?;
        // What an earlier self-test left there must not be taken for this one's.
        let _ = std::fs::remove_file(dir.join("latest"));
        let said = File::create(output)?;
        Command::new(&self.program)
            .args(attempt.arguments())
            .arg(format!("--runs-dir={}", dir.display()))
            .arg(format!("--parent-pid={}", std::process::id()))
            .stdin(std::process::Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .process_group(0)
            .spawn()
    }

    /// Waits for a run; whether nobody interrupted it.
    fn await_end(&self, mut child: Child) -> Result<bool, Failure> {
        let begun = Instant::now();
        let (mut told, mut killed) = (Urgency::None, false);
        loop {
            if child.try_wait().map_err(Failure::software)?.is_some() {
                return Ok(self.interrupt.urgency() == Urgency::None);
            }
            let too_long = begun.elapsed() > RUN_MAX;
            let wanted =
                self.interrupt.urgency().max(if too_long { Urgency::Early } else { Urgency::None });
            while told < wanted {
                told = if told == Urgency::None { Urgency::Early } else { Urgency::Now };
                signal(&child, Signal::SIGINT);
            }
            if begun.elapsed() > RUN_MAX + END_WITHIN && !killed {
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
