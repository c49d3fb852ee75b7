//! How a run of a night ended, in the order of weight, and what is kept of it.
//!
//! A [`Row`] is a line of the journal and an entry of `summary.json` ([`super::summary`] has its description).

use failure::Exit;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a run ended. In the order of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was judged valid, by a tester that showed tonight that it can find fault.
    Valid,
    /// Nothing can be said.
    Unknown,
    /// A promise was broken.
    Invalid,
    /// The run did not get as far as a verdict: the target, a disk or the tester failed.
    Crash,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Valid, Self::Unknown, Self::Invalid, Self::Crash];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
            Self::Crash => "crash",
        }
    }

    /// What a run's exit code means; none = it ended by a signal.
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

/// Why something is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Whether the tester catches its defects tonight.
    SelfTest,
    /// A plan that failed in an earlier night.
    EarlierFailure,
    /// A cell of the matrix.
    Matrix,
}

impl Kind {
    /// Every kind, in the order of a night.
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

/// What was measured of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// Operations of all outcomes.
    pub operations: u64,
    /// Operations that succeeded beside the faults, a second: without loading and counting.
    pub ok_per_second: f64,
    /// The longest time without a success that touches a fault, milliseconds.
    pub longest_gap_ms: f64,
    /// How long `check` takes to judge the history again, as a process of its own, milliseconds.
    pub check_ms: f64,
}

/// One run and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Its name, which is also its folder's.
    pub label: String,
    /// Why it was run.
    pub kind: Kind,
    /// What repeats it.
    pub command: String,
    /// Its seed, if it has one of its own.
    pub seed: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The process' exit code; null = it ended by a signal.
    pub exit_code: Option<i32>,
    /// What makes it worse than valid, in sentences.
    pub reasons: Vec<String>,
    /// How long it took, seconds.
    pub seconds: f64,
    /// What was measured, if there is a verdict.
    pub measured: Option<Measured>,
    /// Its run directory, below the night's.
    pub run: Option<String>,
    /// The archive of what is needed to look into it, below the night's directory.
    pub archive: Option<String>,
}

impl Row {
    /// The first reason, for a line.
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
