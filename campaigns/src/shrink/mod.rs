//! `shrink`: finds the smallest plan that still fails as a run did.
//!
//! In: a run directory or a plan. Out: a folder beside it with a journal of steps and the smallest
//! plan so far; at the end its rate, and the command that repeats it. The steps are proptest's.
//! Each part of the plan has a value tree (`trees`), which is simplified while its plan still fails
//! (`trial`) and complicated when it does not. Part follows part until a whole round changes
//! nothing. The results are in the `journal`, from which the same command continues. On real
//! processes the smallest plan's rate is measured at the end. If the plan hardly fails, that result
//! replaces its step, and the steps are repeated from the journal without it.

mod journal;
mod trees;
mod trial;

use crate::{attempts::Attempts, replay};
use checker::Validity;
use failure::{Exit, Failure};
use journal::Journal;
use judge::{Judging, anomalies::Anomalies, counterexamples};
use plan::{Plan, config::TargetConfig};
use report::{Output, conclude};
use run::interrupt;
use run_directory::{shown, shown_path, write_whole};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use targets::{consent, heal, survey::surveyed};
use trees::Part;
use trial::{Rated, Stop, Trial};

/// A plan to shrink.
#[derive(Debug)]
pub struct Shrinking {
    /// The run or the plan that failed.
    pub run: PathBuf,
    /// The plan of that run.
    pub plan: Plan,
    /// The number of attempts for one smaller plan.
    pub attempts_per_step: u32,
    /// The time for the search; `None` = until nothing more can be left out.
    pub time: Option<Duration>,
    /// The number of runs of the smallest plan at the end.
    pub times: u32,
    /// The folder for run directories.
    pub runs_dir: PathBuf,
}

/// Shrinks a plan.
pub fn command(args: &Shrinking) -> Result<Exit, Failure> {
    let plan = args.plan.clone().on(|config| surveyed(config.clone()))?;
    if plan.scenario.is_some() {
        return Err(Failure::usage(
            "a scenario is a script, there is nothing to take away from it",
        ));
    }
    consent::ask(&plan)?;
    let folder = folder(&args.run)?;
    let virtual_time = plan.config.target == TargetConfig::Simulated;
    let runs_dir = if virtual_time { folder.join("attempts") } else { args.runs_dir.clone() };
    heal::before_a_run()?;
    let attempts = Attempts::new()?;
    let plan_hash = plan::hash(&plan.to_json()?);
    let per_step = args.attempts_per_step;
    let journal = Journal::open(&folder.join("journal.jsonl"), &plan_hash, per_step, || {
        wanted(args, &plan, &attempts, &runs_dir, per_step)
    })?;
    terminal::result(format_args!("shrinking {}", plan.in_words()));
    terminal::result(format_args!(
        "journal {}, {} steps so far",
        shown_path(&folder.join("journal.jsonl")),
        journal.len()
    ));
    let mut trial = Trial::new(&attempts, journal, runs_dir.clone(), args.time);
    let file = folder.join("smallest-plan.json");
    let (smallest, stopped, rated) = if virtual_time {
        let (smallest, stopped) = smallest(&mut trial, plan, &file)?;
        (smallest, stopped, None)
    } else {
        smallest_that_fails_often(&mut trial, &plan, &file, args.times)?
    };
    let steps = trial.journal.len();
    drop(trial);
    told_why_it_ended(stopped, steps, &file)?;
    terminal::result(format_args!("smallest plan: {}: {}", shown_path(&file), smallest.in_words()));
    if let Some(rated) = rated {
        tell_rate(&rated);
    } else {
        told_in_full(&smallest, &attempts, &args.runs_dir)?;
        // The folder of the attempts is no longer needed.
        let _ = std::fs::remove_dir_all(&runs_dir);
    }
    let times = if virtual_time { "" } else { " --times 10" };
    terminal::result(format_args!(
        "repeat: jepsen-tikv replay {}{times}",
        smallest.named_again(&file)
    ));
    Ok(Exit::Invalid)
}

/// Prints why there are no further steps. An error means that the smallest plan is not reported in
/// full.
fn told_why_it_ended(stopped: Option<Stop>, steps: u64, file: &Path) -> Result<(), Failure> {
    let sentence = match stopped {
        Some(Stop::Failure(failure)) => return Err(failure),
        Some(Stop::Interrupted) => {
            let sentence = format!(
                "interrupted after {steps} steps; the smallest plan so far is {}; the same command goes on",
                shown_path(file)
            );
            return Err(Failure::new(Exit::Interrupted, sentence));
        }
        Some(Stop::TimeIsOver) => {
            format!("the time is over after {steps} steps; the same command goes on")
        }
        None => format!("{steps} steps, nothing more can be left out"),
    };
    terminal::result(sentence);
    Ok(())
}

/// Returns the folder beside a run, or beside a plan.
fn folder(run: &Path) -> Result<PathBuf, Failure> {
    let no_input = |error: std::io::Error| {
        Failure::new(Exit::NoInput, format!("cannot read {}: {error}", run.display()))
    };
    // The link `latest` will point to another run later.
    let run = std::fs::canonicalize(run).map_err(no_input)?;
    let name = run.file_stem().filter(|_| run.is_file()).or(run.file_name());
    let name = format!("{}-shrink", name.unwrap_or_default().display());
    let folder = run.with_file_name(name);
    std::fs::create_dir_all(&folder).map_err(|error| {
        Failure::target_or_disk(format!("cannot make {}: {error}", folder.display()))
    })?;
    Ok(folder)
}

