//! Long histories of a register, settled on the way and not: the same verdicts, and calls that are
//! really forgotten.

use histories::{Answer, Event, Operation, Outcome, Process, What};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{Collector, History, Options, ReadAgain, Validity, check};

/// How a history is made.
#[derive(Debug, Clone, Copy)]
struct Shape {
    seed: u64,
    clients: usize,
    operations: usize,
    /// Of a thousand operations so many are of unknown outcome; half of them take effect, some of
    /// them late.
    unknown: u32,
    /// Of a thousand reads so many answer with an older value.
    wrong: u32,
}

/// A write of unknown outcome that has not taken effect yet.
struct Pending {
    operation: Operation,
    at: u64,
}

/// The operation that a client has open, and whether nobody will know its outcome.
type Open = Option<(Operation, bool)>;

/// What clients of one register saw, event by event.
fn events(shape: Shape) -> Vec<Event> {
    let mut random = ChaCha8Rng::seed_from_u64(shape.seed);
    let mut state: Option<Vec<u8>> = None;
    let mut seen: Vec<Option<Vec<u8>>> = vec![None];
    let mut pending: Vec<Pending> = Vec::new();
    // Of each client: its name, when it acts next, and what it has open.
    let mut clients: Vec<(u64, u64, Open)> =
        (0..shape.clients as u64).map(|client| (client, client * 3_000_000, None)).collect();
    let mut names = shape.clients as u64;
    let mut events = Vec::new();
    let mut begun = 0;
    let mut index = 0;
    while begun < shape.operations || clients.iter().any(|client| client.2.is_some()) {
        let place = (0..clients.len()).min_by_key(|place| clients[*place].1).expect("a client");
        let (client, now, open) = clients[place].clone();
        pending.retain(|late| {
            late.at > now || {
                apply(&late.operation, &mut state);
                seen.push(state.clone());
                false
            }
        });
        let mut event = |time_ns, what| {
            let process = Process::Client(client);
            let made = Event { index, time_ns, process, what, error: None, attempts: vec![] };
            index += 1;
            events.push(made);
        };
        let pause = random.random_range(1..200_000_000);
        clients[place].1 = now + pause;
        let Some((operation, is_unknown)) = open else {
            if begun >= shape.operations {
                clients[place].1 = u64::MAX;
                continue;
            }
            begun += 1;
            let operation = drawn(&mut random, begun, state.as_ref());
            let is_read = matches!(operation, Operation::Get { .. });
            let is_unknown = !is_read && random.random_range(0..1_000) < shape.unknown;
            event(now, What::Invoke(operation.clone()));
            clients[place].2 = Some((operation, is_unknown));
            continue;
        };
        let outcome = if is_unknown {
            names += 1;
            clients[place].0 = names;
            if random.random() {
                let at = now + random.random_range(0..2_000_000_000);
                pending.push(Pending { operation: operation.clone(), at });
            }
            Outcome::Info
        } else {
            let answer = if random.random_range(0..1_000) < shape.wrong
                && matches!(operation, Operation::Get { .. })
            {
                Answer::Got(seen[random.random_range(0..seen.len())].clone())
            } else {
                apply(&operation, &mut state)
            };
            seen.push(state.clone());
            Outcome::Ok(answer)
        };
        event(now, What::Complete(operation, outcome));
        clients[place].2 = None;
    }
    events
}

fn drawn(random: &mut ChaCha8Rng, number: usize, state: Option<&Vec<u8>>) -> Operation {
    let key = b"k".to_vec();
    let value = number.to_string().into_bytes();
    match random.random_range(0..10) {
        0..5 => Operation::Get { key },
        5..8 => Operation::Put { key, value, ttl_s: None },
        8 => Operation::Delete { key },
        _ => Operation::Cas { key, expected: state.cloned(), new: value },
    }
}

fn apply(operation: &Operation, state: &mut Option<Vec<u8>>) -> Answer {
    match operation {
        Operation::Put { value, .. } => *state = Some(value.clone()),
        Operation::Delete { .. } => *state = None,
        Operation::Cas { expected, new, .. } => {
            let previous = state.clone();
            let swapped = previous == *expected;
            if swapped {
                *state = Some(new.clone());
            }
            return Answer::Cas { swapped, previous };
        }
        _ => return Answer::Got(state.clone()),
    }
    Answer::Done
}

fn collected(mut collector: Collector, events: &[Event]) -> History {
    for event in events {
        collector.push(event.clone()).expect("well-formed");
    }
    collector.finish()
}

