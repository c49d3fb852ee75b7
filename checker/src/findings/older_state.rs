//! Reads of older state, and their names by the decision table in [the header](super).
//!
//! In: a read, and all calls on its key. Out: a finding, if newer state was there before the read
//! began.

use std::collections::{BTreeMap, BTreeSet};

use super::search::{Search, observes};
use super::{Finding, FindingKind, OlderState, Role};
use crate::call::{ABSENT, Call, NEVER, PRESENT, ValueId};

/// A proof that a value came after others: its writer, or somebody who saw it, was invoked after
/// they were there.
#[derive(Clone, Copy)]
struct Change<'a> {
    invoke: u64,
    /// By when the value was there.
    there: u64,
    value: ValueId,
    /// Who wrote it.
    writer: &'a Call,
}

/// The changes of a key in the order of invocation, each with the two that were there first among
/// it and all later ones, of different values.
pub(super) struct Changes<'a> {
    sorted: Vec<Change<'a>>,
    first: Vec<[Option<usize>; 2]>,
}

impl<'a> Changes<'a> {
    pub(super) fn of(
        calls: &'a [Call],
        writers: &BTreeMap<ValueId, Option<&'a Call>>,
        first_seen: &BTreeMap<ValueId, &'a Call>,
    ) -> Self {
        let only = |value: ValueId| writers.get(&value).copied().flatten();
        let mut changes = Vec::new();
        for writer in calls.iter().filter(|call| !call.is_read()) {
            let is_only = writer.writes != ABSENT && only(writer.writes).is_some();
            let seen = first_seen.get(&writer.writes).filter(|_| is_only);
            let there = seen.map_or(NEVER, |first| first.finish).min(writer.finish);
            if there != NEVER {
                changes.push(Change { invoke: writer.invoke, there, value: writer.writes, writer });
            }
        }
        let written = Self::sorted(changes.clone());
        // The first who saw a value proves as well that it came after what was there by then,
        // unless it was old already.
        let mut first: Vec<(&Call, &Call)> = first_seen
            .iter()
            .filter(|(value, _)| **value != ABSENT)
            .filter_map(|(value, first)| Some((*first, only(*value)?)))
            .collect();
        first.sort_by_key(|(first, _)| first.invoke);
        // Of those so far that were seen by the earliest, each was invoked later than the one
        // before.
        let mut earliest: Vec<Change<'_>> = Vec::new();
        for (first, writer) in first {
            let (invoke, there, value) = (first.invoke, first.finish, first.expects);
            let since = writer.finish.min(there);
            let seen = earliest.get(earliest.partition_point(|it| it.invoke <= since));
            let newer = [written.first_after(since, value), seen.copied()];
            if newer.into_iter().flatten().any(|newer| newer.there < invoke) {
                continue;
            }
            let change = Change { invoke, there, value, writer };
            changes.push(change);
            earliest.truncate(earliest.partition_point(|it| it.there < there));
            earliest.push(change);
        }
        Self::sorted(changes)
    }

    fn sorted(mut sorted: Vec<Change<'a>>) -> Self {
        sorted.sort_by_key(|change| (change.invoke, change.there));
        let mut first = vec![[None; 2]; sorted.len() + 1];
        for place in (0..sorted.len()).rev() {
            let mut best = first[place + 1];
            insert(&mut best, place, &sorted);
            first[place] = best;
        }
        Self { sorted, first }
    }

    fn after(&self, time: u64) -> usize {
        self.sorted.partition_point(|change| change.invoke <= time)
    }

    /// The change to another value that was there first, among those that came after a moment.
    fn first_after(&self, time: u64, other_than: ValueId) -> Option<Change<'a>> {
        let places = self.first[self.after(time)].into_iter().flatten();
        places.map(|place| self.sorted[place]).find(|change| change.value != other_than)
    }
}

/// Keeps the two earliest of different values.
fn insert(best: &mut [Option<usize>; 2], place: usize, sorted: &[Change<'_>]) {
    let there = |place: usize| sorted[place].there;
    let earlier = |old: Option<usize>| old.is_none_or(|old| there(place) < there(old));
    let is_of_first = best[0].is_some_and(|old| sorted[old].value == sorted[place].value);
    if earlier(best[0]) {
        *best = [Some(place), if is_of_first { best[1] } else { best[0] }];
    } else if !is_of_first && earlier(best[1]) {
        best[1] = Some(place);
    }
}

/// What a read of older state is named by.
struct Newer<'a> {
    /// The values that came after the one read and were there before the read began.
    values: BTreeSet<ValueId>,
    /// The one that was there first, and the one that was written last.
    first: Change<'a>,
    last: Change<'a>,
}