/// Returns the anomalies of a plan's run; without a run the plan is executed until it fails.
fn wanted(
    args: &Shrinking,
    plan: &Plan,
    attempts: &Attempts,
    runs_dir: &Path,
    times: u32,
) -> Result<Anomalies, Failure> {
    if let Some(shown) = replay::shown_by(&args.run) {
        return Ok(shown);
    }
    let virtual_time = plan.config.target == TargetConfig::Simulated;
    // In virtual time every attempt is the same.
    let most = if virtual_time { 1 } else { times };
    for number in 0..most {
        let attempt = attempts.make_apart(plan, runs_dir)?;
        terminal::note(format_args!("the plan itself: {}", attempt.in_words()));
        let shown = attempt.anomalies();
        attempt.discard();
        if !shown.classes.is_empty() {
            return Ok(shown);
        }
        if attempts.are_interrupted() {
            let (number, times) = (u64::from(number), Some(u64::from(most)));
            let said =
                interrupt::said(number, times, "tries of the plan, none of which failed", &[]);
            return Err(Failure::new(Exit::Interrupted, said));
        }
    }
    Err(Failure::new(
        Exit::Unknown,
        "the plan did not fail, so there is nothing to shrink: give a run that failed, or more --attempts-per-step",
    ))
}

/// Returns the smallest plan whose rate shows that it did not fail only by luck, and the rate.
fn smallest_that_fails_often(
    trial: &mut Trial<'_>,
    plan: &Plan,
    file: &Path,
    times: u32,
) -> Result<(Plan, Option<Stop>, Option<Rated>), Failure> {
    write_whole(file, &plan.to_json()?)?;
    match trial.measure_reference(plan) {
        Ok(()) => {}
        Err(Stop::Failure(failure)) => return Err(failure),
        Err(stop) => return Ok((plan.clone(), Some(stop), None)),
    }
    loop {
        let (best, stopped) = smallest(trial, plan.clone(), file)?;
        if let Some(Stop::Interrupted) = stopped {
            return Ok((best, stopped, None));
        }
        let rated = match trial.rate(&best, times) {
            Ok(rated) => rated,
            Err(Stop::Failure(failure)) => return Err(failure),
            Err(stop) => return Ok((best, Some(stop), None)),
        };
        if rated.often_enough || best == *plan {
            return Ok((best, stopped, Some(rated)));
        }
        terminal::note(format_args!(
            "{}: {}: it was kept by luck, back to the plan before it",
            best.in_words(),
            rated.in_words.join(", ")
        ));
    }
}

/// Returns the smallest plan found, which is also on disk, and the reason why no smaller one was
/// tried.
fn smallest(
    trial: &mut Trial<'_>,
    plan: Plan,
    file: &Path,
) -> Result<(Plan, Option<Stop>), Failure> {
    let mut best = plan;
    write_whole(file, &best.to_json()?)?;
    loop {
        let before = best.clone();
        for part in Part::ALL {
            match smaller(trial, &mut best, part, file) {
                Ok(()) => {}
                Err(Stop::Failure(failure)) => return Err(failure),
                Err(stop) => return Ok((best, Some(stop))),
            }
        }
        if best == before {
            return Ok((best, None));
        }
    }
}

/// Makes one part of a plan as small as possible.
fn smaller(trial: &mut Trial<'_>, best: &mut Plan, part: Part, file: &Path) -> Result<(), Stop> {
    let mut tree = part.tree(best);
    let mut goes_on = tree.simplify();
    while goes_on {
        let mut candidate = tree.current();
        candidate.config.seed = best.config.seed;
        // A number that another one limits stays unchanged.
        if candidate == *best {
            goes_on = tree.complicate();
            continue;
        }
        goes_on = if let Some(failed) = trial.failing(&candidate)? {
            *best = failed;
            write_whole(file, &best.to_json()?)?;
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    Ok(())
}

/// Runs the smallest plan once more, in virtual time, with a report like any run.
fn told_in_full(plan: &Plan, attempts: &Attempts, runs_dir: &Path) -> Result<(), Failure> {
    let attempt = attempts.make(plan, runs_dir)?;
    let repeat = plan.repeated_by(&attempt.run.plan())?;
    conclude(
        &attempt.run,
        judge::of_run(&attempt.run, &Judging::default()),
        &attempt.troubles,
        &repeat,
        Output::default(),
    )?;
    if attempt.validity() != Validity::Invalid {
        return Err(Failure::new(
            Exit::Unknown,
            "the smallest plan failed before and now does not: another version of this program found it, or the simulation \
             is not deterministic, which is a bug",
        ));
    }
    Ok(())
}

/// Prints how often the smallest plan fails on real processes, and the report of its last failure.
fn tell_rate(rated: &Rated) {
    let judged = rated.last_failed.as_ref().map(|attempt| (attempt, &attempt.judged));
    if let Some((_, Ok(judgement))) = judged {
        counterexamples::lines(judgement).into_iter().for_each(terminal::result);
    }
    for line in &rated.in_words {
        terminal::result(line);
    }
    if let Some((attempt, _)) = judged {
        terminal::result(format_args!("run:    {}", shown(&attempt.run)));
    }
}
