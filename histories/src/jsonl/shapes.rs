//! The shapes of `key` and `value` in an event line, by operation; [`crate::jsonl`] has the table.
//!
//! In: the raw JSON of the two fields. Out: an [`Operation`] or an [`Answer`], or the error in the
//! shape. This file knows nothing of lines or of the rules between events.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::MalformedReason;
use crate::jsonl::text::Text;
use crate::operation::{Answer, Key, Operation, Value};

/// Parses a client's operation from an invocation's `f`, `key` and `value`.
pub(super) fn operation(
    f: &str,
    key: Option<&RawValue>,
    value: Option<&RawValue>,
) -> Result<Operation, MalformedReason> {
    let key = || field::<Text>(f, "key", key).map(|text| text.0);
    Ok(match f {
        "get" => Operation::Get { key: key()? },
        "put" => {
            let (value, ttl_s) = put_value(value)?;
            Operation::Put { key: key()?, value, ttl_s }
        }
        "delete" => Operation::Delete { key: key()? },
        "cas" => {
            let arguments: CasValue = field(f, "value", value)?;
            Operation::Cas {
                key: key()?,
                expected: arguments.expected.map(|text| text.0),
                new: arguments.new.0,
            }
        }
        "batch-get" => Operation::BatchGet { keys: bytes_of(field(f, "value", value)?) },
        "batch-put" => Operation::BatchPut { pairs: pairs_of(field(f, "value", value)?) },
        "batch-delete" => Operation::BatchDelete { keys: bytes_of(field(f, "value", value)?) },
        "scan" => {
            let arguments: ScanValue = field(f, "value", value)?;
            Operation::Scan {
                start: arguments.start.0,
                end: arguments.end.map(|text| text.0),
                limit: arguments.limit,
                reverse: arguments.reverse,
                key_only: arguments.key_only,
            }
        }
        "delete-range" => {
            let arguments: RangeValue = field(f, "value", value)?;
            Operation::DeleteRange {
                start: arguments.start.0,
                end: arguments.end.map(|text| text.0),
            }
        }
        _ => return Err(MalformedReason::UnknownOperation(f.to_owned())),
    })
}

/// Parses the answer to a completed operation from the completion's `value`.
pub(super) fn answer(
    operation: &Operation,
    value: Option<&RawValue>,
) -> Result<Answer, MalformedReason> {
    let f = operation.name();
    Ok(match operation {
        Operation::Get { .. } => Answer::Got(optional(f, value)?),
        Operation::Cas { .. } => {
            let done: CasAnswer = field(f, "value", value)?;
            match done.previous {
                Previous::Unsaid if done.swapped => {
                    return Err(MalformedReason::Shape(
                        "a CAS that swapped must say the previous value".to_owned(),
                    ));
                }
                Previous::Unsaid => Answer::CasFailed,
                Previous::Said(previous) => {
                    let previous = previous.map(|text| text.0);
                    Answer::Cas { swapped: done.swapped, previous }
                }
            }
        }
        Operation::BatchGet { .. } => {
            let pairs: Vec<(Text, Option<Text>)> = field(f, "value", value)?;
            Answer::GotBatch(
                pairs.into_iter().map(|(key, value)| (key.0, value.map(|text| text.0))).collect(),
            )
        }
        Operation::Scan { key_only: false, .. } => {
            Answer::Scanned(pairs_of(field(f, "value", value)?))
        }
        Operation::Scan { key_only: true, .. } => {
            Answer::ScannedKeys(bytes_of(field(f, "value", value)?))
        }
        Operation::Put { .. }
        | Operation::Delete { .. }
        | Operation::BatchPut { .. }
        | Operation::BatchDelete { .. }
        | Operation::DeleteRange { .. } => Answer::Done,
    })
}

/// A `value` that is a string, bytes in hex, or absent.
fn optional(f: &str, value: Option<&RawValue>) -> Result<Option<Value>, MalformedReason> {
    value.map(|raw| field::<Text>(f, "value", Some(raw)).map(|text| text.0)).transpose()
}

fn put_value(value: Option<&RawValue>) -> Result<(Value, Option<u64>), MalformedReason> {
    let is_object = value.is_some_and(|raw| raw.get().starts_with('{'));
    if is_object && let Ok(with_ttl) = field::<TtlValue>("put", "value", value) {
        return Ok((with_ttl.put.0, Some(with_ttl.ttl_s)));
    }
    field::<Text>("put", "value", value).map(|text| (text.0, None))
}

/// Parses one field, and names it in the error if it has the wrong shape.
fn field<'a, T: Deserialize<'a>>(
    f: &str,
    name: &str,
    raw: Option<&'a RawValue>,
) -> Result<T, MalformedReason> {
    let text = raw.map_or("null", RawValue::get);
    serde_json::from_str(text).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        MalformedReason::Shape(format!("the {name} of a {f} has the wrong shape: {reason}"))
    })
}

fn bytes_of(texts: Vec<Text>) -> Vec<Key> {
    texts.into_iter().map(|text| text.0).collect()
}

fn pairs_of(texts: Vec<(Text, Text)>) -> Vec<(Key, Value)> {
    texts.into_iter().map(|(key, value)| (key.0, value.0)).collect()
}

#[derive(Deserialize)]
struct TtlValue {
    put: Text,
    ttl_s: u64,
}

#[derive(Deserialize)]
struct CasValue {
    expected: Option<Text>,
    new: Text,
}

#[derive(Deserialize)]
struct CasAnswer {
    swapped: bool,
    #[serde(default)]
    previous: Previous,
}

/// A missing field and `null` differ: unknown, and absent.
#[derive(Default)]
enum Previous {
    #[default]
    Unsaid,
    Said(Option<Text>),
}

impl<'de> Deserialize<'de> for Previous {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(field).map(Self::Said)
    }
}

#[derive(Deserialize)]
struct RangeValue {
    start: Text,
    end: Option<Text>,
}

#[derive(Deserialize)]
struct ScanValue {
    start: Text,
    end: Option<Text>,
    limit: u32,
    #[serde(default)]
    reverse: bool,
    #[serde(default)]
    key_only: bool,
}
