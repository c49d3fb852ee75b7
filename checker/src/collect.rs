//! Takes a history's events one by one and splits them by key into calls.
//!
//! In: events in the order of recording, read once and dropped. Out: for each key its calls in the
//! order of invocation, 32 bytes each; every scan with what it covered; answers that contradict
//! themselves.
//!
//! How operations of several keys are split (none of them is atomic over its keys):
//!
//! - batch-get, batch-put, batch-delete: one call per key over the batch's interval. A key that a
//!   batch-get does not mention in its answer was absent.
//! - scan: one read per key of the covered range over the scan's interval, returned or absent, for
//!   every key that the history mentions anywhere. A scan cut by its limit covers up to its last
//!   key.
//! - delete-range: one delete per key of the range, likewise.
//! - put with a TTL: the put, and an expiry of that value, of unknown outcome, from the earliest
//!   moment on. A store counts whole seconds, so that moment comes up to one second early.
//!
//! `fail` certainly took no effect: nothing is judged of it, but its value is remembered, for
//! whoever reads it. Everything that wrote and is `info` or never returned becomes a call of
//! unknown outcome; reads of unknown outcome say nothing.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use histories::{
    Answer, AnswerRef, ClientId, Event, EventRef, Key, MalformedReason, OpenOperation, Operation,
    OperationRef, OutcomeRef, Process, Value, WhatRef,
};
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, NEVER, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::history::{History, KeyHistory};
use crate::intern::Interner;
use crate::range::{DeleteRange, Scan, covered};
use crate::settle::CALLS_MIN;
use crate::verdict::Contradiction;

const KEYS: u32 = 0;
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
/// So far across clients an event may be recorded behind later ones; if one comes even later,
/// everything is read again.
const RECORDED_LATE_NS: u64 = 100_000_000;

/// Takes a history's events and splits them by key.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    history: History,
    key_numbers: Interner,
    client_numbers: HashMap<ClientId, u32, FxBuildHasher>,
    open: Vec<Open>,
    initial: Option<Value>,
    settling: Option<Settling>,
    /// The only keys that are asked for, if not all are.
    only: Option<BTreeSet<Key>>,
}

/// When settling is done next.
#[derive(Debug, Clone)]
struct Settling {
    /// At least so many calls are held before it is.
    held_min: usize,
    /// Calls that are held.
    held: usize,
    /// So many must be held for the next round: twice what the last one left, so that rounds cost
    /// no more than calls.
    held_next: usize,
    /// The latest moment heard of.
    latest: u64,
}

/// What a client has open, if anything.
#[derive(Debug, Clone, Default)]
struct Open {
    in_use: bool,
    event: u32,
    invoke: u64,
    operation: OpenOperation,
}

impl Collector {
    /// So many calls are few enough to hold, 32 bytes each and their values, and enough for
    /// settling to cost little.
    pub const HELD_CALLS: usize = 1 << 18;

    /// An empty history in which every key is absent at first.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty history in which every key has this value at first.
    pub fn with_initial(value: Value) -> Self {
        Self { initial: Some(value), ..Self::default() }
    }

    /// An empty history whose beginning is judged and forgotten on the way, whenever so many calls
    /// are held: memory grows with the keys and with what is open, not with the operations. What it
    /// cannot say about a violation, [`History::read_again`] asks for. Only for the default engine.
    pub fn settling(held_min: usize) -> Self {
        let settling = Settling { held_min, held: 0, held_next: held_min, latest: 0 };
        Self { settling: Some(settling), ..Self::default() }
    }

    /// An empty history of these keys only, for a second reading.
    pub fn of_keys(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { only: Some(keys.into_iter().collect()), ..Self::default() }
    }

    /// Whether a violation is certain already, whatever follows.
    #[cfg(test)]
    pub(crate) fn is_condemned(&self) -> bool {
        let history = &self.history;
        !history.is_late
            && (!history.contradictions.is_empty()
                || history.keys.iter().any(|key| key.settled.condemned))
    }

    /// Whether something was recorded so late that what was settled before does not stand; a
    /// reading that settles nothing has to judge then.
    pub fn is_late(&self) -> bool {
        self.history.is_late
    }

    /// How many calls are held to be judged.
    pub fn held(&self) -> usize {
        self.history.held()
    }

    /// Takes the next event, as [`observe`](Self::observe) does.
    #[expect(clippy::needless_pass_by_value, reason = "whoever owns an event is done with it here")]
    pub fn push(&mut self, event: Event) -> Result<(), MalformedReason> {
        self.observe(event.borrowed())
    }

