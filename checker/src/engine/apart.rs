//! Tells equal values apart where time does: two writes of the same value, one long before the
//! other, become writes of two values, so that the near-linear check applies.
//!
//! In: calls on one key. Out: the same calls with other value numbers; linearizable iff they were
//! before.
//!
//! Let the writes of a value be parted into groups, each of which ended before the next one began.
//! Whoever observes the value stands, in any linearization, behind the last write of it; that is in
//! the last group of which a write ended before the observer began, unless a write of a later group
//! overlaps the observer. Groups between which some observer could choose are joined. So every
//! observer belongs to one group, whatever the linearization, and giving each group a value of its
//! own changes no answer. A value that somebody saw *not* to be there stays whole, and so does
//! absence.

use std::collections::{BTreeMap, BTreeSet};

use crate::call::{ABSENT, Call, IMPOSSIBLE, NEVER, UNLIKE, ValueId};

/// The calls, with repeated values numbered apart as far as time allows.
pub(crate) fn told_apart(mut calls: Vec<Call>) -> Vec<Call> {
    let mut by_value: BTreeMap<ValueId, Uses> = BTreeMap::new();
    let is_value = |value| value != ABSENT && value < IMPOSSIBLE;
    for (index, call) in calls.iter().enumerate() {
        if !call.is_read() && is_value(call.writes) {
            by_value.entry(call.writes).or_default().writers.push(index);
        }
        if is_value(call.expects) {
            by_value.entry(call.expects).or_default().observers.push(index);
        }
    }
    let mut next = by_value.keys().last().map_or(1, |last| last + 1);
    for uses in by_value.values() {
        if !uses.may_be_parted(&calls) {
            continue;
        }
        for group in uses.groups(&calls).into_iter().skip(1) {
            for index in group.writers {
                calls[index].writes = next;
            }
            for index in group.observers {
                calls[index].expects = next;
            }
            next += 1;
        }
    }
    calls
}

/// Who writes a value and who observes it, by index, in the order of invocation.
#[derive(Debug, Default)]
struct Uses {
    writers: Vec<usize>,
    observers: Vec<usize>,
}

impl Uses {
    fn may_be_parted(&self, calls: &[Call]) -> bool {
        self.writers.len() > 1
            && self.observers.iter().all(|index| {
                let call = &calls[*index];
                call.writes != UNLIKE && call.writes != call.expects
            })
    }

    fn groups(&self, calls: &[Call]) -> Vec<Uses> {
        // The largest return of the writers so far: ascending, as the invocations are.
        let mut ended = Vec::with_capacity(self.writers.len());
        for index in &self.writers {
            let last = ended.last().copied().unwrap_or(0);
            ended.push(calls[*index].finish.max(last));
        }
        let invoke = |at: usize| calls[self.writers[at]].invoke;
        let mut breaks: BTreeSet<usize> =
            (1..self.writers.len()).filter(|at| ended[at - 1] < invoke(*at)).collect();
        for observer in self.observers.iter().map(|index| &calls[*index]) {
            // Writers before `ended_before` are over, writers from `begun` on have not begun.
            let ended_before = ended.partition_point(|end| *end < observer.invoke);
            let begun = self.begun(calls, observer);
            if ended_before < begun {
                let joined: Vec<usize> =
                    breaks.range(ended_before.max(1)..begun).copied().collect();
                for at in joined {
                    breaks.remove(&at);
                }
            }
        }

        let starts: Vec<usize> = std::iter::once(0).chain(breaks).collect();
        let mut groups: Vec<Uses> = starts.iter().map(|_| Uses::default()).collect();
        let group_of = |writer: usize| starts.partition_point(|start| *start <= writer) - 1;
        for (at, index) in self.writers.iter().enumerate() {
            groups[group_of(at)].writers.push(*index);
        }
        for index in &self.observers {
            // The last writer that had begun; a phantom of all is one of the first.
            let last = self.begun(calls, &calls[*index]).saturating_sub(1);
            groups[group_of(last)].observers.push(*index);
        }
        groups
    }

    /// How many writers had begun when a call returned.
    fn begun(&self, calls: &[Call], call: &Call) -> usize {
        debug_assert!(call.finish == NEVER || call.invoke <= call.finish);
        self.writers.partition_point(|index| calls[*index].invoke <= call.finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ANYTHING, NOTHING};

    fn call(invoke: u64, finish: u64, expects: ValueId, writes: ValueId) -> Call {
        Call { invoke, finish, expects, writes, event: 0, client: 0 }
    }

    fn values(calls: Vec<Call>) -> Vec<(ValueId, ValueId)> {
        told_apart(calls).iter().map(|call| (call.expects, call.writes)).collect()
    }

    #[test]
    fn writes_far_apart_become_two_values_with_their_readers() {
        let calls = vec![
            call(1, 2, ANYTHING, 5),
            call(3, 4, 5, NOTHING),
            call(5, 6, ANYTHING, 6),
            call(7, 8, ANYTHING, 5),
            call(9, 10, 5, 6),
        ];
        let expected = [(ANYTHING, 5), (5, NOTHING), (ANYTHING, 6), (ANYTHING, 7), (7, 8)];
        assert_eq!(values(calls), expected);
    }

    #[test]
    fn what_an_observer_could_choose_between_stays_one_value() {
        // The read overlaps the second write, and may have seen the first.
        let calls = vec![call(1, 2, ANYTHING, 5), call(4, 6, ANYTHING, 5), call(5, 9, 5, NOTHING)];
        assert_eq!(
            values(calls.clone()),
            calls.iter().map(|c| (c.expects, c.writes)).collect::<Vec<_>>()
        );
        // A tie is an overlap.
        let calls = vec![call(1, 2, ANYTHING, 5), call(4, 6, ANYTHING, 5), call(6, 9, 5, NOTHING)];
        assert_eq!(values(calls)[1].1, 5);
    }

    #[test]
    fn writes_that_touch_are_concurrent_and_stay_one_value() {
        let touching = vec![call(1, 4, ANYTHING, 5), call(4, 6, ANYTHING, 5)];
        assert_eq!(values(touching)[1].1, 5);
        let apart = vec![call(1, 4, ANYTHING, 5), call(5, 6, ANYTHING, 5)];
        assert_eq!(values(apart)[1].1, 6);
    }

    #[test]
    fn unknown_writes_and_values_seen_not_to_be_there_stay_whole() {
        let calls = vec![call(1, NEVER, ANYTHING, 5), call(4, 6, ANYTHING, 5)];
        assert_eq!(values(calls)[1].1, 5);
        let calls = vec![call(1, 2, ANYTHING, 5), call(4, 6, ANYTHING, 5), call(7, 8, 5, UNLIKE)];
        assert_eq!(values(calls)[1].1, 5);
        let calls = vec![call(1, 2, ANYTHING, 5), call(4, 6, ANYTHING, 5)];
        assert_eq!(values(calls)[1].1, 6);
    }
}
