//! One step of a night: runs a command, reads its verdict, judges it again, and keeps the files
//! worth keeping.
//!
//! In: a command. Out: a [`Row`]. A run's exit code counts only with a verdict.json, and only if
//! `check` gives the same verdict for the same history. Otherwise the tester itself is at fault,
//! and the outcome is a crash.

use super::{
    classify::{measure, run_outcome, self_test_outcome},
    failing_plans::{FailingPlan, FailingPlans},
    matrix::Cell,
    outcome::{Kind, Outcome, Row},
};
use crate::attempts::children::{Children, last_words, said};
use failure::Failure;
use judge::Judgement;
use plan::Plan;
use run_directory::{RunDirectory, run_archive};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use targets::heal;

/// The time that a run may take beyond that of clients and faults: start, load, heal, count, judge.
const RUN_BEYOND_MAX: Duration = Duration::from_mins(10);
/// The time that the self-test may take.
const SELF_TEST_MAX: Duration = Duration::from_hours(2);
/// The time that judging again may take.
const CHECK_MAX: Duration = Duration::from_mins(10);

/// The beginning of the labels of plans that are tried again.
const AGAIN: &str = "again.";

/// The common parts of a night's steps.
#[derive(Debug)]
pub struct Steps {
    /// The night's folder.
    pub night: PathBuf,
    /// The starter of processes.
    pub children: Children,
    /// The plans that failed.
    pub failing: FailingPlans,
    /// True if files of valid runs stay.
    pub keep_all: bool,
}

/// The step before it runs.
struct Step<'a> {
    label: String,
    kind: Kind,
    command: String,
    seed: Option<u64>,
    arguments: Vec<String>,
    time_max: Duration,
    /// The name under which the step's plan is kept if it fails.
    plan_name: &'a str,
}

impl Steps {
    /// Runs the self-test. Only the output of a try is kept.
    pub fn self_test(&self, quick: bool, seed: u64, label: &str) -> Result<Option<Row>, Failure> {
        let extent = if quick { &["--quick"][..] } else { &[] };
        let mut arguments: Vec<String> =
            ["self-test"].iter().chain(extent).map(|word| (*word).to_owned()).collect();
        arguments.extend(["--seed".to_owned(), seed.to_string()]);
        let command = format!("jepsen-tikv {}", arguments.join(" "));
        let folder = self.folder(label)?;
        arguments.extend(["--runs-dir".to_owned(), folder.display().to_string()]);
        let output = folder.join("output.txt");
        let Some(ended) = self.children.run(&arguments, &output, SELF_TEST_MAX)? else {
            return Ok(None);
        };
        let (outcome, reasons) = self_test_outcome(&ended, &said(&output));
        if outcome == Outcome::Valid && !self.keep_all {
            let _ = std::fs::remove_dir_all(folder.join("self-test"));
        }
        Ok(Some(Row {
            label: label.to_owned(),
            kind: Kind::SelfTest,
            command,
            seed: Some(seed),
            outcome,
            exit_code: ended.code,
            reasons,
            seconds: ended.took.as_secs_f64(),
            measured: None,
            run: None,
            archive: None,
        }))
    }

    /// Runs a cell of the matrix.
    pub fn cell(&self, cell: &Cell) -> Result<Option<Row>, Failure> {
        self.step(&Step {
            label: cell.label.clone(),
            kind: Kind::Matrix,
            command: format!("jepsen-tikv {}", cell.arguments.join(" ")),
            seed: Some(cell.seed),
            arguments: cell.arguments.clone(),
            time_max: Duration::from_millis(cell.time_ms) + RUN_BEYOND_MAX,
            plan_name: &format!("{}-{}", cell.label, cell.seed),
        })
    }

    /// Runs a plan that failed in some night. `named` are the flags that name its programs and
    /// hosts, which the plan may not choose.
    pub fn again(
        &self,
        failing: &FailingPlan,
        plan: &Plan,
        named: Vec<String>,
    ) -> Result<Option<Row>, Failure> {
        let path = failing.path.display().to_string();
        let arguments: Vec<String> = ["replay".into(), path].into_iter().chain(named).collect();
        self.step(&Step {
            label: again_label(failing),
            kind: Kind::EarlierFailure,
            command: format!("jepsen-tikv {}", arguments.join(" ")),
            seed: Some(plan.config.seed),
            arguments,
            time_max: Duration::from_millis(plan.config.time_ms) + RUN_BEYOND_MAX,
            plan_name: &failing.name,
        })
    }

