//! Plans carried out again and again: what `fuzz`, `replay --times` and `shrink` have in common.
//!
//! In: a plan in a run directory. Out: an [`Attempt`]: what was judged of it, or why there is no judgement. A plan for a
//! simulated cluster is carried out in this process; every other one in a process of its own (`children`), so that a
//! run that hangs or crashes is one bad attempt and not the end. Which plans, and what follows from the attempts, is
//! the callers' to say.

pub mod children;

use checker::Validity;
use children::Children;
use failure::{Exit, Failure};
use judge::{Judgement, Judging, anomalies::Anomalies};
use plan::{Plan, config::TargetConfig};
use run::{
    interrupt::{Interrupt, Listener, Urgency},
    simulate,
};
use run_directory::{RunDirectory, write_whole};
use std::{path::Path, time::Duration};
use targets::heal;

/// What a run takes beside its plan's time: start, load, healing, counting, judging; on a busy machine.
const BESIDE_PLAN_MAX: Duration = Duration::from_mins(5);

/// Carries plans out.
#[derive(Debug)]
pub struct Attempts {
    children: Children,
    interrupt: Interrupt,
    _listener: Listener,
}

/// What came of a plan.
#[derive(Debug)]
pub struct Attempt {
    /// Where it is.
    pub run: RunDirectory,
    /// What is judged of it; otherwise why it could not be carried out, in a sentence.
    pub judged: Result<Judgement, String>,
    /// What could not be healed, in sentences.
    pub troubles: Vec<String>,
}

impl Attempts {
    /// From now on an interrupt ends the attempt that is being made, and no other one begins.
    pub fn new() -> Result<Self, Failure> {
        let listener = Listener::start()?;
        let interrupt = listener.interrupt();
        Ok(Self { children: Children::new(interrupt.clone())?, interrupt, _listener: listener })
    }

    /// Whether somebody asked for an end.
    pub fn are_interrupted(&self) -> bool {
        self.interrupt.urgency() != Urgency::None
    }

    /// Carries a plan out in a new run directory. After an interrupt it is what there was by then.
    pub fn make(&self, plan: &Plan, runs_dir: &Path) -> Result<Attempt, Failure> {
        let run = RunDirectory::create(runs_dir, &plan.config.name)?;
        write_whole(&run.plan(), &plan.to_json()?)?;
        if plan.config.target == TargetConfig::Simulated {
            self.simulate(plan, run)
        } else {
            // The attempt before this one may have been killed.
            heal::before_a_run()?;
            self.run(plan, run)
        }
    }

    fn simulate(&self, plan: &Plan, run: RunDirectory) -> Result<Attempt, Failure> {
        match simulate::record(plan, &run.history(), &self.interrupt) {
            Ok(troubles) => {
                let judged = Ok(judge::judge(&run.history(), &Judging::default())?);
                Ok(Attempt { run, judged, troubles })
            }
            Err(failure) if failure.exit == Exit::TargetOrDisk => {
                Ok(Attempt { run, judged: Err(failure.sentence), troubles: Vec::new() })
            }
            Err(failure) => Err(failure),
        }
    }

    fn run(&self, plan: &Plan, run: RunDirectory) -> Result<Attempt, Failure> {
        let output = run.output();
        let arguments = ["internal-run".to_owned(), run.path().display().to_string()];
        let time_max = Duration::from_millis(plan.config.time_ms) + BESIDE_PLAN_MAX;
        self.children.run(&arguments, &output, time_max)?;
        let judged = judge::read_verdict(&run);
        let judged = judged.ok_or_else(|| children::last_words(&output));
        Ok(Attempt { run, judged, troubles: Vec::new() })
    }
}

impl Attempt {
    /// The verdict; unknown of what could not be carried out.
    pub fn validity(&self) -> Validity {
        self.judged.as_ref().map_or(Validity::Unknown, |judgement| judgement.validity)
    }

    /// What it shows.
    pub fn anomalies(&self) -> Anomalies {
        self.judged.as_ref().map(Anomalies::of).unwrap_or_default()
    }

    /// In a few words: what it shows, or why it is not valid.
    pub fn in_words(&self) -> String {
        match &self.judged {
            Err(reason) => format!("could not be carried out: {reason}"),
            Ok(judgement) => match judgement.validity {
                Validity::Valid => "valid".into(),
                Validity::Invalid => format!("failed: {}", self.anomalies()),
                Validity::Unknown => {
                    let reason = judgement.reasons.first().map_or("", String::as_str);
                    format!("unknown: {reason}")
                }
            },
        }
    }

    /// Takes its directory away; if it stays, it harms nobody.
    pub fn discard(self) {
        if let Err(error) = std::fs::remove_dir_all(self.run.path()) {
            tracing::warn!(%error, "a run that nobody needs stays at {}", self.run.path().display());
        }
    }
}
