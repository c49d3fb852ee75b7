//! Finds answers that no value explains which the register can have had by then, without any
//! search.
//!
//! In: calls on one key, values that may repeat. Out: the first of them that saw what cannot have
//! been there.
//!
//! Let some completed write be over before an observer began. Whatever the observer saw was in the
//! register behind that write: its own value, or what writes that were not over before it began
//! made of that. A put among those makes its value from anything, a swap only from a value that can
//! have been there. What cannot be made so was not seen. All this takes too many values for
//! possible, never too few: how often a write is used and when others end is left out.

use crate::call::{ABSENT, ANYTHING, Call, ValueId};

/// Work that each call may cost on average: one step is a write looked at, or a value compared.
const WORK_PER_CALL: u64 = 256;

/// The place of the first call that certainly saw a value which was replaced and not written again.
pub(crate) fn seen_by(calls: &[Call]) -> Option<usize> {
    let mut writes = Writes::of(calls);
    let is_observer = |call: &Call| !call.is_unknown() && call.expects != ANYTHING;
    calls.iter().position(|call| is_observer(call) && !writes.may_explain(call))
}

struct Writes {
    /// Those of known outcome in the order of invocation, each with the latest return so far.
    known: Vec<(Call, u64)>,
    /// Those of known outcome in the order of return: when each returned, and when the one of those
    /// so far was invoked that was invoked last, and what it wrote.
    over: Vec<(u64, (u64, ValueId))>,
    /// Those of unknown outcome: of those that do the same the first, in the order of invocation.
    unknown: Vec<Call>,
    work_left: u64,
}

impl Writes {
    fn of(calls: &[Call]) -> Self {
        let writes = || calls.iter().filter(|call| !call.is_read()).copied();
        let mut returned = 0;
        let known = writes().filter(|call| !call.is_unknown()).map(|call| {
            returned = call.finish.max(returned);
            (call, returned)
        });
        let known: Vec<(Call, u64)> = known.collect();

        let mut over: Vec<(u64, (u64, ValueId))> =
            known.iter().map(|(call, _)| (call.finish, (call.invoke, call.writes))).collect();
        over.sort_unstable();
        let mut last = (0, ABSENT);
        for (_, write) in &mut over {
            last = last.max(*write);
            *write = last;
        }

        let mut unknown: Vec<Call> = writes().filter(Call::is_unknown).collect();
        unknown.sort_unstable_by_key(|call| (call.expects, call.writes, call.invoke));
        unknown.dedup_by_key(|call| (call.expects, call.writes));
        unknown.sort_unstable_by_key(|call| call.invoke);
        Self { known, over, unknown, work_left: WORK_PER_CALL * calls.len() as u64 }
    }

