//! What kinds of anomalies an invalid key shows: weaker than a proof, and what a person looks for first.
//!
//! In: an invalid key. Out: [`Finding`]s, each with the operations, the times and the faults in force. They rest on
//! two facts that need no search: a value was *there by* the first return of its writer or of anyone who saw it, and
//! a write *came after* a value if it was invoked after that was there. They never change the verdict.
//!
//! A read is *out of date* if it returned a value although another one, written after it, was there before the read
//! was invoked. Then:
//! - the newer value is seen again later: a **stale read**;
//! - it was seen before and never again: the old value was **resurrected** (a write applied twice, an undone one);
//! - it was never seen: a **lost write**.
//!
//! A delete is such a later write too; what is read after it, and not because it is late, is resurrected. Absence is
//! out of date where the key was certainly there, whatever unknown operations did ([`Presence`]).

use std::collections::{BTreeMap, BTreeSet};

use histories::jsonl::Text;
use serde::{Deserialize, Serialize};

use crate::call::{ABSENT, Call, NEVER, PRESENT, UNLIKE, ValueId};
use crate::counterexample::Names;
use crate::history::{History, KeyHistory};
use crate::presence::Presence;

/// So many findings are named for a key.
const FINDINGS_MAX: usize = 10;

/// A kind of anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A value was read that nobody wrote.
    PhantomValue,
    /// A value was read whose write is said to have had no effect.
    FailedWriteObserved,
    /// An acknowledged write was never seen, and the value before it was read afterwards.
    LostWrite,
    /// A value came back over a newer one that had been seen.
    Resurrected,
    /// A value was read after it had been replaced.
    StaleRead,
    /// One client read a value and later one that was written before it.
    BackwardsForOneClient,
}

impl std::fmt::Display for FindingKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PhantomValue => "phantom value",
            Self::FailedWriteObserved => "failed write observed",
            Self::LostWrite => "lost write",
            Self::Resurrected => "old value resurrected",
            Self::StaleRead => "stale read",
            Self::BackwardsForOneClient => "backwards for one client",
        })
    }
}

/// One anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// The key.
    pub key: Text,
    /// When the operation that shows it was invoked, nanoseconds since the run's start.
    pub invoke_ns: u64,
    /// How long the value read had been replaced by then, where that is the point.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stale_by_ns: Option<u64>,
    /// What happened.
    pub sentence: String,
    /// The events that invoked the operations.
    pub operations: Vec<u64>,
    /// The faults that were in force while the operation that shows it was open.
    pub faults: Vec<String>,
}

/// Names the anomalies of an invalid key, at most one of a kind for a value, in the order of time.
pub(crate) fn findings(history: &History, key: &KeyHistory) -> Vec<Finding> {
    let search = Search::new(history, key);
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    let mut newest_read: BTreeMap<u32, &Call> = BTreeMap::new();
    for read in key.calls.iter().filter(|call| observes(call) || call.expects == PRESENT) {
        let mut anomalies = vec![search.removed(read)];
        if observes(read) {
            anomalies.extend([search.without_writer(read), search.out_of_date(read)]);
            anomalies.push(search.backwards(read, &mut newest_read));
        }
        for finding in anomalies.into_iter().flatten() {
            if told.insert((finding.kind, read.expects)) {
                found.push(finding);
            }
        }
        if found.len() >= FINDINGS_MAX {
            break;
        }
    }
    found
}

/// Whether a call saw a value or absence.
fn observes(call: &Call) -> bool {
    !call.is_unknown() && call.expects < PRESENT - 1 && call.writes != UNLIKE
}

struct Search<'a> {
    history: &'a History,
    key: &'a KeyHistory,
    names: Names<'a>,
    /// Who wrote a value; `None` if several did.
    writers: BTreeMap<ValueId, Option<&'a Call>>,
    /// By when a value was there, and until when somebody asked and saw it.
    seen: BTreeMap<ValueId, (u64, u64)>,
    /// Writes and deletes by when their values were there, each invoked later than all before it.
    there: Vec<(u64, &'a Call)>,
    presence: Presence,
}

impl<'a> Search<'a> {
    fn new(history: &'a History, key: &'a KeyHistory) -> Self {
        let mut writers: BTreeMap<ValueId, Option<&Call>> = BTreeMap::new();
        let mut seen: BTreeMap<ValueId, (u64, u64)> = BTreeMap::new();
        for call in &key.calls {
            if !call.is_read() {
                writers
                    .entry(call.writes)
                    .and_modify(|writer| *writer = None)
                    .or_insert(Some(call));
            }
            if observes(call) {
                let (there, last) = seen.entry(call.expects).or_insert((u64::MAX, 0));
                *there = (*there).min(call.finish);
                *last = (*last).max(call.invoke);
            }
        }
        let there_by = |call: &Call| {
            let is_only = writers[&call.writes].is_some() && call.writes != ABSENT;
            let first_seen = seen.get(&call.writes).filter(|_| is_only).map(|(there, _)| *there);
            first_seen.unwrap_or(NEVER).min(call.finish)
        };
        let changes = key.calls.iter().filter(|call| !call.is_read());
        let mut there: Vec<(u64, &Call)> = changes
            .map(|call| (there_by(call), call))
            .filter(|(there, _)| *there != NEVER)
            .collect();
        there.sort_by_key(|(there, call)| (*there, call.invoke));
        // Keep those only that are written later than all that were there earlier: the others add nothing.
        let mut latest = 0;
        there.retain(|(_, call)| {
            let is_later = latest <= call.invoke;
            latest = latest.max(call.invoke);
            is_later
        });
        let (names, presence) = (Names::new(history, key), Presence::of(&key.calls));
        Self { history, key, names, writers, seen, there, presence }
    }

