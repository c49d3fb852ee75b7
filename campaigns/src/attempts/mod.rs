//! Executes plans repeatedly: the common part of `fuzz`, `replay --times` and `shrink`.
//!
//! In: a plan in a run directory. Out: an [`Attempt`]: its judgement, or the reason why there is
//! none. A plan for a simulated cluster is executed in this process. Every other plan gets a
//! process of its own (`children`), so that a run that hangs or crashes is one bad attempt and not
//! the end. The callers choose the plans and draw the conclusions.

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

/// The time that a run may take beyond its plan's: start, load, healing, counting, judging; on a
/// busy machine.
const BESIDE_PLAN_MAX: Duration = Duration::from_mins(5);

/// Executes plans.
#[derive(Debug)]
pub struct Attempts {
    children: Children,
    interrupt: Interrupt,
    _listener: Listener,
}

/// The result of executing a plan.
#[derive(Debug)]
pub struct Attempt {
    /// The run directory.
    pub run: RunDirectory,
    /// The judgement, or a sentence that says why the plan could not be executed.
    pub judged: Result<Judgement, String>,
    /// Sentences about faults that could not be healed.
    pub troubles: Vec<String>,
}

impl Attempts {
    /// Prepares for attempts. From now on an interrupt ends the current attempt, and no other
    /// begins.
    pub fn new() -> Result<Self, Failure> {
        let listener = Listener::start()?;
        let interrupt = listener.interrupt();
        Ok(Self { children: Children::new(interrupt.clone())?, interrupt, _listener: listener })
    }

    /// Returns true if an interrupt asked for the end.
    pub fn are_interrupted(&self) -> bool {
        self.interrupt.urgency() != Urgency::None
    }

    /// Executes a plan in a new run directory. After an interrupt, the attempt covers the run until
    /// then.
    pub fn make(&self, plan: &Plan, runs_dir: &Path) -> Result<Attempt, Failure> {
        self.make_in(RunDirectory::create(runs_dir, &plan.config.name)?, plan)
    }

    /// Executes a plan in a run directory that is discarded afterwards: `latest` stays at another
    /// run.
    pub fn make_apart(&self, plan: &Plan, runs_dir: &Path) -> Result<Attempt, Failure> {
        self.make_in(RunDirectory::create_apart(runs_dir, &plan.config.name)?, plan)
    }

    fn make_in(&self, run: RunDirectory, plan: &Plan) -> Result<Attempt, Failure> {
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
    /// Returns the verdict; unknown if the plan could not be executed.
    pub fn validity(&self) -> Validity {
        self.judged.as_ref().map_or(Validity::Unknown, |judgement| judgement.validity)
    }

    /// Returns the anomalies that the attempt shows.
    pub fn anomalies(&self) -> Anomalies {
        self.judged.as_ref().map(Anomalies::of).unwrap_or_default()
    }

    /// Returns a few words: the anomalies, or the reason why it is not valid.
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

    /// Removes the run directory. A failure to remove it is harmless and only logged.
    pub fn discard(self) {
        if let Err(error) = std::fs::remove_dir_all(self.run.path()) {
            tracing::warn!(%error, "a run that nobody needs stays at {}", self.run.path().display());
        }
    }
}