    /// Returns false if nothing that was there explains what a call saw; true as well when there is
    /// no work left.
    fn may_explain(&mut self, observer: &Call) -> bool {
        let over = self.over.partition_point(|(returned, _)| *returned < observer.invoke);
        let (begin, value) = over.checked_sub(1).map_or((0, ABSENT), |at| self.over[at].1);
        let sees = |value: ValueId| observer.step(value).is_some();
        if sees(value) {
            return true;
        }
        let invoked = self.known.partition_point(|(call, _)| call.invoke <= observer.finish);
        let known = self.known[..invoked].iter().rev().take_while(|(_, until)| *until >= begin);
        let known = known.map(|(call, _)| call).filter(|call| call.finish >= begin);
        let unknown = self.unknown.iter().take_while(|call| call.invoke <= observer.finish);
        let (mut values, mut swaps) = (vec![value], Vec::new());
        for call in known.chain(unknown) {
            self.work_left = self.work_left.saturating_sub(1);
            if call.expects != ANYTHING {
                swaps.push((call.expects, call.writes));
            } else if sees(call.writes) || self.work_left == 0 {
                return true;
            } else if !values.contains(&call.writes) {
                self.work_left = self.work_left.saturating_sub(values.len() as u64);
                values.push(call.writes);
            }
        }
        loop {
            let known = values.len();
            for (expects, writes) in &swaps {
                self.work_left = self.work_left.saturating_sub(values.len() as u64);
                if values.contains(expects) && !values.contains(writes) {
                    if sees(*writes) {
                        return true;
                    }
                    values.push(*writes);
                }
            }
            if self.work_left == 0 || values.len() == known {
                return self.work_left == 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{NEVER, NOTHING, UNLIKE};

    fn call(invoke: u64, finish: u64, expects: ValueId, writes: ValueId) -> Call {
        Call { invoke, finish, expects, writes, event: 0, client: 0 }
    }

    fn seen(mut calls: Vec<Call>) -> bool {
        calls.sort_by_key(|call| call.invoke);
        seen_by(&calls).is_some()
    }

    #[test]
    fn a_value_between_whose_writes_and_reader_stands_another_is_seen() {
        let written = [call(1, 2, ANYTHING, 5), call(2, 3, 5, 5), call(4, 5, 5, 6)];
        let with = |reader: Call| seen([&written[..], &[reader]].concat());
        assert!(with(call(6, 7, 5, NOTHING)) && with(call(6, 7, 5, 8)));
        assert!(with(call(6, 7, ABSENT, NOTHING)) && with(call(6, 7, 9, NOTHING)));
        assert!(with(call(6, 7, 6, UNLIKE)));
        assert!(!with(call(6, 7, 6, NOTHING)) && !with(call(6, 7, 5, UNLIKE)));
        // It overlaps the other write, or is not known to have seen anything.
        assert!(!with(call(5, 7, 5, NOTHING)) && !with(call(6, NEVER, 5, 8)));
    }

    #[test]
    fn a_write_that_may_come_later_explains_it() {
        let explained = |write: Call| {
            let before = [call(1, 2, ANYTHING, 5), call(4, 5, ANYTHING, 6)];
            !seen([&before[..], &[write, call(6, 7, 5, NOTHING)]].concat())
        };
        assert!(explained(call(1, NEVER, ANYTHING, 5)) && explained(call(1, 4, ANYTHING, 5)));
        assert!(explained(call(7, 9, ANYTHING, 5)) && explained(call(6, 6, 6, 5)));
        assert!(!explained(call(8, 9, ANYTHING, 5)) && !explained(call(1, 3, ANYTHING, 5)));
    }

    #[test]
    fn swaps_explain_it_if_they_lead_there_from_what_was_there() {
        let explained = |lost: &[(ValueId, ValueId)]| {
            let lost = lost.iter().map(|(expects, writes)| call(1, NEVER, *expects, *writes));
            let others = [call(1, 2, ANYTHING, 5), call(4, 5, ANYTHING, 6)];
            !seen(others.into_iter().chain(lost).chain([call(6, 7, 5, NOTHING)]).collect())
        };
        assert!(explained(&[(6, 5)]) && explained(&[(7, 5), (6, 7)]));
        assert!(explained(&[(7, 5), (ANYTHING, 7)]));
        assert!(!explained(&[(7, 5), (5, 7), (6, 8)]));
    }

    #[test]
    fn absence_is_there_at_the_beginning() {
        assert!(!seen(vec![call(1, 2, ABSENT, NOTHING), call(3, 4, ANYTHING, 5)]));
        assert!(!seen(vec![call(3, 4, ABSENT, NOTHING), call(1, 4, ANYTHING, 5)]));
        let deleted = vec![call(1, 2, ANYTHING, 5), call(3, 4, ANYTHING, ABSENT)];
        assert!(!seen([deleted, vec![call(5, 6, ABSENT, NOTHING)]].concat()));
        assert!(seen(vec![call(1, 2, ANYTHING, 5), call(3, 4, ABSENT, NOTHING)]));
        assert!(seen(vec![call(1, 2, 5, NOTHING)]));
    }
}
