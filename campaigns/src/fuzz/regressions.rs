//! The seeds that failed once, which the next fuzzing tries first.
//!
//! The file `fuzz-regressions.jsonl` in the runs directory, format version 2: a header line
//! `{"format":"jepsen-tikv fuzz regressions","version":2}`, then a line for each failure:
//! `{"seed":…,"generator":…,"space":{…}}`: the plan's seed, the version of the generator, and the
//! space that the plan was drawn from. A line is appended when a run fails; none is ever removed. A
//! file of another version is refused, not overwritten. Seeds of another generator would give other
//! plans, so they are kept but not tried, and a note says so.

use super::{generate::GENERATOR, space::Space};
use failure::{Exit, Failure};
use plan::config::TargetConfig;
use run_directory::plain_file::{self, SMALL_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

const FILE: &str = "fuzz-regressions.jsonl";
const HEADER: &str = r#"{"format":"jepsen-tikv fuzz regressions","version":2}"#;

/// The failures of earlier fuzzings.
#[derive(Debug)]
pub struct Regressions {
    path: PathBuf,
    /// True if the header has not been written yet.
    is_new: bool,
    failures: Vec<Failed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Failed {
    seed: u64,
    generator: u32,
    space: Space,
}

impl Regressions {
    /// Reads the file; a missing file counts as empty.
    pub fn open(runs_dir: &Path) -> Result<Self, Failure> {
        let path = runs_dir.join(FILE);
        let text = match plain_file::read_to_string(&path, SMALL_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let sentence = format!("cannot read {}: {error}", path.display());
                return Err(Failure::new(Exit::NoInput, sentence));
            }
        };
        let malformed = |reason: &str| {
            let sentence = format!("{}: {reason}; move it away to begin anew", path.display());
            Failure::new(Exit::Malformed, sentence)
        };
        let is_new = text.is_empty();
        let mut lines = text.lines();
        if lines.next().is_some_and(|header| header != HEADER) {
            return Err(malformed("these are not regressions of this version"));
        }
        let read = |(number, line): (usize, &str)| {
            let reason = |error| malformed(&format!("line {}: {error}", number + 2));
            serde_json::from_str(line).map_err(reason)
        };
        let failures = lines.enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { path, is_new, failures })
    }

    /// Returns the seeds that failed in this space.
    pub fn seeds(&self, space: &Space) -> Vec<u64> {
        let space = &remembered(space);
        let same = |it: &&Failed| it.space == *space && it.generator == GENERATOR;
        self.failures.iter().filter(same).map(|failed| failed.seed).collect()
    }

    /// Returns a sentence about the seeds that are left out, if there are any.
    pub fn note(&self, space: &Space) -> Option<String> {
        let space = &remembered(space);
        let other = |it: &&Failed| it.space == *space && it.generator != GENERATOR;
        let others: Vec<u32> =
            self.failures.iter().filter(other).map(|failed| failed.generator).collect();
        let generators: BTreeSet<String> = others.iter().map(ToString::to_string).collect();
        (!others.is_empty()).then(|| {
            format!(
                "{} regressions are of the generator of another version ({}, this is {GENERATOR}) and would be other plans: \
                 not tried; they stay in {}",
                others.len(),
                Vec::from_iter(generators).join(", "),
                self.path.display()
            )
        })
    }

    /// Appends a seed that failed, unless it is already there.
    pub fn add(&mut self, seed: u64, space: &Space) -> Result<(), Failure> {
        let failed = Failed { seed, generator: GENERATOR, space: remembered(space) };
        if self.failures.contains(&failed) {
            return Ok(());
        }
        let cannot = |error: std::io::Error| {
            Failure::target_or_disk(format!("cannot write {}: {error}", self.path.display()))
        };
        let mut text = serde_json::to_string(&failed).map_err(Failure::software)? + "\n";
        if self.is_new {
            text = format!("{HEADER}\n{text}");
        }
        let mut options = OpenOptions::new();
        let mut file =
            plain_file::open_with(&self.path, options.create(true).append(true)).map_err(cannot)?;
        file.write_all(text.as_bytes()).map_err(cannot)?;
        self.is_new = false;
        self.failures.push(failed);
        Ok(())
    }
}

/// Returns a space as the file stores it: the permission for faults is not stored.
fn remembered(space: &Space) -> Space {
    let mut space = space.clone();
    if let TargetConfig::Attach(attach) = &mut space.target {
        attach.allow_faults = false;
    }
    space
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::Profile;

    fn space(defects: &[&str]) -> Space {
        let defects = defects.iter().map(|it| (*it).to_owned()).collect();
        let (target, prefix, read) = (TargetConfig::Simulated, String::new(), None);
        Space { target, prefix, defects, read, profile: Profile::default() }
    }

    #[test]
    fn a_failure_is_remembered_for_its_space_and_another_version_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut regressions = Regressions::open(directory.path()).expect("none yet");
        for seed in [3, 5, 3] {
            regressions.add(seed, &space(&["stale-read"])).expect("noted");
        }
        let again = Regressions::open(directory.path()).expect("readable");
        assert_eq!(again.seeds(&space(&["stale-read"])), [3, 5]);
        assert!(again.seeds(&space(&[])).is_empty());
        assert!(again.note(&space(&["stale-read"])).is_none());

        let path = directory.path().join(FILE);
        let text = std::fs::read_to_string(&path).expect("there");
        let current = format!("\"generator\":{GENERATOR}");
        std::fs::write(&path, text.replacen(&current, "\"generator\":0", 1)).expect("written");
        let mixed = Regressions::open(directory.path()).expect("readable");
        assert_eq!(mixed.seeds(&space(&["stale-read"])), [5]);
        assert!(mixed.note(&space(&["stale-read"])).expect("said").starts_with("1 regressions"));

        for text in ["{\"version\":3}\n", &format!("{HEADER}\n{{\"seed\":1}}\n")] {
            std::fs::write(&path, text).expect("written");
            let refused = Regressions::open(directory.path()).expect_err("refused");
            assert_eq!(refused.exit, Exit::Malformed);
            assert_eq!(std::fs::read_to_string(&path).expect("still there"), text);
        }
    }
}
