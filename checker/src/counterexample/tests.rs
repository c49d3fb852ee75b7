//! Counterexamples of random invalid histories: 1-minimal, and invalid again when they are read as
//! histories.

use proptest::prelude::*;

use super::minimize::{minimize, without};
use super::support::supported;
use super::{core, find};
use crate::call::{ANYTHING, Call, NOTHING};
use crate::check::check;
use crate::collect::Collector;
use crate::engine::{self, Decision};
use crate::history::{History, KeyHistory};
use crate::options::{Budget, Engine, Options};
use crate::verdict::Validity;

fn is_invalid(calls: &[Call]) -> bool {
    engine::judge(calls, Engine::Auto, &Budget::default()).decision == Decision::NotLinearizable
}

/// Events of one key: gets, puts, deletes, CAS of few or of unique values, of known or unknown
/// outcome.
fn events() -> impl Strategy<Value = Vec<histories::Event>> {
    let operation =
        (0..40_u64, 0..8_u64, prop::bool::weighted(0.1), 0..4_u8, 0..5_u8, any::<bool>());
    (prop::collection::vec(operation, 3..24), any::<bool>()).prop_map(|(operations, unique)| {
        let mut events = Vec::new();
        for (number, (begin, length, unknown, kind, seen, swapped)) in operations.iter().enumerate()
        {
            let key = b"k".to_vec();
            let new = if unique { format!("v{number}") } else { format!("v{}", number % 4) };
            let observed = (*seen > 0).then(|| format!("v{}", seen - 1).into_bytes());
            let (operation, answer) = match kind {
                0 => (histories::Operation::Get { key }, histories::Answer::Got(observed)),
                1 => (
                    histories::Operation::Put { key, value: new.into_bytes(), ttl_s: None },
                    histories::Answer::Done,
                ),
                2 => (histories::Operation::Delete { key }, histories::Answer::Done),
                _ => (
                    histories::Operation::Cas {
                        key,
                        expected: observed.clone(),
                        new: new.into_bytes(),
                    },
                    if *swapped {
                        histories::Answer::Cas { swapped: true, previous: observed }
                    } else {
                        histories::Answer::CasFailed
                    },
                ),
            };
            let process = histories::Process::Client(number as u64);
            events.push((*begin, false, process, histories::What::Invoke(operation.clone())));
            let outcome =
                if *unknown { histories::Outcome::Info } else { histories::Outcome::Ok(answer) };
            let completion = histories::What::Complete(operation, outcome);
            events.push((begin + length, true, process, completion));
        }
        events.sort_by_key(|(time, is_return, ..)| (*time, *is_return));
        let event = |(index, (time_ns, _, process, what))| histories::Event {
            index,
            time_ns,
            process,
            what,
            error: None,
            attempts: Vec::new(),
        };
        (0..).zip(events).map(event).collect()
    })
}

fn collected(events: Vec<histories::Event>) -> History {
    let mut collector = Collector::new();
    for event in events {
        collector.push(event).expect("well-formed");
    }
    collector.finish()
}

fn single_key(history: &History) -> &KeyHistory {
    let [key] = history.keys.as_slice() else { panic!("one key") };
    key
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::engine::amount::histories(50),
        ..ProptestConfig::default()
    })]

    #[test]
    fn counterexample_is_minimal_and_invalid_as_a_history_of_its_own(events in events()) {
        let history = collected(events);
        let key = single_key(&history);
        if !is_invalid(&key.calls) {
            return Ok(());
        }
        let candidate = core::candidate(&key.calls, &is_invalid, &is_invalid);
        let minimal = minimize(candidate, &key.calls, &is_invalid);
        prop_assert!(is_invalid(&minimal));
        for index in 0..minimal.len() {
            let rest = without(&minimal, index..index + 1, &key.calls);
            prop_assert!(rest.is_empty() || !is_invalid(&rest), "{index} is not needed: {minimal:?}");
        }

        let found = find(&history, key, &Budget::default(), 0);
        prop_assert!(!found.sentence.is_empty());
        prop_assert!(!found.drawing.is_empty());
        let mut order = histories::order::Order::new();
        for event in &found.events {
            prop_assert_eq!(order.event(event), Ok(()));
        }
        let again = check(&collected(found.events), &Options::default());
        prop_assert_eq!(again.validity, Validity::Invalid);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::engine::amount::histories(5),
        ..ProptestConfig::default()
    })]

    /// What a counterexample rests on: a supported part of something linearizable is linearizable.
    #[test]
    fn supported_part_of_a_linearizable_whole_is_linearizable(
        whole in crate::engine::tests::calls(2..=10, 30, 6),
        kept in prop::collection::vec(any::<bool>(), 10),
    ) {
        if is_invalid(&whole) {
            return Ok(());
        }
        let part = whole.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(call, _)| *call);
        let part = supported(part.collect(), &whole);
        prop_assert!(!is_invalid(&part), "{part:?}");
    }
}

