//! Histories of etcd's robustness tests: `operations.json`, a sequence of JSON objects, one per
//! operation.
//!
//! In: text; the files of all clients, one after the other. Out: events in the order of their
//! times, and in words the parts left out. Conversions:
//!
//! - A `range` of one key is a get, a `range` of several a scan. A `txn` becomes its operations:
//!   those of the branch that was taken, or those of both with unknown outcome if there was no
//!   answer. The further promises of a transaction (its atomicity, its conditions) are not kept:
//!   fewer demands accuse nobody.
//! - A range of keys only, or with only a count, shows which keys are present, but not their
//!   values. etcd's files do not keep that flag inside a transaction: there an empty value counts
//!   as no value, unless an empty value was written.
//! - An operation with an error, or without an answer, has an unknown outcome. An operation that
//!   etcd itself refused (`ClientError`) says nothing if it reads, and has an unknown outcome if it
//!   writes.
//! - Left out: reads of old revisions and of a member's own state, and counts of several keys. Also
//!   left out is every key that was ever put under a lease, since it may vanish at any time.
//! - Values that etcd's tests shorten are in the file as hashes; equal hashes count as equal
//!   values.

use super::etcd_record::{
    KeyOptions, OperationKind, RangeOptions, RangeResult, Record, TxnRequest, ValueOrHash,
};
use super::timed::{Done, TimedOperation};
use super::{Imported, Place};
use crate::error::{MalformedReason, ReadError};
use crate::json_values::json_values;
use crate::operation::{Answer, Key, Operation};
use crate::order;
use std::collections::BTreeSet;

/// The answer of a read of the newest state has this revision or a later one; -1 stands for "not
/// linearizable".
const REVISION_MIN: i64 = 0;
/// etcd's tests keep a hash of values that are at least this long.
const HASHED_BYTES_MIN: usize = 20;

/// Reads operations, one JSON object after another.
pub fn read_etcd(text: &str) -> Imported {
    read_etcd_files(&[(None, text)])
}

/// Reads the operations of several files as one history; each has a name if there is more than one.
pub(crate) fn read_etcd_files(files: &[(Option<String>, &str)]) -> Imported {
    let mut records = Vec::new();
    let mut wrong = None;
    for (file, text) in files {
        let (values, ended) = json_values(text);
        let read = values.into_iter().try_for_each(|value| {
            let record: Record = value.parse("not an operation of etcd")?;
            let malformed = |reason| ReadError::Malformed { line: value.line, reason };
            checked(&record).map_err(malformed)?;
            let place = Place { file: file.clone(), line: value.line, ..Place::default() };
            records.push((record, place));
            Ok(())
        });
        wrong = read.err().or(ended);
        if wrong.is_some() {
            break;
        }
    }
    let mut import = Import::of(&records);
    for (record, place) in &records {
        import.take(record, place);
    }
    let mut imported = super::timed::events(import.operations);
    imported.events.extend(wrong.map(Err));
    imported.left_out = import.left_out.in_words();
    imported
}

/// Refuses a record that could not be judged.
fn checked(record: &Record) -> Result<(), MalformedReason> {
    let shape = |reason: String| Err(MalformedReason::Shape(reason));
    let time = |time: i64| match u64::try_from(time) {
        Ok(time) => order::time(time),
        Err(_) => shape(format!("the time {time} is negative")),
    };
    time(record.call)?;
    if record.answer().is_some() {
        time(record.finish)?;
        if record.finish < record.call {
            let (call, finish) = (record.call, record.finish);
            return shape(format!(
                "the operation is answered at {finish}, before its call at {call}"
            ));
        }
    }
    match record.input.kind.as_str() {
        "range" if record.input.range.is_some() => Ok(()),
        "txn" if record.input.txn.as_ref().is_some_and(TxnRequest::names_operations) => Ok(()),
        "range" | "txn" => shape(format!(
            "a {} without its operations: it was written by another version of etcd's tests",
            record.input.kind
        )),
        "leaseGrant" | "leaseRevoke" | "defragment" | "compact" => Ok(()),
        other => Err(MalformedReason::UnknownOperation(other.to_owned())),
    }
}

#[derive(Debug, Default)]
struct LeftOut {
    keys: BTreeSet<String>,
    old_reads: u64,
    counts: u64,
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
        if self.counts > 0 {
            words.push(format!("{} counts of keys", self.counts));
        }
        words
    }
}

/// The place before any record was read.
const NOWHERE: &Place = &Place { file: None, line: 0, index: None, time: None };

struct Import<'a> {
    operations: Vec<TimedOperation>,
    left_out: LeftOut,
    /// True if an empty value was written.
    has_empty: bool,
    place: &'a Place,
}

/// A requested range.
#[derive(Clone, Copy)]
struct Asked<'a> {
    range: &'a RangeOptions,
    /// True inside a transaction, where the file does not keep the flags of a range.
    is_in_txn: bool,
}

