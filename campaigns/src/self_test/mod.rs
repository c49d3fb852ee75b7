//! `self-test`: shows that the tester catches every defect of the embedded cluster and accuses no
//! correct one.
//!
//! In: flags. Out: a table on stdout (`table`), and an exit code: 1 if a defect escaped or a
//! correct run was accused, 2 if a run of the correct cluster could not be decided or a defect was
//! caught too late. `trials` assigns a plan to each defect, and `evidence` the evidence that the
//! plan must bring. Each run is a process of its own (`attempt`), as a user would start it.

mod attempt;
pub mod evidence;
#[cfg(test)]
mod least;
mod table;
pub mod trials;

use attempt::{Attempt, Judged, Runner};
use checker::Validity;
use cluster::defects::Defect;
use failure::{Exit, Failure};
use run::interrupt::{self, Listener, Urgency};
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use table::Row;
use trials::{Plan, Trial};

/// The time within which a defect must be caught.
const BUDGET: Duration = Duration::from_mins(1);

/// A task of the self-test.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// One run of the canary, which must be invalid.
    Canary,
    /// A defect must be caught.
    Catch(Trial),
    /// The correct cluster must be valid.
    Acquit(Plan),
}

/// The outcome of a task, in order of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The defect was caught.
    Caught,
    /// The correct cluster was valid.
    Acquitted,
    /// The run itself failed, so nothing is known.
    Failed,
    /// The defect was caught, but not within its time.
    Late,
    /// The correct cluster could not be judged: unknown, or vacuous.
    Undecided,
    /// A finding was made, but not of the kind that the defect causes.
    WrongEvidence,
    /// The defect was not caught.
    Escaped,
    /// The correct cluster was judged invalid.
    Accused,
}

impl Outcome {
    /// All outcomes.
    const ALL: [Self; 8] = [
        Self::Caught,
        Self::Acquitted,
        Self::Failed,
        Self::Late,
        Self::Undecided,
        Self::WrongEvidence,
        Self::Escaped,
        Self::Accused,
    ];

    /// Returns the exit code for this outcome.
    fn exit(self) -> Exit {
        match self {
            Self::Caught | Self::Acquitted => Exit::Valid,
            Self::Failed => Exit::TargetOrDisk,
            Self::Late | Self::Undecided => Exit::Unknown,
            Self::WrongEvidence | Self::Escaped | Self::Accused => Exit::Invalid,
        }
    }
}

/// The options of a self-test.
#[derive(Debug)]
pub struct SelfTest {
    /// The defects to catch; empty = all.
    pub only: Vec<Defect>,
    /// True for the half of the defects that is quick to find.
    pub quick: bool,
    /// The seed of every run; `None` = drawn.
    pub seed: Option<u64>,
    /// The number of concurrent runs.
    pub jobs: usize,
    /// The folder for run directories.
    pub runs_dir: PathBuf,
}

/// Runs the tasks and prints the table.
pub fn command(asked: &SelfTest) -> Result<Exit, Failure> {
    let tasks = tasks(&asked.only, asked.quick);
    let seed = asked.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let listener = Listener::start()?;
    let interrupt = listener.interrupt();
    let runner = Runner::new(asked.runs_dir.join("self-test"), interrupt.clone())?;
    terminal::result(format_args!("seed {seed}, {} tasks", tasks.len()));
    let rows = side_by_side(&tasks, asked.jobs, |task| task.carry_out(&runner, seed))?;
    table::print(&rows);
    if interrupt.urgency() != Urgency::None {
        let of = |outcome: Outcome| {
            (rows.iter().filter(|row| row.outcome == outcome).count() as u64, outcome.name())
        };
        let outcomes = Outcome::ALL.map(of);
        let of = Some(tasks.len() as u64);
        let said = interrupt::said(rows.len() as u64, of, "tasks", &outcomes);
        return Err(Failure::new(Exit::Interrupted, said));
    }
    let worst = rows.iter().map(|row| row.outcome).max().unwrap_or(Outcome::Acquitted);
    Ok(worst.exit())
}

