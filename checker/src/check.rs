//! Judges a whole history: every key, every scan, and merges what it finds.
//!
//! In: a [`History`] and [`Options`]. Out: a [`Verdict`]. Keys are independent, so they are judged in parallel on
//! rayon's current pool; the order of the result is that of the keys.

use histories::jsonl::Text;
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
    let keys: Vec<KeyVerdict> =
        history.keys.par_iter().map(|key| judge_key(history, key, options)).collect();
    let findings = history.keys.par_iter().zip(&keys).flat_map_iter(|(key, verdict)| {
        let is_invalid = verdict.validity == Validity::Invalid;
        if is_invalid { findings::findings(history, key) } else { Vec::new() }
    });
    let findings = findings.collect();
    let key_counts = key_counts(history);
    let contradictions = history.contradictions.clone();

    let mut reasons = Vec::new();
    for wanted in [Validity::Invalid, Validity::Unknown] {
        let keys = keys.iter().filter(|key| key.validity == wanted);
        reasons.extend(keys.map(|key| {
            format!("key {}: {}", key.key, key.reason.as_deref().unwrap_or("no reason given"))
        }));
        if wanted == Validity::Invalid {
            reasons.extend(contradictions.iter().map(Contradiction::reason));
            reasons.extend(key_counts.iter().filter_map(KeyCount::reason));
        }
    }
    let invalid_answers = !contradictions.is_empty() || key_counts.iter().any(KeyCount::is_wrong);
    let validity = keys
        .iter()
        .map(|key| key.validity)
        .fold(Validity::Valid, Validity::merge)
        .merge(if invalid_answers { Validity::Invalid } else { Validity::Valid });
    Verdict {
        validity,
        reasons,
        operations: history.operations,
        explored: keys.iter().map(|key| key.explored).sum(),
        keys,
        findings,
        key_counts,
        contradictions,
    }
}

fn judge_key(history: &History, key: &KeyHistory, options: &Options) -> KeyVerdict {
    let Judgement { decision, decided_by, explored, searched } =
        engine::judge(&key.calls, options.engine, &options.budget);
    let (validity, reason, counterexample) = match decision {
        Decision::Linearizable => (Validity::Valid, None, None),
        Decision::NotLinearizable => {
            let found = counterexample::find(history, key, &options.budget);
            (Validity::Invalid, Some(found.sentence.clone()), Some(found))
        }
        Decision::Unknown(reason) => (Validity::Unknown, Some(reason), None),
    };
    KeyVerdict {
        key: Text(key.key.clone()),
        validity,
        decided_by,
        explored,
        calls: key.calls.len() as u64,
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
