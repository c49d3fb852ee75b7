//! Delta debugging: takes calls away for as long as the rest stays invalid.
//!
//! In: calls that are not linearizable, the whole that they are part of, and whether some calls
//! are. Out: a 1-minimal part of them, in the order of invocation. A write is taken away together
//! with everything that might have observed it, for what remained would be invalid only because a
//! write is missing ([`supported`]).

use std::collections::BTreeSet;

use super::support::supported;
use crate::call::{ANYTHING, Call, PRESENT, UNLIKE, ValueId};

/// Takes away what is not needed: halves first, single calls in the end, until none can go.
pub(super) fn minimize(
    mut calls: Vec<Call>,
    whole: &[Call],
    is_invalid: &impl Fn(&[Call]) -> bool,
) -> Vec<Call> {
    let whole = &relevant(&calls, whole);
    let mut size = calls.len().div_ceil(2).max(1);
    loop {
        let mut shrunk = false;
        let mut start = 0;
        while start < calls.len() {
            let end = (start + size).min(calls.len());
            let rest = without(&calls, start..end, whole);
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

/// The calls without a range of them, and without what may have observed it.
pub(super) fn without(calls: &[Call], range: std::ops::Range<usize>, whole: &[Call]) -> Vec<Call> {
    let rest = calls[..range.start].iter().chain(&calls[range.end..]).copied().collect();
    supported(rest, whole)
}

/// The calls of the whole that anything in the part could have observed, and the part itself.
fn relevant(part: &[Call], whole: &[Call]) -> Vec<Call> {
    let observers = part.iter().filter(|call| call.expects != ANYTHING);
    let any = observers.clone().any(|call| call.expects == PRESENT || call.writes == UNLIKE);
    let values: BTreeSet<ValueId> = observers.clone().map(|call| call.expects).collect();
    let last = observers.map(|call| call.finish).max().unwrap_or(0);
    let mut kept = part.iter().peekable();
    let is_relevant = |call: &&Call| {
        let in_part = kept.next_if(|next| *next == *call).is_some();
        let observed = any || values.contains(&call.writes);
        in_part || (!call.is_read() && observed && call.invoke <= last)
    };
    whole.iter().filter(is_relevant).copied().collect()
}
