//! The near-linear check against every order of small histories.

use super::{Answer, Call, Clash, NEVER, Op, ValueId, check};
use proptest::prelude::*;
use std::collections::BTreeSet;

const OPERATIONS_MAX: usize = 9;

/// Searches every order, depth first. An operation of unknown outcome may be left out.
fn has_an_order(ops: &[Op]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(0_u32, None)];
    while let Some((done, state)) = open.pop() {
        let left = || (0..ops.len()).filter(|index| done & (1 << index) == 0);
        let bound = left().map(|index| ops[index].returned).min().unwrap_or(NEVER);
        if bound == NEVER {
            return true;
        }
        if !seen.insert((done, state)) {
            continue;
        }
        for index in left().filter(|index| ops[*index].invoked <= bound) {
            if can_follow(&ops[index], state) {
                open.push((done | 1 << index, after(&ops[index], state)));
            }
        }
    }
    false
}

/// Whether an operation can happen in a state.
fn can_follow(op: &Op, state: Option<ValueId>) -> bool {
    match op.call {
        Call::Read(value) => op.returned == NEVER || value == state,
        Call::Put(_) | Call::Delete => true,
        Call::Cas(expected, _) => expected == state,
    }
}

/// The state after an operation that can happen.
fn after(op: &Op, state: Option<ValueId>) -> Option<ValueId> {
    match op.call {
        Call::Read(_) => state,
        Call::Put(value) | Call::Cas(_, value) => Some(value),
        Call::Delete => None,
    }
}

/// One operation; its new value is its index, so that values are unique, and what it observed is
/// one of them.
fn op(index: usize) -> impl Strategy<Value = Op> {
    let seen = prop_oneof![
        1 => Just(None),
        3 => (0..OPERATIONS_MAX as ValueId).prop_map(Some),
    ];
    let kind = prop_oneof![3 => Just(0), 3 => Just(1), 1 => Just(2), 2 => Just(3)];
    (0..16_u64, 0..8_u64, prop::bool::weighted(0.15), kind, seen).prop_map(
        move |(invoked, length, unknown, kind, seen)| Op {
            invoked,
            returned: if unknown { NEVER } else { invoked + length },
            call: match kind {
                0 => Call::Put(index as ValueId),
                1 => Call::Read(seen),
                2 => Call::Delete,
                _ => Call::Cas(seen, index as ValueId),
            },
        },
    )
}

/// A history in which most observations are of values that somebody wrote.
fn history() -> impl Strategy<Value = Vec<Op>> {
    let all: Vec<_> = (0..OPERATIONS_MAX).map(op).collect();
    (all, 1..=OPERATIONS_MAX).prop_map(|(mut ops, length)| {
        ops.truncate(length);
        let written: Vec<ValueId> = ops
            .iter()
            .filter_map(|op| match op.call {
                Call::Put(value) | Call::Cas(_, value) => Some(value),
                _ => None,
            })
            .collect();
        for op in &mut ops {
            if let Call::Read(Some(value)) | Call::Cas(Some(value), _) = &mut op.call
                && !written.is_empty()
                // A phantom now and then: the value that only the last operation could have
                // written.
                && *value != OPERATIONS_MAX as ValueId - 1
            {
                *value = written[*value as usize % written.len()];
            }
        }
        ops
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::engine::amount::histories(2), ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_every_order(ops in history()) {
        prop_assert_eq!(check(ops.as_slice()) == Answer::Linearizable, has_an_order(&ops));
    }
}

fn ok(invoked: u64, returned: u64, call: Call) -> Op {
    Op { invoked, returned, call }
}

#[test]
fn a_stale_read_names_both_blocks() {
    let ops = [
        ok(0, 1, Call::Put(1)),
        ok(2, 3, Call::Put(2)),
        ok(4, 5, Call::Read(Some(2))),
        ok(6, 7, Call::Read(Some(1))),
    ];
    assert_eq!(check(ops.as_slice()), Answer::Not(Clash::Blocks([0, 3], [1, 2])));
}

#[test]
fn touching_operations_are_concurrent() {
    let ops = [ok(0, 5, Call::Put(1)), ok(5, 9, Call::Read(None))];
    assert_eq!(check(ops.as_slice()), Answer::Linearizable);
    let ops = [ok(0, 5, Call::Put(1)), ok(6, 9, Call::Read(None))];
    assert!(matches!(check(ops.as_slice()), Answer::Not(Clash::Blocks(..))));
}

#[test]
fn an_unknown_write_may_have_happened_or_not() {
    let unknown = ok(0, NEVER, Call::Put(1));
    assert_eq!(check([unknown, ok(5, 6, Call::Read(None))].as_slice()), Answer::Linearizable);
    assert_eq!(check([unknown, ok(5, 6, Call::Read(Some(1)))].as_slice()), Answer::Linearizable);
    let gone = [unknown, ok(5, 6, Call::Read(Some(1))), ok(7, 8, Call::Read(None))];
    assert!(matches!(check(gone.as_slice()), Answer::Not(_)));
}

#[test]
fn what_nobody_wrote_and_what_was_replaced_twice_are_named() {
    assert_eq!(check([ok(0, 1, Call::Read(Some(9)))].as_slice()), Answer::Not(Clash::Phantom(0)));
    let twice =
        [ok(0, 1, Call::Put(1)), ok(2, 3, Call::Cas(Some(1), 2)), ok(4, 5, Call::Cas(Some(1), 3))];
    assert_eq!(check(twice.as_slice()), Answer::Not(Clash::TwoSuccessors(1, 2)));
    let repeated = [ok(0, 1, Call::Put(1)), ok(2, 3, Call::Put(1))];
    assert_eq!(check(repeated.as_slice()), Answer::NotUnique(0, 1));
}

#[test]
fn a_delete_is_needed_for_absence_to_come_back() {
    let put_and_absent = |delete: Option<Op>| {
        let mut ops = vec![ok(0, 1, Call::Put(1)), ok(8, 9, Call::Read(None))];
        ops.extend(delete);
        check(ops.as_slice())
    };
    assert_eq!(put_and_absent(Some(ok(2, 3, Call::Delete))), Answer::Linearizable);
    assert_eq!(put_and_absent(Some(ok(2, NEVER, Call::Delete))), Answer::Linearizable);
    assert!(matches!(put_and_absent(None), Answer::Not(_)));
    let too_late = put_and_absent(Some(ok(10, NEVER, Call::Delete)));
    assert!(matches!(too_late, Answer::Not(Clash::Absence(1))), "{too_late:?}");
}
