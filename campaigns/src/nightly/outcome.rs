//! The outcome of a run of a night, in order of weight, and the row that is kept of it.
//!
//! A [`Row`] is a line of the journal and an entry of `summary.json` ([`super::summary`] has its
//! description).

use failure::Exit;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The outcome of a run, in order of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The run was judged valid, by a tester that caught its defects tonight.
    Valid,
    /// The run could not be decided.
    Unknown,
    /// A promise was broken.
    Invalid,
    /// The run has no verdict: the target, a disk or the tester failed.
    Crash,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Valid, Self::Unknown, Self::Invalid, Self::Crash];

    /// Returns the word for this outcome.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Crash => "crash",
        }
    }

    /// Returns the outcome of an exit code; `None` = the run ended by a signal.
    pub fn of_code(code: Option<i32>) -> Self {
        let is = |exit: Exit| code == Some(i32::from(exit.code()));
        if is(Exit::Valid) {
            Self::Valid
        } else if is(Exit::Invalid) {
            Self::Invalid
        } else if is(Exit::Unknown) {
            Self::Unknown
        } else {
            Self::Crash
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The reason for running a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The self-test, which shows that the tester catches its defects tonight.
    SelfTest,
    /// A plan that failed in an earlier night.
    EarlierFailure,
    /// A cell of the matrix.
    Matrix,
}

impl Kind {
    /// All kinds, in the order of a night.
    pub const ALL: [Self; 3] = [Self::SelfTest, Self::EarlierFailure, Self::Matrix];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SelfTest => "self-test",
            Self::EarlierFailure => "earlier failure",
            Self::Matrix => "matrix",
        })
    }
}

/// The measurements of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// The number of operations of all outcomes.
    pub operations: u64,
    /// Successful operations a second while faults were possible: without loading and counting.
    pub ok_per_second: f64,
    /// The longest time without a success that overlaps a fault, milliseconds.
    pub longest_gap_ms: f64,
    /// The time that `check` takes to judge the history again, as a process of its own,
    /// milliseconds.
    pub check_ms: f64,
}

/// One run and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// The run's name, which is also its folder's.
    pub label: String,
    /// The reason for the run.
    pub kind: Kind,
    /// The command that repeats it.
    pub command: String,
    /// The seed, if it has one of its own.
    pub seed: Option<u64>,
    /// The outcome.
    pub outcome: Outcome,
    /// The process' exit code; null = it ended by a signal.
    pub exit_code: Option<i32>,
    /// The reasons why it is worse than valid, in sentences.
    pub reasons: Vec<String>,
    /// The duration, seconds.
    pub seconds: f64,
    /// The measurements, if there is a verdict.
    pub measured: Option<Measured>,
    /// The run directory, relative to the night's.
    pub run: Option<String>,
    /// The archive of the files needed to investigate, relative to the night's directory.
    pub archive: Option<String>,
}

impl Row {
    /// Returns the first reason, for a line.
    pub fn reason(&self) -> &str {
        self.reasons.first().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_weight_and_a_signal_is_a_crash() {
        let codes = [Some(0), Some(2), Some(1), None, Some(74), Some(101)];
        let outcomes = codes.map(Outcome::of_code);
        assert!(outcomes.is_sorted());
        assert_eq!(outcomes[3..], [Outcome::Crash; 3]);
    }
}
