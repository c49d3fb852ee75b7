//! `fuzz`: executes random plans, one after the other, until one fails or the time is over.
//!
//! In: a seed, limits of runs and time, and a space to draw from. Out: a line for each run; the
//! seeds that failed, in a regressions file, which the next fuzzing tries first; the first failing
//! run in full. An unknown run is not a failure: it is counted and reported. Plans are the same in
//! virtual time and on real processes.

mod generate;
mod regressions;
mod space;

pub use space::{Profile, Space};

use crate::attempts::{Attempt, Attempts};
use checker::Validity;
use failure::{Exit, Failure};
use judge::Judging;
use plan::{Plan, config::TargetConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use regressions::Regressions;
use report::{Output, RunContext, conclude};
use run::interrupt;
use run_directory::shown;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use targets::heal;

/// The number of plans in a row that cannot be executed before fuzzing gives up.
const NOT_CARRIED_OUT_MAX: u64 = 10;

/// The options of a fuzzing.
#[derive(Debug, Clone)]
pub struct Fuzzing {
    /// The seed of the plans' seeds.
    pub seed: u64,
    /// The most runs.
    pub runs_max: u64,
    /// The longest time.
    pub time_max: Option<Duration>,
    /// True to continue after a failure.
    pub keep_going: bool,
    /// True if runs that did not fail keep their directories.
    pub keep_runs: bool,
    /// The space that plans are drawn from.
    pub space: Space,
    /// The folder for run directories.
    pub runs_dir: PathBuf,
}

/// The results of the runs.
#[derive(Debug, Default)]
struct Tally {
    valid: u64,
    unknown: u64,
    failed: Vec<u64>,
    /// True if a failed run gave a wrong answer; false if all of them only did not recover.
    wrong: bool,
    /// The clusters' working time, by their own clocks.
    worked: Duration,
    not_carried_out_in_a_row: u64,
}

/// Runs the fuzzing.
pub fn command(fuzzing: &Fuzzing) -> Result<Exit, Failure> {
    let mut regressions = Regressions::open(&fuzzing.runs_dir)?;
    let earlier = regressions.seeds(&fuzzing.space);
    let mut random = ChaCha8Rng::seed_from_u64(fuzzing.seed);
    let fresh = std::iter::repeat_with(move || u64::from(random.random::<u32>()));
    terminal::result(format_args!(
        "seed {}, {} regressions first; target: {}",
        fuzzing.seed,
        earlier.len(),
        fuzzing.space.target.described()
    ));
    if let Some(sentence) = regressions.note(&fuzzing.space) {
        terminal::note(sentence);
    }
    heal::before_a_run()?;
    let attempts = Attempts::new()?;
    let started = Instant::now();
    let mut tally = Tally::default();
    for (run, seed) in (0..fuzzing.runs_max).zip(earlier.into_iter().chain(fresh)) {
        let time_is_over = fuzzing.time_max.is_some_and(|time_max| started.elapsed() >= time_max);
        if time_is_over || attempts.are_interrupted() {
            break;
        }
        let plan = generate::plan(seed, &fuzzing.space)?;
        let attempt = attempts.make(&plan, &fuzzing.runs_dir)?;
        let validity = attempt.validity();
        if attempts.are_interrupted() && validity != Validity::Invalid {
            // The run was interrupted, so its judgement covers only a part of its plan.
            fuzzing.let_go(attempt);
            break;
        }
        tally.count(seed, &plan, &attempt)?;
        if validity != Validity::Invalid {
            terminal::note(line(seed, &plan, &attempt));
            fuzzing.let_go(attempt);
            continue;
        }
        regressions.add(seed, &fuzzing.space)?;
        tell_in_full(&plan, &attempt)?;
        terminal::result(format_args!(
            "run {run} (seed {seed}) failed after {:.1} s",
            started.elapsed().as_secs_f64()
        ));
        if !fuzzing.keep_going {
            break;
        }
    }
    let exit = tell(&tally, started.elapsed());
    if attempts.are_interrupted() {
        let said = tally.interrupted(fuzzing.runs_max);
        if tally.failed.is_empty() {
            return Err(Failure::new(Exit::Interrupted, said));
        }
        terminal::note(said);
    }
    Ok(exit)
}

impl Fuzzing {
    /// Removes an attempt that is of no further use.
    fn let_go(&self, attempt: Attempt) {
        if !self.keep_runs {
            attempt.discard();
        }
    }
}

impl Tally {
    fn interrupted(&self, runs_max: u64) -> String {
        let failed = self.failed.len() as u64;
        let outcomes = [(self.valid, "valid"), (self.unknown, "unknown"), (failed, "failed")];
        let of = Some(runs_max).filter(|runs_max| *runs_max < u64::MAX);
        interrupt::said(self.valid + self.unknown + failed, of, "plans", &outcomes)
    }

    fn count(&mut self, seed: u64, plan: &Plan, attempt: &Attempt) -> Result<(), Failure> {
        self.worked += Duration::from_millis(plan.config.time_ms);
        match attempt.validity() {
            Validity::Valid => self.valid += 1,
            Validity::Unknown => self.unknown += 1,
            Validity::Invalid => self.failed.push(seed),
        }
        match &attempt.judged {
            Ok(judgement) => {
                self.wrong |= judgement.exit() == Exit::Invalid;
                self.not_carried_out_in_a_row = 0;
            }
            Err(reason) => {
                self.not_carried_out_in_a_row += 1;
                if self.not_carried_out_in_a_row >= NOT_CARRIED_OUT_MAX {
                    return Err(Failure::target_or_disk(format!(
                        "{NOT_CARRIED_OUT_MAX} runs in a row could not be carried out; the last one, {}: {reason}",
                        shown(&attempt.run)
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Prints the report of a failed run, and the next steps with it.
fn tell_in_full(plan: &Plan, attempt: &Attempt) -> Result<(), Failure> {
    let run = &attempt.run;
    if plan.config.target == TargetConfig::Simulated {
        let repeat = plan.repeated_by(&run.plan())?;
        conclude(
            run,
            judge::of_run(run, &Judging::default()),
            &attempt.troubles,
            &repeat,
            Output::default(),
        )?;
    } else if let Ok(judgement) = &attempt.judged {
        let repeat = format!("jepsen-tikv replay {} --times 10", plan.named_again(run.path()));
        let around =
            RunContext { run: Some(shown(run)), repeat: Some(repeat), ..RunContext::default() };
        report::print(judgement, &around, Output::default());
    }
    terminal::result(format_args!("shrink   jepsen-tikv shrink {}", plan.named_again(run.path())));
    Ok(())
}

fn line(seed: u64, plan: &Plan, attempt: &Attempt) -> String {
    let operations = attempt.judged.as_ref().map_or(0, |judgement| {
        let counts = &judgement.checked.operations;
        counts.ok + counts.fail + counts.info
    });
    format!(
        "seed {seed:<10} {:>2} s {operations:>6} operations, {} stores, {}: {}",
        plan.config.time_ms / 1_000,
        plan.config.cluster.stores,
        plan.config.nemesis.faults.join(","),
        attempt.in_words()
    )
}

fn tell(tally: &Tally, elapsed: Duration) -> Exit {
    let runs = tally.valid + tally.unknown + tally.failed.len() as u64;
    terminal::result(format_args!(
        "{runs} runs: {} valid, {} unknown, {} failed; {:.0} s of the clusters' time in {:.1} s",
        tally.valid,
        tally.unknown,
        tally.failed.len(),
        tally.worked.as_secs_f64(),
        elapsed.as_secs_f64()
    ));
    if !tally.failed.is_empty() {
        let seeds: Vec<String> = tally.failed.iter().map(ToString::to_string).collect();
        terminal::result(format_args!("seeds that failed: {}", seeds.join(", ")));
        return if tally.wrong { Exit::Invalid } else { Exit::Stuck };
    }
    // Runs that could not be judged tested nothing.
    if tally.valid == 0 { Exit::Unknown } else { Exit::Valid }
}
