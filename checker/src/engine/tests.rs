//! The engines against every order of small histories of all kinds of calls, and against each other on larger ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Decision, judge};
use crate::call::{ABSENT, ANYTHING, Call, NEVER, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::options::{Budget, Engine};

const SMALL_HISTORIES: u32 = if cfg!(debug_assertions) { 5_000 } else { 500_000 };
const LARGER_HISTORIES: u32 = if cfg!(debug_assertions) { 300 } else { 20_000 };

/// Searches every order, depth first, knowing nothing but [`Call::step`] and the times.
pub(crate) fn has_an_order(calls: &[Call]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(0_u32, ABSENT)];
    while let Some((done, state)) = open.pop() {
        let left = || (0..calls.len()).filter(|index| done & (1 << index) == 0);
        let bound = left().map(|index| calls[index].finish).min().unwrap_or(NEVER);
        if bound == NEVER {
            return true;
        }
        if seen.insert((done, state)) {
            open.extend(left().filter(|index| calls[*index].invoke <= bound).filter_map(|index| {
                calls[index].step(state).map(|next| (done | 1 << index, next))
            }));
        }
    }
    false
}

fn value() -> impl Strategy<Value = ValueId> {
    prop_oneof![1 => Just(ABSENT), 3 => 1..4_u32]
}

/// What a call expects and writes, of every kind.
fn transition() -> impl Strategy<Value = (ValueId, ValueId)> {
    prop_oneof![
        4 => value().prop_map(|seen| (seen, NOTHING)),
        1 => Just((PRESENT, NOTHING)),
        1 => value().prop_map(|other| (other, UNLIKE)),
        4 => value().prop_map(|written| (ANYTHING, written)),
        3 => (value(), value()),
    ]
}

/// So many calls of every kind, invoked within a span of time.
pub(crate) fn calls(
    count: std::ops::RangeInclusive<usize>,
    span: u64,
) -> impl Strategy<Value = Vec<Call>> {
    let call = (0..span, 0..8_u64, prop::bool::weighted(0.15), transition()).prop_map(
        |(invoke, length, is_unknown, (expects, writes))| {
            let is_read = writes == NOTHING || writes == UNLIKE;
            let finish = if is_unknown && !is_read { NEVER } else { invoke + length };
            Call { invoke, finish, expects, writes, event: 0, client: 0 }
        },
    );
    prop::collection::vec(call, count).prop_map(|mut calls| {
        calls.sort_by_key(|call| call.invoke);
        calls
    })
}

fn linearizable(calls: &[Call], engine: Engine) -> bool {
    match judge(calls, engine, &Budget::default()).decision {
        Decision::Linearizable => true,
        Decision::NotLinearizable => false,
        Decision::Unknown(reason) => panic!("{engine:?} gave up: {reason}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: SMALL_HISTORIES, ..ProptestConfig::default() })]

    #[test]
    fn search_agrees_with_every_order(calls in calls(0..=9, 16)) {
        prop_assert_eq!(linearizable(&calls, Engine::Search), has_an_order(&calls));
    }

    #[test]
    fn default_engine_agrees_with_every_order(calls in calls(0..=9, 16)) {
        prop_assert_eq!(linearizable(&calls, Engine::Auto), has_an_order(&calls));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: LARGER_HISTORIES, ..ProptestConfig::default() })]

    #[test]
    fn search_agrees_with_porcupine(calls in calls(10..=30, 60)) {
        let porcupine = linearizable(&calls, Engine::Porcupine);
        prop_assert_eq!(linearizable(&calls, Engine::Search), porcupine);
    }
}