fn shape() -> impl Strategy<Value = Shape> {
    (any::<u64>(), 1..5_usize, 1..300_usize, 0..100_u32, prop_oneof![Just(0_u32), 0..20_u32])
        .prop_map(|(seed, clients, operations, unknown, wrong)| Shape {
            seed,
            clients,
            operations,
            unknown,
            wrong,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_settled_history_has_the_verdict_of_the_whole_one(shape in shape(), held in 0..40_usize) {
        let events = events(shape);
        let options = Options::default();
        let whole = check(&collected(Collector::new(), &events), &options);
        let history = collected(Collector::settling(held), &events);
        let settled = check(&history, &options);
        prop_assert_eq!(settled.validity, whole.validity);
        let calls = |verdict: &crate::Verdict| verdict.keys.iter().map(|key| key.calls).sum::<u64>();
        prop_assert_eq!(calls(&settled), calls(&whole));
        let settled = match history.read_again(&settled, &options) {
            Some(ReadAgain::Keys(keys)) => {
                let again = check(&collected(Collector::of_keys(keys), &events), &options);
                settled.with_keys_of(again, &options)
            }
            Some(ReadAgain::Everything) => panic!("nothing is late here"),
            None => settled,
        };
        prop_assert_eq!(settled.findings, whole.findings);
        prop_assert_eq!(settled.reasons, whole.reasons);
    }
}

#[test]
fn what_is_settled_is_forgotten_values_and_all() {
    let shape = Shape { seed: 7, clients: 3, operations: 20_000, unknown: 5, wrong: 0 };
    let history = collected(Collector::settling(500), &events(shape));
    let [key] = history.keys.as_slice() else { panic!("one key") };
    assert!(key.settled.calls > 15_000, "{:?}", key.settled);
    // Those of unknown outcome that nobody observed stay, which are about a hundred.
    assert!(key.calls.len() < 2_000, "{} calls are held", key.calls.len());
    assert!(key.values < 2_000, "{} values are held", key.values);
    assert_eq!(check(&history, &Options::default()).validity, Validity::Valid);
}

#[test]
fn calls_that_touch_are_not_cut_apart() {
    const SECOND: u64 = 1_000_000_000;
    let key = || b"k".to_vec();
    let put = |value: &str| Operation::Put { key: key(), value: value.into(), ttl_s: None };
    let get = || Operation::Get { key: key() };
    let found = |value: &str| Answer::Got(Some(value.into()));
    // The first read began as the second write returned, and found what was there before that.
    let operations = [
        (put("1"), Answer::Done, [1, 2]),
        (put("2"), Answer::Done, [3, 4]),
        (get(), found("1"), [4, 10]),
        (get(), found("2"), [5, 6]),
        (get(), found("2"), [13, 14]),
        (get(), found("2"), [15, 16]),
        (get(), found("2"), [17, 18]),
        (get(), found("2"), [19, 20]),
    ];
    let mut timed = Vec::new();
    for (client, (operation, answer, [invoke, finish])) in (0..).zip(operations) {
        timed.push((invoke, client, What::Invoke(operation.clone())));
        timed.push((finish, client, What::Complete(operation, Outcome::Ok(answer))));
    }
    timed.sort_by_key(|(time, ..)| *time);
    let event = |(index, (time, client, what))| Event {
        index,
        time_ns: time * SECOND,
        process: Process::Client(client),
        what,
        error: None,
        attempts: Vec::new(),
    };
    let events: Vec<Event> = (0..).zip(timed).map(event).collect();
    let history = collected(Collector::settling(0), &events);
    assert!(history.keys[0].settled.calls > 0, "{:?}", history.keys[0].settled);
    assert_eq!(check(&history, &Options::default()).validity, Validity::Valid);
}

#[test]
fn a_violation_is_certain_long_before_the_end() {
    let mut events = events(Shape { seed: 3, clients: 2, operations: 4_000, unknown: 0, wrong: 0 });
    let wrong = events.iter_mut().skip(1_000).find_map(|event| match &mut event.what {
        What::Complete(_, Outcome::Ok(Answer::Got(value))) => Some(value),
        _ => None,
    });
    *wrong.expect("a read") = Some(b"1".to_vec());
    let mut collector = Collector::settling(100);
    let heard = events.iter().position(|event| {
        collector.push(event.clone()).expect("well-formed");
        collector.is_condemned()
    });
    assert!((1_000..2_000).contains(&heard.expect("it is condemned")), "{heard:?}");
}

#[test]
fn what_comes_too_late_for_settling_is_said() {
    let shape = Shape { seed: 5, clients: 2, operations: 1_000, unknown: 0, wrong: 0 };
    let scan =
        Operation::Scan { start: Vec::new(), end: None, limit: 9, reverse: false, key_only: true };
    for (late, answer) in [
        (Operation::Get { key: b"k".to_vec() }, Answer::Got(None)),
        (scan, Answer::ScannedKeys(Vec::new())),
        (Operation::DeleteRange { start: Vec::new(), end: None }, Answer::Done),
    ] {
        let mut events = events(shape);
        let read_again = |events: &[Event]| {
            let history = collected(Collector::settling(10), events);
            history.read_again(&check(&history, &Options::default()), &Options::default())
        };
        assert_eq!(read_again(&events), None);
        // A client of its own, whose operation is recorded long after it took place.
        for what in [What::Invoke(late.clone()), What::Complete(late, Outcome::Ok(answer))] {
            let process = Process::Client(1_000);
            let index = events.len() as u64;
            events.push(Event { index, time_ns: 1, process, what, error: None, attempts: vec![] });
        }
        assert_eq!(read_again(&events), Some(ReadAgain::Everything));
    }
}
