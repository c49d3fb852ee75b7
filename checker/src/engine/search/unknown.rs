//! Calls of unknown outcome, as the search takes them: never required, and interchangeable where they do the same.
//!
//! In: a key's calls. Out: the kinds of calls that may have happened, and which of them may happen next. A
//! configuration counts how many of a kind it has spent; one that has spent a part of another's, all else equal,
//! dominates it.
//!
//! Such a call is taken only directly before what needs it: an open call, or another one of unknown outcome, that
//! asks for the state that it makes. In any linearization one that is followed by something else can be left out
//! (what follows does not look at the state), so nothing is lost. One whose value nobody asks for is never taken.

use std::collections::BTreeMap;

use crate::call::{ANYTHING, Call, NEVER, ValueId};

/// Unknown calls spent, as ascending numbers of kinds, each as often as it was used.
pub(crate) type Spent = Vec<u32>;

/// The calls of unknown outcome on one key.
#[derive(Debug)]
pub(crate) struct UnknownCalls {
    kinds: Vec<Kind>,
}

/// Those that do the same, by their invocations in time.
#[derive(Debug)]
struct Kind {
    expects: ValueId,
    writes: ValueId,
    invokes: Vec<u64>,
}

impl UnknownCalls {
    /// Those among a key's calls.
    pub(crate) fn of(calls: &[Call]) -> Self {
        let mut kinds: BTreeMap<(ValueId, ValueId), Vec<u64>> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.finish == NEVER && !call.is_read()) {
            kinds.entry((call.expects, call.writes)).or_default().push(call.invoke);
        }
        let kind = |((expects, writes), mut invokes): (_, Vec<u64>)| {
            invokes.sort_unstable();
            Kind { expects, writes, invokes }
        };
        Self { kinds: kinds.into_iter().map(kind).collect() }
    }

    /// When the first of them was invoked; `NEVER` if there is none.
    pub(crate) fn first_invoke(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.invokes[0]).min().unwrap_or(NEVER)
    }

    /// Those that are not spent.
    pub(crate) fn left(&self, spent: &Spent) -> Vec<Call> {
        let left = (0..).zip(&self.kinds).flat_map(|(number, kind)| {
            let used = spent.iter().filter(|other| **other == number).count();
            let (expects, writes) = (kind.expects, kind.writes);
            let call = move |&invoke: &u64| Call {
                invoke,
                finish: NEVER,
                expects,
                writes,
                event: 0,
                client: 0,
            };
            kind.invokes.iter().skip(used).map(call)
        });
        left.collect()
    }

    /// Those that may happen now in a state of which somebody `needs` what they make it: the kind, and the state
    /// afterwards.
    pub(super) fn possible(
        &self,
        state: ValueId,
        spent: &Spent,
        now: u64,
        needs: impl Fn(ValueId) -> bool,
    ) -> impl Iterator<Item = (u32, ValueId)> {
        (0..).zip(&self.kinds).filter_map(move |(number, kind)| {
            let met = kind.expects == ANYTHING || kind.expects == state;
            let needed =
                || needs(kind.writes) || self.kinds.iter().any(|next| next.expects == kind.writes);
            let happens =
                met && kind.writes != state && kind.is_left(number, spent, now) && needed();
            happens.then_some((number, kind.writes))
        })
    }
}

impl Kind {
    /// Whether one more call of this kind was invoked by now than is spent.
    fn is_left(&self, number: u32, spent: &[u32], now: u64) -> bool {
        let used = spent.iter().filter(|other| **other == number).count();
        self.invokes.get(used).is_some_and(|invoke| *invoke <= now)
    }
}

/// One more of a kind is spent.
pub(super) fn with(spent: &Spent, kind: u32) -> Spent {
    let mut more = spent.clone();
    let at = more.partition_point(|other| *other <= kind);
    more.insert(at, kind);
    more
}

/// Whether one ascending multiset is part of another.
pub(super) fn is_part_of(part: &[u32], whole: &[u32]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|kind| rest.any(|other| other == kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ABSENT;

    #[test]
    fn multisets_are_compared_with_their_numbers() {
        assert!(is_part_of(&[], &[1]));
        assert!(is_part_of(&[1, 3], &[1, 2, 3]));
        assert!(!is_part_of(&[1, 1], &[1, 2]));
        assert!(!is_part_of(&[2], &[]));
        assert_eq!(with(&vec![1, 3], 2), [1, 2, 3]);
        assert_eq!(with(&vec![1, 3], 3), [1, 3, 3]);
    }

    #[test]
    fn only_what_is_left_invoked_and_needed_may_happen() {
        let delete = |invoke| Call {
            invoke,
            finish: NEVER,
            expects: ANYTHING,
            writes: ABSENT,
            event: 0,
            client: 0,
        };
        let unknown = UnknownCalls::of(&[delete(9), delete(5)]);
        assert_eq!(unknown.first_invoke(), 5);
        let possible = |state, spent: &Spent, now, needed: bool| {
            unknown.possible(state, spent, now, |_| needed).collect::<Vec<_>>()
        };
        assert_eq!(possible(1, &vec![], 5, true), [(0, ABSENT)]);
        assert_eq!(possible(1, &vec![], 4, true), []);
        assert_eq!(possible(1, &vec![], 5, false), []);
        assert_eq!(possible(ABSENT, &vec![], 5, true), []);
        assert_eq!(possible(1, &vec![0], 8, true), []);
        assert_eq!(possible(1, &vec![0], 9, true), [(0, ABSENT)]);
    }
}