/// Returns the canary, the chosen defects, and the correct cluster under the same plans.
fn tasks(only: &[Defect], quick: bool) -> Vec<Task> {
    let chosen = Defect::ALL.into_iter().filter(|defect| only.is_empty() || only.contains(defect));
    let trials: Vec<Trial> = chosen
        .map(trials::of)
        // A defect named by the user is tried, quick or not.
        .filter(|trial| trial.quick || !quick || !only.is_empty())
        .collect();
    let mut plans: Vec<Plan> = Vec::new();
    for trial in &trials {
        if !plans.contains(&trial.plan) {
            plans.push(trial.plan);
        }
    }
    let catches = trials.into_iter().map(Task::Catch);
    std::iter::once(Task::Canary)
        .chain(catches)
        .chain(plans.into_iter().map(Task::Acquit))
        .collect()
}

/// Runs tasks, at most `jobs` at a time, and returns the rows in the order of the tasks.
fn side_by_side(
    tasks: &[Task],
    jobs: usize,
    carry_out: impl Fn(&Task) -> Result<Option<Row>, Failure> + Sync,
) -> Result<Vec<Row>, Failure> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..tasks.len()).collect());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        let mut rows = Vec::new();
        while let Some(place) = next() {
            if let Some(row) = carry_out(&tasks[place])? {
                terminal::note(row.in_short());
                rows.push((place, row));
            }
        }
        Ok(rows)
    };
    let mut rows = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let panicked = |_| Err(Failure::software("a thread of the self-test panicked"));
            rows.extend(worker.join().unwrap_or_else(panicked)?);
        }
        Ok(())
    })?;
    rows.sort_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

impl Task {
    /// Runs the task; `None` if it was interrupted.
    fn carry_out(&self, runner: &Runner, seed: u64) -> Result<Option<Row>, Failure> {
        match self {
            Self::Canary => catch("canary", &trials::CANARY, runner, seed, 1),
            Self::Catch(trial) => catch(trial.defect.name(), trial, runner, seed, u64::MAX),
            Self::Acquit(plan) => acquit(*plan, runner, seed),
        }
    }
}

/// Tries until the defect is caught or its time is over.
fn catch(
    what: &str,
    trial: &Trial,
    runner: &Runner,
    seed: u64,
    tries_max: u64,
) -> Result<Option<Row>, Failure> {
    let begun = Instant::now();
    let takes = Duration::from_secs(trial.plan.takes_s);
    let mut row = Row::new(what, trial.plan, seed);
    loop {
        let attempt = Attempt {
            label: format!("{what}-{}", row.tries + 1),
            plan: trial.plan,
            defect: Some(trial.defect),
            seed: seed.wrapping_add(row.tries),
        };
        let Some(judged) = runner.run(&attempt)? else { return Ok(None) };
        row.note(&attempt, &judged, begun.elapsed());
        (row.outcome, row.says) = verdict_on_defect(&judged, trial, begun.elapsed());
        let caught = matches!(row.outcome, Outcome::Caught | Outcome::Late);
        let time_is_over = begun.elapsed() + takes > BUDGET;
        if caught || time_is_over || row.tries >= tries_max {
            return Ok(Some(row));
        }
    }
}

fn verdict_on_defect(judged: &Judged, trial: &Trial, elapsed: Duration) -> (Outcome, String) {
    let Some(judgement) = &judged.judgement else {
        return (Outcome::Failed, judged.last_words.clone());
    };
    if judgement.validity != Validity::Invalid {
        return (Outcome::Escaped, judgement.reasons.first().cloned().unwrap_or_default());
    }
    let shown = evidence::of(trial.defect).in_judgement(judgement);
    match shown {
        Some(shown) if elapsed <= BUDGET => (Outcome::Caught, shown),
        Some(shown) => (Outcome::Late, shown),
        None => (Outcome::WrongEvidence, judgement.reasons.first().cloned().unwrap_or_default()),
    }
}

