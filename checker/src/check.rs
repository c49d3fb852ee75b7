//! Judges a whole history: every key, every scan, and merges what it finds.
//!
//! In: a [`History`] and [`Options`]. Out: a [`Verdict`]. Keys are independent, so they are judged in parallel on
//! rayon's current pool; the order of the result is that of the keys.

use histories::{Key, jsonl::Text};
use rayon::prelude::*;

use crate::counterexample;
use crate::engine::{self, Decision, Judgement};
use crate::findings::{self, Finding};
use crate::history::{History, KeyHistory};
use crate::key_count::key_counts;
use crate::options::Options;
use crate::verdict::{Contradiction, KeyCount, KeyVerdict, Validity, Verdict};

/// Judges a history.
pub fn check(history: &History, options: &Options) -> Verdict {
    let keys: Vec<KeyVerdict> =
        history.keys.par_iter().map(|key| judge_key(history, key, options)).collect();
    let findings = history.keys.par_iter().zip(&keys).flat_map_iter(|(key, verdict)| {
        let is_invalid = verdict.validity == Validity::Invalid;
        if is_invalid { findings::findings(history, key) } else { Vec::new() }
    });
    let findings = findings.collect();
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

/// What has to be read again, and kept whole this time, before the verdict on a settled history can be said in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadAgain {
    /// These keys: they are invalid, and what would explain it may be forgotten.
    Keys(Vec<Key>),
    /// Everything, without settling: an event was recorded too late for it.
    Everything,
}

impl History {
    /// What has to be read again; nothing if the verdict stands as it is.
    pub fn read_again(&self, verdict: &Verdict) -> Option<ReadAgain> {
        if self.is_late {
            return Some(ReadAgain::Everything);
        }
        let keys = self.keys.iter().zip(&verdict.keys);
        let again = keys.filter(|(key, verdict)| {
            let is_partial = key.settled.altered || self.ranges_until > 0;
            verdict.validity == Validity::Invalid && is_partial
        });
        let again: Vec<Key> = again.map(|(key, _)| key.key.clone()).collect();
        (!again.is_empty()).then_some(ReadAgain::Keys(again))
    }
}

impl Verdict {
    /// The same, with what a second reading said of some of its keys.
    #[must_use]
    pub fn with_keys_of(mut self, again: Self) -> Self {
        let is_again = |finding: &Finding| again.keys.iter().any(|key| key.key == finding.key);
        self.findings.retain(|finding| !is_again(finding));
        self.findings.extend(again.findings);
        // Those of a key stay in their order, the keys are in that of their bytes.
        self.findings.sort_by(|a, b| a.key.0.cmp(&b.key.0));
        for key in again.keys {
            if let Ok(place) = self.keys.binary_search_by(|other| other.key.0.cmp(&key.key.0)) {
                self.keys[place] = key;
            }
        }
        self.concluded()
    }

    /// With the validity and the reasons that follow from its parts.
    fn concluded(mut self) -> Self {
        let mut reasons = Vec::new();
        for wanted in [Validity::Invalid, Validity::Unknown] {
            let keys = self.keys.iter().filter(|key| key.validity == wanted);
            reasons.extend(keys.map(|key| {
                format!("key {}: {}", key.key, key.reason.as_deref().unwrap_or("no reason given"))
            }));
            if wanted == Validity::Invalid {
                reasons.extend(self.contradictions.iter().map(Contradiction::reason));
                reasons.extend(self.key_counts.iter().filter_map(KeyCount::reason));
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

fn judge_key(history: &History, key: &KeyHistory, options: &Options) -> KeyVerdict {
    let Judgement { decision, decided_by, explored, searched } =
        engine::judge(&key.calls, options.engine, &options.budget);
    let (validity, reason, counterexample) = match decision {
        Decision::Linearizable => (Validity::Valid, None, None),
        Decision::NotLinearizable => {
            let found = counterexample::find(history, key, &options.budget, explored);
            (Validity::Invalid, Some(found.sentence.clone()), Some(found))
        }
        Decision::Unknown(reason) => (Validity::Unknown, Some(reason), None),
    };
    KeyVerdict {
        key: Text(key.key.clone()),
        validity,
        decided_by,
        explored: explored + key.settled.calls,
        calls: key.calls.len() as u64 + key.settled.calls,
        searched,
        reason,
        counterexample,
    }
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
