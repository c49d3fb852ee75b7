//! One run of the self-test: `jepsen-tikv test` as a process of its own, and its verdict.
//!
//! In: a plan, a defect or none, a seed. Out: the judgement in the run's verdict.json, or the last
//! line of output of a run without one.

use super::trials::Plan;
use crate::attempts::children::{Children, last_words};
use checker::{Validity, Verdict};
use cluster::defects::Defect;
use failure::Failure;
use histories::jsonl::Text;
use judge::FaultJudged;
use run::interrupt::Interrupt;
use run_directory::{
    RunDirectory,
    plain_file::{self, VERDICT_BYTES_MAX},
};
use serde::Deserialize;
use std::{path::PathBuf, time::Duration};

/// The longest run; a longer one is asked to end, and its judgement so far counts.
const RUN_MAX: Duration = Duration::from_mins(4);

/// A run to make.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The name of its folder.
    pub label: String,
    /// The workload and the faults.
    pub plan: Plan,
    /// The cluster's defect; `None` = a correct cluster.
    pub defect: Option<Defect>,
    /// The seed.
    pub seed: u64,
}

/// The result of an attempt.
#[derive(Debug)]
pub struct Judged {
    /// The judgement; `None` if the run failed before.
    pub judgement: Option<Judgement>,
    /// The last line of its output.
    pub last_words: String,
}

/// The part of verdict.json that the self-test needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judgement {
    /// The verdict of the whole run.
    pub validity: Validity,
    /// The reasons why it is worse than valid.
    pub reasons: Vec<String>,
    /// The faults.
    pub faults: Vec<FaultJudged>,
    /// The keys at which the workload's regions were split before the faults began.
    #[serde(default)]
    pub split_at: Vec<Text>,
    /// The checker's verdict.
    pub checked: Verdict,
}

#[cfg(test)]
impl Judged {
    /// A judgement, for tests.
    pub fn of(validity: Validity, faults: Vec<FaultJudged>, checked: Verdict) -> Self {
        let (reasons, split_at) = (vec!["a reason".into()], Vec::new());
        let judgement = Judgement { validity, reasons, faults, split_at, checked };
        Self { judgement: Some(judgement), last_words: String::new() }
    }
}

impl Attempt {
    /// Returns the arguments that a user would type.
    pub fn arguments(&self) -> Vec<String> {
        let flags = self.plan.flags.split(' ').map(str::to_owned);
        let mut arguments: Vec<String> = std::iter::once("test".to_owned()).chain(flags).collect();
        arguments.push(format!("--seed={}", self.seed));
        arguments.extend(self.defect.map(|defect| format!("--defect={}", defect.name())));
        arguments
    }
}

/// Runs attempts.
#[derive(Debug)]
pub struct Runner {
    children: Children,
    dir: PathBuf,
}

impl Runner {
    /// Runs go into folders of `dir`.
    pub fn new(dir: PathBuf, interrupt: Interrupt) -> Result<Self, Failure> {
        Ok(Self { children: Children::new(interrupt)?, dir })
    }

    /// Runs an attempt. `None` if an interrupt asked for an early end.
    pub fn run(&self, attempt: &Attempt) -> Result<Option<Judged>, Failure> {
        let dir = self.dir.join(&attempt.label);
        std::fs::create_dir_all(&dir).map_err(|error| {
            Failure::target_or_disk(format!("cannot make {}: {error}", dir.display()))
        })?;
        // The link of an earlier self-test must not be taken for this one's.
        let _ = std::fs::remove_file(dir.join("latest"));
        let output = dir.join("output.txt");
        let mut arguments = attempt.arguments();
        arguments.push(format!("--runs-dir={}", dir.display()));
        // Some evidence depends on the list of existing keys.
        arguments.push("--per-key".into());
        if self.children.run(&arguments, &output, RUN_MAX)?.is_none() {
            return Ok(None);
        }
        let run = RunDirectory::at(dir.join("latest"));
        let judgement = plain_file::json(&run.verdict(), VERDICT_BYTES_MAX).ok();
        Ok(Some(Judged { judgement, last_words: last_words(&output) }))
    }
}