#[test]
fn what_only_lacks_a_delete_is_no_counterexample() {
    let put = |value: &str| histories::Operation::Put {
        key: b"k".to_vec(),
        value: value.as_bytes().to_vec(),
        ttl_s: None,
    };
    let get = || histories::Operation::Get { key: b"k".to_vec() };
    let got =
        |value: Option<&str>| histories::Answer::Got(value.map(|value| value.as_bytes().to_vec()));
    let done = histories::Answer::Done;
    // Without the delete the first read alone would be invalid; the violation is the stale read at
    // the end.
    let history = collected(sequential(vec![
        (put("1"), done.clone()),
        (histories::Operation::Delete { key: b"k".to_vec() }, done.clone()),
        (get(), got(None)),
        (put("2"), done.clone()),
        (put("3"), done),
        (get(), got(Some("2"))),
    ]));
    let found = find(&history, single_key(&history), &Budget::default(), 0);
    assert_eq!(found.operations, [6, 8, 10], "{found:?}");
}

/// One operation after the other, a client for each.
fn sequential(operations: Vec<(histories::Operation, histories::Answer)>) -> Vec<histories::Event> {
    let mut events = Vec::new();
    for (number, (operation, answer)) in operations.into_iter().enumerate() {
        for what in [
            histories::What::Invoke(operation.clone()),
            histories::What::Complete(operation, histories::Outcome::Ok(answer)),
        ] {
            let index = events.len() as u64;
            events.push(histories::Event {
                index,
                time_ns: index * 1_000_000,
                process: histories::Process::Client(number as u64),
                what,
                error: None,
                attempts: Vec::new(),
            });
        }
    }
    events
}

#[test]
fn stale_read_is_drawn_and_said() {
    let call = |invoke, finish, expects, writes, client| Call {
        invoke,
        finish,
        expects,
        writes,
        event: client,
        client,
    };
    let put = |key: &[u8], value: &str| histories::Operation::Put {
        key: key.to_vec(),
        value: value.as_bytes().to_vec(),
        ttl_s: None,
    };
    assert_eq!(call(1, 2, ANYTHING, 1, 0).step(0), Some(1), "calls are what the events become");
    let get = histories::Operation::Get { key: b"k".to_vec() };
    let got = |value: &str| histories::Answer::Got(Some(value.as_bytes().to_vec()));
    let operations = [
        (put(b"k", "old"), histories::Answer::Done),
        (put(b"k", "other"), histories::Answer::Done),
        (put(b"k", "new"), histories::Answer::Done),
        (get.clone(), got("new")),
        (get, got("old")),
    ];
    let history = collected(sequential(operations.to_vec()));
    let key = single_key(&history);
    assert_eq!(key.calls[3].writes, NOTHING);
    let found = find(&history, key, &Budget::default(), 0);
    // Either of the two later writes shows that the read is stale; the one that is left is enough.
    assert_eq!(found.operations.len(), 3, "{found:?}");
    assert_eq!(found.drawing.len(), 3);
    assert!(found.sentence.contains("had replaced it 0.00"), "{}", found.sentence);
    let last = found.drawing.last().expect("a lane");
    assert!(last.starts_with("client 4") && last.ends_with("├ get → \"old\" ┤ ✗"), "{last}");
}

#[test]
fn values_are_shown_without_their_padding() {
    for (value, shown) in
        [("7-1......", "7-1"), ("7-1...", "7-1..."), (".....", "....."), ("a", "a")]
    {
        assert_eq!(super::unpadded(value), shown);
    }
}
