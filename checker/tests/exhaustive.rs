//! Whole operations of every kind against an exhaustive oracle: up to nine operations on two keys,
//! through the same door as a binary, events in and verdict out.
//!
//! The oracle knows nothing of calls, ranges or engines. It splits an operation into what it says
//! of each key, straight from the meaning of the operations, and searches every order of a key's
//! steps. Registers are independent, so a history is linearizable iff it is key by key (Herlihy and
//! Wing's locality).

#![allow(clippy::disallowed_methods)] // Tests may look at the environment; the checker may not.

use std::collections::BTreeSet;

use checker::{Collector, Options, ReadAgain, Validity, Verdict, check};
use histories::{Answer, Event, Operation, Outcome, Process, What};
use proptest::prelude::*;

const KEYS: [&[u8]; 2] = [b"a", b"b"];
const SECOND: u64 = 1_000_000_000;
/// One unit of the generated times. Three make more than a second, so that a TTL of two seconds
/// matters.
const UNIT: u64 = SECOND * 2 / 5;

fn histories() -> u32 {
    let set = std::env::var("CHECKER_HISTORIES");
    set.ok().map_or(5_000, |number| number.parse().expect("a number of histories"))
}

/// A state of one key: its value, numbered.
type State = Option<u8>;

/// What one operation says of one key.
#[derive(Debug, Clone)]
enum Step {
    Saw(State),
    SawSomething,
    SawOther(State),
    Set(State),
    Swapped(State, u8),
    /// The value may go at any moment from its expiry on.
    Expired(u8),
}

impl Step {
    fn after(&self, state: State) -> Option<State> {
        match self {
            Self::Saw(seen) => (*seen == state).then_some(state),
            Self::SawSomething => state.is_some().then_some(state),
            Self::SawOther(other) => (*other != state).then_some(state),
            Self::Set(new) => Some(*new),
            Self::Swapped(expected, new) => (*expected == state).then_some(Some(*new)),
            Self::Expired(value) => (state == Some(*value)).then_some(None),
        }
    }
}

#[derive(Debug, Clone)]
struct Timed {
    invoke: u64,
    /// `None`: it may also not happen.
    finish: Option<u64>,
    step: Step,
}

/// Searches every order of a key's steps.
fn has_an_order(steps: &[Timed]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(0_u32, None)];
    while let Some((done, state)) = open.pop() {
        let left = || (0..steps.len()).filter(|at| done & (1 << at) == 0);
        let Some(bound) = left().filter_map(|at| steps[at].finish).min() else { return true };
        if seen.insert((done, state)) {
            open.extend(
                left().filter(|at| steps[*at].invoke <= bound).filter_map(|at| {
                    steps[at].step.after(state).map(|next| (done | 1 << at, next))
                }),
            );
        }
    }
    false
}

/// One operation as it is generated. Values are small numbers.
#[derive(Debug, Clone)]
struct Made {
    invoke: u64,
    length: u64,
    outcome: u8,
    kind: u8,
    key: usize,
    new: u8,
    seen: [State; 2],
    flag: bool,
}

fn bytes(value: u8) -> Vec<u8> {
    vec![b'v', b'0' + value]
}

impl Made {
    fn new_value(&self, key: usize) -> u8 {
        // The two keys of a batch get values of their own.
        self.new + 40 * key as u8
    }

    fn seen(&self, key: usize) -> State {
        self.seen[key].map(|value| value + 40 * key as u8)
    }

    fn operation(&self) -> Operation {
        let key = || KEYS[self.key].to_vec();
        let keys = || KEYS.map(<[u8]>::to_vec).to_vec();
        let (start, end) =
            if self.flag { (b"a".to_vec(), None) } else { (b"b".to_vec(), Some(b"c".to_vec())) };
        match self.kind {
            0 | 1 => Operation::Get { key: key() },
            2 | 3 => {
                Operation::Put { key: key(), value: bytes(self.new_value(self.key)), ttl_s: None }
            }
            4 => Operation::Put {
                key: key(),
                value: bytes(self.new_value(self.key)),
                ttl_s: Some(2),
            },
            5 => Operation::Delete { key: key() },
            6 | 7 => Operation::Cas {
                key: key(),
                expected: self.seen(self.key).map(bytes),
                new: bytes(self.new_value(self.key)),
            },
            8 => Operation::BatchGet { keys: keys() },
            9 => Operation::BatchPut {
                pairs: (0..2).map(|at| (KEYS[at].to_vec(), bytes(self.new_value(at)))).collect(),
            },
            10 => Operation::BatchDelete { keys: keys() },
            11 => Operation::DeleteRange { start, end },
            _ => Operation::Scan {
                start: b"a".to_vec(),
                end: None,
                limit: if self.new.is_multiple_of(2) { 1 } else { 5 },
                reverse: self.flag,
                key_only: self.kind == 13,
            },
        }
    }

