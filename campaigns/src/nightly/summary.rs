//! Writes `summary.json`: a night for machines, format version 1.
//!
//! | field | meaning |
//! |---|---|
//! | `format`, `version` | `jepsen-tikv night summary`, 1 |
//! | `tool-version`, `seed`, `began`, `settings` | as in the journal's header |
//! | `over` | when the night was over; null = it was interrupted, and the same command goes on with it |
//! | `outcome`, `exit-code` | the worst outcome of all rows, and the exit code of the program |
//! | `trusted` | true if the self-test passed tonight; otherwise nothing is called valid |
//! | `rows` | every run in order ([`super::outcome::Row`]): `label`, `kind` (`self-test`, `earlier-failure`, `matrix`), `command`, `seed`, `outcome` (`valid`, `unknown`, `invalid`, `crash`), `exit-code`, `reasons`, `seconds`, `measured` (`operations`, `ok-per-second`, `longest-gap-ms`, `check-ms`), `run`, `archive` |
//! | `not-run` | runs that had no room in the budget |
//! | `impossible` | combinations that no run can have: `label`, `reason` |
//! | `interrupted` | runs that an interruption cut short; they were begun anew |
//! | `trend` | the last nights, oldest first, this one last: `began`, `outcome`, `runs`, `ok-per-second` and `check-ms` (medians), `longest-gap-ms` (largest), over the runs of the matrix |
//!
//! In: the journal and the matrix. Out: the file, and the data for the other outputs.

use super::{
    carry_out::is_again,
    journal::Journal,
    matrix::Matrix,
    outcome::{Kind, Outcome, Row},
    settings::Settings,
};
use failure::{Exit, Failure};
use run_directory::plain_file::{self, SMALL_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file's name.
pub const FILE: &str = "summary.json";
const FORMAT: &str = "jepsen-tikv night summary";
const VERSION: u32 = 1;
/// The number of nights that are compared.
const TREND_NIGHTS: usize = 14;

/// A night.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    format: String,
    version: u32,
    tool_version: String,
    /// The night's seed.
    pub seed: u64,
    /// The time of the beginning.
    pub began: String,
    /// The time of the end, once the night is over.
    pub over: Option<String>,
    /// The worst of all rows.
    pub outcome: Outcome,
    /// The exit code of the program.
    pub exit_code: u8,
    /// True if the self-test passed.
    pub trusted: bool,
    /// The night's settings.
    pub settings: Settings,
    /// Every run in order.
    pub rows: Vec<Row>,
    /// The labels of runs that had no room in the budget.
    pub not_run: Vec<String>,
    /// Combinations that no run can have.
    pub impossible: Vec<Impossible>,
    /// Runs that an interruption cut short.
    pub interrupted: Vec<String>,
    /// The last nights, oldest first, this one last.
    pub trend: Vec<Trend>,
}

/// A combination that no run can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impossible {
    /// The run's name.
    pub label: String,
    /// The reason why no run can have it.
    pub reason: String,
}

/// A night in brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trend {
    /// The time of the beginning.
    pub began: String,
    /// The outcome of the night.
    pub outcome: Outcome,
    /// The number of runs of the matrix.
    pub runs: usize,
    /// The median of the runs' throughput.
    pub ok_per_second: Option<f64>,
    /// The largest of the runs' gaps.
    pub longest_gap_ms: Option<f64>,
    /// The median of the times to check.
    pub check_ms: Option<f64>,
}

impl Summary {
    /// Summarizes a night as far as it went.
    pub fn of(
        journal: &Journal,
        matrix: &Matrix,
        not_run: Vec<String>,
        nights: &[PathBuf],
    ) -> Self {
        let header = &journal.header;
        let (outcome, exit) = worst(&journal.rows);
        let impossible = matrix.impossible.iter();
        let impossible = impossible
            .map(|(label, reason)| Impossible { label: label.clone(), reason: reason.clone() });
        let mut summary = Self {
            format: FORMAT.into(),
            version: VERSION,
            tool_version: header.tool_version.clone(),
            seed: header.seed,
            began: header.began.clone(),
            over: journal.over.clone(),
            outcome,
            exit_code: exit.code(),
            trusted: trusted(&journal.rows),
            settings: header.settings.clone(),
            rows: journal.rows.clone(),
            not_run,
            impossible: impossible.collect(),
            interrupted: journal.interrupted.clone(),
            trend: Vec::new(),
        };
        let earlier = nights.iter().rev().filter_map(|night| Self::read(night));
        let earlier = earlier.filter(|night| night.began < summary.began);
        summary.trend = earlier.take(TREND_NIGHTS - 1).map(|night| night.in_short()).collect();
        summary.trend.reverse();
        summary.trend.push(summary.in_short());
        summary
    }

