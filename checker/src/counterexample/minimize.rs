//! Delta debugging: takes calls away for as long as the rest stays invalid.
//!
//! In: calls that are not linearizable, and whether some calls are. Out: a 1-minimal part of them, in the order of
//! invocation. A write is taken away together with everything that observed its value, for what remained would be
//! invalid for the silly reason that nobody wrote what was read.

use std::collections::BTreeSet;

use crate::call::{ABSENT, Call, PRESENT, UNLIKE, ValueId};

/// Takes away what is not needed: halves first, single calls in the end, until none can go.
pub(super) fn minimize(mut calls: Vec<Call>, is_invalid: &impl Fn(&[Call]) -> bool) -> Vec<Call> {
    let mut size = calls.len().div_ceil(2).max(1);
    loop {
        let mut shrunk = false;
        let mut start = 0;
        while start < calls.len() {
            let end = (start + size).min(calls.len());
            let rest = without(&calls, start..end);
            if !rest.is_empty() && is_invalid(&rest) {
                calls = rest;
                shrunk = true;
            } else {
                start = end;
            }
        }
        if size > 1 {
            size = size.div_ceil(2);
        } else if !shrunk {
            return calls;
        }
    }
}

/// The calls without a range of them, and without what observed a value that nobody writes any more.
pub(super) fn without(calls: &[Call], range: std::ops::Range<usize>) -> Vec<Call> {
    let mut rest: Vec<Call> =
        calls[..range.start].iter().chain(&calls[range.end..]).copied().collect();
    let written = |calls: &[Call]| -> BTreeSet<ValueId> {
        calls.iter().filter(|call| !call.is_read()).map(|call| call.writes).collect()
    };
    let before = written(calls);
    loop {
        let now = written(&rest);
        let length = rest.len();
        rest.retain(|call| {
            let value = call.expects;
            let lost = value != ABSENT
                && value < PRESENT
                && call.writes != UNLIKE
                && before.contains(&value)
                && !now.contains(&value);
            !lost
        });
        if rest.len() == length {
            return rest;
        }
    }
}
