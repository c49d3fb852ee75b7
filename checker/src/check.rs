//! Judges a whole history: every key, every scan, and merges what it finds.
//!
//! In: a [`History`] and [`Options`]. Out: a [`Verdict`]. Keys are independent, so they are judged
//! in parallel on rayon's current pool; the order of the result is that of the keys.

use histories::{Key, jsonl::Text};
use rayon::prelude::*;

use crate::counterexample;
use crate::engine::{self, Decision, Judgement};
use crate::findings;
use crate::history::{History, KeyHistory};
use crate::key_count::key_counts;
use crate::options::Options;
use crate::verdict::{Contradiction, KeyCount, KeyVerdict, Validity, Verdict};

/// Judges a history.
pub fn check(history: &History, options: &Options) -> Verdict {
    let mut keys: Vec<KeyVerdict> =
        history.keys.par_iter().map(|key| judge_key(key, options)).collect();
    let invalid: Vec<(&KeyHistory, &mut KeyVerdict)> = history
        .keys
        .iter()
        .zip(&mut keys)
        .filter(|(_, verdict)| verdict.validity == Validity::Invalid)
        .take(options.named_max())
        .collect();
    let explained = invalid.into_par_iter().enumerate().flat_map_iter(|(place, (key, verdict))| {
        if place < options.counterexamples_max as usize {
            let found = counterexample::find(history, key, &options.budget, verdict.explored);
            verdict.reason = Some(found.sentence.clone());
            verdict.counterexample = Some(found);
        }
        findings::findings(history, key)
    });
    let findings = explained.collect();
    let counted = history.counted.iter().cloned().chain(key_counts(history));
    let verdict = Verdict {
        operations: history.operations,
        keys,
        findings,
        key_counts: counted.collect(),
        contradictions: history.contradictions.clone(),
        ..Verdict::default()
    };
    verdict.concluded()
}

/// What has to be read again, and kept whole this time, before the verdict on a settled history can
/// be said in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadAgain {
    /// These keys: they are invalid, and what would explain it may be forgotten.
    Keys(Vec<Key>),
    /// Everything, without settling: an event was recorded too late for it.
    Everything,
}

impl History {
    /// What has to be read again; nothing if the verdict stands as it is.
    pub fn read_again(&self, verdict: &Verdict, options: &Options) -> Option<ReadAgain> {
        if self.is_late {
            return Some(ReadAgain::Everything);
        }
        let keys = self.keys.iter().zip(&verdict.keys);
        let invalid = keys.filter(|(_, verdict)| verdict.validity == Validity::Invalid);
        let again = invalid
            .take(options.named_max())
            .filter(|(key, _)| key.settled.altered || self.ranges_until > 0);
        let again: Vec<Key> = again.map(|(key, _)| key.key.clone()).collect();
        (!again.is_empty()).then_some(ReadAgain::Keys(again))
    }
}

impl Verdict {
    /// Takes over what a second reading said of some of the keys.
    #[must_use]
    pub fn with_keys_of(mut self, again: Self, options: &Options) -> Self {
        let place = |key: &Text| again.keys.binary_search_by(|other| other.key.0.cmp(&key.0));
        self.findings.retain(|finding| place(&finding.key).is_err());
        self.findings.extend(again.findings);
        // Those of a key stay in their order, the keys are in that of their bytes.
        self.findings.sort_by(|a, b| a.key.0.cmp(&b.key.0));
        for key in again.keys {
            if let Ok(place) = self.keys.binary_search_by(|other| other.key.0.cmp(&key.key.0)) {
                self.keys[place] = key;
            }
        }
        // The second reading knew fewer invalid keys, so that others were among the first of them.
        let invalid = self.keys.iter_mut().filter(|key| key.validity == Validity::Invalid);
        for key in invalid.skip(options.counterexamples_max as usize) {
            key.counterexample = None;
            key.reason = Some(NOT_EXPLAINED.to_owned());
        }
        self.concluded()
    }

