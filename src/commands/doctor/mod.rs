//! `doctor`: whether this machine can run tests, and what of it limits what.
//!
//! In: the machine. Out: a table of findings, or JSON, and an exit code: 74 if something is missing that every run needs,
//! otherwise 0. What it starts (a process to signal, a file to sync) it ends and removes. A limit is not an error: it says
//! which runs suffer, and how.

mod disk;
mod limits;
mod processes;
mod programs;

use crate::cli::DoctorArgs;
use failure::{Exit, Failure};
use serde::Serialize;

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// As it should be.
    Good,
    /// Some runs suffer, or cannot be made.
    Limits,
    /// No run can be made.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// How good it is.
    pub health: Health,
    /// What was seen, and what it limits.
    pub said: String,
}

impl Finding {
    /// As it should be.
    pub fn good(what: &'static str, said: impl Into<String>) -> Self {
        Self { what, health: Health::Good, said: said.into() }
    }

    /// Some runs suffer.
    pub fn limits(what: &'static str, said: impl Into<String>) -> Self {
        Self { what, health: Health::Limits, said: said.into() }
    }

    /// No run can be made.
    pub fn bad(what: &'static str, said: impl Into<String>) -> Self {
        Self { what, health: Health::Bad, said: said.into() }
    }
}

/// Looks at everything and says what it found.
pub fn command(args: &DoctorArgs) -> Result<Exit, Failure> {
    let looks: [fn(&DoctorArgs) -> Vec<Finding>; 4] = [
        |_| limits::look(),
        |args| disk::look(&args.runs_dir),
        |_| processes::look(),
        |_| programs::look(),
    ];
    let findings: Vec<Finding> = looks.iter().flat_map(|look| look(args)).collect();
    if args.json {
        let json = serde_json::to_string_pretty(&findings).map_err(Failure::software)?;
        terminal::data(json);
    } else {
        lines(&findings).iter().for_each(terminal::result);
    }
    match findings.iter().find(|finding| finding.health == Health::Bad) {
        Some(bad) => Err(Failure::target_or_disk(format!(
            "no run can be made here: {}: {}",
            bad.what, bad.said
        ))),
        None => Ok(Exit::Valid),
    }
}

fn lines(findings: &[Finding]) -> Vec<String> {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
    let line = |finding: &Finding| {
        let word = match finding.health {
            Health::Good => "good",
            Health::Limits => "LIMITS",
            Health::Bad => "BAD",
        };
        format!("{:width$}  {word:6}  {}", finding.what, finding.said)
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_run_the_tests_that_it_is_running() {
        let runs = tempfile::tempdir().expect("a directory");
        let args = DoctorArgs { runs_dir: runs.path().join("runs"), json: false };
        assert_eq!(command(&args).expect("nothing is missing"), Exit::Valid);
        let left = std::fs::read_dir(runs.path()).expect("there").count();
        assert_eq!(left, 0, "what was made is removed");
    }
}
