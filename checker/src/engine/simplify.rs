//! What can be said of a key's calls before anything is searched: calls that change nothing are
//! left out, writes of unknown outcome that somebody observed get an end. What remains is
//! linearizable iff the whole was.
//!
//! In: calls on one key. Out: fewer or shorter ones. Exact: each rule keeps the set of histories
//! that are linearizable, and says why.
//!
//! - **An observed write of unknown outcome happened**, before the first of its observers returned,
//!   if no other call writes that value: so that is when it finishes. (A put, or a CAS, which then
//!   itself observed what it expected.)
//! - **An unobserved write of unknown outcome** may as well not have happened: whatever follows it
//!   directly in a linearization does not look at the state. An observer counts if its outcome is
//!   known, or if it is observed itself.
//! - **A write of unknown outcome that expects a value** did not happen if that value was certainly
//!   gone for good when it was invoked: some other write began after all of that value had ended,
//!   and ended before. So with the expiry of a value that was replaced in time.
//! - **A key-only read of a key that was certainly there** can stand anywhere in its interval.
//! - **A CAS failure that does not say what it saw**, expecting e, has its moment if another value
//!   was certainly there at some moment of it: some write lies before its return and after every
//!   write of e that began by then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::{HashMap, HashSet};
use rustc_hash::FxBuildHasher;

use crate::call::{ABSENT, Call, IMPOSSIBLE, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::presence::{Latest, Presence};

type ByValue<T> = HashMap<ValueId, T, FxBuildHasher>;

/// The calls that decide, in the order of invocation.
pub(crate) fn simplified(calls: &[Call]) -> Vec<Call> {
    let mut calls: Vec<Call> =
        calls.iter().copied().filter(|call| !(call.is_unknown() && call.is_read())).collect();
    end_observed_writes(&mut calls);
    drop_certain_reads(&mut calls);
    drop_impossible_writes(&mut calls);
    drop_unobserved_writes(&mut calls);
    calls
}

/// The value that a call observes.
fn observed(call: &Call) -> Option<ValueId> {
    (call.expects < IMPOSSIBLE && call.writes != UNLIKE).then_some(call.expects)
}

fn drop_certain_reads(calls: &mut Vec<Call>) {
    let is_odd = |call: &Call| call.expects == PRESENT || call.writes == UNLIKE;
    if !calls.iter().any(is_odd) {
        return;
    }
    let presence = Presence::of(calls);
    let known_writes = calls.iter().filter(|call| !call.is_read() && !call.is_unknown());
    let completed = Latest::of(known_writes.map(|call| (call.finish, call.invoke)));
    let mut writes: ByValue<Vec<(u64, u64)>> = HashMap::default();
    for call in calls.iter().filter(|call| !call.is_read()) {
        writes.entry(call.writes).or_default().push((call.invoke, call.finish));
    }
    let writes: ByValue<Latest> =
        writes.into_iter().map(|(value, times)| (value, Latest::of(times.into_iter()))).collect();
    let was_another = |call: &Call| {
        let begun = writes.get(&call.expects).and_then(|of| of.among(|at| at <= call.finish));
        let replaced = completed.among(|finish| finish <= call.finish);
        match (begun, replaced) {
            // Nobody had begun to write it: it was there only if it is the absence of the
            // beginning.
            (None, replaced) => call.expects != ABSENT || replaced.is_some(),
            (Some(written), Some(replaced)) => written < replaced,
            (Some(_), None) => false,
        }
    };
    calls.retain(|call| match (call.expects, call.writes) {
        (PRESENT, NOTHING) => !presence.certainly(call.invoke, call.finish),
        (_, UNLIKE) => !was_another(call),
        _ => true,
    });
}

fn drop_impossible_writes(calls: &mut Vec<Call>) {
    if !calls.iter().any(Call::is_unknown) {
        return;
    }
    let known_writes = calls.iter().filter(|call| !call.is_read() && !call.is_unknown());
    let completed = Latest::of(known_writes.map(|call| (call.finish, call.invoke)));
    let mut written_until: ByValue<u64> = HashMap::default();
    for call in calls.iter().filter(|call| !call.is_read()) {
        let last = written_until.entry(call.writes).or_default();
        *last = (*last).max(call.finish);
    }
    calls.retain(|call| match observed(call).filter(|_| call.is_unknown()) {
        None => true,
        Some(value) => {
            let written = written_until.get(&value).copied().unwrap_or(0);
            completed.among(|finish| finish < call.invoke).is_none_or(|other| other <= written)
        }
    });
}

fn end_observed_writes(calls: &mut [Call]) {
    if !calls.iter().any(Call::is_unknown) {
        return;
    }
    let mut writers: ByValue<Option<usize>> = HashMap::default();
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| !call.is_read()) {
        writers.entry(call.writes).and_modify(|only| *only = None).or_insert(Some(index));
    }
    // The earliest first, so that each end is final when it is given.
    let known = calls.iter().filter(|call| !call.is_unknown());
    let mut ends: BinaryHeap<Reverse<(u64, ValueId)>> =
        known.filter_map(|call| Some(Reverse((call.finish, observed(call)?)))).collect();
    while let Some(Reverse((end, value))) = ends.pop() {
        let Some(Some(writer)) = writers.get(&value) else { continue };
        let call = &mut calls[*writer];
        // An end before its beginning is a violation, which the engines find.
        if value != ABSENT && call.is_unknown() && end >= call.invoke {
            call.finish = end;
            ends.extend(observed(call).map(|expected| Reverse((end, expected))));
        }
    }
}

fn drop_unobserved_writes(calls: &mut Vec<Call>) {
    // To an observer of "not e" or "some value" any value will do.
    if calls.iter().any(|call| call.writes == UNLIKE || call.expects == PRESENT) {
        return;
    }
    let mut unknown: ByValue<Vec<ValueId>> = HashMap::default();
    for call in calls.iter().filter(|call| call.is_unknown()) {
        unknown.entry(call.writes).or_default().extend(observed(call));
    }
    if unknown.is_empty() {
        return;
    }
    let mut needed: HashSet<ValueId, FxBuildHasher> = HashSet::default();
    let known = calls.iter().filter(|call| !call.is_unknown());
    let mut open: Vec<ValueId> = known.filter_map(observed).collect();
    while let Some(value) = open.pop() {
        if needed.insert(value) {
            open.extend(unknown.get(&value).into_iter().flatten());
        }
    }
    // Whoever returned before it was invoked did not see it.
    let mut asked_until: ByValue<u64> = HashMap::default();
    for call in calls.iter() {
        if let Some(value) = observed(call) {
            let last = asked_until.entry(value).or_default();
            *last = (*last).max(call.finish);
        }
    }
    calls.retain(|call| {
        let is_asked_for = || asked_until.get(&call.writes).is_some_and(|at| *at >= call.invoke);
        !call.is_unknown() || (needed.contains(&call.writes) && is_asked_for())
    });
}
