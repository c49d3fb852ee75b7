//! Histories of etcd's robustness tests: `operations.json`, one JSON object after another, an operation each.
//!
//! In: text; the files of all clients, one after the other. Out: events in the order of their times, and what was left
//! out, in words. What becomes of what:
//!
//! - A `range` of one key is a get, a `range` of several a scan, a `txn` its operations: those of the branch that was taken,
//!   or of both, each of unknown outcome, if there was no answer. What a transaction promises beyond its single operations
//!   (that they take effect together, its conditions) is not kept: fewer demands accuse nobody.
//! - An operation with an error, or without an answer, has an unknown outcome. One that etcd itself refused
//!   (`ClientError`) says nothing if it reads, and is unknown if it writes.
//! - Left out: reads of old revisions, and every key that was ever put under a lease, since it may vanish at any time.
//! - Values longer than etcd's tests keep stand there as a hash; equal hashes are taken for equal values.

use super::etcd_record::{
    KeyOptions, OperationKind, RangeOptions, RangeResult, Record, ValueOrHash,
};
use super::timed::{Done, TimedOperation};
use crate::error::{MalformedReason, ReadError};
use crate::event::Event;
use crate::operation::{Answer, Key, Operation};
use std::collections::BTreeSet;

/// The answer of a read of the newest state has this revision or a later one; -1 stands for "not linearizable".
const REVISION_MIN: i64 = 0;

/// What was read, and what was left out.
#[derive(Debug)]
pub struct EtcdHistory {
    /// The events.
    pub events: Vec<Result<Event, ReadError>>,
    /// What was left out, in words; empty = nothing.
    pub left_out: Vec<String>,
}

/// Reads operations, one JSON object after another.
pub fn read_etcd(text: &str) -> EtcdHistory {
    let mut records = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Record>();
    let mut wrong = None;
    while let Some(record) = stream.next() {
        match record {
            Ok(record) => records.push(record),
            Err(error) => {
                wrong = Some(refusal(text, stream.byte_offset(), &error));
                break;
            }
        }
    }
    let mut import = Import::of(&records);
    for record in &records {
        import.take(record);
    }
    let mut events: Vec<Result<Event, ReadError>> =
        super::timed::events(import.operations).into_iter().map(Ok).collect();
    events.extend(wrong.map(Err));
    EtcdHistory { events, left_out: import.left_out.in_words() }
}

fn refusal(text: &str, offset: usize, error: &serde_json::Error) -> ReadError {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
    if error.is_eof() {
        return ReadError::TornTail { line };
    }
    ReadError::Malformed {
        line,
        reason: MalformedReason::Shape(format!("not an operation of etcd: {error}")),
    }
}

#[derive(Debug, Default)]
struct LeftOut {
    keys: BTreeSet<String>,
    old_reads: u64,
}

impl LeftOut {
    fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.keys.is_empty() {
            words.push(format!("{} keys under leases", self.keys.len()));
        }
        if self.old_reads > 0 {
            words.push(format!("{} reads of old revisions", self.old_reads));
        }
        words
    }
}

struct Import {
    operations: Vec<TimedOperation>,
    left_out: LeftOut,
}

impl Import {
    fn of(records: &[Record]) -> Self {
        let puts = records.iter().flat_map(Record::branches).flat_map(|(branch, _)| branch);
        let leased = puts.filter(|it| it.kind == OperationKind::Put && it.put.lease_id != 0);
        let keys = leased.map(|it| it.put.key.clone()).collect();
        Self { operations: Vec::new(), left_out: LeftOut { keys, old_reads: 0 } }
    }

    fn take(&mut self, record: &Record) {
        if let Some(range) = &record.input.range {
            let answer = record.answer().and_then(|output| output.range.as_ref());
            let is_old = range.revision != 0
                || record.output.as_ref().is_some_and(|it| it.revision < REVISION_MIN);
            if is_old {
                self.left_out.old_reads += 1;
            } else {
                self.read(record, &range.options, answer);
            }
        }
        for (branch, results) in record.branches() {
            for (at, operation) in branch.iter().enumerate() {
                let result = results.and_then(|results| results.get(at));
                match operation.kind {
                    OperationKind::Range => {
                        self.read(record, &operation.range, result.map(|it| &it.range));
                    }
                    OperationKind::Put => {
                        let put = &operation.put;
                        let value = bytes(&put.value);
                        let write = Operation::Put { key: key(&put.key), value, ttl_s: None };
                        self.write(record, &put.key, write, result.is_some());
                    }
                    OperationKind::Delete => {
                        let KeyOptions { key: name } = &operation.delete;
                        let write = Operation::Delete { key: key(name) };
                        self.write(record, name, write, result.is_some());
                    }
                }
            }
        }
    }

    fn write(&mut self, record: &Record, name: &str, operation: Operation, is_answered: bool) {
        if !self.left_out.keys.contains(name) {
            let done = if is_answered { Done::Ok(Answer::Done) } else { Done::Unknown };
            self.push(record, operation, done);
        }
    }

    fn read(&mut self, record: &Record, range: &RangeOptions, result: Option<&RangeResult>) {
        // A read without an answer says nothing.
        let Some(result) = result else { return };
        let pairs = || result.kvs.iter().flatten();
        if range.end.is_empty() {
            if !self.left_out.keys.contains(&range.start) {
                let value = pairs().next().map(|pair| bytes(&pair.value));
                self.push(
                    record,
                    Operation::Get { key: key(&range.start) },
                    Done::Ok(Answer::Got(value)),
                );
            }
            return;
        }
        // One that met its limit covers what it returned; a single zero byte means that there is no end.
        let met_limit = range.limit > 0 && pairs().count() as i64 >= range.limit;
        let end = match pairs().next_back() {
            Some(last) if met_limit => Some([key(&last.key).as_slice(), &[0]].concat()),
            _ if range.end == "\0" => None,
            _ => Some(key(&range.end)),
        };
        let start = key(&range.start);
        let limit = u32::MAX;
        let kept = pairs().filter(|pair| !self.left_out.keys.contains(&pair.key));
        let answer = kept.map(|pair| (key(&pair.key), bytes(&pair.value))).collect();
        let scan = Operation::Scan { start, end, limit, reverse: false, key_only: false };
        self.push(record, scan, Done::Ok(Answer::Scanned(answer)));
    }

    fn push(&mut self, record: &Record, operation: Operation, done: Done) {
        let client = u64::try_from(record.client_id).ok();
        let (call, finish) = (record.call, record.finish);
        self.operations.push(TimedOperation { client, call, finish, operation, done });
    }
}

fn key(name: &str) -> Key {
    name.as_bytes().to_vec()
}

fn bytes(value: &ValueOrHash) -> Vec<u8> {
    match value.hash {
        0 => value.value.clone().into_bytes(),
        hash => format!("hash {hash:08x}").into_bytes(),
    }
}