    /// Creates an empty folder for a step of the night, after healing what an earlier try left.
    fn folder(&self, label: &str) -> Result<PathBuf, Failure> {
        let folder = self.night.join("runs").join(label);
        // Heals a cluster before the record of an interrupted try is deleted.
        let healed = heal::left_in(&folder)?;
        healed.failed.iter().chain(&healed.doubtful).for_each(terminal::note);
        if let Some(sentence) = healed.in_use.first() {
            return Err(Failure::target_or_disk(sentence));
        }
        // Files of an interrupted try must not be taken for this one's.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map(|()| folder.clone()).map_err(|error| {
            Failure::target_or_disk(format!("cannot make {}: {error}", folder.display()))
        })
    }

    fn step(&self, step: &Step<'_>) -> Result<Option<Row>, Failure> {
        let folder = self.folder(&step.label)?;
        let mut arguments = step.arguments.clone();
        arguments.extend(["--runs-dir".to_owned(), folder.display().to_string()]);
        let output = folder.join("output.txt");
        let Some(ended) = self.children.run(&arguments, &output, step.time_max)? else {
            return Ok(None);
        };
        let run = std::fs::canonicalize(folder.join("latest")).ok().map(RunDirectory::at);
        let judgement: Option<Judgement> = run.as_ref().and_then(judge::read_verdict);
        let (mut outcome, mut reasons) = run_outcome(&ended, &said(&output), judgement.as_ref());
        let mut measured = None;
        if let (Some(run), Some(judgement)) = (&run, &judgement) {
            let check = ["check".to_owned(), run.path().display().to_string()];
            let said_again = folder.join("check.txt");
            let Some(checked) = self.children.run(&check, &said_again, CHECK_MAX)? else {
                return Ok(None);
            };
            if checked.code != Some(i32::from(judgement.exit().code())) {
                outcome = Outcome::Crash;
                reasons.insert(
                    0,
                    format!("check does not say the same as the run: {}", last_words(&said_again)),
                );
            }
            measured = Plan::read(&run.plan()).ok().map(|plan| measure(&plan, judgement, &checked));
        }
        let mut row = Row {
            label: step.label.clone(),
            kind: step.kind,
            command: step.command.clone(),
            seed: step.seed,
            outcome,
            exit_code: ended.code,
            reasons,
            seconds: ended.took.as_secs_f64(),
            measured,
            run: run.as_ref().map(|run| self.below(run.path())),
            archive: None,
        };
        if let Some(run) = &run {
            self.keep(run, &mut row, step.plan_name)?;
        }
        Ok(Some(row))
    }

    /// Keeps the files of a run that was not valid, as an archive too, and its plan for the next
    /// nights.
    fn keep(&self, run: &RunDirectory, row: &mut Row, plan_name: &str) -> Result<(), Failure> {
        if row.outcome == Outcome::Valid {
            if !self.keep_all {
                keep_only_plan_and_verdict(run);
            }
            return Ok(());
        }
        let archives = self.night.join("failing");
        std::fs::create_dir_all(&archives).map_err(Failure::target_or_disk)?;
        let archive = archives.join(format!("{}.zip", row.label));
        run_archive::write(run, &row.command, &archive)?;
        row.archive = Some(self.below(&archive));
        if row.outcome >= Outcome::Invalid && run.plan().is_file() {
            self.failing.keep(&run.plan(), plan_name, row.outcome)?;
        }
        Ok(())
    }

    /// Returns a path relative to the night's folder.
    fn below(&self, path: &Path) -> String {
        let night = std::fs::canonicalize(&self.night).unwrap_or_else(|_| self.night.clone());
        let below = path.strip_prefix(&night).or_else(|_| path.strip_prefix(&self.night));
        below.unwrap_or(path).display().to_string()
    }
}

/// Returns the row's name of a plan that is tried again.
pub fn again_label(failing: &FailingPlan) -> String {
    format!("{AGAIN}{}", failing.name)
}

/// Returns true if a label is that of a plan that is tried again.
pub fn is_again(label: &str) -> bool {
    label.starts_with(AGAIN)
}

/// Removes all but plan and verdict. A valid run can be repeated from its plan; the rest would fill
/// the disk.
fn keep_only_plan_and_verdict(run: &RunDirectory) {
    for entry in std::fs::read_dir(run.path()).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == run.plan() || path == run.verdict() {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        // A file that cannot be removed is harmless.
        let _ = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}