    /// Reads the summary of a night, if it has one of this version.
    fn read(night: &Path) -> Option<Self> {
        let summary: Self = plain_file::json(&night.join(FILE), SMALL_BYTES_MAX).ok()?;
        (summary.format == FORMAT && summary.version == VERSION).then_some(summary)
    }

    /// Returns the file's contents.
    pub fn to_json(&self) -> Result<Vec<u8>, Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(Failure::software)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Returns the exit code of the program.
    pub fn exit(&self) -> Exit {
        worst(&self.rows).1
    }

    /// Returns the number of rows with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }

    /// Returns how much of the matrix was run, if the budget had no room for some of it.
    pub fn cells_ran(&self) -> Option<String> {
        let ran = self.rows.iter().filter(|row| row.kind == Kind::Matrix).count();
        let left = self.not_run.iter().filter(|label| !is_again(label)).count();
        (left > 0).then(|| format!("{ran} of {} cells ran", ran + left))
    }

    fn in_short(&self) -> Trend {
        let rows = self.rows.iter().filter(|row| row.kind == Kind::Matrix);
        let measured: Vec<_> = rows.clone().filter_map(|row| row.measured).collect();
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Trend {
            began: self.began.clone(),
            outcome: self.outcome,
            runs: rows.count(),
            ok_per_second: median(measured.iter().map(|it| it.ok_per_second).collect()),
            longest_gap_ms: measured.iter().map(|it| it.longest_gap_ms).max_by(f64::total_cmp),
            check_ms: median(measured.iter().map(|it| it.check_ms).collect()),
        }
    }
}

/// Returns true if the tester showed tonight that it catches defects. Of several tries the last one
/// counts.
pub fn trusted(rows: &[Row]) -> bool {
    let last = rows.iter().rfind(|row| row.kind == Kind::SelfTest);
    last.is_some_and(|row| row.outcome == Outcome::Valid)
}

