//! A night in progress: its steps in order, within the budget, and the outputs at its end.
//!
//! In: the steps, the journal of finished work, the matrix. Out: rows in the journal, then the
//! files of the night. A failure does not end the night; an interrupted night can be continued.

use super::{
    annotations,
    carry_out::{Steps, again_label},
    journal::Journal,
    junit, markdown,
    matrix::{self, Matrix, ReadFlags},
    nights::Nights,
    outcome::{Kind, Outcome, Row},
    shown,
    summary::{self, Summary, trusted},
    table,
};
use failure::{Exit, Failure};
use plan::Plan;
use run::interrupt;
use run_directory::write_whole;
use terminal::progress::Progress;

/// The number of tries of the self-test, which needs some luck to catch a defect within its minute.
/// A second try is reported.
const SELF_TEST_TRIES: usize = 2;
/// The assumed time of a run beyond its own, until one was measured tonight.
const BEYOND_TIME_MS: u64 = 15_000;
/// The divisor of the budget for earlier failures: they get this part at most, and the matrix gets
/// the rest.
const EARLIER_FAILURES_PART: u64 = 2;

/// A night in progress.
pub struct Night {
    /// The executor of steps.
    pub steps: Steps,
    /// The journal of finished steps.
    pub journal: Journal,
    /// The matrix of runs.
    pub matrix: Matrix,
    /// The parser of a target's flags.
    pub read_flags: ReadFlags,
    /// The line that shows the step under way: moving on a terminal, plain elsewhere.
    pub progress: Progress,
    /// The labels of runs that had no room in the budget.
    pub not_run: Vec<String>,
}

impl Night {
    /// Runs all steps in order, unless an interrupt ends them.
    pub fn run(&mut self) -> Result<(), Failure> {
        let ended = self.steps_in_order();
        self.progress.finish();
        ended
    }

    fn steps_in_order(&mut self) -> Result<(), Failure> {
        self.self_test()?;
        self.earlier_failures()?;
        self.cells()?;
        if !self.steps.children.are_interrupted() {
            self.journal.is_over()?;
        }
        Ok(())
    }

    fn self_test(&mut self) -> Result<(), Failure> {
        let quick = self.journal.header.settings.quick_self_test();
        for number in 1..=SELF_TEST_TRIES {
            let label = format!("self-test-{number}");
            let is_again = number > 1;
            let last = self.journal.rows.iter().rfind(|row| row.kind == Kind::SelfTest);
            // Only an escape is tried again: an accusation or a crash is not a matter of luck.
            if is_again && last.is_some_and(|row| row.outcome != Outcome::Unknown) {
                break;
            }
            if self.is_done(&label) {
                continue;
            }
            if self.steps.children.are_interrupted() {
                break;
            }
            if is_again {
                self.progress.line("the self-test is tried once more, with another seed");
            }
            let seed = self.journal.header.seed.wrapping_add(number as u64 - 1);
            self.begins(&label)?;
            let row = self.steps.self_test(quick, seed, &label)?;
            self.note(row)?;
        }
        Ok(())
    }

    fn earlier_failures(&mut self) -> Result<(), Failure> {
        for failing in self.steps.failing.all() {
            let label = again_label(&failing);
            // A plan that failed first in this very night is not an earlier failure.
            let of_tonight = |row: &Row| format!("{}-{}", row.label, row.seed.unwrap_or_default());
            let tonight =
                self.journal.rows.iter().any(|row| of_tonight(row) == failing.first_run());
            if tonight || self.is_done(&label) {
                continue;
            }
            let plan = match Plan::read(&failing.path) {
                Ok(plan) => plan,
                Err(failure) => {
                    self.progress.line(&format!("{label} is left out: {failure}"));
                    self.not_run.push(label);
                    continue;
                }
            };
            let settings = &self.journal.header.settings;
            let Some(named) = matrix::named_words(settings, &plan.config.target, self.read_flags)
            else {
                self.progress.line(&format!(
                    "{label} is left out: a target of its kind ({}) is not among those of this night's settings",
                    plan.config.target.name()
                ));
                self.not_run.push(label);
                continue;
            };
            let part = settings.budget.ms / EARLIER_FAILURES_PART;
            let spent: f64 = self.of_kind(Kind::EarlierFailure).map(|row| row.seconds).sum();
            let needs = plan.config.time_ms + self.beyond_time_ms();
            if (spent * 1e3) as u64 + needs > part || !self.has_room(needs) {
                self.not_run.push(label);
                continue;
            }
            self.begins(&label)?;
            let row = self.steps.again(&failing, &plan, named)?;
            self.note(row)?;
        }
        Ok(())
    }

