//! Looks for the anomalies of one key.
//!
//! In: an invalid key. Out: its findings, at most one of a kind for a value observed, in the order
//! of time. Older state is named in [`super::older_state`].

use std::collections::{BTreeMap, BTreeSet};

use histories::jsonl::Text;

use super::older_state::Changes;
use super::{CallKind, Content, Finding, FindingKind, Participant, Role};
use crate::call::{ABSENT, ANYTHING, Call, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::counterexample::Names;
use crate::history::{History, KeyHistory};
use crate::presence::Presence;

/// So many findings are named for a key.
const FINDINGS_MAX: usize = 10;
/// So many reads of older state are looked at for it: each costs a look at all calls.
const LOOKS_MAX: usize = 200;

/// Names the anomalies of an invalid key.
pub(crate) fn findings(history: &History, key: &KeyHistory) -> Vec<Finding> {
    let search = Search::new(history, key);
    let mut found = search.two_winners();
    let mut told: BTreeSet<(FindingKind, ValueId)> = BTreeSet::new();
    told.extend(search.twice_replaced.keys().map(|value| (FindingKind::LostUpdate, *value)));
    let mut newest_read: BTreeMap<u32, &Call> = BTreeMap::new();
    let mut looks = 0;
    for read in key.calls.iter().filter(|call| observes(call) || call.expects == PRESENT) {
        let mut anomalies = Vec::new();
        if observes(read) {
            anomalies.extend(search.without_writer(read));
            anomalies.extend(search.backwards(read, &mut newest_read));
        }
        if looks < LOOKS_MAX && search.is_of_older_state(read) {
            looks += 1;
            anomalies.splice(0..0, search.older_state(read));
        }
        for finding in anomalies {
            if told.insert((finding.kind, read.expects)) {
                found.push(finding);
            }
        }
        if found.len() >= FINDINGS_MAX {
            break;
        }
    }
    found.sort_by_key(|finding| finding.invoke_ns);
    found
}

/// Returns true if a call saw a value or absence.
pub(super) fn observes(call: &Call) -> bool {
    !call.is_unknown() && call.expects < PRESENT - 1 && call.writes != UNLIKE
}

pub(super) struct Search<'a> {
    pub(super) history: &'a History,
    pub(super) key: &'a KeyHistory,
    pub(super) names: Names<'a>,
    /// Who wrote a value; `None` if several did.
    pub(super) writers: BTreeMap<ValueId, Option<&'a Call>>,
    /// Who saw a value and returned first.
    pub(super) first_seen: BTreeMap<ValueId, &'a Call>,
    pub(super) changes: Changes<'a>,
    pub(super) presence: Presence,
    /// Values that two CAS replaced although they were there only once.
    twice_replaced: BTreeMap<ValueId, [&'a Call; 2]>,
}

impl<'a> Search<'a> {
    fn new(history: &'a History, key: &'a KeyHistory) -> Self {
        let mut writers: BTreeMap<ValueId, Option<&Call>> = BTreeMap::new();
        let mut first_seen: BTreeMap<ValueId, &Call> = BTreeMap::new();
        for call in &key.calls {
            if !call.is_read() {
                writers
                    .entry(call.writes)
                    .and_modify(|writer| *writer = None)
                    .or_insert(Some(call));
            }
            if observes(call) {
                let first = first_seen.entry(call.expects).or_insert(call);
                if call.finish < first.finish {
                    *first = call;
                }
            }
        }
        let changes = Changes::of(&key.calls, &writers, &first_seen);
        let (names, presence) = (Names::new(history, key), Presence::of(&key.calls));
        let twice_replaced = twice_replaced(&key.calls, &writers, &first_seen);
        Self { history, key, names, writers, first_seen, changes, presence, twice_replaced }
    }

    fn two_winners(&self) -> Vec<Finding> {
        let finding = |[first, second]: &[&Call; 2]| {
            let sentence = format!(
                "{} and {} both replaced {}, which was there only once",
                self.names.long(first),
                self.names.long(second),
                self.names.value(first.expects)
            );
            self.finding(FindingKind::LostUpdate, second, &[(Role::OtherCas, first)], sentence)
        };
        self.twice_replaced.values().take(FINDINGS_MAX).map(finding).collect()
    }

    fn without_writer(&self, read: &Call) -> Option<Finding> {
        if read.expects == ABSENT {
            return None;
        }
        let read_words = self.names.long(read);
        if let Some(writer) = self.writers.get(&read.expects) {
            let writer = writer.filter(|writer| read.finish < writer.invoke)?;
            let sentence = format!(
                "{read_words}: nobody had written that value by then, {} began only later",
                self.names.long(writer)
            );
            let writer = [(Role::NewerWrite, writer)];
            return Some(self.finding(FindingKind::Phantom, read, &writer, sentence));
        }
        let failed = self.key.failed.iter().find(|failed| failed.writes == read.expects);
        Some(match failed {
            None => {
                let sentence = format!("{read_words}: nobody wrote that value");
                self.finding(FindingKind::Phantom, read, &[], sentence)
            }
            Some(failed) => {
                let sentence = format!(
                    "{read_words}: the only one to write it, {}, is said to have had no effect",
                    self.names.long(failed)
                );
                self.finding(FindingKind::Dirty, read, &[(Role::FailedWrite, failed)], sentence)
            }
        })
    }

    /// When the value that a read saw was surely there.
    pub(super) fn there_by(&self, read: &Call) -> Option<u64> {
        if read.expects == ABSENT {
            // Only where the key was certainly there is absence a value like any other.
            let certainly = self.presence.certainly(read.invoke, read.finish);
            return certainly.then(|| self.presence.last_removal(read.finish).unwrap_or(0));
        }
        match self.writers.get(&read.expects) {
            Some(Some(writer)) => {
                let first_seen = self.first_seen.get(&read.expects);
                Some(first_seen.map_or(writer.finish, |first| writer.finish.min(first.finish)))
            }
            _ => None,
        }
    }

    fn backwards(&self, read: &'a Call, newest: &mut BTreeMap<u32, &'a Call>) -> Option<Finding> {
        let written = self.there_by(read)?;
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
            let before = [(Role::SawNewerBefore, *before)];
            return Some(self.finding(FindingKind::NonMonotonicRead, read, &before, sentence));
        }
        if invoked(read) > invoked(before) {
            *before = read;
        }
        None
    }

    /// A finding that these calls show, the observer last.
    pub(super) fn finding(
        &self,
        kind: FindingKind,
        observer: &Call,
        others: &[(Role, &Call)],
        sentence: String,
    ) -> Finding {
        let invoke_ns = observer.invoke.saturating_sub(1);
        let clashing = others.iter().map(|(_, call)| *call).chain([observer]);
        let participants =
            std::iter::once((Role::Observer, observer)).chain(others.iter().copied());
        Finding {
            kind,
            key: Text(self.key.key.clone()),
            invoke_ns,
            stale_by_ns: None,
            older_state: None,
            sentence,
            operations: clashing.map(|call| u64::from(call.event)).collect(),
            participants: participants.map(|(role, call)| self.participant(role, call)).collect(),
            faults: self.history.faults.in_force(invoke_ns, observer.finish - 1),
        }
    }

    pub(super) fn participant(&self, role: Role, call: &Call) -> Participant {
        let content = |value: ValueId| match value {
            ABSENT => Content::Nothing,
            PRESENT => Content::Something,
            value => Content::Value(Text(self.names.bytes(value).to_vec())),
        };
        let found = (call.expects != ANYTHING).then_some(call.expects);
        Participant {
            role,
            operation: u64::from(call.event),
            client: self.history.client(call.client),
            call: kind(call),
            invoke_ns: call.invoke.saturating_sub(1),
            finish_ns: (!call.is_unknown()).then(|| call.finish.saturating_sub(1)),
            found: found.filter(|_| !call.is_unknown()).map(content),
            wrote: (!call.is_read()).then(|| content(call.writes)),
        }
    }
}