/// Returns the worst outcome of all rows, and the exit code that follows. A self-test that was
/// tried again counts once, by its last try. A night without any other run is unknown.
fn worst(rows: &[Row]) -> (Outcome, Exit) {
    let (tries, runs): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.kind == Kind::SelfTest);
    let nothing = if runs.is_empty() { Outcome::Unknown } else { Outcome::Valid };
    let counted = tries.last().into_iter().chain(&runs);
    let outcome =
        counted.clone().map(|row| row.outcome).max().map_or(nothing, |it| it.max(nothing));
    let target_or_disk = Some(i32::from(Exit::TargetOrDisk.code()));
    let of_the_target = counted
        .filter(|row| row.outcome == Outcome::Crash)
        .all(|row| row.exit_code == target_or_disk);
    let exit = match outcome {
        Outcome::Valid => Exit::Valid,
        Outcome::Unknown => Exit::Unknown,
        Outcome::Invalid => Exit::Invalid,
        Outcome::Crash if of_the_target => Exit::TargetOrDisk,
        Outcome::Crash => Exit::Software,
    };
    (outcome, exit)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::nightly::{journal::Header, outcome::Measured};

    /// A row, for tests.
    pub fn row(label: &str, kind: Kind, outcome: Outcome, exit_code: Option<i32>) -> Row {
        Row {
            label: label.into(),
            kind,
            command: format!("jepsen-tikv test --name {label}"),
            seed: Some(7),
            outcome,
            exit_code,
            reasons: if outcome == Outcome::Valid {
                Vec::new()
            } else {
                vec!["a | <reason>".into()]
            },
            seconds: 12.5,
            measured: Some(Measured {
                operations: 100,
                ok_per_second: 50.0,
                longest_gap_ms: 8.0,
                check_ms: 9.0,
            }),
            run: Some(format!("runs/{label}")),
            archive: (outcome != Outcome::Valid).then(|| format!("failing/{label}.zip")),
        }
    }

    /// A hostile text, which somebody may put where a key, a target or an error is shown.
    pub const HOSTILE: &str = "k\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\r\n::notice::</pre>]]>`|**VALID**\n# VALID";

    /// A night of one run, and a night before, in which every text that may come from somebody else
    /// is hostile.
    pub fn hostile() -> Summary {
        let mut bad = row(HOSTILE, Kind::Matrix, Outcome::Invalid, Some(1));
        bad.reasons = vec![HOSTILE.into()];
        (bad.run, bad.archive) = (Some(HOSTILE.into()), Some(HOSTILE.into()));
        let mut summary = summary(vec![bad]);
        summary.began = HOSTILE.into();
        summary.not_run = vec![HOSTILE.into()];
        summary.interrupted = vec![HOSTILE.into()];
        summary.trend.push(summary.trend[0].clone());
        summary.trend[0].began = HOSTILE.into();
        summary
    }

    /// Asserts that a text has no character that a terminal obeys or that is invisible, except line
    /// ends.
    pub fn assert_shows_everything(text: &str) {
        text.lines().for_each(|line| assert_eq!(terminal::escaped(line), line));
    }

    /// A night of these rows, for tests.
    pub fn summary(rows: Vec<Row>) -> Summary {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal.jsonl");
        let mut journal =
            Journal::create(&path, Header::now(7, Settings::default())).expect("begun");
        for row in rows {
            journal.ended(row).expect("noted");
        }
        journal.is_over().expect("noted");
        Summary::of(&journal, &Matrix::default(), vec!["later".into()], &[])
    }

    #[test]
    fn the_worst_decides_and_a_repeated_self_test_counts_once() {
        let row = |kind, outcome, code| row("a", kind, outcome, Some(code));
        let escaped = row(Kind::SelfTest, Outcome::Unknown, 1);
        let passed = row(Kind::SelfTest, Outcome::Valid, 0);
        let valid = row(Kind::Matrix, Outcome::Valid, 0);
        let invalid = row(Kind::EarlierFailure, Outcome::Invalid, 1);
        let disk = row(Kind::Matrix, Outcome::Crash, 74);
        let panicked = row(Kind::Matrix, Outcome::Crash, 101);
        let exit = |rows: &[&Row]| {
            let rows: Vec<Row> = rows.iter().map(|row| (*row).clone()).collect();
            worst(&rows).1
        };
        assert_eq!(exit(&[&escaped, &passed, &valid]), Exit::Valid);
        assert_eq!(exit(&[&escaped, &valid]), Exit::Unknown);
        assert_eq!(exit(&[&passed]), Exit::Unknown, "nothing was run");
        assert_eq!(exit(&[&passed, &invalid, &valid]), Exit::Invalid);
        assert_eq!(exit(&[&passed, &invalid, &disk]), Exit::TargetOrDisk);
        assert_eq!(exit(&[&passed, &disk, &panicked]), Exit::Software);
        assert!(!trusted(&[valid]) && trusted(&[escaped, passed]));
    }

    #[test]
    fn cells_are_counted_without_earlier_failures() {
        let passed = row("self-test-1", Kind::SelfTest, Outcome::Valid, Some(0));
        let mut night = summary(vec![passed, row("a", Kind::Matrix, Outcome::Valid, Some(0))]);
        night.not_run = vec!["b".into(), "again.c-7".into(), "d".into()];
        assert_eq!(night.cells_ran().as_deref(), Some("1 of 3 cells ran"));
        night.not_run = vec!["again.c-7".into()];
        assert_eq!(night.cells_ran(), None);
    }

    #[test]
    fn nights_are_compared_and_other_versions_left_out() {
        let nights = tempfile::tempdir().expect("a directory");
        let paths: Vec<PathBuf> = ["1", "2"].iter().map(|name| nights.path().join(name)).collect();
        for path in &paths {
            std::fs::create_dir(path).expect("made");
        }
        let mut first = summary(vec![row("a", Kind::Matrix, Outcome::Invalid, Some(1))]);
        first.began = "2000-01-01T00:00:00Z".into();
        std::fs::write(paths[0].join(FILE), first.to_json().expect("written")).expect("written");
        std::fs::write(paths[1].join(FILE), "{\"version\":2}").expect("written");
        let path = nights.path().join("journal.jsonl");
        let journal = Journal::create(&path, Header::now(1, Settings::default())).expect("begun");
        let trend = Summary::of(&journal, &Matrix::default(), Vec::new(), &paths).trend;
        assert_eq!(trend.len(), 2);
        assert_eq!((trend[0].outcome, trend[0].ok_per_second), (Outcome::Invalid, Some(50.0)));
        assert_eq!((trend[1].runs, trend[1].ok_per_second), (0, None));
    }
}
