//! Histories for other projects: Jepsen's EDN, one register at a time, in the form that Knossos
//! reads.
//!
//! In: events. Out: the calls on each key ([`KeyCall`]), and their lines ([`edn`]). Every operation
//! on several keys becomes one on each of them, over its interval: a batch, a deleted range, or a
//! scan. A scan is a read of each key of the range that it covered, present or absent.
//!
//! Left out are reads without an answer, which say nothing. Also left out, and counted, are
//! key-only scans of present keys, since a register cannot express presence without a value. Keys
//! with a TTL have no such register at all: they are refused. Faults are not exported.

pub mod edn;

use crate::borrowed::{EventRef, OutcomeRef, WhatRef};
use crate::event::{ClientId, Process};
use crate::operation::{Answer, Key, Operation, Value};
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An operation on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOperation {
    /// A read, and the value it saw.
    Read(Option<Value>),
    /// A write; `None` = a delete.
    Write(Option<Value>),
    /// A compare and swap.
    Cas(Option<Value>, Value),
}

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The call took effect.
    Ok,
    /// The call certainly took no effect.
    Fail,
    /// The effect is unknown.
    Info,
}

/// One operation on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCall {
    /// The client.
    pub client: ClientId,
    /// The time of invocation, nanoseconds since the run's start.
    pub invoke_ns: u64,
    /// The time of completion; `u64::MAX` if that is unknown.
    pub finish_ns: u64,
    /// The operation.
    pub operation: KeyOperation,
    /// The outcome.
    pub fate: Fate,
}

/// A history, split by key.
#[derive(Debug, Default)]
pub struct Keys {
    /// The calls on each key, in the order of invocation.
    pub calls: BTreeMap<Key, Vec<KeyCall>>,
    /// Keys that were put with a TTL.
    pub with_ttl: BTreeSet<Key>,
    /// The number of keys returned by key-only scans, which are left out.
    pub left_out: u64,
}

#[derive(Debug, Clone, Copy)]
struct When {
    client: ClientId,
    invoke_ns: u64,
    finish_ns: u64,
    fate: Fate,
}

/// A range in which every key but those returned got this operation.
#[derive(Debug)]
struct Covered {
    start: Key,
    end: Option<Key>,
    returned: BTreeSet<Key>,
    operation: KeyOperation,
    when: When,
}

/// Splits a history by key.
#[derive(Debug, Default)]
pub struct Splitter {
    keys: Keys,
    open: HashMap<ClientId, (u64, Operation), FxBuildHasher>,
    covered: Vec<Covered>,
}

