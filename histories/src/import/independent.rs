//! Values of `jepsen.independent`: pairs `[key value]`, a register for each key.
//!
//! In: all events of a file. Out: the same events, with keys of their own where the values are such
//! pairs. A file does not state this, so all of it is examined:
//!
//! - Every read is invoked with `[key nil]`: the values are pairs of a key and a value. A CAS is
//!   `[key [expected new]]`, or `[key expected new]`.
//! - Every read is invoked with `nil` or a plain value: there is one register, even if it holds
//!   pairs.
//! - Nothing is read, and every CAS has three elements, or is `[key [expected new]]` with a key
//!   that is no pair itself: the values are pairs of a key and a value. Otherwise there is one
//!   register.
//! - Anything else is ambiguous and refused, unless the user says which of the two it is.

use super::edn::Edn;
use super::raw::RawEvent;
use crate::error::{MalformedReason, ReadError};
use std::collections::BTreeMap;

/// Gives the events keys of their own if their values are pairs of a key and a value.
pub(super) fn settle(raws: &mut [RawEvent], said: Option<bool>) -> Result<(), ReadError> {
    // A file with a key field has no keys in the values.
    let is_independent = match said {
        Some(said) => said,
        None if raws.iter().any(|raw| raw.key.is_some()) => false,
        None => is_independent(raws)?,
    };
    if is_independent {
        refuse_lookalikes(raws, |raw| elements(&raw.value).and_then(<[Edn]>::first))?;
        raws.iter_mut().filter(|raw| raw.is_client_s()).try_for_each(split)?;
    }
    refuse_lookalikes(raws, |raw| (raw.f != "cas").then_some(&raw.value))?;
    refuse_lookalikes(raws, |raw| elements(&raw.value).filter(|_| raw.f == "cas")?.first())?;
    refuse_lookalikes(raws, |raw| elements(&raw.value).filter(|_| raw.f == "cas")?.get(1))
}

/// Refuses a file with a text and another value that are the same bytes here, as `"5"` and `5`: in
/// Clojure they differ.
fn refuse_lookalikes<'a>(
    raws: &'a [RawEvent],
    part: impl Fn(&'a RawEvent) -> Option<&'a Edn>,
) -> Result<(), ReadError> {
    let mut seen: BTreeMap<Vec<u8>, &Edn> = BTreeMap::new();
    for raw in raws.iter().filter(|raw| raw.is_client_s()) {
        let Some((value, bytes)) = part(raw).and_then(|it| Some((it, it.bytes()?))) else {
            continue;
        };
        let other = *seen.entry(bytes).or_insert(value);
        if matches!(other, Edn::Text(_)) != matches!(value, Edn::Text(_)) {
            let reason = format!(
                "{other} and {value} are two values in one place, and would be read as one: make them of one kind"
            );
            return Err(refusal(raw, reason));
        }
    }
    Ok(())
}

fn is_independent(raws: &[RawEvent]) -> Result<bool, ReadError> {
    let invoked = |names: &'static [&'static str]| {
        let is_it = move |raw: &&RawEvent| {
            raw.kind == "invoke" && raw.is_client_s() && names.contains(&raw.f.as_str())
        };
        raws.iter().filter(is_it)
    };
    let reads = || invoked(&["read", "get"]);
    let keyed =
        |raw: &RawEvent| matches!(elements(&raw.value), Some([key, Edn::Nil]) if *key != Edn::Nil);
    if let Some(first) = reads().find(|raw| keyed(raw)) {
        return match reads().find(|raw| !keyed(raw)) {
            None => Ok(true),
            Some(other) => Err(ambiguous(first, other)),
        };
    }
    if let Some(strange) = reads().find(|raw| matches!(raw.value, Edn::Sequence(_))) {
        let reason = format!(
            "a read is invoked with {}: say --independent if values are [key value], --independent=false if they are \
             values of one register",
            strange.value
        );
        return Err(refusal(strange, reason));
    }
    let three = |raw: &RawEvent| elements(&raw.value).is_some_and(|it| it.len() == 3);
    if let (Some(read), Some(cas)) = (reads().next(), invoked(&["cas"]).find(|raw| three(raw))) {
        return Err(ambiguous(cas, read));
    }
    // The history has no reads.
    let is_pair = |raw: &RawEvent| elements(&raw.value).is_some_and(|it| it.len() == 2);
    let names_key = |raw: &RawEvent| match elements(&raw.value) {
        Some([key, Edn::Sequence(pair)]) => {
            *key != Edn::Nil && !matches!(key, Edn::Sequence(_)) && pair.len() == 2
        }
        _ => three(raw),
    };
    let cas = || invoked(&["cas"]);
    Ok(reads().next().is_none()
        && cas().next().is_some()
        && cas().all(names_key)
        && invoked(&["write", "put"]).all(is_pair))
}

/// Takes the key from an event's value.
fn split(raw: &mut RawEvent) -> Result<(), ReadError> {
    let is_cas = raw.f == "cas";
    let (key, value) = match std::mem::take(&mut raw.value) {
        Edn::Sequence(values) => match <[Edn; 2]>::try_from(values) {
            Ok([key, value]) => (Some(key), value),
            Err(values) if is_cas && values.len() == 3 => {
                let mut values = values.into_iter();
                (values.next(), Edn::Sequence(values.collect()))
            }
            Err(values) => (None, Edn::Sequence(values)),
        },
        value => (None, value),
    };
    raw.key = key.as_ref().and_then(Edn::bytes);
    raw.value = value;
    // A completion may have an error in place of its value.
    let wants_key = raw.kind == "invoke" || raw.kind == "ok" && matches!(&*raw.f, "read" | "get");
    if wants_key && raw.key.is_none() {
        let value = &raw.value;
        let reason = format!("values are [key value] here, and this one is not: {value}");
        return Err(refusal(raw, reason));
    }
    Ok(())
}

fn elements(value: &Edn) -> Option<&[Edn]> {
    match value {
        Edn::Sequence(values) => Some(values),
        _ => None,
    }
}

fn ambiguous(keyed: &RawEvent, plain: &RawEvent) -> ReadError {
    let reason = format!(
        "the value {} names a key, but {} on line {} does not: say --independent if values are [key value], \
         --independent=false if they are values of one register",
        keyed.value, plain.value, plain.line
    );
    refusal(keyed, reason)
}

fn refusal(raw: &RawEvent, reason: String) -> ReadError {
    ReadError::Malformed { line: raw.line, reason: MalformedReason::Shape(reason) }
}