impl<'a> Import<'a> {
    fn of(records: &[(Record, Place)]) -> Self {
        let puts = || {
            let branches = records.iter().flat_map(|(record, _)| record.branches());
            branches.flat_map(|(branch, _)| branch).filter(|it| it.kind == OperationKind::Put)
        };
        let leased = puts().filter(|it| it.put.lease_id != 0);
        let keys = leased.map(|it| it.put.key.clone()).collect();
        let has_empty = puts().any(|it| bytes(&it.put.value).is_empty());
        let left_out = LeftOut { keys, ..LeftOut::default() };
        Self { operations: Vec::new(), left_out, has_empty, place: NOWHERE }
    }

    fn take(&mut self, record: &Record, place: &'a Place) {
        self.place = place;
        if let Some(range) = &record.input.range {
            let answer = record.answer().and_then(|output| output.range.as_ref());
            let is_old = range.revision != 0
                || range.serializable
                || record.output.as_ref().is_some_and(|it| it.revision < REVISION_MIN);
            if is_old {
                self.left_out.old_reads += 1;
            } else {
                self.read(record, Asked { range: &range.options, is_in_txn: false }, answer);
            }
        }
        for (branch, results) in record.branches() {
            for (at, operation) in branch.iter().enumerate() {
                let result = results.and_then(|results| results.get(at));
                match operation.kind {
                    OperationKind::Range => {
                        let asked = Asked { range: &operation.range, is_in_txn: true };
                        self.read(record, asked, result.map(|it| &it.range));
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

    fn read(&mut self, record: &Record, asked: Asked<'_>, result: Option<&RangeResult>) {
        // A read without an answer says nothing.
        let Some(result) = result else { return };
        let Asked { range, is_in_txn } = asked;
        let returned = result.kvs.as_deref().unwrap_or_default();
        let is_cut = result.is_cut(range.limit);
        let lacks_value = || returned.iter().any(|pair| bytes(&pair.value).is_empty());
        let may_lack_values = is_in_txn && !self.has_empty;
        let has_values = !range.keys_only && (!may_lack_values || !lacks_value());
        if range.end.is_empty() {
            if self.left_out.keys.contains(&range.start) {
                return;
            }
            let start = key(&range.start);
            let is_there = !returned.is_empty() || result.count > 0;
            let value = returned.first().filter(|_| has_values).map(|pair| bytes(&pair.value));
            if value.is_some() || !is_there {
                self.push(record, Operation::Get { key: start }, Done::Ok(Answer::Got(value)));
            } else {
                let end = Some([start.as_slice(), &[0]].concat());
                self.scan(record, start.clone(), end, Answer::ScannedKeys(vec![start]));
            }
            return;
        }
        // A range that was cut covers only the keys it returned; a single zero byte means that
        // there is no end.
        let end = match returned.last() {
            Some(last) if is_cut => Some([key(&last.key).as_slice(), &[0]].concat()),
            // Only the number of keys is known.
            None if is_cut => {
                self.left_out.counts += 1;
                return;
            }
            _ if range.end == "\0" => None,
            _ => Some(key(&range.end)),
        };
        let kept = returned.iter().filter(|pair| !self.left_out.keys.contains(&pair.key));
        let answer = if has_values {
            Answer::Scanned(kept.map(|pair| (key(&pair.key), bytes(&pair.value))).collect())
        } else {
            Answer::ScannedKeys(kept.map(|pair| key(&pair.key)).collect())
        };
        self.scan(record, key(&range.start), end, answer);
    }

    fn scan(&mut self, record: &Record, start: Key, end: Option<Key>, answer: Answer) {
        let key_only = matches!(answer, Answer::ScannedKeys(_));
        let limit = u32::MAX;
        let scan = Operation::Scan { start, end, limit, reverse: false, key_only };
        self.push(record, scan, Done::Ok(answer));
    }

    fn push(&mut self, record: &Record, operation: Operation, done: Done) {
        let client = u64::try_from(record.client_id).ok();
        let (call, finish) = (record.call, record.finish);
        let place = self.place.clone();
        self.operations.push(TimedOperation { client, call, finish, operation, done, place });
    }
}

fn key(name: &str) -> Key {
    name.as_bytes().to_vec()
}

/// The bytes of a value, or its hash if it is long. etcd's tests keep long values whole inside a
/// transaction.
fn bytes(value: &ValueOrHash) -> Vec<u8> {
    let hashed = |hash: u32| format!("hash {hash:08x}").into_bytes();
    match value.hash {
        0 if value.value.len() >= HASHED_BYTES_MIN => hashed(fnv_1a(value.value.as_bytes())),
        0 => value.value.clone().into_bytes(),
        hash => hashed(hash),
    }
}

/// The hash FNV-1a of 32 bits.
fn fnv_1a(bytes: &[u8]) -> u32 {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}