    /// Takes the next event. It relies on the rules between events that every reader checks, and
    /// refuses what it could not go on with.
    pub fn observe(&mut self, event: EventRef<'_>) -> Result<(), MalformedReason> {
        let Process::Client(client) = event.process else {
            self.history.faults.observe(event);
            return Ok(());
        };
        let number = self.client_number(client);
        // One later, so that a key's first value has room before everything.
        let time = event.time_ns + 1;
        if let Some(settling) = &mut self.settling {
            settling.latest = settling.latest.max(time);
        }
        let open = &mut self.open[number as usize];
        match event.what {
            WhatRef::Invoke(operation) => {
                if open.in_use {
                    return Err(MalformedReason::TwoOpenOperations(client));
                }
                open.event = u32::try_from(event.index)
                    .map_err(|_| MalformedReason::Shape("more than 2^32 events".to_owned()))?;
                open.in_use = true;
                open.invoke = time;
                open.operation.set(operation);
            }
            WhatRef::Complete(operation, outcome) => {
                if !std::mem::replace(&mut open.in_use, false) {
                    return Err(MalformedReason::ReturnWithoutInvoke(client));
                }
                let at =
                    At { invoke: open.invoke, finish: time, event: open.event, client: number };
                match outcome {
                    OutcomeRef::Ok(answer) => self.ok(at, operation, answer),
                    OutcomeRef::Fail => self.fail(at, operation),
                    OutcomeRef::Info => self.unknown(at, operation),
                }
                self.settle_in_time();
            }
            WhatRef::FaultInvoke(..) | WhatRef::FaultComplete(..) => {}
        }
        Ok(())
    }

    /// Ends the history: what is still open is of unknown outcome.
    pub fn finish(mut self) -> History {
        for (number, open) in std::mem::take(&mut self.open).into_iter().enumerate() {
            if let Some(operation) = open.operation.get().filter(|_| open.in_use) {
                let client = number as u32;
                let at = At { invoke: open.invoke, finish: NEVER, event: open.event, client };
                self.unknown(at, operation);
            }
        }
        let mut history = self.history;
        history.keys.retain(|key| !key.is_unasked);
        history.keys.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        history.expand_ranges();
        history.keys.par_iter_mut().for_each(|key| {
            key.calls.sort_by_key(|call| (call.invoke, call.event));
        });
        history
    }

    /// Settles when enough is held.
    fn settle_in_time(&mut self) {
        let Some(settling) = &mut self.settling else { return };
        if settling.held < settling.held_next {
            return;
        }
        let open = self.open.iter().filter(|open| open.in_use).map(|open| open.invoke);
        let quiet = open.min().unwrap_or(settling.latest).min(settling.latest);
        let quiet = quiet.saturating_sub(RECORDED_LATE_NS);
        let calls_min = CALLS_MIN.min(settling.held_min);
        settling.held = self.history.settle(quiet, calls_min);
        settling.held_next = settling.held_min.max(2 * settling.held);
    }

    fn client_number(&mut self, client: ClientId) -> u32 {
        let next = self.open.len() as u32;
        let number = *self.client_numbers.entry(client).or_insert(next);
        if number == next {
            self.open.push(Open::default());
            self.history.clients.push(client);
            self.history.last_client = self.history.last_client.max(Some(client));
        }
        number
    }

    fn ok(&mut self, at: At, operation: OperationRef<'_>, answer: AnswerRef<'_>) {
        self.history.operations.ok += 1;
        match (operation, answer) {
            (OperationRef::Get { key }, AnswerRef::Got(value)) => self.read(at, key, value),
            (OperationRef::Cas { key, expected, new }, AnswerRef::Cas { swapped, previous }) => {
                self.cas(at, key, expected, new, swapped, previous);
            }
            (OperationRef::Cas { key, expected, .. }, AnswerRef::Other(Answer::CasFailed)) => {
                let number = self.key_number(key);
                let expects = self.optional_value(number, expected);
                self.add(number, at.call(expects, UNLIKE));
            }
            (OperationRef::Other(operation), AnswerRef::Other(answer)) => {
                self.answered(at, operation, answer);
            }
            (operation, AnswerRef::Done) => self.write(at, operation),
            (operation, _) => self.contradict_answer(at, operation.name()),
        }
    }

