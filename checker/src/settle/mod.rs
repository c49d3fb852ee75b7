//! Settling: judging the beginning of a key's calls while more of them still come, and forgetting
//! it, so that a long history takes memory for its keys and not for its operations.
//!
//! In: a key's calls so far, and a moment before which nothing more will come. Out: fewer calls
//! that stand for them all. It knows no keys, files or clocks.
//!
//! # Why it is right
//!
//! Let c be a moment at which no call of known outcome is open on the key: whatever was invoked
//! before has returned. P are these calls, and exactly one write of P, w, returned so late that no
//! other write of P was invoked after it; so in every order w stands last among the writes of P. U
//! are the calls of unknown outcome that were invoked before c.
//!
//! - A call of U whose value a call of P observed did happen, no later than its observer returned:
//!   it is one of P, with that return. This needs the value to have one writer only, which is asked
//!   for among all the calls that are known of.
//! - What is left of U is *unobserved*. If P alone is linearizable, then the whole is linearizable
//!   iff it is from the state of w on, with all of the unobserved still to come. If: one behind the
//!   other. Only if: take an order of the whole. Either w is the last write before c, and the rest
//!   of the order stands as it is; or an unobserved call u is, and then it can as well take effect
//!   just after c: a CAS among them finds there what it found before, as nothing stands between it
//!   and w that anybody observed.
//! - If P with all of U is not linearizable, neither is the whole.
//! - If it is, and P alone is not, a delete of U took effect before c. Deletes differ in nothing
//!   but their beginnings, so by exchange it is the one that was invoked first: it is one of P,
//!   too, and returned by c.
//! - In all other cases nothing is settled and the calls stay, to be judged with what follows.
//!
//! So w, as a plain write, stands for P; after a delete nothing does. A value of P that is read
//! later reads as one that nobody wrote, which is as wrong. Who names the anomaly has to read the
//! history again, without settling.

mod round;
#[cfg(test)]
mod tests;

use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, NOTHING, ValueId};
use crate::engine::unique;
use crate::history::KeyHistory;

/// So many calls of a key must be settled at once; less is not worth the trouble.
pub(crate) const CALLS_MIN: usize = 16;

/// What is settled of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Calls that were judged and forgotten.
    pub(crate) calls: u64,
    /// The moment up to which nothing may come any more; 0 if nothing is settled.
    pub(crate) until: u64,
    /// The calls that are held have no order, whatever comes.
    pub(crate) condemned: bool,
    /// The calls that are held are not all as the history has them.
    pub(crate) altered: bool,
}

/// Settles what can be of a key, so many calls at once. Nothing that is invoked before `before`
/// will come any more.
pub(crate) fn settle(key: &mut KeyHistory, before: u64, calls_min: usize) {
    if key.settled.condemned || key.calls.len() < calls_min {
        return;
    }
    key.calls.sort_by_key(|call| (call.invoke, call.event));
    let Some(observed) = observe(&mut key.calls, key.values, before) else { return };
    key.settled.altered |= observed;
    while let Some(cut) = last_cut(&key.calls, before) {
        let ended = |call: &&Call| call.finish <= cut.ended;
        let before_cut: Vec<Call> = key.calls.iter().filter(ended).copied().collect();
        if before_cut.len() < calls_min {
            return;
        }
        match unique::clash(&before_cut) {
            Some(None) => return forget(key, cut, before_cut.len()),
            Some(Some(_)) => {}
            None => return,
        }
        let begun = |call: &&Call| call.invoke <= cut.ended;
        let with_unknown: Vec<Call> = key.calls.iter().filter(begun).copied().collect();
        if let Some(Some(_)) = unique::clash(&with_unknown) {
            key.settled.condemned = true;
            return;
        }
        // Only a delete that nobody is sure of can have helped.
        let may_have_helped = |call: &&mut Call| call.is_unknown() && call.writes == ABSENT;
        let Some(delete) = key.calls.iter_mut().find(may_have_helped) else { return };
        delete.finish = cut.ended;
        key.settled.altered = true;
    }
}

/// Leaves only the last write of what ended by the cut, and everything later or unknown.
fn forget(key: &mut KeyHistory, cut: Cut, judged: usize) {
    let kept = cut.last_write.filter(|write| write.writes != ABSENT);
    // What it found is forgotten, so it must not ask for that.
    let kept = kept.map(|write| Call { expects: ANYTHING, ..write });
    key.calls.retain(|call| call.finish > cut.ended);
    key.settled.calls += judged as u64 - u64::from(kept.is_some());
    key.settled.until = cut.ended + 1;
    key.settled.altered = true;
    key.calls.splice(0..0, kept);
    key.calls.shrink_to(2 * key.calls.len() + CALLS_MIN);
    key.failed.retain(|call| call.invoke > cut.ended);
    key.failed.shrink_to(2 * key.failed.len());
}

/// A moment at which no call of known outcome is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    /// When the last call before it returned.
    ended: u64,
    /// The write that every order has last, if something was written.
    last_write: Option<Call>,
}

/// The last cut before a moment at which it is certain which write was the last.
fn last_cut(calls: &[Call], before: u64) -> Option<Cut> {
    let mut ended = 0;
    // The writes that may be the last.
    let mut last: Vec<Call> = Vec::new();
    let mut found = None;
    for call in calls.iter().filter(|call| !call.is_unknown()) {
        if ended > 0 && ended < call.invoke && ended < before && last.len() <= 1 {
            found = Some(Cut { ended, last_write: last.first().copied() });
        }
        if !call.is_read() {
            last.retain(|other| other.finish >= call.invoke);
            last.push(*call);
        }
        ended = ended.max(call.finish);
    }
    if ended > 0 && ended < before && last.len() <= 1 {
        found = Some(Cut { ended, last_write: last.first().copied() });
    }
    found
}

/// Gives every write of unknown outcome that was observed the return of its first observer, and
/// says whether there was one. Nothing if the calls are not such that this can be said: a value
/// with two writers, or a call that the near-linear check has no notion of.
fn observe(calls: &mut [Call], values: u32, before: u64) -> Option<bool> {
    if calls.iter().any(|call| !unique::is_decidable(call)) {
        return None;
    }
    let writers = writers(calls, values)?;
    let mut observed_any = false;
    loop {
        let mut first_return = vec![u64::MAX; values as usize + 1];
        for call in calls.iter().filter(|call| call.finish < before) {
            if let Some(value) = observed(call) {
                let first = &mut first_return[value as usize];
                *first = (*first).min(call.finish);
            }
        }
        let mut changed = false;
        for (writer, finish) in writers.iter().zip(first_return) {
            let Some(call) = writer.map(|writer| &mut calls[writer]) else { continue };
            // A read that returned before its write began is wrong, and stays so.
            if call.is_unknown() && finish != u64::MAX && finish >= call.invoke {
                call.finish = finish;
                changed = true;
            }
        }
        if !changed {
            return Some(observed_any);
        }
        observed_any = true;
    }
}

/// Who writes each value; none if one has two writers.
fn writers(calls: &[Call], values: u32) -> Option<Vec<Option<usize>>> {
    let mut writers = vec![None; values as usize + 1];
    for (index, call) in calls.iter().enumerate() {
        if call.writes != NOTHING && call.writes != ABSENT {
            let writer: &mut Option<usize> = writers.get_mut(call.writes as usize)?;
            if writer.replace(index).is_some() {
                return None;
            }
        }
    }
    Some(writers)
}

/// The value that a call found.
fn observed(call: &Call) -> Option<ValueId> {
    (call.expects != ABSENT && call.expects < IMPOSSIBLE).then_some(call.expects)
}
