//! The self-test's table: each task with its plan, its outcome and the evidence.
//!
//! In: a row for each defect and each plan of the correct cluster. Out: lines on stdout. Decides
//! nothing.

use super::{
    Outcome,
    attempt::{Attempt, Judged},
    trials::Plan,
};
use std::time::Duration;

/// The longest sentence; a longer one is cut here, and whole in the run's verdict.json.
const SAYS_MAX: usize = 160;

/// One task and its result.
#[derive(Debug, Clone)]
pub struct Row {
    /// The name of the defect, or of the correct cluster.
    what: String,
    plan: Plan,
    /// The seed of the last try; earlier tries have the numbers before it.
    seed: u64,
    /// The number of tries.
    pub tries: u64,
    seconds: f64,
    /// The outcome.
    pub outcome: Outcome,
    /// The sentence that shows it.
    pub says: String,
}

impl Row {
    /// The row of a task that was not tried yet.
    pub fn new(what: &str, plan: Plan, seed: u64) -> Self {
        let (tries, seconds, outcome, says) = (0, 0.0, Outcome::Failed, String::new());
        Self { what: what.to_owned(), plan, seed, tries, seconds, outcome, says }
    }

    /// Records one more try, which ended at `elapsed` after the beginning of the first one.
    pub fn note(&mut self, attempt: &Attempt, _judged: &Judged, elapsed: Duration) {
        self.tries += 1;
        self.seed = attempt.seed;
        self.seconds = elapsed.as_secs_f64();
    }

    /// Returns the line that is printed while other tasks still run.
    pub fn in_short(&self) -> String {
        let (what, outcome) = (&self.what, self.outcome.name());
        format!("{what}: {outcome} after {:.0} s ({} tries)", self.seconds, self.tries)
    }

    fn cells(&self) -> [String; 5] {
        [
            self.what.clone(),
            self.outcome.name().to_owned(),
            format!("{:.0}", self.seconds),
            self.tries.to_string(),
            self.seed.to_string(),
        ]
    }
}

impl Outcome {
    /// Returns the word for this outcome.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Acquitted => "valid",
            Self::Failed => "FAILED TO RUN",
            Self::Late => "CAUGHT LATE",
            Self::Undecided => "UNDECIDED",
            Self::WrongEvidence => "WRONG EVIDENCE",
            Self::Escaped => "ESCAPED",
            Self::Accused => "ACCUSED",
        }
    }
}

/// Prints the rows, and one sentence about all of them.
pub fn print(rows: &[Row]) {
    for line in lines(rows) {
        terminal::result(line);
    }
}

fn lines(rows: &[Row]) -> Vec<String> {
    let head = ["defect", "verdict", "seconds", "tries", "seed"].map(str::to_owned);
    let cells: Vec<[String; 5]> =
        std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; 5]| {
        let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ")
    };
    let mut lines = vec![format!("{}  plan", line(&cells[0]))];
    for (row, cells) in rows.iter().zip(&cells[1..]) {
        lines.push(format!("{}  {}", line(cells), row.plan.flags));
        if !row.says.is_empty() {
            lines.push(format!("    {}", cut(&row.says)));
        }
    }
    lines.push(sum(rows));
    lines
}

fn cut(says: &str) -> String {
    if says.chars().count() <= SAYS_MAX {
        return says.to_owned();
    }
    let kept: String = says.chars().take(SAYS_MAX).collect();
    format!("{kept}…")
}

fn sum(rows: &[Row]) -> String {
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let all = [
        Outcome::Caught,
        Outcome::Acquitted,
        Outcome::Failed,
        Outcome::Late,
        Outcome::Undecided,
        Outcome::WrongEvidence,
        Outcome::Escaped,
        Outcome::Accused,
    ];
    let said = all.into_iter().filter(|outcome| count(*outcome) > 0);
    let parts: Vec<String> =
        said.map(|outcome| format!("{} {}", count(outcome), outcome.name())).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::self_test::trials;
    use cluster::defects::Defect;

    #[test]
    fn a_row_has_what_was_tried_and_what_shows_it() {
        let plan = trials::of(Defect::CasRace).plan;
        let mut row = Row::new("cas-race", plan, 7);
        row.outcome = Outcome::Escaped;
        row.says = "x".repeat(SAYS_MAX + 1);
        let said = lines(&[row]);
        assert!(
            said[1].starts_with("cas-race  ESCAPED  0        0      7     --workload register")
        );
        assert!(said[2].ends_with("x…") && said[3] == "1 ESCAPED", "{said:?}");
    }
}
