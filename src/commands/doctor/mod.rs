//! `doctor`: checks that this machine can run tests, and finds what limits them.
//!
//! In: the machine. Out: a table of findings, or JSON, and an exit code: 74 if something is missing
//! that every run needs, otherwise 0. Everything it starts (a process to signal, a file to sync) it
//! ends and removes. A limit is not an error: the finding says which runs suffer, and how.

mod disk;
mod limits;
mod processes;
mod programs;

use crate::cli::DoctorArgs;
use failure::{Exit, Failure};
use serde::Serialize;

/// The grade of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing is wrong.
    Good,
    /// Some runs suffer, or are impossible.
    Limits,
    /// No run is possible.
    Bad,
}

/// The result of one examination.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The name of the thing examined.
    pub what: &'static str,
    /// The grade.
    pub health: Health,
    /// The observation, and the runs that it limits.
    pub said: String,
}

impl Finding {
    /// A finding without trouble.
    pub fn good(what: &'static str, said: impl Into<String>) -> Self {
        Self { what, health: Health::Good, said: said.into() }
    }

    /// A finding that makes some runs suffer.
    pub fn limits(what: &'static str, said: impl Into<String>) -> Self {
        Self { what, health: Health::Limits, said: said.into() }
    }

    /// A finding that makes every run impossible.
    pub fn bad(what: &'static str, said: impl Into<String>) -> Self {
        Self { what, health: Health::Bad, said: said.into() }
    }
}

/// Examines everything and prints the findings.
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
