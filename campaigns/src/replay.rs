//! `replay`: executes a plan again, once or many times, and measures how often it fails.
//!
//! In: a run directory or a plan. Out: once, a run like any other; many times, a line for each and
//! the rate, compared with the anomalies of the original run if there is one. Real processes repeat
//! the schedule, not the interleaving, so only a rate can be given. In virtual time the plan
//! decides everything, and the histories are compared byte for byte.

use crate::attempts::{Attempt, Attempts};
use checker::Validity;
use failure::{Exit, Failure};
use judge::anomalies::Anomalies;
use plan::{Plan, config::TargetConfig};
use run::interrupt;
use run_directory::{RunDirectory, shown};
use std::{collections::BTreeSet, fmt::Write as _, io::BufRead, path::Path};
use targets::{consent, heal};

/// Executes a plan several times, and reports how many runs failed. `from` is the run or the plan
/// that is repeated.
pub fn many(plan: &Plan, from: &Path, times: u32, runs_dir: &Path) -> Result<Exit, Failure> {
    consent::ask(plan)?;
    heal::before_a_run()?;
    let virtual_time = plan.config.target == TargetConfig::Simulated;
    terminal::result(format_args!(
        "{times} times; target: {}; {}",
        plan.config.target.described(),
        if virtual_time {
            "in virtual time the plan decides everything"
        } else {
            "real processes repeat the schedule, not the interleaving"
        }
    ));
    let attempts = Attempts::new()?;
    let mut rate = Rate::default();
    for number in 1..=times {
        let attempt = attempts.make(plan, runs_dir)?;
        if attempts.are_interrupted() && attempt.validity() != Validity::Invalid {
            break;
        }
        terminal::result(format_args!(
            "{number:>4}: {} ({})",
            attempt.in_words(),
            shown(&attempt.run)
        ));
        rate.count(&attempt, virtual_time)?;
    }
    let original = shown_by(from);
    for line in rate.in_words(original.as_ref()) {
        terminal::result(line);
    }
    if attempts.are_interrupted() {
        let said = rate.interrupted(times);
        if rate.failed.is_empty() {
            return Err(Failure::new(Exit::Interrupted, said));
        }
        terminal::note(said);
    }
    Ok(rate.exit())
}

/// Returns the anomalies of a run directory whose run was judged invalid.
pub fn shown_by(run: &Path) -> Option<Anomalies> {
    let judgement = judge::read_verdict(&RunDirectory::at(run.to_owned()))?;
    Some(Anomalies::of(&judgement)).filter(|anomalies| !anomalies.classes.is_empty())
}

/// The rate and the kinds of a plan's failures.
#[derive(Debug, Default)]
pub struct Rate {
    valid: u32,
    unknown: u32,
    failed: Vec<Anomalies>,
    /// Hashes of the histories, in virtual time, where they must be equal.
    histories: BTreeSet<u32>,
}

/// Returns a hash of a history's events.
fn hash(history: &Path) -> std::io::Result<u32> {
    let mut text = histories::jsonl::text(history)?;
    let mut hasher = crc32fast::Hasher::new();
    loop {
        let bytes = text.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hasher.finalize());
        }
        hasher.update(bytes);
        let length = bytes.len();
        text.consume(length);
    }
}

impl Rate {
    /// Counts one more attempt.
    pub fn count(&mut self, attempt: &Attempt, compare: bool) -> Result<(), Failure> {
        match attempt.validity() {
            Validity::Valid => self.valid += 1,
            Validity::Unknown => self.unknown += 1,
            Validity::Invalid => self.failed.push(attempt.anomalies()),
        }
        if compare {
            let hash = hash(&attempt.run.history()).map_err(Failure::software)?;
            self.histories.insert(hash);
        }
        Ok(())
    }

    fn interrupted(&self, times: u32) -> String {
        let [valid, unknown, failed] =
            [self.valid, self.unknown, self.failed.len() as u32].map(u64::from);
        let outcomes = [(valid, "valid"), (unknown, "unknown"), (failed, "failed")];
        interrupt::said(valid + unknown + failed, Some(times.into()), "times", &outcomes)
    }

