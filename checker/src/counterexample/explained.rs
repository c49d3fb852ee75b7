//! The longest beginning of some operations that can be explained, as Porcupine's picture shows it.
//!
//! In: calls on one key, few of them. Out: an order of as many completed calls as can be had such
//! that each finds the key as its answer says, and that every call which had returned before one of
//! them was invoked comes before it. The next call has no place after such an order, whatever else
//! is tried: that is where the history goes wrong.
//!
//! A depth-first search over (which calls are placed, what the key is). It is bounded: beyond the
//! bounds the longest beginning found so far is told, or none.

use hashbrown::HashSet;
use rustc_hash::FxBuildHasher;

use crate::call::{ABSENT, Call, ValueId};

/// Counterexamples with more calls are too large to be looked at, too.
const CALLS_MAX: usize = 128;
/// So many configurations are tried.
const TRIED_MAX: usize = 100_000;

/// A call that was placed, by its index, and what the key was afterwards.
pub(super) type Placed = (usize, ValueId);

/// The longest beginning. Calls of unknown outcome are in it only where they are needed.
pub(super) fn longest(calls: &[Call]) -> Vec<Placed> {
    if calls.len() > CALLS_MAX {
        return Vec::new();
    }
    let mut search = Search { calls, tried: HashSet::default(), best: (0, Vec::new()) };
    search.go(0, ABSENT, &mut Vec::new());
    search.best.1
}

struct Search<'a> {
    calls: &'a [Call],
    tried: HashSet<(u128, ValueId), FxBuildHasher>,
    /// How many completed calls are in the best order, and the order.
    best: (usize, Vec<Placed>),
}

impl Search<'_> {
    fn go(&mut self, placed: u128, state: ValueId, order: &mut Vec<Placed>) {
        if self.tried.len() >= TRIED_MAX || !self.tried.insert((placed, state)) {
            return;
        }
        let completed = order.iter().filter(|(index, _)| !self.calls[*index].is_unknown()).count();
        let (most, best) = &self.best;
        if completed > *most || (completed == *most && completed > 0 && order.len() < best.len()) {
            self.best = (completed, order.clone());
        }
        let is_open = |index: &usize| placed >> *index & 1 == 0;
        let open: Vec<usize> = (0..self.calls.len()).filter(is_open).collect();
        // Whoever was invoked later comes after the one that returns first.
        let first_return = open.iter().map(|index| self.calls[*index].finish).min().unwrap_or(0);
        for index in open {
            let call = &self.calls[index];
            let Some(after) = call.step(state).filter(|_| call.invoke <= first_return) else {
                continue;
            };
            order.push((index, after));
            self.go(placed | 1 << index, after, order);
            order.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ANYTHING, NEVER, NOTHING};
    use proptest::prelude::*;

    fn call(invoke: u64, finish: u64, expects: ValueId, writes: ValueId) -> Call {
        Call { invoke, finish, expects, writes, event: 0, client: 0 }
    }

    #[test]
    fn a_stale_read_has_no_place_after_the_newer_write() {
        let calls = [
            call(1, 2, ANYTHING, 1),
            call(3, 4, ANYTHING, 2),
            // Of unknown outcome, and nobody saw it: it explains nothing.
            call(3, NEVER, ANYTHING, 3),
            call(5, 6, 1, NOTHING),
        ];
        assert_eq!(longest(&calls), [(0, 1), (1, 2)]);
    }

    #[test]
    fn what_is_of_unknown_outcome_is_placed_where_it_is_needed() {
        let calls =
            [call(1, NEVER, ANYTHING, 1), call(5, 6, 1, NOTHING), call(7, 8, ABSENT, NOTHING)];
        assert_eq!(longest(&calls), [(0, 1), (1, 1)]);
        assert!(longest(&[call(1, 2, 7, NOTHING)]).is_empty());
    }

    /// Every order that obeys the rules, and the most completed calls that one of them has.
    fn brute(calls: &[Call], placed: &mut Vec<usize>, state: ValueId) -> usize {
        let mut most = placed.iter().filter(|index| !calls[**index].is_unknown()).count();
        for (index, call) in calls.iter().enumerate() {
            let late =
                |other: &usize| !placed.contains(other) && calls[*other].finish < call.invoke;
            if placed.contains(&index) || (0..calls.len()).any(|other| late(&other)) {
                continue;
            }
            if let Some(after) = call.step(state) {
                placed.push(index);
                most = most.max(brute(calls, placed, after));
                placed.pop();
            }
        }
        most
    }

    proptest! {
        #[test]
        fn it_is_an_order_and_no_other_one_is_longer(
            drawn in prop::collection::vec((0..12_u64, 0..6_u64, 0..3_u32, any::<bool>(), prop::bool::weighted(0.2)), 1..6)
        ) {
            let calls: Vec<Call> = drawn
                .iter()
                .map(|(begin, length, value, reads, unknown)| {
                    let finish = if *unknown { NEVER } else { begin + length };
                    if *reads { call(*begin, finish, *value, NOTHING) } else { call(*begin, finish, ANYTHING, *value) }
                })
                .collect();
            let order = longest(&calls);
            let mut state = ABSENT;
            for (place, (index, after)) in order.iter().enumerate() {
                prop_assert_eq!(calls[*index].step(state), Some(*after));
                state = *after;
                let later = (0..calls.len()).filter(|other| !order[..=place].iter().any(|(it, _)| it == other));
                for other in later {
                    prop_assert!(calls[other].finish >= calls[*index].invoke, "{other} had returned before {index}");
                }
            }
            let completed = order.iter().filter(|(index, _)| !calls[*index].is_unknown()).count();
            prop_assert_eq!(completed, brute(&calls, &mut Vec::new(), ABSENT));
        }
    }
}
