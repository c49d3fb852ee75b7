//! Tries a smaller plan a few times to find out if it still fails, and records the answer in the
//! journal.
//!
//! In: a plan. Out: the plan that failed as wanted, or none. In virtual time a plan always gives
//! the same run. So the tries differ by the plan's seed, and the kept plan has the seed that
//! failed. On real processes every try is the same plan, and one failure may be luck. A plan is
//! kept only if it fails at least half as often as the plan that is shrunk (`reference`). The
//! `rate` of the last kept plan is measured at the end, and recorded in place of its step.

use super::journal::{Journal, Purpose, Step};
use crate::{
    attempts::{Attempt, Attempts},
    replay::Rate,
};
use checker::Validity;
use failure::Failure;
use plan::{Plan, config::TargetConfig};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// The number of attempts in a row that cannot be executed before the search gives up.
const NOT_CARRIED_OUT_MAX: u32 = 20;

/// Tries plans.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The executor of plans.
    pub attempts: &'a Attempts,
    /// The journal of tried plans.
    pub journal: Journal,
    /// The folder for run directories.
    pub runs_dir: PathBuf,
    /// The end of the search.
    pub until: Option<Instant>,
    not_carried_out: u32,
}

/// The rate of a kept plan.
#[derive(Debug)]
pub struct Rated {
    /// True if it fails at least half as often as the plan that is shrunk.
    pub often_enough: bool,
    /// The rate as lines of text.
    pub in_words: Vec<String>,
    /// The last failed attempt, if the rate was measured just now.
    pub last_failed: Option<Attempt>,
}

/// The reason why no further plan is tried.
#[derive(Debug)]
pub enum Stop {
    /// The user interrupted the search.
    Interrupted,
    /// The time is over.
    TimeIsOver,
    /// An attempt could not be made.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<'a> Trial<'a> {
    /// A search for at most so much time.
    pub fn new(
        attempts: &'a Attempts,
        journal: Journal,
        runs_dir: PathBuf,
        time_max: Option<Duration>,
    ) -> Self {
        let until = time_max.map(|time_max| Instant::now() + time_max);
        Self { attempts, journal, runs_dir, until, not_carried_out: 0 }
    }

    /// Returns the plan as it failed, with a class of anomalies of the original run; `None` if it
    /// did not fail so.
    pub fn failing(&mut self, candidate: &Plan) -> Result<Option<Plan>, Stop> {
        if candidate.check().is_err() {
            return Ok(None);
        }
        let plan_hash = plan::hash(&candidate.to_json()?);
        if let Some(step) = self.journal.answer(&plan_hash) {
            return Ok(self.kept(candidate, step));
        }
        let step = self.tried(candidate, plan_hash)?;
        let per_step = self.journal.attempts_per_step();
        let kept = self.kept(candidate, &step);
        let came_of_it = match (&kept, step.failed) {
            (None, 0) => format!("holds {} times", step.attempts),
            (None, failed) => format!("fails in {failed} of {}, too seldom", step.attempts),
            (Some(_), 1) => format!("fails in attempt {} of {per_step}, kept", step.attempts),
            (Some(_), failed) => format!("fails in {failed} of {}, kept", step.attempts),
        };
        terminal::note(format_args!("step {}: {}: {came_of_it}", step.number, step.in_words));
        self.journal.note(step)?;
        Ok(kept)
    }

    /// Returns the plan with the seed that failed, if it failed often enough.
    fn kept(&self, candidate: &Plan, step: &Step) -> Option<Plan> {
        let seed = step.seed?;
        self.is_often(step.failed, step.attempts).then(|| seeded(candidate, seed))
    }

    /// Returns true if the failures are at least half as many as the plan that is shrunk would
    /// show. In virtual time each attempt is another plan, so one failure is enough.
    fn is_often(&self, failed: u32, attempts: u32) -> bool {
        is_often(failed, attempts, self.journal.reference())
    }

