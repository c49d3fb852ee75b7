//! Whether a smaller plan still fails: it is tried a few times, and the answer is kept in the journal.
//!
//! In: a plan. Out: the plan that failed as wanted, or none. In virtual time a plan always gives the same run, so the tries
//! differ by the plan's seed, and the plan that is kept is the one with the seed that failed; on real processes they are
//! the same plan again.

use super::journal::{Journal, Step};
use crate::{
    attempts::{Attempt, Attempts},
    config::TargetConfig,
    exit::Failure,
    plan::{self, Plan},
};
use checker::Validity;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// So many attempts in a row that cannot be carried out at all are no accident.
const NOT_CARRIED_OUT_MAX: u32 = 20;

/// Tries plans.
#[derive(Debug)]
pub struct Trial<'a> {
    /// Carries plans out.
    pub attempts: &'a Attempts,
    /// What was tried.
    pub journal: Journal,
    /// Where run directories go.
    pub runs_dir: PathBuf,
    /// When it shall be over.
    pub until: Option<Instant>,
    not_carried_out: u32,
}

/// Why no further plan is tried.
#[derive(Debug)]
pub enum Stop {
    /// Somebody asked for it.
    Interrupted,
    /// The time is over.
    TimeIsOver,
    /// Something failed.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<'a> Trial<'a> {
    /// Tries plans for so long at most.
    pub fn new(
        attempts: &'a Attempts,
        journal: Journal,
        runs_dir: PathBuf,
        time_max: Option<Duration>,
    ) -> Self {
        let until = time_max.map(|time_max| Instant::now() + time_max);
        Self { attempts, journal, runs_dir, until, not_carried_out: 0 }
    }

    /// The plan as it failed, with the same class of anomalies as what is shrunk; none if it did not.
    pub fn failing(&mut self, candidate: &Plan) -> Result<Option<Plan>, Stop> {
        if candidate.check().is_err() {
            return Ok(None);
        }
        let plan_hash = plan::hash(&candidate.to_json()?);
        if let Some(step) = self.journal.answer(&plan_hash) {
            return Ok(step.seed.map(|seed| seeded(candidate, seed)));
        }
        let step = self.tried(candidate, plan_hash)?;
        let per_step = self.journal.attempts_per_step();
        let came_of_it = match step.failed {
            0 => format!("holds {per_step} times"),
            _ => format!("fails in attempt {} of {per_step}, kept", step.attempts),
        };
        crate::terminal::note(format_args!(
            "step {}: {}: {came_of_it}",
            step.number, step.in_words
        ));
        let kept = step.seed.map(|seed| seeded(candidate, seed));
        self.journal.note(step)?;
        Ok(kept)
    }

    fn tried(&mut self, candidate: &Plan, plan_hash: String) -> Result<Step, Stop> {
        let mut step = Step {
            number: self.journal.len() + 1,
            plan_hash,
            attempts: 0,
            failed: 0,
            seed: None,
            in_words: candidate.in_words(),
        };
        while step.attempts < self.journal.attempts_per_step() && step.failed == 0 {
            let plan = nth(candidate, step.attempts);
            let attempt = self.attempt(&plan)?;
            step.attempts += 1;
            if self.is_wanted(&attempt) {
                step.failed += 1;
                step.seed = Some(plan.config.seed);
            }
            attempt.discard();
        }
        Ok(step)
    }

    fn attempt(&mut self, plan: &Plan) -> Result<Attempt, Stop> {
        if self.attempts.are_interrupted() {
            return Err(Stop::Interrupted);
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Stop::TimeIsOver);
        }
        let attempt = self.attempts.make(plan, &self.runs_dir)?;
        // What ended early says nothing about the plan.
        if self.attempts.are_interrupted() && attempt.validity() != Validity::Invalid {
            attempt.discard();
            return Err(Stop::Interrupted);
        }
        match &attempt.judged {
            Ok(_) => self.not_carried_out = 0,
            Err(_) => self.not_carried_out += 1,
        }
        if self.not_carried_out >= NOT_CARRIED_OUT_MAX
            && let Err(reason) = &attempt.judged
        {
            return Err(Stop::Failure(Failure::target_or_disk(format!(
                "{NOT_CARRIED_OUT_MAX} attempts in a row could not be carried out, the last one at {}: {reason}",
                attempt.run.path().display()
            ))));
        }
        Ok(attempt)
    }

    fn is_wanted(&self, attempt: &Attempt) -> bool {
        attempt.validity() == Validity::Invalid
            && attempt.anomalies().share_a_class(self.journal.wanted())
    }
}

/// The plan of an attempt with this number.
fn nth(candidate: &Plan, number: u32) -> Plan {
    if candidate.config.target == TargetConfig::Simulated {
        seeded(candidate, candidate.config.seed.wrapping_add(number.into()))
    } else {
        candidate.clone()
    }
}

fn seeded(plan: &Plan, seed: u64) -> Plan {
    let mut plan = plan.clone();
    plan.config.seed = seed;
    plan
}
