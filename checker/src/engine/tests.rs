//! The engines against every order of small histories of all kinds of calls, and against each other
//! on larger ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::amount::histories;
use super::{Decision, apart, judge, relaxed, replaced, search, simplify, stretches, unique};
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

/// Few values and few kinds of calls, many of them open at the same time: some writes and swaps
/// each happen several times, and some are lost as often, so that they can stand in for each other.
fn alike(
    count: std::ops::RangeInclusive<usize>,
    span: u64,
    length_max: u64,
    unknown: f64,
) -> impl Strategy<Value = Vec<Call>> {
    let pair = || (0..3_u32, 0..3_u32);
    let kinds = prop::collection::vec(pair(), 1..=2);
    (kinds, timed(count, span, length_max, unknown, transition())).prop_map(|(swaps, mut calls)| {
        // Reads stay as they are; a swap becomes one of the kinds, and so does a put of a value
        // above them.
        for (at, call) in calls.iter_mut().enumerate() {
            let (expects, writes) = swaps[at % swaps.len()];
            if call.expects != ANYTHING && !call.is_read() {
                (call.expects, call.writes) = (expects, writes);
            } else if call.expects == ANYTHING {
                call.writes %= 3;
            } else if call.expects < PRESENT {
                call.expects %= 3;
            }
        }
        calls
    })
}

/// A history that has an order, as one register gives it: up to so many calls of which most are
/// open at the same time, and many are compare-and-swap. Then one answer is changed, or not.
fn recorded(
    count: std::ops::RangeInclusive<usize>,
    unknown: u32,
) -> impl Strategy<Value = Vec<Call>> {
    let one = (1..12_u64, 0..8_u64, 0..8_u64, 0..8_u32, (0..3_u32, 0..3_u32), 0..100_u32);
    let changed = (any::<bool>(), any::<prop::sample::Index>(), 0..3_u32);
    (prop::collection::vec(one, count), changed).prop_map(move |(all, (is_changed, at, other))| {
        let mut effective: Vec<(u64, Call)> = Vec::new();
        for (clock, (begin, early, late, kind, (expects, writes), lost)) in (0..).zip(all) {
            let at = 4 * clock + begin;
            let (expects, writes) = match kind {
                0 | 1 => (0, NOTHING),
                2 | 3 => (ANYTHING, writes),
                _ => (expects, writes),
            };
            let finish = if lost < unknown && writes != NOTHING { NEVER } else { at + 1 + late };
            let invoke = at.saturating_sub(2 * early) + 1;
            effective.push((at, Call { invoke, finish, expects, writes, event: 0, client: 0 }));
        }
        effective.sort_by_key(|(at, _)| *at);
        let mut state = ABSENT;
        let mut calls: Vec<Call> = Vec::new();
        for (at, mut call) in effective {
            if call.writes == NOTHING {
                call.expects = state;
            } else if !call.is_unknown() && call.step(state).is_none() {
                // Half of the swaps that fail are recorded as such, the others as if they had met
                // what they found.
                if at % 2 == 0 { call.writes = UNLIKE } else { call.expects = state }
            }
            state = call.step(state).unwrap_or(state);
            calls.push(call);
        }
        let at = at.index(calls.len());
        if is_changed && calls[at].expects < PRESENT {
            calls[at].expects = other;
        }
        calls.sort_by_key(|call| call.invoke);
        calls
    })
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
    prop_oneof![
        calls(0..=9, 16, 7),
        calls(0..=9, 40, 6),
        lost(0..=9, 12, 9),
        lost(6..=12, 24, 12),
        alike(4..=11, 14, 12, 0.1),
        alike(4..=11, 14, 12, 0.5),
        recorded(6..=13, 0),
        recorded(6..=13, 40),
    ]
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
        prop_assert!(!has_an_order || replaced::seen_by(&calls).is_none(), "replaced");
    }
}

#[test]
fn a_lost_write_hides_another_so_that_a_lost_swap_is_left() {
    let call = |invoke, finish, expects, writes| Call {
        invoke,
        finish,
        expects,
        writes,
        event: 0,
        client: 0,
    };
    let calls = [
        call(1, 2, ANYTHING, 1),
        call(1, NEVER, ANYTHING, 2),
        call(1, NEVER, 1, 2),
        // Open while 2 is seen: hidden by the lost write, since the lost swap is needed later.
        call(3, 10, ANYTHING, 3),
        call(4, 5, 2, NOTHING),
        call(11, 12, 2, NOTHING),
        call(13, 14, ANYTHING, 1),
        call(15, 16, 2, NOTHING),
    ];
    assert!(has_an_order(&calls));
    assert!(linearizable(&calls, Engine::Search) && linearizable(&calls, Engine::Auto));
}

#[test]
fn small_histories_of_each_shape_say_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let shapes = [
        alike(4..=11, 14, 12, 0.1).boxed(),
        alike(4..=11, 14, 12, 0.5).boxed(),
        recorded(6..=13, 0).boxed(),
        recorded(6..=13, 40).boxed(),
    ];
    for shape in shapes {
        let mut runner = TestRunner::deterministic();
        let mut valid = 0;
        for _ in 0..400 {
            let calls = shape.new_tree(&mut runner).expect("a history").current();
            valid += usize::from(has_an_order(&calls));
        }
        assert!((20..=380).contains(&valid), "{valid} of 400 are valid");
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
            recorded(14..=24, 0),
            recorded(14..=20, 40),
        ],
    ) {
        let porcupine = linearizable(&calls, Engine::Porcupine);
        prop_assert_eq!(linearizable(&calls, Engine::Search), porcupine);
        prop_assert_eq!(linearizable(&calls, Engine::Auto), porcupine);
        let cut = stretches::judge_with(&calls, &Budget::default(), 0).decision;
        prop_assert_eq!(cut == Decision::Linearizable, porcupine, "in stretches: {:?}", cut);
    }
}