impl Splitter {
    /// Adds one event, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        let Process::Client(client) = event.process else { return };
        match event.what {
            WhatRef::Invoke(operation) => {
                self.open.insert(client, (event.time_ns, operation.to_operation()));
            }
            WhatRef::Complete(_, outcome) => {
                let Some((invoke_ns, operation)) = self.open.remove(&client) else { return };
                let (fate, finish_ns, answer) = match outcome {
                    OutcomeRef::Ok(answer) => (Fate::Ok, event.time_ns, Some(answer.to_answer())),
                    OutcomeRef::Fail => (Fate::Fail, event.time_ns, None),
                    OutcomeRef::Info => (Fate::Info, u64::MAX, None),
                };
                let when = When { client, invoke_ns, finish_ns, fate };
                self.split(operation, answer, when);
            }
            WhatRef::FaultInvoke(..) | WhatRef::FaultComplete(..) => {}
        }
    }

    /// Returns the calls on each key.
    pub fn finish(mut self) -> Keys {
        let mut open: Vec<(ClientId, (u64, Operation))> = self.open.drain().collect();
        open.sort_by_key(|(client, _)| *client);
        for (client, (invoke_ns, operation)) in open {
            let when = When { client, invoke_ns, finish_ns: u64::MAX, fate: Fate::Info };
            self.split(operation, None, when);
        }
        for range in std::mem::take(&mut self.covered) {
            let keys = self.keys.calls.range_mut(range.start.clone()..);
            let inside =
                keys.take_while(|(key, _)| range.end.as_ref().is_none_or(|end| *key < end));
            for (_, calls) in inside.filter(|(key, _)| !range.returned.contains(*key)) {
                calls.push(call(range.operation.clone(), range.when));
            }
        }
        for calls in self.keys.calls.values_mut() {
            calls.sort_by_key(|call| (call.invoke_ns, call.finish_ns, call.client));
        }
        self.keys
    }

    fn split(&mut self, operation: Operation, answer: Option<Answer>, when: When) {
        match (operation, answer) {
            (Operation::Put { key, value, ttl_s }, _) => {
                if ttl_s.is_some() {
                    self.keys.with_ttl.insert(key.clone());
                }
                self.push(key, KeyOperation::Write(Some(value)), when);
            }
            (Operation::Delete { key }, _) => self.push(key, KeyOperation::Write(None), when),
            (Operation::BatchPut { pairs }, _) => {
                for (key, value) in pairs {
                    self.push(key, KeyOperation::Write(Some(value)), when);
                }
            }
            (Operation::BatchDelete { keys }, _) => {
                for key in keys {
                    self.push(key, KeyOperation::Write(None), when);
                }
            }
            (Operation::DeleteRange { start, end }, _) => {
                self.cover(start, end, BTreeSet::new(), KeyOperation::Write(None), when);
            }
            (Operation::Get { key }, Some(Answer::Got(value))) => {
                self.push(key, KeyOperation::Read(value), when);
            }
            (Operation::BatchGet { .. }, Some(Answer::GotBatch(pairs))) => {
                for (key, value) in pairs {
                    self.push(key, KeyOperation::Read(value), when);
                }
            }
            (Operation::Cas { key, expected, new }, answer) => {
                self.cas(key, expected, new, answer, when);
            }
            (scan @ Operation::Scan { .. }, Some(answer)) => self.scan(scan, answer, when),
            // A read without an answer says nothing, but scans cover its key.
            (Operation::Get { key }, _) => self.mention(key),
            (Operation::BatchGet { keys }, _) => keys.into_iter().for_each(|key| self.mention(key)),
            (Operation::Scan { .. }, None) => {}
        }
    }

    fn cas(
        &mut self,
        key: Key,
        expected: Option<Value>,
        new: Value,
        answer: Option<Answer>,
        when: When,
    ) {
        match answer {
            // A CAS that did not swap is a read of the value it saw.
            Some(Answer::Cas { swapped: false, previous }) => {
                self.push(key, KeyOperation::Read(previous), when);
            }
            // A CAS that swapped although it reports an unexpected value demands both.
            Some(Answer::Cas { swapped: true, previous }) if previous != expected => {
                self.push(key.clone(), KeyOperation::Read(previous), when);
                self.push(key, KeyOperation::Cas(expected, new), when);
            }
            Some(Answer::CasFailed) => {
                let fate = Fate::Fail;
                self.push(key, KeyOperation::Cas(expected, new), When { fate, ..when });
            }
            _ => self.push(key, KeyOperation::Cas(expected, new), when),
        }
    }

    fn scan(&mut self, scan: Operation, answer: Answer, when: When) {
        let Operation::Scan { start, end, limit, reverse, .. } = scan else { return };
        let keys: Vec<Key> = match answer {
            Answer::Scanned(pairs) => {
                let keys = pairs.iter().map(|(key, _)| key.clone()).collect();
                for (key, value) in pairs {
                    self.push(key, KeyOperation::Read(Some(value)), when);
                }
                keys
            }
            Answer::ScannedKeys(keys) => {
                self.keys.left_out += keys.len() as u64;
                keys
            }
            _ => return,
        };
        let met_limit = keys.len() as u64 >= u64::from(limit);
        // A scan that met its limit read up to the last key that it returned.
        let (start, end) = match keys.last().filter(|_| met_limit) {
            None if met_limit => return,
            None => (start, end),
            Some(last) if reverse => (last.clone(), end),
            Some(last) => (start, Some([last.as_slice(), &[0]].concat())),
        };
        self.cover(start, end, keys.into_iter().collect(), KeyOperation::Read(None), when);
    }

    fn cover(
        &mut self,
        start: Key,
        end: Option<Key>,
        returned: BTreeSet<Key>,
        operation: KeyOperation,
        when: When,
    ) {
        self.covered.push(Covered { start, end, returned, operation, when });
    }

    fn push(&mut self, key: Key, operation: KeyOperation, when: When) {
        self.keys.calls.entry(key).or_default().push(call(operation, when));
    }

    fn mention(&mut self, key: Key) {
        self.keys.calls.entry(key).or_default();
    }
}

fn call(operation: KeyOperation, when: When) -> KeyCall {
    let When { client, invoke_ns, finish_ns, fate } = when;
    KeyCall { client, invoke_ns, finish_ns, operation, fate }
}