/// Runs the correct cluster, once.
fn acquit(plan: Plan, runner: &Runner, seed: u64) -> Result<Option<Row>, Failure> {
    let begun = Instant::now();
    let label = format!("correct-{}", plan.label());
    let attempt = Attempt { label, plan, defect: None, seed };
    let Some(judged) = runner.run(&attempt)? else { return Ok(None) };
    let mut row = Row::new("correct cluster", plan, seed);
    row.note(&attempt, &judged, begun.elapsed());
    (row.outcome, row.says) = match &judged.judgement {
        None => (Outcome::Failed, judged.last_words.clone()),
        Some(judgement) => {
            let outcome = match judgement.validity {
                Validity::Valid => Outcome::Acquitted,
                Validity::Unknown => Outcome::Undecided,
                Validity::Invalid => Outcome::Accused,
            };
            (outcome, judgement.reasons.first().cloned().unwrap_or_default())
        }
    };
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{CallKind, Finding, Verdict};

    fn outcome(
        defect: Defect,
        validity: Validity,
        findings: Vec<Finding>,
        seconds: u64,
    ) -> Outcome {
        let checked = Verdict { findings, ..Verdict::default() };
        let judged = Judged::of(validity, Vec::new(), checked);
        let elapsed = Duration::from_secs(seconds);
        verdict_on_defect(&judged, &trials::of(defect), elapsed).0
    }

    fn dirty(failed: CallKind) -> Vec<Finding> {
        vec![evidence::tests::dirty(failed)]
    }

    #[test]
    fn a_defect_is_caught_by_its_own_evidence_in_time() {
        let defect = Defect::FailedCasWrites;
        let of = |validity, findings, seconds| outcome(defect, validity, findings, seconds);
        assert_eq!(of(Validity::Invalid, dirty(CallKind::Cas), 30), Outcome::Caught);
        assert_eq!(of(Validity::Invalid, dirty(CallKind::Cas), 61), Outcome::Late);
        assert_eq!(of(Validity::Invalid, dirty(CallKind::Put), 30), Outcome::WrongEvidence);
        assert_eq!(of(Validity::Invalid, Vec::new(), 30), Outcome::WrongEvidence);
        assert_eq!(of(Validity::Valid, Vec::new(), 30), Outcome::Escaped);
        assert_eq!(of(Validity::Unknown, Vec::new(), 30), Outcome::Escaped);
    }

    #[test]
    fn the_worst_outcome_decides_how_the_program_ends() {
        use Outcome::*;
        let worst = |outcomes: &[Outcome]| outcomes.iter().max().expect("some").exit();
        assert_eq!(worst(&[Caught, Acquitted]), Exit::Valid);
        assert_eq!(worst(&[Caught, Undecided, Failed]), Exit::Unknown);
        assert_eq!(worst(&[Undecided, Escaped]), Exit::Invalid);
        assert_eq!(worst(&[Accused, Undecided]), Exit::Invalid);
        assert_eq!(worst(&[Caught, Failed]), Exit::TargetOrDisk);
    }

    #[test]
    fn the_canary_comes_first_and_every_plan_is_also_run_correct() {
        let all = tasks(&[], false);
        assert!(matches!(all[0], Task::Canary));
        let catches = all.iter().filter(|task| matches!(task, Task::Catch(_))).count();
        assert_eq!(catches, Defect::ALL.len());
        for task in &all {
            if let Task::Catch(trial) = task {
                let acquitted = |it: &Task| matches!(it, Task::Acquit(plan) if *plan == trial.plan);
                assert!(all.iter().any(acquitted));
            }
        }
        let one = tasks(&[Defect::LongLease], true);
        assert_eq!(one.len(), 3, "the canary, the defect and the correct cluster: {one:?}");
    }
}