    /// A key-only read of a key that was removed, or never written.
    fn removed(&self, read: &Call) -> Option<Finding> {
        let (s, f) = (read.invoke, read.finish);
        if read.expects != PRESENT || read.is_unknown() || self.presence.possibly(s, f) {
            return None;
        }
        let read_words = self.names.long(read);
        let removal = |call: &&Call| call.writes == ABSENT && call.finish < s;
        Some(match self.key.calls.iter().filter(removal).max_by_key(|call| call.finish) {
            None => {
                let sentence = format!("{read_words}: nobody had written the key");
                self.finding(FindingKind::PhantomValue, read, &[], sentence)
            }
            Some(delete) => {
                let sentence = format!(
                    "{read_words}: the key had been removed by {}",
                    self.names.long(delete)
                );
                self.finding(FindingKind::Resurrected, read, &[delete], sentence)
            }
        })
    }

    fn without_writer(&self, read: &Call) -> Option<Finding> {
        if read.expects == ABSENT || self.writers.contains_key(&read.expects) {
            return None;
        }
        let failed = self.key.failed.iter().find(|failed| failed.writes == read.expects);
        let read_words = self.names.long(read);
        Some(match failed {
            None => {
                let sentence = format!("{read_words}: nobody wrote that value");
                self.finding(FindingKind::PhantomValue, read, &[], sentence)
            }
            Some(failed) => {
                let sentence = format!(
                    "{read_words}: the only one to write it, {}, is said to have had no effect",
                    self.names.long(failed)
                );
                self.finding(FindingKind::FailedWriteObserved, read, &[failed], sentence)
            }
        })
    }

    /// When the value that a read saw was surely written.
    fn written_by(&self, read: &Call) -> Option<u64> {
        if read.expects == ABSENT {
            // Only where the key was certainly there is absence a value like any other.
            let certainly = self.presence.certainly(read.invoke, read.finish);
            return certainly.then(|| self.presence.last_removal(read.finish).unwrap_or(0));
        }
        match self.writers.get(&read.expects) {
            Some(Some(writer)) => {
                let first_seen = self.seen.get(&read.expects).map_or(u64::MAX, |(there, _)| *there);
                Some(writer.finish.min(first_seen))
            }
            _ => None,
        }
    }

    fn out_of_date(&self, read: &Call) -> Option<Finding> {
        let written = self.written_by(read)?;
        let first = self.there.partition_point(|(_, call)| call.invoke <= written);
        let (there, writer) = *self.there.get(first)?;
        if there >= read.invoke || writer.writes == read.expects {
            return None;
        }
        let is_delete = writer.writes == ABSENT;
        let (kind, fate) = match self.seen.get(&writer.writes) {
            Some((_, last)) if *last > read.finish => {
                (FindingKind::StaleRead, "was seen again later")
            }
            _ if is_delete => (FindingKind::Resurrected, "removed the key"),
            None => (FindingKind::LostWrite, "was never seen"),
            Some(_) => (FindingKind::Resurrected, "was seen before and not afterwards"),
        };
        let stale_by_ns = read.invoke - there;
        let sentence = format!(
            "{}: it had been replaced {:.6} s before by {}, which {fate}",
            self.names.long(read),
            stale_by_ns as f64 / 1e9,
            self.names.long(writer)
        );
        let finding = self.finding(kind, read, &[writer], sentence);
        Some(Finding { stale_by_ns: Some(stale_by_ns), ..finding })
    }

    fn backwards(&self, read: &'a Call, newest: &mut BTreeMap<u32, &'a Call>) -> Option<Finding> {
        let written = self.written_by(read)?;
        let invoked = |read: &Call| {
            self.writers.get(&read.expects).copied().flatten().map_or(0, |writer| writer.invoke)
        };
        let before = newest.entry(read.client).or_insert(read);
        if written < invoked(before) && before.finish < read.invoke {
            let sentence = format!(
                "{} comes after {} by the same client, which saw a value that was written later",
                self.names.long(read),
                self.names.long(before)
            );
            let before = *before;
            return Some(self.finding(
                FindingKind::BackwardsForOneClient,
                read,
                &[before],
                sentence,
            ));
        }
        if invoked(read) > invoked(before) {
            *before = read;
        }
        None
    }

    fn finding(
        &self,
        kind: FindingKind,
        read: &Call,
        others: &[&Call],
        sentence: String,
    ) -> Finding {
        let invoke_ns = read.invoke.saturating_sub(1);
        let operations = others.iter().copied().chain([read]).map(|call| u64::from(call.event));
        Finding {
            kind,
            key: Text(self.key.key.clone()),
            invoke_ns,
            stale_by_ns: None,
            sentence,
            operations: operations.collect(),
            faults: self.history.faults.in_force(invoke_ns, read.finish - 1),
        }
    }
}