    /// Returns invalid if any attempt failed; otherwise valid if any was valid.
    pub fn exit(&self) -> Exit {
        match (self.failed.is_empty(), self.valid) {
            (false, _) => Exit::Invalid,
            (true, 0) => Exit::Unknown,
            (true, _) => Exit::Valid,
        }
    }

    /// Returns lines with the rate, a comparison of the failures with each other, and one with the
    /// original run.
    pub fn in_words(&self, original: Option<&Anomalies>) -> Vec<String> {
        let all = self.valid + self.unknown + self.failed.len() as u32;
        let mut said = format!("failed {} of {all}", self.failed.len());
        if self.unknown > 0 {
            let _ = write!(said, " ({} unknown)", self.unknown);
        }
        said += &self.alike();
        if let Some(original) = original
            && !self.failed.is_empty()
        {
            let is_alike = |failed: &&Anomalies| {
                failed.share_a_class(original) && failed.share_a_key_kind(original)
            };
            let alike = self.failed.iter().filter(is_alike).count();
            let _ = write!(said, "; {alike} of {} as the run itself", self.failed.len());
        }
        let mut lines = vec![said];
        if self.histories.len() == 1 && all > 1 {
            lines.push("every history is the same, byte for byte".into());
        } else if self.histories.len() > 1 {
            lines.push(format!(
                "{} different histories of one plan: this is a bug of the simulation",
                self.histories.len()
            ));
        }
        lines
    }

    /// Returns a sentence about what the failures have in common.
    fn alike(&self) -> String {
        let Some((first, others)) = self.failed.split_first() else { return String::new() };
        let (mut classes, mut keys) = (first.classes.clone(), first.keys.clone());
        let mut names = first.names.clone();
        for other in others {
            classes.retain(|class| other.classes.contains(class));
            keys.retain(|kind| other.keys.contains(kind));
            names.extend(other.names.iter().cloned());
        }
        let class: Vec<&str> = classes.iter().map(|class| class.in_words()).collect();
        let class = match class.as_slice() {
            [] => "not the same anomaly class".to_owned(),
            classes => format!("same anomaly class ({})", classes.join(", ")),
        };
        let key = if keys.is_empty() { "not the same key kind" } else { "same key kind" };
        let names: Vec<String> = names.into_iter().collect();
        format!(", {key}, {class}: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::anomalies::AnomalyClass;

    fn anomalies(class: AnomalyClass, name: &str) -> Anomalies {
        Anomalies {
            classes: [class].into(),
            names: [name.to_owned()].into(),
            ..Anomalies::default()
        }
    }

    #[test]
    fn the_rate_says_whether_failures_are_alike_and_like_the_run() {
        let stale = anomalies(AnomalyClass::OldValue, "stale read");
        let lost = anomalies(AnomalyClass::OldValue, "lost write");
        let missing = anomalies(AnomalyClass::MissingKey, "missing key");
        let mut rate = Rate { valid: 6, failed: vec![stale.clone(), lost], ..Rate::default() };
        let said = rate.in_words(Some(&stale)).join("\n");
        assert!(said.starts_with("failed 2 of 8, "), "{said}");
        assert!(said.contains("same anomaly class (old value): lost write, stale read"), "{said}");
        assert!(said.ends_with("; 2 of 2 as the run itself"), "{said}");
        rate.failed.push(missing);
        let said = rate.in_words(Some(&stale)).join("\n");
        assert!(said.contains("not the same anomaly class"), "{said}");
        assert!(said.ends_with("2 of 3 as the run itself"), "{said}");
        assert_eq!(rate.exit(), Exit::Invalid);
        assert_eq!(Rate { unknown: 3, ..Rate::default() }.exit(), Exit::Unknown);
        assert_eq!(Rate { valid: 1, unknown: 3, ..Rate::default() }.exit(), Exit::Valid);
    }
}
