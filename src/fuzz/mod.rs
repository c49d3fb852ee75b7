//! `fuzz`: plans by chance, one after the other, until one fails or the time is over.
//!
//! In: a seed, how many runs or how long, and what the plans share. Out: a line for each run; the seeds that failed in a
//! regressions file, which the next fuzzing tries first; the first failing run in full. Unknown is no failure: it is
//! counted, and said.

mod generate;
mod regressions;

pub use generate::Space;

use crate::{
    exit::{Exit, Failure},
    judge::{self, Judgement, Judging},
    plan,
    run_directory::{RunDirectory, write_whole},
    simulate,
};
use checker::Validity;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use regressions::Regressions;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What a fuzzing is asked.
#[derive(Debug, Clone)]
pub struct Fuzzing {
    /// The seed of the plans' seeds.
    pub seed: u64,
    /// How many runs at most.
    pub runs_max: u64,
    /// How long at most.
    pub time_max: Option<Duration>,
    /// Whether to go on after a failure.
    pub keep_going: bool,
    /// What the plans share.
    pub space: Space,
    /// Where run directories go.
    pub runs_dir: PathBuf,
}

/// What became of the runs.
#[derive(Debug, Default)]
struct Tally {
    valid: u64,
    unknown: u64,
    failed: Vec<u64>,
    simulated: Duration,
}

/// Fuzzes in virtual time.
pub fn simulated(fuzzing: &Fuzzing) -> Result<Exit, Failure> {
    let started = Instant::now();
    let mut regressions = Regressions::open(&fuzzing.runs_dir)?;
    let earlier = regressions.seeds(&fuzzing.space);
    let mut random = ChaCha8Rng::seed_from_u64(fuzzing.seed);
    let fresh = std::iter::repeat_with(move || u64::from(random.random::<u32>()));
    crate::terminal::result(format_args!(
        "seed {}, {} regressions first",
        fuzzing.seed,
        earlier.len()
    ));
    let mut tally = Tally::default();
    for (run, seed) in (0..fuzzing.runs_max).zip(earlier.into_iter().chain(fresh)) {
        if fuzzing.time_max.is_some_and(|time_max| started.elapsed() >= time_max) {
            break;
        }
        let (validity, virtual_time) = one(seed, fuzzing)?;
        tally.simulated += virtual_time;
        match validity {
            Validity::Valid => tally.valid += 1,
            Validity::Unknown => tally.unknown += 1,
            Validity::Invalid => {
                tally.failed.push(seed);
                regressions.add(seed, &fuzzing.space)?;
                if !fuzzing.keep_going {
                    crate::terminal::result(format_args!(
                        "run {run} (seed {seed}) failed after {:.1} s",
                        started.elapsed().as_secs_f64()
                    ));
                    break;
                }
            }
        }
    }
    Ok(tell(&tally, started.elapsed()))
}

/// One run: a failing one keeps its directory and is told in full, others leave nothing.
fn one(seed: u64, fuzzing: &Fuzzing) -> Result<(Validity, Duration), Failure> {
    let plan = generate::plan(seed, &fuzzing.space)?;
    let run = RunDirectory::create(&fuzzing.runs_dir, "fuzz")?;
    let plan_json = plan.to_json()?;
    write_whole(&run.plan(), &plan_json)?;
    let troubles = simulate::record(&plan, &plan::hash(&plan_json), &run.history())?;
    let judgement = judge::judge(&run.history(), &Judging::default())?;
    let virtual_time = Duration::from_millis(plan.config.time_ms);
    if judgement.validity == Validity::Invalid {
        let repeat = format!("jepsen-tikv simulate {} --seed {seed}", run.plan().display());
        crate::run::conclude(&run, &troubles, &repeat)?;
        return Ok((Validity::Invalid, virtual_time));
    }
    crate::terminal::note(line(seed, &plan, &judgement));
    discard(run.path());
    Ok((judgement.validity, virtual_time))
}

fn line(seed: u64, plan: &plan::Plan, judgement: &Judgement) -> String {
    let counts = &judgement.checked.operations;
    let unknown = match judgement.validity {
        Validity::Unknown => judgement.reasons.first().map_or("", String::as_str),
        _ => "",
    };
    format!(
        "{:8} seed {seed:<10} {:>2} s {:>6} operations, {} stores, {} {unknown}",
        judgement.validity.to_string(),
        plan.config.time_ms / 1_000,
        counts.ok + counts.fail + counts.info,
        plan.config.cluster.stores,
        plan.config.nemesis.faults.join(",")
    )
}

/// What nobody will look at again need not stay; if it does, it harms nobody.
fn discard(run: &Path) {
    if let Err(error) = std::fs::remove_dir_all(run) {
        tracing::warn!(%error, "a run that was valid stays at {}", run.display());
    }
}

fn tell(tally: &Tally, elapsed: Duration) -> Exit {
    let runs = tally.valid + tally.unknown + tally.failed.len() as u64;
    crate::terminal::result(format_args!(
        "{runs} runs: {} valid, {} unknown, {} failed; {:.0} s of the clusters' time in {:.1} s",
        tally.valid,
        tally.unknown,
        tally.failed.len(),
        tally.simulated.as_secs_f64(),
        elapsed.as_secs_f64()
    ));
    if !tally.failed.is_empty() {
        let seeds: Vec<String> = tally.failed.iter().map(ToString::to_string).collect();
        crate::terminal::result(format_args!("seeds that failed: {}", seeds.join(", ")));
        return Exit::Invalid;
    }
    // Runs that could not be judged tested nothing.
    if tally.valid == 0 { Exit::Unknown } else { Exit::Valid }
}