impl<'a> Search<'a> {
    /// The values newer than what a read found that were there before it began; none if there is
    /// none.
    fn newer_than(&self, read: &Call) -> Option<Newer<'a>> {
        let written = self.older_since(read)?;
        let first = self.changes.first_after(written, read.expects)?;
        if first.there >= read.invoke {
            return None;
        }
        let later = self.changes.sorted[self.changes.after(written)..].iter();
        let mut newer = Newer { values: BTreeSet::new(), first, last: first };
        for change in later.filter(|it| it.there < read.invoke && it.value != read.expects) {
            newer.values.insert(change.value);
            if change.writer.invoke > newer.last.writer.invoke {
                newer.last = *change;
            }
        }
        Some(newer)
    }

    /// Since when what a read found is older than every change.
    fn older_since(&self, read: &Call) -> Option<u64> {
        if read.expects != PRESENT {
            return self.there_by(read);
        }
        // A key-only scan: after its removal the key cannot have been there.
        let (s, f) = (read.invoke, read.finish);
        let removed = !read.is_unknown() && !self.presence.possibly(s, f);
        let removals = self.key.calls.iter().filter(|it| it.writes == ABSENT && it.finish < s);
        let last = removals.max_by_key(|it| it.finish).filter(|_| removed)?;
        Some(last.invoke - 1)
    }

    pub(super) fn is_of_older_state(&self, read: &Call) -> bool {
        if read.expects == PRESENT {
            return !read.is_unknown() && !self.presence.possibly(read.invoke, read.finish);
        }
        let first =
            self.there_by(read).and_then(|since| self.changes.first_after(since, read.expects));
        first.is_some_and(|change| change.there < read.invoke)
    }

    /// Names a read of older state.
    pub(super) fn older_state(&self, read: &Call) -> Option<Finding> {
        let Some(newer) = self.newer_than(read) else {
            return (read.expects == PRESENT).then(|| {
                let sentence = format!("{}: nobody had written the key", self.names.long(read));
                self.finding(FindingKind::Phantom, read, &[], sentence)
            });
        };
        let observed = || self.key.calls.iter().filter(|call| self.sees(call, &newer, read));
        let before =
            observed().filter(|call| call.invoke <= read.finish).max_by_key(|it| it.finish);
        let afterwards = observed().find(|call| call.invoke > read.finish);
        let too = if afterwards.is_none() { self.stayed(read, &newer) } else { None };
        let seen = OlderState {
            newer_seen_before: before.is_some(),
            newer_seen_afterwards: afterwards.is_some(),
            stayed: too.is_some(),
        };
        let kind = match seen {
            _ if !read.is_read() => FindingKind::LostUpdate,
            OlderState { stayed: false, .. } => FindingKind::StaleRead,
            OlderState { newer_seen_before: true, .. } => FindingKind::Resurrected,
            _ if newer.values.contains(&ABSENT) => FindingKind::Resurrected,
            _ => FindingKind::LostWrite,
        };
        let change = if kind == FindingKind::LostWrite { newer.last } else { newer.first };
        let stale_by_ns = read.invoke - change.there;
        let sentence = format!(
            "{}: it had been replaced {:.6} s before by {}, {}",
            self.names.long(read),
            stale_by_ns as f64 / 1e9,
            self.names.long(change.writer),
            fate(seen)
        );
        let mut finding = self.finding(kind, read, &[(Role::NewerWrite, change.writer)], sentence);
        let older = self.writers.get(&read.expects).copied().flatten();
        let others = [
            (Role::OlderWrite, older.filter(|_| read.expects != ABSENT)),
            (Role::SawNewerBefore, before),
            (Role::SawNewerAfterwards, afterwards),
            (Role::SawOlderToo, too),
        ];
        for (role, call) in others {
            finding.participants.extend(call.map(|call| self.participant(role, call)));
        }
        Some(Finding { stale_by_ns: Some(stale_by_ns), older_state: Some(seen), ..finding })
    }

    /// Returns true if a call saw newer state than a read found.
    fn sees(&self, call: &Call, newer: &Newer<'_>, read: &Call) -> bool {
        match call.expects {
            _ if call.event == read.event || call.is_unknown() => false,
            // Absence may be that of the beginning.
            ABSENT => {
                observes(call)
                    && newer.values.contains(&ABSENT)
                    && call.finish >= newer.first.writer.invoke
            }
            // The key was there, and nobody wrote it meanwhile: by the write that the read did not
            // see.
            PRESENT => {
                read.expects == ABSENT
                    && call.invoke > read.finish
                    && !self.written_between(read.invoke, call.finish, read)
            }
            value => observes(call) && newer.values.contains(&value),
        }
    }

    /// Another read that saw the same older state, before or after this one, without anything
    /// between.
    fn stayed(&self, read: &Call, newer: &Newer<'_>) -> Option<&'a Call> {
        let seen = self.key.calls.iter().filter(|call| self.sees(call, newer, read));
        let last_seen = seen.map(|call| call.invoke).max().unwrap_or(0);
        let is_same = |call: &&Call| {
            call.expects == read.expects
                && (observes(call) || call.expects == PRESENT)
                && !call.is_unknown()
                && call.event != read.event
                && call.invoke > newer.first.there
                && call.finish >= last_seen
        };
        let same = || self.key.calls.iter().filter(is_same);
        let after = same().filter(|it| it.invoke > read.finish).min_by_key(|it| it.finish);
        let before = same().filter(|it| it.finish < read.invoke).max_by_key(|it| it.invoke);
        let after = after.filter(|it| !self.written_between(read.invoke, it.finish, read));
        let before = before.filter(|it| !self.written_between(it.invoke, read.finish, read));
        after.or(before)
    }

    /// Returns true if a write to another value may have taken effect in an interval.
    fn written_between(&self, from: u64, to: u64, read: &Call) -> bool {
        let calls = self.key.calls.iter().filter(|call| !call.is_read());
        let mut others = calls.filter(|it| it.writes != read.expects && it.event != read.event);
        others.any(|it| {
            let seen = || self.first_seen.get(&it.writes).map_or(0, |first| first.finish);
            it.invoke <= to && from <= if it.is_unknown() { seen() } else { it.finish }
        })
    }
}

fn fate(seen: OlderState) -> &'static str {
    match seen {
        OlderState { newer_seen_afterwards: true, .. } => "and newer state was seen again later",
        OlderState { newer_seen_before: true, stayed: true, .. } => {
            "and newer state, which had been seen before, was gone from then on"
        }
        OlderState { newer_seen_before: true, .. } => "and newer state had been seen before",
        OlderState { stayed: true, .. } => "which was never seen, and the older state stayed",
        _ => "which nobody had seen by then",
    }
}