    /// Measures how often the plan that is shrunk fails, as the reference for smaller ones. Its
    /// original run does not count, because it was chosen for its failure.
    pub fn measure_reference(&mut self, plan: &Plan) -> Result<(), Stop> {
        if self.journal.reference().is_some() {
            return Ok(());
        }
        // This measurement is not a part of the search, so the search's time limit does not end it.
        let until = self.until.take();
        let mut step = self.begun(plan, plan::hash(&plan.to_json()?), Purpose::Step);
        for _ in 0..self.journal.attempts_per_step() {
            let attempt = self.attempt(plan)?;
            self.count(&mut step, plan, &attempt);
            attempt.discard();
        }
        terminal::note(format_args!(
            "the plan itself fails in {} of {}",
            step.failed, step.attempts
        ));
        self.journal.note(step)?;
        self.until = until;
        Ok(())
    }

    /// Runs a kept plan `times` times, or until its rate is certainly too low. The last failed
    /// attempt is kept.
    pub fn rate(&mut self, plan: &Plan, times: u32) -> Result<Rated, Stop> {
        let plan_hash = plan::hash(&plan.to_json()?);
        if let Some(step) = self.journal.tried(&plan_hash, Purpose::Rate) {
            let often_enough = self.is_often(step.failed, step.attempts);
            let in_words = vec![format!("failed {} of {}", step.failed, step.attempts)];
            return Ok(Rated { often_enough, in_words, last_failed: None });
        }
        // The search's time may be over, but its result still gets a rate.
        self.until = None;
        let mut step = self.begun(plan, plan_hash, Purpose::Rate);
        let (mut rate, mut last_failed) = (Rate::default(), None::<Attempt>);
        while step.attempts < times && self.is_often(step.failed + times - step.attempts, times) {
            let attempt = self.attempt(plan)?;
            rate.count(&attempt, false)?;
            self.count(&mut step, plan, &attempt);
            if self.is_wanted(&attempt) {
                last_failed.replace(attempt).into_iter().for_each(Attempt::discard);
            } else {
                attempt.discard();
            }
        }
        let often_enough = self.is_often(step.failed, step.attempts);
        self.journal.note(step)?;
        Ok(Rated { often_enough, in_words: rate.in_words(None), last_failed })
    }

    fn begun(&self, plan: &Plan, plan_hash: String, purpose: Purpose) -> Step {
        let number = self.journal.len() + 1;
        let in_words = plan.in_words();
        Step { number, purpose, plan_hash, attempts: 0, failed: 0, seed: None, in_words }
    }

    fn count(&self, step: &mut Step, plan: &Plan, attempt: &Attempt) {
        step.attempts += 1;
        if self.is_wanted(attempt) {
            step.failed += 1;
            step.seed = Some(plan.config.seed);
        }
    }

    fn tried(&mut self, candidate: &Plan, plan_hash: String) -> Result<Step, Stop> {
        let mut step = self.begun(candidate, plan_hash, Purpose::Step);
        let most = self.journal.attempts_per_step();
        // Ends when the remaining attempts cannot change the answer.
        while step.attempts < most
            && !self.is_often(step.failed, most)
            && self.is_often(step.failed + most - step.attempts, most)
        {
            let plan = nth(candidate, step.attempts);
            let attempt = self.attempt(&plan)?;
            self.count(&mut step, &plan, &attempt);
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
        let attempt = self.attempts.make_apart(plan, &self.runs_dir)?;
        // An attempt that ended early says nothing about the plan.
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

fn is_often(failed: u32, attempts: u32, of_whole: Option<(u32, u32)>) -> bool {
    failed > 0 && of_whole.is_none_or(|(f, of)| 2 * failed * of >= f * attempts)
}

/// Returns the plan of the attempt with this number.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn often_is_half_as_often_as_the_whole_and_never_not_at_all() {
        assert!(is_often(1, 10, None) && !is_often(0, 10, None));
        let always = Some((3, 3));
        assert!(!is_often(1, 3, always) && is_often(2, 3, always));
        assert!(!is_often(4, 10, always) && is_often(5, 10, always));
        // A reference that never failed when measured is rare, so any failure counts.
        assert!(is_often(1, 10, Some((0, 3))) && !is_often(0, 10, Some((0, 3))));
    }
}