    /// An operation of several keys that was answered.
    fn answered(&mut self, at: At, operation: &Operation, answer: &Answer) {
        match (operation, answer) {
            (Operation::BatchGet { keys }, Answer::GotBatch(got)) => {
                for (key, value) in got {
                    self.read(at, key, value.as_deref());
                }
                for key in keys.iter().filter(|key| got.iter().all(|(other, _)| other != *key)) {
                    self.read(at, key, None);
                }
            }
            (Operation::Scan { key_only: false, .. }, Answer::Scanned(pairs)) => {
                let keys: Vec<Key> = pairs.iter().map(|(key, _)| key.clone()).collect();
                for (key, value) in pairs {
                    self.read(at, key, Some(value));
                }
                self.scan(at, operation, &keys);
            }
            (Operation::Scan { key_only: true, .. }, Answer::ScannedKeys(keys)) => {
                for key in keys {
                    let number = self.key_number(key);
                    self.add(number, at.call(PRESENT, NOTHING));
                }
                self.scan(at, operation, keys);
            }
            (operation, _) => self.contradict_answer(at, operation.name()),
        }
    }

    fn contradict_answer(&mut self, at: At, operation: &str) {
        self.contradict(at, format!("the answer does not fit a {operation}"));
    }

    fn unknown(&mut self, at: At, operation: OperationRef<'_>) {
        self.history.operations.info += 1;
        let at = At { finish: NEVER, ..at };
        match operation {
            OperationRef::Cas { key, expected, new } => {
                let number = self.key_number(key);
                let expects = self.optional_value(number, expected);
                let writes = self.value(number, new);
                self.add(number, at.call(expects, writes));
            }
            operation => self.write(at, operation),
        }
    }

    fn fail(&mut self, at: At, operation: OperationRef<'_>) {
        self.history.operations.fail += 1;
        match operation {
            OperationRef::Put { key, value } | OperationRef::Cas { key, new: value, .. } => {
                self.fail_write(at, key, value);
            }
            OperationRef::Other(Operation::Put { key, value, .. }) => {
                self.fail_write(at, key, value);
            }
            OperationRef::Other(Operation::BatchPut { pairs }) => {
                for (key, value) in pairs {
                    self.fail_write(at, key, value);
                }
            }
            _ => {}
        }
    }

    fn fail_write(&mut self, at: At, key: &[u8], value: &[u8]) {
        let number = self.key_number(key);
        let writes = self.value(number, value);
        self.add_failed(number, at.call(ANYTHING, writes));
    }

    /// An operation that writes without a condition; reads are none.
    fn write(&mut self, at: At, operation: OperationRef<'_>) {
        let operation = match operation {
            OperationRef::Put { key, value } => return self.put(at, key, value, None),
            OperationRef::Delete { key } => return self.delete(at, key),
            OperationRef::Get { .. } | OperationRef::Cas { .. } => return,
            OperationRef::Other(operation) => operation,
        };
        match operation {
            Operation::Put { key, value, ttl_s } => self.put(at, key, value, *ttl_s),
            Operation::BatchPut { pairs } => {
                for (key, value) in pairs {
                    self.put(at, key, value, None);
                }
            }
            Operation::Delete { key } => self.delete(at, key),
            Operation::BatchDelete { keys } => {
                for key in keys {
                    self.delete(at, key);
                }
            }
            Operation::DeleteRange { start, end } => {
                let call = at.call(ANYTHING, ABSENT);
                let (start, end) = (start.clone(), end.clone());
                self.history.delete_ranges.push(DeleteRange { call, start, end, told: 0 });
            }
            Operation::Get { .. }
            | Operation::Cas { .. }
            | Operation::BatchGet { .. }
            | Operation::Scan { .. } => {}
        }
    }

    fn put(&mut self, at: At, key: &[u8], value: &[u8], ttl_s: Option<u64>) {
        let number = self.key_number(key);
        let value = self.value(number, value);
        self.add(number, at.call(ANYTHING, value));
        if let Some(ttl_s) = ttl_s.filter(|ttl_s| *ttl_s > 0) {
            let earliest_ns = (ttl_s - 1).saturating_mul(NANOSECONDS_PER_SECOND);
            let invoke = at.invoke.saturating_add(earliest_ns);
            self.add(number, At { invoke, finish: NEVER, ..at }.call(value, ABSENT));
        }
    }

    fn delete(&mut self, at: At, key: &[u8]) {
        let number = self.key_number(key);
        self.add(number, at.call(ANYTHING, ABSENT));
    }

