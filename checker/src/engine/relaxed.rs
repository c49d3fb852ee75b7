//! Fewer demands, so that the near-linear check applies: what is not even linearizable then is not
//! linearizable.
//!
//! In: calls on one key that the near-linear check cannot decide. Out: calls that it can. Every
//! linearization of the former is one of the latter, not the other way round: key-only reads, CAS
//! failures that do not say what they saw and reads of values that repeat are left out, a CAS that
//! expects such a value writes whatever was there, and so does the expiry of a value.

use std::collections::BTreeSet;

use crate::call::{ABSENT, ANYTHING, Call, NOTHING, PRESENT, UNLIKE, ValueId};

/// The calls with fewer demands, and unique values.
pub(crate) fn relaxed(calls: &[Call]) -> Vec<Call> {
    let (mut written, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    let is_value = |value: ValueId| value != ABSENT && value < PRESENT;
    for call in calls.iter().filter(|call| !call.is_read() && is_value(call.writes)) {
        if !written.insert(call.writes) {
            repeated.insert(call.writes);
        }
    }
    let values = calls.iter().flat_map(|call| [call.expects, call.writes]);
    let mut next = values.filter(|value| is_value(*value)).max().unwrap_or(ABSENT);
    let mut relaxed = Vec::with_capacity(calls.len());
    for call in calls {
        let mut call = *call;
        let sees_repeated = repeated.contains(&call.expects);
        match (call.expects, call.writes) {
            (PRESENT, _) | (_, UNLIKE) => continue,
            (_, NOTHING) if sees_repeated => continue,
            (_, NOTHING) => {}
            (expected, ABSENT) if expected != ANYTHING => call.expects = ANYTHING,
            _ if sees_repeated => call.expects = ANYTHING,
            _ => {}
        }
        if repeated.contains(&call.writes) {
            next += 1;
            call.writes = next;
        }
        relaxed.push(call);
    }
    relaxed
}
