//! The engines against every order of small histories of all kinds of calls, and against each other on larger ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::amount::histories;
use super::{Decision, apart, judge, relaxed, search, simplify, stretches, unique};
use crate::call::{ABSENT, ANYTHING, Call, NEVER, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::options::{Budget, Engine};

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
    length_max: u64,
) -> impl Strategy<Value = Vec<Call>> {
    timed(count, span, length_max, 0.15, transition())
}

/// Calls on few values that repeat, of most of which the outcome is unknown, and CAS that failed.
fn lost(
    count: std::ops::RangeInclusive<usize>,
    span: u64,
    length_max: u64,
) -> impl Strategy<Value = Vec<Call>> {
    let value = || 0..3_u32;
    let transition = prop_oneof![
        3 => value().prop_map(|seen| (seen, NOTHING)),
        1 => value().prop_map(|other| (other, UNLIKE)),
        3 => value().prop_map(|written| (ANYTHING, written)),
        3 => (value(), value()),
    ];
    timed(count, span, length_max, 0.4, transition)
}

fn timed(
    count: std::ops::RangeInclusive<usize>,
    span: u64,
    length_max: u64,
    unknown: f64,
    transition: impl Strategy<Value = (ValueId, ValueId)>,
) -> impl Strategy<Value = Vec<Call>> {
    let call = (0..span, 0..=length_max, prop::bool::weighted(unknown), transition).prop_map(
        |(invoke, length, is_unknown, (expects, writes))| {
            let finish = if is_unknown { NEVER } else { invoke + 1 + length };
            Call { invoke: invoke + 1, finish, expects, writes, event: 0, client: 0 }
        },
    );
    prop::collection::vec(call, count).prop_map(|mut calls| {
        calls.sort_by_key(|call| call.invoke);
        calls
    })
}

/// Few calls: crowded, or one after the other with moments at which none is open.
fn small() -> impl Strategy<Value = Vec<Call>> {
    prop_oneof![calls(0..=9, 16, 7), calls(0..=9, 40, 6), lost(0..=9, 12, 9), lost(6..=12, 24, 12),]
}

fn linearizable(calls: &[Call], engine: Engine) -> bool {
    match judge(calls, engine, &Budget::default()).decision {
        Decision::Linearizable => true,
        Decision::NotLinearizable => false,
        Decision::Unknown(reason) => panic!("{engine:?} gave up: {reason}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(2), ..ProptestConfig::default() })]

    #[test]
    fn default_engine_agrees_with_every_order(calls in small()) {
        let has_an_order = has_an_order(&calls);
        prop_assert_eq!(linearizable(&calls, Engine::Auto), has_an_order);
        // Its parts, each of which a later one could cover up.
        let simple = simplify::simplified(&calls);
        prop_assert_eq!(self::has_an_order(&simple), has_an_order, "simplified: {:?}", simple);
        let apart = apart::told_apart(calls.clone());
        prop_assert_eq!(self::has_an_order(&apart), has_an_order, "told apart: {:?}", apart);
        let cut = stretches::judge_with(&simple, &Budget::default(), 0).decision;
        prop_assert_eq!(cut == Decision::Linearizable, has_an_order, "in stretches: {:?}", cut);
        let relaxed = unique::judge(&relaxed::relaxed(&calls)).expect("unique values").decision;
        prop_assert!(!has_an_order || relaxed == Decision::Linearizable, "relaxed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(10), ..ProptestConfig::default() })]

    #[test]
    fn search_agrees_with_every_order(calls in small()) {
        prop_assert_eq!(linearizable(&calls, Engine::Search), has_an_order(&calls));
    }

    #[test]
    fn attempt_finds_nothing_where_there_is_no_order(calls in small()) {
        let unknown = search::UnknownCalls::of(&calls);
        let mut meter = search::Meter::new(&Budget::default());
        let found = search::attempt(&calls, search::at_first(), &unknown, &mut meter);
        prop_assert!(found != Ok(true) || has_an_order(&calls));
    }

    #[test]
    fn porcupine_agrees_with_every_order(calls in small()) {
        prop_assert_eq!(linearizable(&calls, Engine::Porcupine), has_an_order(&calls));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(25), ..ProptestConfig::default() })]

    #[test]
    fn engines_agree_on_middling_histories(
        calls in prop_oneof![
            calls(10..=30, 60, 7),
            calls(10..=40, 200, 9),
            lost(10..=18, 30, 12),
            lost(10..=24, 80, 9),
        ],
    ) {
        let porcupine = linearizable(&calls, Engine::Porcupine);
        prop_assert_eq!(linearizable(&calls, Engine::Search), porcupine);
        prop_assert_eq!(linearizable(&calls, Engine::Auto), porcupine);
        let cut = stretches::judge_with(&calls, &Budget::default(), 0).decision;
        prop_assert_eq!(cut == Decision::Linearizable, porcupine, "in stretches: {:?}", cut);
    }
}