    fn read(&mut self, at: At, key: &[u8], value: Option<&[u8]>) {
        let number = self.key_number(key);
        let expects = self.optional_value(number, value);
        self.add(number, at.call(expects, NOTHING));
    }

    fn cas(
        &mut self,
        at: At,
        key: &[u8],
        expected: Option<&[u8]>,
        new: &[u8],
        swapped: bool,
        previous: Option<&[u8]>,
    ) {
        let number = self.key_number(key);
        let fits = swapped == (previous == expected);
        let expects = if fits { self.optional_value(number, previous) } else { IMPOSSIBLE };
        let writes = if swapped { self.value(number, new) } else { NOTHING };
        self.add(number, at.call(expects, writes));
        if !swapped {
            let unswapped = at.call(expects, self.value(number, new));
            self.add_failed(number, unswapped);
        }
        if !fits {
            let sentence = if swapped {
                "a CAS that swapped says that the previous value was another than expected"
            } else {
                "a CAS that did not swap says that the previous value was the expected one"
            };
            let operation = Operation::Cas {
                key: key.to_vec(),
                expected: expected.map(<[u8]>::to_vec),
                new: new.to_vec(),
            };
            let answer = Answer::Cas { swapped, previous: previous.map(<[u8]>::to_vec) };
            self.history.impossible.insert((number, at.event), (operation, answer));
            self.contradict(at, sentence.to_owned());
        }
    }

    fn scan(&mut self, at: At, operation: &Operation, keys: &[Key]) {
        let (range, complaint) = covered(operation, keys);
        if let Some(complaint) = complaint {
            self.contradict(at, complaint);
        }
        let call = at.call(ABSENT, NOTHING);
        let mut returned: Vec<u32> = keys.iter().map(|key| self.key_number(key)).collect();
        returned.sort_unstable();
        returned.dedup();
        self.history.scans.push(Scan { call, range, returned });
    }

    fn contradict(&mut self, at: At, sentence: String) {
        self.history.contradictions.push(Contradiction {
            event: u64::from(at.event),
            client: self.history.clients[at.client as usize],
            finish_ns: at.finish - 1,
            sentence,
        });
    }

    fn add(&mut self, key: u32, call: Call) {
        let history = &mut self.history;
        let key = &mut history.keys[key as usize];
        if key.is_unasked {
            return;
        }
        if let Some(settling) = &mut self.settling {
            settling.held += 1;
            let is_new = key.calls.is_empty() && key.settled.until == 0;
            history.is_late |=
                call.invoke < key.settled.until || is_new && call.invoke < history.ranges_until;
        }
        key.calls.push(call);
    }

    fn add_failed(&mut self, key: u32, call: Call) {
        let key = &mut self.history.keys[key as usize];
        if !key.is_unasked {
            key.failed.push(call);
        }
    }

    fn key_number(&mut self, key: &[u8]) -> u32 {
        let keys = &mut self.history.keys;
        let next = keys.len() as u32;
        let number = self.key_numbers.intern(KEYS, key, || next);
        if number == next {
            let is_unasked = self.only.as_ref().is_some_and(|only| !only.contains(key));
            let key = key.to_vec();
            keys.push(KeyHistory { key, number, is_unasked, ..KeyHistory::default() });
            if let Some(initial) = self.initial.take() {
                let writes = self.value(number, &initial);
                self.add(
                    number,
                    Call { invoke: 0, finish: 0, expects: ANYTHING, writes, event: 0, client: 0 },
                );
                self.initial = Some(initial);
            }
        }
        number
    }

    fn optional_value(&mut self, key: u32, value: Option<&[u8]>) -> ValueId {
        value.map_or(ABSENT, |value| self.value(key, value))
    }

    fn value(&mut self, key: u32, value: &[u8]) -> ValueId {
        let KeyHistory { values, is_unasked, .. } = &mut self.history.keys[key as usize];
        if *is_unasked {
            return ABSENT;
        }
        self.history.values.intern(key, value, || {
            *values += 1;
            *values
        })
    }
}

/// When, by whom, and in which event.
#[derive(Debug, Clone, Copy)]
struct At {
    invoke: u64,
    finish: u64,
    event: u32,
    client: u32,
}

impl At {
    fn call(self, expects: ValueId, writes: ValueId) -> Call {
        let At { invoke, finish, event, client } = self;
        Call { invoke, finish, expects, writes, event, client }
    }
}