fn kind(call: &Call) -> CallKind {
    match (call.expects, call.writes) {
        (PRESENT, NOTHING) => CallKind::ScanKeys,
        (_, UNLIKE) => CallKind::Cas,
        (_, NOTHING) => CallKind::Get,
        (ANYTHING, ABSENT) => CallKind::Delete,
        (ANYTHING, _) => CallKind::Put,
        (_, ABSENT) => CallKind::Expiry,
        _ => CallKind::Cas,
    }
}

/// Values that were there at most once, and that two CAS replaced which took effect: the first two
/// of each.
fn twice_replaced<'a>(
    calls: &'a [Call],
    writers: &BTreeMap<ValueId, Option<&Call>>,
    first_seen: &BTreeMap<ValueId, &Call>,
) -> BTreeMap<ValueId, [&'a Call; 2]> {
    let took_effect = |call: &Call| {
        let is_only = writers.get(&call.writes).is_some_and(Option::is_some);
        !call.is_unknown() || is_only && first_seen.contains_key(&call.writes)
    };
    let was_there_once = |value: ValueId| match writers.get(&value) {
        None => value == ABSENT,
        Some(writer) => value != ABSENT && writer.is_some(),
    };
    let mut replaced: BTreeMap<ValueId, Vec<&Call>> = BTreeMap::new();
    let swapped = calls.iter().filter(|call| kind(call) == CallKind::Cas && !call.is_read());
    for call in swapped.filter(|call| call.expects != call.writes && took_effect(call)) {
        if was_there_once(call.expects) {
            replaced.entry(call.expects).or_default().push(call);
        }
    }
    let pairs = replaced.into_iter();
    pairs.filter_map(|(value, by)| Some((value, [*by.first()?, *by.get(1)?]))).collect()
}