    fn cells(&mut self) -> Result<(), Failure> {
        if let Some(sentence) = self.too_small() {
            self.progress.line(&sentence);
        }
        for cell in self.matrix.cells.clone() {
            if self.is_done(&cell.label) {
                continue;
            }
            if !self.has_room(cell.time_ms + self.beyond_time_ms()) {
                self.not_run.push(cell.label);
                continue;
            }
            self.begins(&cell.label)?;
            let row = self.steps.cell(&cell)?;
            self.note(row)?;
        }
        Ok(())
    }

    /// Returns a sentence if the budget has no room for any cell, not even the shortest.
    fn too_small(&self) -> Option<String> {
        let shortest = self.matrix.cells.iter().map(|cell| cell.time_ms).min()?;
        let budget = self.journal.header.settings.budget.ms;
        let needed = self.journal.used_ms() + shortest + self.beyond_time_ms();
        let is_interrupted = self.steps.children.are_interrupted();
        let has_begun = self.of_kind(Kind::Matrix).next().is_some();
        (needed > budget && !is_interrupted && !has_begun).then(|| no_cell_ran(budget, needed))
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Row> {
        self.journal.rows.iter().filter(move |row| row.kind == kind)
    }

    fn is_done(&self, label: &str) -> bool {
        self.journal.rows.iter().any(|row| row.label == label)
    }

    fn has_room(&self, needs_ms: u64) -> bool {
        let is_interrupted = self.steps.children.are_interrupted();
        !is_interrupted
            && self.journal.used_ms() + needs_ms <= self.journal.header.settings.budget.ms
    }

    /// Returns the longest time that a run needed tonight beyond its own.
    fn beyond_time_ms(&self) -> u64 {
        let of_cell = |cell: &matrix::Cell| {
            let row = self.journal.rows.iter().find(|row| row.label == cell.label)?;
            let took_ms = (row.seconds * 1e3) as u64;
            (row.outcome < Outcome::Crash).then(|| took_ms.saturating_sub(cell.time_ms))
        };
        self.matrix.cells.iter().filter_map(of_cell).max().unwrap_or(BEYOND_TIME_MS)
    }

    /// Records and shows that a step begins.
    fn begins(&mut self, label: &str) -> Result<(), Failure> {
        let cells = (self.of_kind(Kind::Matrix).count(), self.matrix.cells.len());
        let times_ms = (self.journal.used_ms(), self.journal.header.settings.budget.ms);
        self.progress.phase(&under_way(label, cells, times_ms), None);
        self.journal.begun(label)
    }

    /// Records the row of a step; nothing if the step was interrupted.
    fn note(&mut self, row: Option<Row>) -> Result<(), Failure> {
        let Some(row) = row else { return Ok(()) };
        let row = believed(row, trusted(&self.journal.rows));
        self.progress.line(&format!(
            "{} {}: {} after {:.0} s {}",
            row.kind,
            row.label,
            row.outcome,
            row.seconds,
            table::cut(row.reason())
        ));
        self.journal.ended(row)
    }

    /// Writes the outputs and prints the table.
    pub fn conclude(self, nights: &Nights, annotate: bool) -> Result<Exit, Failure> {
        let path = &self.steps.night;
        let mut summary = Summary::of(&self.journal, &self.matrix, self.not_run, &nights.all());
        let is_interrupted = summary.over.is_none();
        if is_interrupted {
            // These runs were not reached, which says nothing about the budget.
            summary.not_run.clear();
        }
        write_whole(&path.join(summary::FILE), &summary.to_json()?)?;
        write_whole(&path.join("summary.md"), markdown::text(&summary).as_bytes())?;
        write_whole(&path.join("junit.xml"), junit::xml(&summary)?.as_bytes())?;
        table::lines(&summary).iter().for_each(terminal::result);
        if annotate {
            annotations::lines(&summary).iter().for_each(terminal::result);
        }
        terminal::result(format_args!("night: {}", shown(path)));
        if is_interrupted {
            let of = |outcome: Outcome| {
                let rows = summary.rows.iter().filter(|row| row.outcome == outcome);
                (rows.count() as u64, outcome.word())
            };
            let outcomes = Outcome::ALL.map(of);
            let said = interrupt::said(summary.rows.len() as u64, None, "runs", &outcomes);
            return Err(Failure::new(
                Exit::Interrupted,
                format!("{said}; the same command goes on with this night"),
            ));
        }
        Ok(summary.exit())
    }
}

/// Returns the line about a step under way. `cells` are those that ran and all, `times_ms` the used
/// part of the budget and the whole.
fn under_way(label: &str, cells: (usize, usize), times_ms: (u64, u64)) -> String {
    let (ran, all) = cells;
    let (used, budget) = (times_ms.0 / 1000, times_ms.1 / 1000);
    format!("{label} · {ran} of {all} cells ran · {used} of {budget} s used")
}

/// Returns the sentence about a budget that the steps before the matrix used up.
fn no_cell_ran(budget_ms: u64, needed_ms: u64) -> String {
    format!(
        "no cell of the matrix is run: a budget of {} s has no room for one after the self-test and \
         earlier failures; --budget {}s has",
        budget_ms / 1000,
        needed_ms.div_ceil(1000)
    )
}

/// Returns a row with its outcome lowered from valid to unknown if the tester is not trusted.
fn believed(mut row: Row, is_trusted: bool) -> Row {
    if !is_trusted && row.kind != Kind::SelfTest && row.outcome == Outcome::Valid {
        row.outcome = Outcome::Unknown;
        row.reasons.push(
            "it was judged valid, but the self-test did not pass tonight: the tester might have missed anything".into(),
        );
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_under_way_is_shown_with_how_far_the_night_is() {
        let line = under_way("a", (2, 208), (90_500, 3_600_000));
        assert_eq!(line, "a · 2 of 208 cells ran · 90 of 3600 s used");
    }

    #[test]
    fn a_budget_that_is_too_small_is_said_with_one_that_is_not() {
        let sentence = no_cell_ran(60_000, 95_001);
        assert!(sentence.contains("a budget of 60 s") && sentence.contains("--budget 96s"));
    }

    #[test]
    fn without_trust_nothing_is_valid_and_nothing_else_changes() {
        let row = |kind, outcome| summary::tests::row("a", kind, outcome, Some(0));
        for kind in [Kind::Matrix, Kind::EarlierFailure] {
            let doubted = believed(row(kind, Outcome::Valid), false);
            assert_eq!(doubted.outcome, Outcome::Unknown);
            assert!(doubted.reason().contains("self-test"), "{}", doubted.reason());
            assert_eq!(believed(row(kind, Outcome::Valid), true).outcome, Outcome::Valid);
            assert_eq!(believed(row(kind, Outcome::Invalid), false).outcome, Outcome::Invalid);
        }
        let passed = believed(row(Kind::SelfTest, Outcome::Valid), false);
        assert_eq!(passed.outcome, Outcome::Valid);
    }
}
