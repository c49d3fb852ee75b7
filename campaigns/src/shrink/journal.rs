//! The journal of a shrinking: the tried plans and their results, so that an interrupted shrinking
//! can continue.
//!
//! The file `journal.jsonl`, format version 2: a header line, an object with `format` ("jepsen-tikv
//! shrink journal"), `version`, `tool-version`, `plan-hash` (of the plan that is shrunk),
//! `attempts-per-step` and `wanted` (the anomalies of which every kept step must show a part). Then
//! a line for each step: `number`, `purpose`, `plan-hash`, `attempts` made, `failed` of them, the
//! `seed` of one that failed, and the plan `in-words`. Purposes are `step` (is this smaller plan
//! kept?) and `rate` (how often does a kept one fail?). A rate outranks the step of the same plan,
//! which may have failed by luck. A plan in the journal is not tried again: equal answers lead to
//! equal steps. A torn last line is cut off.

use failure::{Exit, Failure};
use judge::anomalies::Anomalies;
use run_directory::plain_file::{self, JOURNAL_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

const FORMAT: &str = "jepsen-tikv shrink journal";
const VERSION: u32 = 2;

/// The header: the plan that is shrunk, and the options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Head {
    format: String,
    version: u32,
    tool_version: String,
    /// The hash of the plan that is shrunk.
    pub plan_hash: String,
    /// The number of attempts before a plan counts as one that does not fail.
    pub attempts_per_step: u32,
    /// The anomalies of the plan's run.
    pub wanted: Anomalies,
}

/// The fields that every version of the format has.
#[derive(Debug, Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

/// The purpose of trying a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To decide if the plan is kept.
    Step,
    /// To measure how often it fails.
    Rate,
}

/// One plan that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// The step's number, from 1.
    pub number: u64,
    /// The purpose.
    pub purpose: Purpose,
    /// The plan's hash.
    pub plan_hash: String,
    /// The number of attempts.
    pub attempts: u32,
    /// The number of attempts that failed as wanted.
    pub failed: u32,
    /// The seed of a failed attempt.
    pub seed: Option<u64>,
    /// The plan's size.
    pub in_words: String,
}

/// The steps so far, written to disk as they are made.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    head: Head,
    steps: Steps,
}

type Steps = BTreeMap<(String, Purpose), Step>;

impl Head {
    /// The header of a new shrinking.
    pub fn new(plan_hash: String, attempts_per_step: u32, wanted: Anomalies) -> Self {
        let tool_version = env!("CARGO_PKG_VERSION").into();
        let (format, version) = (FORMAT.into(), VERSION);
        Self { format, version, tool_version, plan_hash, attempts_per_step, wanted }
    }

    /// Checks that the journal is about this plan, with the same number of attempts; the error says
    /// what it is about.
    fn is_of(&self, plan_hash: &str, attempts_per_step: u32) -> Result<(), String> {
        if self.plan_hash != plan_hash {
            return Err("is about another plan".into());
        }
        if self.attempts_per_step != attempts_per_step {
            return Err(format!("made {} attempts a step", self.attempts_per_step));
        }
        Ok(())
    }
}

impl Journal {
    /// Creates a journal, or opens an existing one, which must be about the same plan with the same
    /// number of attempts. `begin` finds the wanted anomalies for a new journal.
    pub fn open(
        path: &Path,
        plan_hash: &str,
        attempts_per_step: u32,
        begin: impl FnOnce() -> Result<Anomalies, Failure>,
    ) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::target_or_disk(format!("cannot write {}: {error}", path.display()))
        };
        let (head, steps) = if let Some((head, steps, whole)) = read(path)? {
            head.is_of(plan_hash, attempts_per_step).map_err(|reason| {
                Failure::usage(format!(
                    "the journal {} {reason}: move its folder away to begin anew",
                    path.display()
                ))
            })?;
            let file =
                plain_file::open_with(path, OpenOptions::new().write(true)).map_err(cannot)?;
            file.set_len(whole).map_err(cannot)?;
            (head, steps)
        } else {
            let head = Head::new(plan_hash.to_owned(), attempts_per_step, begin()?);
            let line = serde_json::to_string(&head).map_err(Failure::software)? + "\n";
            plain_file::write(path, line.as_bytes()).map_err(cannot)?;
            (head, BTreeMap::new())
        };
        let file = plain_file::open_with(path, OpenOptions::new().append(true)).map_err(cannot)?;
        Ok(Self { path: path.to_owned(), file, head, steps })
    }

    /// Returns the anomalies of which every kept step must show a part.
    pub fn wanted(&self) -> &Anomalies {
        &self.head.wanted
    }

    /// Returns the number of attempts for a plan.
    pub fn attempts_per_step(&self) -> u32 {
        self.head.attempts_per_step
    }

    /// Returns the number of steps.
    pub fn len(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Returns the result of trying a plan for this purpose.
    pub fn tried(&self, plan_hash: &str, purpose: Purpose) -> Option<&Step> {
        self.steps.get(&(plan_hash.to_owned(), purpose))
    }

    /// Returns the result of a plan that was already tried: its rate, if that was measured.
    pub fn answer(&self, plan_hash: &str) -> Option<&Step> {
        let rate = self.tried(plan_hash, Purpose::Rate);
        rate.or_else(|| self.tried(plan_hash, Purpose::Step))
    }

    /// Returns the failures and attempts of the plan that is shrunk; `None` in virtual time.
    pub fn reference(&self) -> Option<(u32, u32)> {
        let whole = self.tried(&self.head.plan_hash, Purpose::Step)?;
        Some((whole.failed, whole.attempts))
    }

    /// Appends a step.
    pub fn note(&mut self, step: Step) -> Result<(), Failure> {
        let line = serde_json::to_string(&step).map_err(Failure::software)? + "\n";
        self.file.write_all(line.as_bytes()).map_err(|error| {
            Failure::target_or_disk(format!("cannot write {}: {error}", self.path.display()))
        })?;
        self.steps.insert((step.plan_hash.clone(), step.purpose), step);
        Ok(())
    }
}