    /// Says how many invalid keys there are beside those with a counterexample, if there are any.
    pub fn more_invalid_keys(&self) -> Option<String> {
        let invalid = self.keys.iter().filter(|key| key.validity == Validity::Invalid);
        let (told, more): (Vec<_>, Vec<_>) = invalid.partition(|key| key.is_explained());
        let and = if told.is_empty() { "" } else { "and " };
        let more_word = if told.is_empty() { "" } else { "more " };
        let keys = if more.len() == 1 { "key" } else { "keys" };
        let count = grouped(more.len());
        (!more.is_empty()).then(|| format!("{and}{count} {more_word}invalid {keys}"))
    }

    /// With the validity and the reasons that follow from its parts.
    fn concluded(mut self) -> Self {
        // Keys that are missing or too many come first: of invalid keys there may be many.
        let mut reasons: Vec<String> =
            self.key_counts.iter().filter_map(KeyCount::reason).collect();
        for wanted in [Validity::Invalid, Validity::Unknown] {
            let keys = self.keys.iter().filter(|key| key.validity == wanted);
            let told = keys.filter(|key| wanted != Validity::Invalid || key.is_explained());
            reasons.extend(told.map(|key| {
                format!("key {}: {}", key.key, key.reason.as_deref().unwrap_or("no reason given"))
            }));
            if wanted == Validity::Invalid {
                reasons.extend(self.more_invalid_keys());
                reasons.extend(self.contradictions.iter().map(Contradiction::reason));
            }
        }
        let invalid_answers =
            !self.contradictions.is_empty() || self.key_counts.iter().any(KeyCount::is_wrong);
        self.validity = self
            .keys
            .iter()
            .map(|key| key.validity)
            .fold(Validity::Valid, Validity::merge)
            .merge(if invalid_answers { Validity::Invalid } else { Validity::Valid });
        self.explored = self.keys.iter().map(|key| key.explored).sum();
        self.reasons = reasons;
        self
    }
}

/// The reason of an invalid key without a counterexample.
const NOT_EXPLAINED: &str = "no order of its operations explains all their answers";

fn judge_key(key: &KeyHistory, options: &Options) -> KeyVerdict {
    let Judgement { decision, decided_by, explored, searched } =
        engine::judge(&key.calls, options.engine, &options.budget);
    let (validity, reason) = match decision {
        Decision::Linearizable => (Validity::Valid, None),
        Decision::NotLinearizable => (Validity::Invalid, Some(NOT_EXPLAINED.to_owned())),
        Decision::Unknown(reason) => (Validity::Unknown, Some(reason)),
    };
    KeyVerdict {
        key: Text(key.key.clone()),
        validity,
        decided_by,
        explored: explored + key.settled.calls,
        calls: key.calls.len() as u64 + key.settled.calls,
        searched,
        reason,
        counterexample: None,
    }
}

impl KeyVerdict {
    fn is_explained(&self) -> bool {
        self.counterexample.is_some()
    }
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

impl Contradiction {
    fn reason(&self) -> String {
        format!("event {} by client {}: {}", self.event, self.client, self.sentence)
    }
}

impl KeyCount {
    /// Whether a key is missing or unexpected.
    pub fn is_wrong(&self) -> bool {
        !self.missing.is_empty() || !self.unexpected.is_empty()
    }

    fn reason(&self) -> Option<String> {
        if !self.is_wrong() {
            return None;
        }
        let mut parts = Vec::new();
        for (names, word) in [(&self.missing, "missing"), (&self.unexpected, "unexpected")] {
            let shown: Vec<String> = names.iter().take(3).map(Text::to_string).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            if !names.is_empty() {
                parts.push(format!("{} {word} ({}{more})", names.len(), shown.join(", ")));
            }
        }
        Some(format!(
            "scan at event {}: {} keys, of which {} must be there and {} may be: {}",
            self.event,
            self.count,
            self.certainly_present,
            self.possibly_present,
            parts.join(", ")
        ))
    }
}