    /// The keys that a scan returns, in its order.
    fn scanned(&self, limit: u32, reverse: bool) -> Vec<usize> {
        let mut keys: Vec<usize> = (0..2).filter(|at| self.seen(*at).is_some()).collect();
        if reverse {
            keys.reverse();
        }
        keys.truncate(limit as usize);
        keys
    }

    fn answer(&self) -> Answer {
        let name = |at: usize| KEYS[at].to_vec();
        match self.operation() {
            Operation::Get { .. } => Answer::Got(self.seen(self.key).map(bytes)),
            Operation::Cas { expected, .. } => match (self.kind, self.flag) {
                (7, true) => Answer::CasFailed,
                (7, false) => {
                    // It saw what another operation may have written, or nothing.
                    let previous = self.other_than_expected().map(bytes);
                    Answer::Cas { swapped: false, previous }
                }
                _ => Answer::Cas { swapped: true, previous: expected },
            },
            Operation::BatchGet { .. } => {
                Answer::GotBatch((0..2).map(|at| (name(at), self.seen(at).map(bytes))).collect())
            }
            Operation::Scan { limit, reverse, key_only, .. } => {
                let keys = self.scanned(limit, reverse);
                if key_only {
                    Answer::ScannedKeys(keys.into_iter().map(name).collect())
                } else {
                    let pair = |at| (name(at), bytes(self.seen(at).expect("it is returned")));
                    Answer::Scanned(keys.into_iter().map(pair).collect())
                }
            }
            _ => Answer::Done,
        }
    }

    fn other_than_expected(&self) -> State {
        match self.seen(self.key) {
            None => Some(self.new_value(self.key)),
            Some(_) => None,
        }
    }

    fn is_read(&self) -> bool {
        matches!(self.kind, 0 | 1 | 8 | 12..)
    }