type Contents = (Head, Steps, u64);

/// Reads a journal's contents and the number of bytes in whole lines; `None` if there is no file or
/// no header.
fn read(path: &Path) -> Result<Option<Contents>, Failure> {
    let text = match plain_file::read_to_string(path, JOURNAL_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let sentence = format!("cannot read {}: {error}", path.display());
            return Err(Failure::new(Exit::NoInput, sentence));
        }
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].lines();
    let Some(head) = lines.next() else { return Ok(None) };
    let malformed = |reason: String| {
        let sentence = format!("{}: {reason}; move its folder away to begin anew", path.display());
        Failure::new(Exit::Malformed, sentence)
    };
    let no_journal = |error| malformed(format!("this is no journal of a shrinking: {error}"));
    let kind: Kind = serde_json::from_str(head).map_err(no_journal)?;
    if kind.format != FORMAT || kind.version != VERSION {
        return Err(malformed(format!(
            "this is {:?} version {}, and this program goes on with version {VERSION} of {FORMAT:?} only",
            kind.format, kind.version
        )));
    }
    let head: Head = serde_json::from_str(head).map_err(no_journal)?;
    let mut steps = BTreeMap::new();
    for (number, line) in lines.enumerate() {
        let step: Step = serde_json::from_str(line)
            .map_err(|error| malformed(format!("line {}: {error}", number + 2)))?;
        steps.insert((step.plan_hash.clone(), step.purpose), step);
    }
    Ok(Some((head, steps, whole as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: u64, plan_hash: &str, seed: Option<u64>) -> Step {
        let plan_hash = plan_hash.to_owned();
        let failed = u32::from(seed.is_some());
        let (purpose, in_words) = (Purpose::Step, "small".into());
        Step { number, purpose, plan_hash, attempts: 3, failed, seed, in_words }
    }

    fn open(path: &Path) -> Result<Journal, Failure> {
        Journal::open(path, "aa", 3, || Ok(Anomalies::default()))
    }

    #[test]
    fn what_was_tried_is_known_again_and_a_torn_line_is_cut_off() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal.jsonl");
        let mut journal = open(&path).expect("begun");
        journal.note(step(1, "b", Some(7))).expect("noted");
        journal.note(step(2, "c", None)).expect("noted");
        drop(journal);
        let torn = std::fs::read_to_string(&path).expect("there") + "{\"number\":3,\"pl";
        std::fs::write(&path, torn).expect("written");
        let mut journal = open(&path).expect("goes on");
        assert_eq!(journal.len(), 2);
        assert_eq!(journal.answer("b"), Some(&step(1, "b", Some(7))));
        assert!(journal.answer("d").is_none());
        journal.note(step(3, "d", None)).expect("noted");
        assert_eq!(open(&path).expect("whole").len(), 3);
        // The rate of a kept plan outranks its one failure.
        let rate = Step { purpose: Purpose::Rate, failed: 0, ..step(4, "b", None) };
        journal.note(rate.clone()).expect("noted");
        assert_eq!(open(&path).expect("whole").answer("b"), Some(&rate));
    }

    #[test]
    fn a_journal_of_something_else_is_refused_and_not_overwritten() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal.jsonl");
        open(&path).expect("begun");
        let other = Journal::open(&path, "zz", 3, || panic!("it is there")).expect_err("refused");
        assert!(other.sentence.contains("another plan"), "{other}");
        let other = Journal::open(&path, "aa", 4, || panic!("it is there")).expect_err("refused");
        assert!(other.sentence.contains("3 attempts a step"), "{other}");
        for text in ["{}\n", "{\"format\":\"jepsen-tikv shrink journal\",\"version\":1}\n", "x\n"] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(open(&path).expect_err("refused").exit, Exit::Malformed);
            assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
        }
    }
}
