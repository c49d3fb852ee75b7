//! Where a counterexample is looked for: the calls that clash, as the near-linear check names them,
//! with the writers that they need; or what was invoked shortly before a call that saw a replaced
//! value.
//!
//! In: a key's calls, and what tells whether some of them are invalid, by search and without. Out:
//! a part of them that is. It does not minimize.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::support::supported;
use crate::call::{ABSENT, Call, IMPOSSIBLE, PRESENT, UNLIKE, ValueId};
use crate::engine::{replaced, unique};
use crate::near_linear::Clash;

/// A part of the calls that is not linearizable, small where it can be had at once.
pub(super) fn candidate(
    calls: &[Call],
    is_invalid: &impl Fn(&[Call]) -> bool,
    is_invalid_at_once: &impl Fn(&[Call]) -> bool,
) -> Vec<Call> {
    if let Some(call) = calls.iter().find(|call| call.expects == IMPOSSIBLE) {
        return vec![*call];
    }
    let clashing = match unique::clash(calls) {
        Some(Some(Clash::Phantom(call) | Clash::Circle(call))) => vec![call],
        Some(Some(Clash::TwoSuccessors(a, b) | Clash::WithinBlock(a, b))) => vec![a, b],
        Some(Some(Clash::Blocks([a, b], [c, d]))) => vec![a, b, c, d],
        // The clash is one of deletes with everything else, or of values that repeat.
        Some(Some(Clash::Absence(_)) | None) | None => {
            let window =
                replaced::seen_by(calls).and_then(|at| window(calls, at, is_invalid_at_once));
            return window.unwrap_or_else(|| prefix(calls, is_invalid));
        }
    };
    let part: Vec<Call> = with_writers(calls, clashing).into_iter().map(|at| calls[at]).collect();
    let part = supported(part, calls);
    if is_invalid(&part) { part } else { prefix(calls, is_invalid) }
}

/// These calls and the writers of what they observed, and so on.
fn with_writers(calls: &[Call], mut open: Vec<usize>) -> BTreeSet<usize> {
    let mut writers: HashMap<ValueId, usize, FxBuildHasher> = HashMap::default();
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| !call.is_read()) {
        writers.insert(call.writes, index);
    }
    let mut part = BTreeSet::new();
    while let Some(index) = open.pop() {
        let expects = calls[index].expects;
        if part.insert(index) && expects != ABSENT && expects < PRESENT {
            open.extend(writers.get(&expects));
        }
    }
    // A writer of unknown outcome counts only if somebody observed its value.
    for value in part.iter().map(|index| calls[*index].writes).collect::<BTreeSet<_>>() {
        let saw = |call: &Call| call.expects == value && call.writes != UNLIKE;
        if value != ABSENT
            && value < PRESENT
            && calls[writers[&value]].is_unknown()
            && !part.iter().any(|index| saw(&calls[*index]))
        {
            part.extend(calls.iter().position(|call| saw(call) && !call.is_unknown()));
        }
    }
    part
}

/// So many calls are looked at first.
const WINDOW_MIN: usize = 8;

/// The last invalid calls before the return of one, twice as many each time; with a later write of
/// what that one saw, if there is any, so that it does not seem that nobody writes it.
fn window(
    calls: &[Call],
    observer: usize,
    is_invalid: &impl Fn(&[Call]) -> bool,
) -> Option<Vec<Call>> {
    let end = calls.partition_point(|call| call.invoke <= calls[observer].finish);
    let seen = calls[observer].expects;
    let later = calls[end..].iter().find(|call| !call.is_read() && call.writes == seen);
    let mut length = WINDOW_MIN.max(end - observer);
    loop {
        let before = &calls[end.saturating_sub(length)..end];
        let part = supported(before.iter().chain(later).copied().collect(), calls);
        if is_invalid(&part) {
            return Some(part);
        }
        if length >= end {
            return None;
        }
        length *= 2;
    }
}

/// The shortest invalid beginning of the calls, by bisection.
fn prefix(calls: &[Call], is_invalid: &impl Fn(&[Call]) -> bool) -> Vec<Call> {
    let beginning = |length: usize| supported(calls[..length].to_vec(), calls);
    let (mut valid, mut invalid) = (0, calls.len());
    while valid + 1 < invalid {
        let middle = usize::midpoint(valid, invalid);
        if is_invalid(&beginning(middle)) {
            invalid = middle;
        } else {
            valid = middle;
        }
    }
    beginning(invalid)
}
