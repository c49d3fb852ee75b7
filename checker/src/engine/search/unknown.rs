//! Calls of unknown outcome, as the search takes them: never required, and interchangeable where
//! they do the same.
//!
//! In: a key's calls. Out: the kinds of calls that may have happened, and which of them may happen
//! next. A configuration counts how many of each kind it has spent.
//!
//! Such a call is taken only to serve a call of known outcome: directly before one that asks for
//! the state that it makes, or before another of unknown outcome that leads there. In any
//! linearization one that is followed by something else can be left out (what follows does not look
//! at the state), so nothing is lost.
//!
//! **What is worth less.** A write of v can stand wherever a swap of something to v can. So whoever
//! has spent swaps to v is at least as well off as whoever has spent as many writes of v instead
//! ([`UnknownCalls::costs_no_more`]).

use std::rc::Rc;

use crate::call::{ANYTHING, Call, NEVER, ValueId};

/// Unknown calls spent: ascending numbers of kinds, each with how often it was used.
pub(crate) type Spent = Rc<[(u32, u32)]>;

/// The calls of unknown outcome on one key.
#[derive(Debug)]
pub(crate) struct UnknownCalls {
    /// By what they write; among those the one that expects nothing is the last.
    kinds: Vec<Kind>,
    /// Numbers of kinds by what they expect.
    by_expected: Vec<u32>,
}

/// Those that do the same, by their invocations in time.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) expects: ValueId,
    pub(super) writes: ValueId,
    invokes: Vec<u64>,
    /// The last of its value.
    is_write: bool,
}

/// Nothing is spent.
pub(crate) fn nothing() -> Spent {
    Rc::new([])
}

impl UnknownCalls {
    /// Those among a key's calls.
    pub(crate) fn of(calls: &[Call]) -> Self {
        let mut of: Vec<&Call> = calls
            .iter()
            .filter(|call| call.is_unknown() && !call.is_read() && call.expects != call.writes)
            .collect();
        of.sort_unstable_by_key(|call| (call.writes, call.expects, call.invoke));
        let same = |a: &&Call, b: &&Call| (a.writes, a.expects) == (b.writes, b.expects);
        let kind = |calls: &[&Call]| Kind {
            expects: calls[0].expects,
            writes: calls[0].writes,
            invokes: calls.iter().map(|call| call.invoke).collect(),
            is_write: calls[0].expects == ANYTHING,
        };
        let kinds: Vec<Kind> = of.chunk_by(same).map(kind).collect();
        let mut by_expected: Vec<u32> = (0..kinds.len() as u32).collect();
        by_expected.sort_by_key(|number| kinds[*number as usize].expects);
        Self { kinds, by_expected }
    }

    /// When the first of them was invoked; `NEVER` if there is none.
    pub(crate) fn first_invoke(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.invokes[0]).min().unwrap_or(NEVER)
    }

    /// Those that are not spent.
    pub(crate) fn left(&self, spent: &Spent) -> Vec<Call> {
        let left = (0..).zip(&self.kinds).flat_map(|(number, kind)| {
            let (expects, writes) = (kind.expects, kind.writes);
            let call = move |&invoke: &u64| Call {
                invoke,
                finish: NEVER,
                expects,
                writes,
                event: 0,
                client: 0,
            };
            kind.invokes.iter().skip(used(spent, number) as usize).map(call)
        });
        left.collect()
    }

    /// The numbers of writes and of swaps that are spent.
    pub(super) fn count(&self, spent: &[(u32, u32)]) -> (u32, u32) {
        spent.iter().fold((0, 0), |(writes, swaps), (number, count)| {
            if self.kinds[*number as usize].is_write {
                (writes + count, swaps)
            } else {
                (writes, swaps + count)
            }
        })
    }

    /// Kinds that make a state, with their numbers.
    pub(super) fn making(&self, value: ValueId) -> impl Iterator<Item = (u32, &Kind)> {
        let first = self.kinds.partition_point(|kind| kind.writes < value);
        let kinds = (first as u32..).zip(&self.kinds[first..]);
        kinds.take_while(move |(_, kind)| kind.writes == value)
    }

    /// Kinds that expect a state, or with [`ANYTHING`] that expect none.
    pub(super) fn expecting(&self, value: ValueId) -> impl Iterator<Item = (u32, &Kind)> {
        let kind = |number: &u32| &self.kinds[*number as usize];
        let first = self.by_expected.partition_point(|number| kind(number).expects < value);
        let numbers = self.by_expected[first..].iter().map(move |number| (*number, kind(number)));
        numbers.take_while(move |(_, kind)| kind.expects == value)
    }

    /// Returns true if nothing is lost by having spent `a` rather than `b`: every call that `a` has
    /// spent and `b` has not is a swap, and in its stead `a` has kept a write of the same value
    /// that `b` has spent.
    pub(super) fn costs_no_more(&self, a: &[(u32, u32)], b: &[(u32, u32)]) -> bool {
        let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
        let mut value = None;
        // Swaps to this value that `a` has spent beyond `b`.
        let mut owing = 0;
        loop {
            let number = match (a.peek(), b.peek()) {
                (None, _) if owing == 0 => return true,
                (None, None) => return false,
                (Some((a, _)), Some((b, _))) => *a.min(b),
                (Some((number, _)), None) | (None, Some((number, _))) => *number,
            };
            let count = |of: &mut std::iter::Peekable<std::slice::Iter<'_, (u32, u32)>>| {
                of.next_if(|(other, _)| *other == number).map_or(0, |(_, count)| *count)
            };
            let (of_a, of_b) = (count(&mut a), count(&mut b));
            let kind = &self.kinds[number as usize];
            if value != Some(kind.writes) {
                if owing > 0 {
                    return false;
                }
                value = Some(kind.writes);
            }
            if kind.is_write {
                if of_a + owing > of_b {
                    return false;
                }
                owing = 0;
            } else {
                owing += of_a.saturating_sub(of_b);
            }
        }
    }
}

