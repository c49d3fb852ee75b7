//! Changes to a history that must not change its verdict, or only in one direction.

use proptest::prelude::*;

use super::amount::histories;
use super::tests::calls;
use super::{Decision, judge};
use crate::call::{ABSENT, ANYTHING, Call, NEVER, NOTHING};
use crate::options::{Budget, Engine};

fn is_linearizable(calls: &[Call]) -> bool {
    judge(calls, Engine::Auto, &Budget::default()).decision == Decision::Linearizable
}

fn sorted(mut calls: Vec<Call>) -> Vec<Call> {
    calls.sort_by_key(|call| call.invoke);
    calls
}

/// Calls whose values are unique, for the near-linear check, or repeat, for the search.
fn history() -> impl Strategy<Value = Vec<Call>> {
    (calls(1..=14, 24, 7), any::<bool>()).prop_map(|(mut calls, unique)| {
        for (number, call) in calls.iter_mut().enumerate() {
            if unique && !call.is_read() && call.writes != ABSENT {
                call.writes = number as u32 + 1;
            }
        }
        calls
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: histories(20),
        ..ProptestConfig::default()
    })]

    #[test]
    fn shifting_time_and_relabelling_clients_changes_nothing(calls in history(), shift in 0..1_000_u64) {
        let other = calls.iter().map(|call| Call {
            invoke: call.invoke * 3 + shift,
            finish: if call.is_unknown() { NEVER } else { call.finish * 3 + shift },
            client: call.client + 7,
            ..*call
        });
        prop_assert_eq!(is_linearizable(&calls), is_linearizable(&other.collect::<Vec<_>>()));
    }

    #[test]
    fn renumbering_values_changes_nothing(calls in history()) {
        let renumber = |value: u32| if (1..100).contains(&value) { 1_000_000 - value } else { value };
        let other = calls.iter().map(|call| Call {
            expects: renumber(call.expects),
            writes: renumber(call.writes),
            ..*call
        });
        prop_assert_eq!(is_linearizable(&calls), is_linearizable(&other.collect::<Vec<_>>()));
    }

    #[test]
    fn widening_an_interval_keeps_valid_valid(
        calls in history(),
        at in any::<prop::sample::Index>(),
        (earlier, later) in (0..9_u64, 0..9_u64),
    ) {
        if !is_linearizable(&calls) {
            return Ok(());
        }
        let mut wider = calls.clone();
        let call = at.get(&calls);
        let index = at.index(calls.len());
        wider[index].invoke = call.invoke.saturating_sub(earlier);
        wider[index].finish = call.finish.saturating_add(later);
        prop_assert!(is_linearizable(&sorted(wider)));
    }

    #[test]
    fn unobserved_write_of_unknown_outcome_changes_nothing(calls in history(), invoke in 0..24_u64) {
        let unobserved =
            Call { invoke, finish: NEVER, expects: ANYTHING, writes: 777, event: 0, client: 0 };
        let with = sorted(calls.iter().copied().chain([unobserved]).collect());
        // To "some value" and "not e" it is not unobserved.
        let only_values = calls.iter().all(|call| call.expects < crate::call::PRESENT || call.expects == ANYTHING)
            && calls.iter().all(|call| call.writes == NOTHING || !call.is_read());
        if !only_values {
            return Ok(());
        }
        prop_assert_eq!(is_linearizable(&calls), is_linearizable(&with));
    }

    #[test]
    fn taking_a_read_away_keeps_valid_valid(calls in history(), at in any::<prop::sample::Index>()) {
        if !(is_linearizable(&calls) && at.get(&calls).is_read()) {
            return Ok(());
        }
        let mut fewer = calls.clone();
        fewer.remove(at.index(calls.len()));
        prop_assert!(is_linearizable(&fewer));
    }
}
