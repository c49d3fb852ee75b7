//! Summarizes a judgement coarsely enough to compare runs: kinds of keys, and classes of anomalies.
//!
//! In: a judgement. Out: [`Anomalies`]. Pure. The checker's names are finer. The same old value may
//! be called a stale read, a lost write or resurrected, depending on who else saw the newer value
//! before or after. That depends on chance in the workload, so these are one class here, and the
//! names are only printed.

use crate::Judgement;
use checker::{FindingKind, Validity};
use histories::jsonl::Text;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// A class of anomalies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnomalyClass {
    /// A read returned a value that was never written.
    PhantomValue,
    /// A read returned a value whose write is reported to have had no effect.
    FailedWriteObserved,
    /// A read returned a replaced value: stale, resurrected, or over a lost write.
    OldValue,
    /// A CAS replaced a value that was no longer there.
    LostUpdate,
    /// A scan lacks keys that were certainly there.
    MissingKey,
    /// A scan returned keys that were certainly not there.
    UnexpectedKey,
    /// A key's calls have no valid order, and none of the names above fits.
    NoOrder,
    /// An answer contradicts itself.
    Contradiction,
    /// A simulated cluster did not recover.
    NotRecovered,
    /// An experiment of the walk-through broke its promise.
    BrokenExperiment,
}

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// A record of workload ycsb-a, loaded before the faults begin.
    Record,
    /// A key of workload register, which is absent at first and is deleted now and then.
    Register,
    /// The key that is put between the two counts.
    OneMore,
    /// Any other key.
    Other,
}

/// The anomalies of a judgement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Anomalies {
    /// Classes of anomalies.
    pub classes: BTreeSet<AnomalyClass>,
    /// Kinds of keys that show them.
    pub keys: BTreeSet<KeyKind>,
    /// The checker's own names.
    pub names: BTreeSet<String>,
}

impl Anomalies {
    /// The anomalies of this judgement; none if it is not invalid.
    pub fn of(judgement: &Judgement) -> Self {
        let mut anomalies = Self::default();
        if judgement.validity != Validity::Invalid {
            return anomalies;
        }
        let checked = &judgement.checked;
        for finding in &checked.findings {
            anomalies.add(class(finding.kind), Some(&finding.key), finding.kind.to_string());
        }
        for count in &checked.key_counts {
            for key in &count.missing {
                anomalies.add(AnomalyClass::MissingKey, Some(key), "missing key".into());
            }
            for key in &count.unexpected {
                anomalies.add(AnomalyClass::UnexpectedKey, Some(key), "unexpected key".into());
            }
        }
        for key in checked.keys.iter().filter(|key| key.counterexample.is_some()) {
            if !checked.findings.iter().any(|finding| finding.key == key.key) {
                anomalies.add(AnomalyClass::NoOrder, Some(&key.key), "no order".into());
            }
        }
        if !checked.contradictions.is_empty() {
            anomalies.add(AnomalyClass::Contradiction, None, "contradiction".into());
        }
        if judgement.recovery.as_ref().is_some_and(|recovery| !recovery.reasons().is_empty()) {
            anomalies.add(AnomalyClass::NotRecovered, None, "not recovered".into());
        }
        if anomalies.classes.is_empty() {
            anomalies.add(AnomalyClass::BrokenExperiment, None, "broken experiment".into());
        }
        anomalies
    }

    fn add(&mut self, class: AnomalyClass, key: Option<&Text>, name: String) {
        self.classes.insert(class);
        self.keys.extend(key.map(kind));
        self.names.insert(name);
    }

    /// Returns true if both have some class of anomalies in common.
    pub fn share_a_class(&self, other: &Self) -> bool {
        !self.classes.is_disjoint(&other.classes)
    }

    /// Returns true if both have some kind of key in common, or neither has any.
    pub fn share_a_key_kind(&self, other: &Self) -> bool {
        self.keys.is_empty() && other.keys.is_empty() || !self.keys.is_disjoint(&other.keys)
    }
}

impl fmt::Display for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let keys: Vec<&str> = self.keys.iter().map(|kind| kind.in_words()).collect();
        f.write_str(&names.join(", "))?;
        if keys.is_empty() { Ok(()) } else { write!(f, " of {}", keys.join(" and ")) }
    }
}

impl KeyKind {
    fn in_words(self) -> &'static str {
        match self {
            Self::Record => "a record",
            Self::Register => "a register",
            Self::OneMore => "the one more key",
            Self::Other => "another key",
        }
    }
}

impl AnomalyClass {
    /// The class in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::PhantomValue => "phantom value",
            Self::FailedWriteObserved => "failed write observed",
            Self::OldValue => "old value",
            Self::LostUpdate => "lost update",
            Self::MissingKey => "missing key",
            Self::UnexpectedKey => "unexpected key",
            Self::NoOrder => "no order",
            Self::Contradiction => "contradiction",
            Self::NotRecovered => "not recovered",
            Self::BrokenExperiment => "broken experiment",
        }
    }
}

fn class(finding: FindingKind) -> AnomalyClass {
    match finding {
        FindingKind::Phantom => AnomalyClass::PhantomValue,
        FindingKind::Dirty => AnomalyClass::FailedWriteObserved,
        FindingKind::LostUpdate => AnomalyClass::LostUpdate,
        FindingKind::LostWrite
        | FindingKind::Resurrected
        | FindingKind::StaleRead
        | FindingKind::NonMonotonicRead => AnomalyClass::OldValue,
    }
}

/// The kind of a key, recognised by its name; every key may have a prefix of the user's.
fn kind(key: &Text) -> KeyKind {
    let has = |part: &[u8]| key.0.windows(part.len()).any(|window| window == part);
    if has(plan::key_range::ONE_MORE) {
        KeyKind::OneMore
    } else if has(b"usertable:user") {
        KeyKind::Record
    } else if has(b"register:") {
        KeyKind::Register
    } else {
        KeyKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_their_names_whatever_comes_first() {
        for (name, expected) in [
            ("usertable:user000017", KeyKind::Record),
            ("t/register:00003", KeyKind::Register),
            ("register:zz-one-more", KeyKind::OneMore),
            ("a", KeyKind::Other),
        ] {
            assert_eq!(kind(&Text(name.as_bytes().to_vec())), expected, "{name}");
        }
    }

    #[test]
    fn what_is_too_old_is_one_class_whatever_it_is_called() {
        let anomalies = |class, name: &str| {
            let mut anomalies = Anomalies::default();
            anomalies.add(class, Some(&Text(b"register:1".to_vec())), name.to_owned());
            anomalies
        };
        let stale = anomalies(class(FindingKind::StaleRead), "stale read");
        let lost = anomalies(class(FindingKind::LostWrite), "lost write");
        let missing = anomalies(AnomalyClass::MissingKey, "missing key");
        assert!(stale.share_a_class(&lost) && !stale.share_a_class(&missing));
        assert_eq!(stale.to_string(), "stale read of a register");
    }
}