impl Kind {
    /// Returns true if more calls of this kind were invoked by now than are spent.
    pub(super) fn is_left(&self, number: u32, spent: &[(u32, u32)], now: u64) -> bool {
        self.invokes.get(used(spent, number) as usize).is_some_and(|invoke| *invoke <= now)
    }

    /// Returns true if a call of this kind was invoked by now.
    pub(super) fn is_invoked(&self, now: u64) -> bool {
        self.invokes[0] <= now
    }
}

fn used(spent: &[(u32, u32)], number: u32) -> u32 {
    spent.binary_search_by_key(&number, |(kind, _)| *kind).map_or(0, |at| spent[at].1)
}

/// One more of a kind is spent.
pub(super) fn with(spent: &Spent, kind: u32) -> Spent {
    match spent.binary_search_by_key(&kind, |(other, _)| *other) {
        Ok(at) => {
            let more = spent.iter().enumerate();
            more.map(|(other, (kind, count))| (*kind, count + u32::from(other == at))).collect()
        }
        Err(at) => {
            let (before, after) = spent.split_at(at);
            before.iter().copied().chain([(kind, 1)]).chain(after.iter().copied()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ABSENT;

    fn unknown(invoke: u64, expects: ValueId, writes: ValueId) -> Call {
        Call { invoke, finish: NEVER, expects, writes, event: 0, client: 0 }
    }

    #[test]
    fn kinds_are_counted() {
        let none = nothing();
        assert_eq!(*with(&with(&none, 3), 1), [(1, 1), (3, 1)]);
        assert_eq!(*with(&with(&with(&none, 3), 1), 3), [(1, 1), (3, 2)]);
    }

    #[test]
    fn fewer_calls_cost_no_more_and_swaps_cost_no_more_than_writes() {
        // Numbers: 0 and 1 are swaps to 1, 2 is a write of it, 3 is a swap to 2, 4 a write of it.
        let calls =
            [(2, 1), (3, 1), (ANYTHING, 1), (1, 2), (ANYTHING, 2)].map(|(e, w)| unknown(1, e, w));
        let unknown = UnknownCalls::of(&calls);
        let no_more = |a: &[(u32, u32)], b: &[(u32, u32)]| unknown.costs_no_more(a, b);
        assert!(no_more(&[], &[(1, 1)]) && !no_more(&[(1, 1)], &[]));
        assert!(no_more(&[(1, 1)], &[(1, 2), (3, 1)]) && !no_more(&[(1, 2)], &[(1, 1), (3, 9)]));
        assert!(no_more(&[(0, 1)], &[(2, 1)]) && !no_more(&[(2, 1)], &[(0, 1)]));
        assert!(no_more(&[(0, 1), (1, 1)], &[(2, 2)]) && !no_more(&[(0, 1), (1, 1)], &[(2, 1)]));
        assert!(!no_more(&[(0, 1), (2, 1)], &[(1, 1), (2, 1)]));
        assert!(!no_more(&[(0, 1)], &[(4, 1)]) && !no_more(&[(3, 1)], &[(2, 1)]));
    }

    #[test]
    fn only_what_is_left_and_invoked_may_happen() {
        let unknown = UnknownCalls::of(&[unknown(9, ANYTHING, ABSENT), unknown(5, ANYTHING, 0)]);
        assert_eq!(unknown.first_invoke(), 5);
        let (number, kind) = unknown.making(ABSENT).next().expect("a kind");
        let one = with(&nothing(), number);
        assert!(kind.is_left(number, &[], 5) && !kind.is_left(number, &[], 4));
        assert!(kind.is_left(number, &one, 9) && !kind.is_left(number, &one, 8));
        assert_eq!(unknown.left(&one).len(), 1);
        assert_eq!((unknown.expecting(ANYTHING).count(), unknown.making(1).count()), (1, 0));
    }
}