    /// What the operation says of a key, as its meaning has it; with the time from which on it may
    /// take effect.
    fn steps(&self, key: usize) -> Vec<(u64, bool, Step)> {
        let from = self.invoke * UNIT;
        let one = |step| vec![(from, true, step)];
        let here = key == self.key;
        let unknown = self.outcome == 1;
        match self.operation() {
            Operation::Get { .. } if here => one(Step::Saw(self.seen(key))),
            Operation::Put { ttl_s, .. } if here => {
                let value = self.new_value(key);
                let mut steps = one(Step::Set(Some(value)));
                // Two seconds in whole seconds can be little more than one.
                steps.extend(ttl_s.map(|_| (from + SECOND, false, Step::Expired(value))));
                steps
            }
            Operation::Delete { .. } if here => one(Step::Set(None)),
            Operation::Cas { .. } if here => one(match (self.kind, self.flag) {
                _ if unknown => Step::Swapped(self.seen(key), self.new_value(key)),
                (7, true) => Step::SawOther(self.seen(key)),
                (7, false) => Step::Saw(self.other_than_expected()),
                _ => Step::Swapped(self.seen(key), self.new_value(key)),
            }),
            Operation::BatchGet { .. } => one(Step::Saw(self.seen(key))),
            Operation::BatchPut { .. } => one(Step::Set(Some(self.new_value(key)))),
            Operation::BatchDelete { .. } => one(Step::Set(None)),
            Operation::DeleteRange { .. } if self.flag || key == 1 => one(Step::Set(None)),
            Operation::Scan { limit, reverse, key_only, .. } => {
                let returned = self.scanned(limit, reverse);
                let cut = returned.len() == limit as usize;
                let covered = match returned.last() {
                    Some(last) if cut && reverse => key >= *last,
                    Some(last) if cut => key <= *last,
                    _ => true,
                };
                match (returned.contains(&key), key_only) {
                    (true, true) => one(Step::SawSomething),
                    (true, false) => one(Step::Saw(self.seen(key))),
                    (false, _) if covered => one(Step::Saw(None)),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }
}

/// What the oracle says of a history.
fn expected(made: &[Made]) -> bool {
    (0..2).all(|key| {
        let mut steps = Vec::new();
        for operation in made {
            let finish = (operation.invoke + operation.length) * UNIT;
            let happened = match operation.outcome {
                0 => true,
                1 if !operation.is_read() => false,
                _ => continue,
            };
            steps.extend(operation.steps(key).into_iter().map(|(invoke, required, step)| Timed {
                invoke,
                finish: (happened && required).then_some(finish),
                step,
            }));
        }
        has_an_order(&steps)
    })
}

fn events(made: &[Made]) -> Vec<Event> {
    let mut timed = Vec::new();
    for (at, operation) in made.iter().enumerate() {
        let process = Process::Client(at as u64);
        let asked = operation.operation();
        timed.push((operation.invoke * UNIT, false, process, What::Invoke(asked.clone())));
        let outcome = match operation.outcome {
            0 => Outcome::Ok(operation.answer()),
            1 if operation.flag => continue,
            1 => Outcome::Info,
            _ => Outcome::Fail,
        };
        let finish = (operation.invoke + operation.length) * UNIT;
        timed.push((finish, true, process, What::Complete(asked, outcome)));
    }
    timed.sort_by_key(|(time, is_return, ..)| (*time, *is_return));
    let event = |(index, (time_ns, _, process, what))| Event {
        index,
        time_ns,
        process,
        what,
        error: None,
        attempts: Vec::new(),
    };
    (0..).zip(timed).map(event).collect()
}

/// Histories of every kind of operation. Their values are unique, or repeat; most observations are
/// of values that somebody wrote.
fn history() -> impl Strategy<Value = Vec<Made>> {
    let outcome = prop_oneof![8 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
    let one =
        (0..24_u64, 0..7_u64, outcome, 0..14_u8, 0..2_usize, any::<(u8, u8)>(), any::<bool>());
    (prop::collection::vec(one, 0..=9), any::<bool>()).prop_map(|(all, unique)| {
        let count = all.len().max(1) as u8;
        let values = if unique { count } else { 2 };
        let seen = |drawn: u8| (drawn >= 64).then_some(drawn % values);
        let made = |(at, (invoke, length, outcome, kind, key, (a, b), flag)): (usize, _)| Made {
            invoke,
            length,
            outcome,
            kind,
            key,
            new: at as u8 % values,
            seen: [seen(a), seen(b)],
            flag,
        };
        all.into_iter().enumerate().map(made).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), ..ProptestConfig::default() })]

    #[test]
    fn every_kind_of_operation_is_judged_as_the_oracle_judges_it(made in history()) {
        let verdict = judged(Collector::new(), &made).0;
        let of_keys = verdict.keys.iter().fold(Validity::Valid, |all, key| all.merge(key.validity));
        prop_assert_eq!(of_keys == Validity::Valid, expected(&made));
        // The key count is weaker: it never complains of what is linearizable.
        prop_assert_eq!(verdict.validity, of_keys);
        let settled = settled(&made);
        prop_assert_eq!(settled.validity, verdict.validity);
        prop_assert_eq!(&settled.findings, &verdict.findings);
        // Not so how many calls there were: what ended before a key was first named is forgotten.
        let why = |verdict: &Verdict| {
            let keys = verdict.keys.iter();
            keys.map(|it| (it.validity, it.counterexample.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(why(&settled), why(&verdict));
    }
}

fn judged(mut collector: Collector, made: &[Made]) -> (Verdict, Option<ReadAgain>) {
    for event in events(made) {
        collector.push(event).expect("well-formed");
    }
    let history = collector.finish();
    let options = Options::default();
    let verdict = check(&history, &options);
    let again = history.read_again(&verdict, &options);
    (verdict, again)
}

/// Judged as long histories are: what can be settled is forgotten, after every operation.
fn settled(made: &[Made]) -> Verdict {
    let (verdict, again) = judged(Collector::settling(0), made);
    match again {
        None => verdict,
        Some(ReadAgain::Keys(keys)) => {
            let again = judged(Collector::of_keys(keys), made).0;
            verdict.with_keys_of(again, &Options::default())
        }
        Some(ReadAgain::Everything) => judged(Collector::new(), made).0,
    }
}

#[test]
fn half_of_the_random_histories_say_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut valid = 0;
    for _ in 0..1_000 {
        let made = history().new_tree(&mut runner).expect("a history").current();
        valid += usize::from(expected(&made));
    }
    // Neither kind of verdict is an exception among them.
    assert!((100..900).contains(&valid), "{valid} of 1000 are valid");
}
