//! One sentence that says why a minimal counterexample has no linearization.
//!
//! In: a minimal set of calls. Out: words. The near-linear check says what clashes; where it does
//! not apply, the sentence says how many operations have no common order.

use super::Names;
use super::drawing::words;
use crate::call::{ABSENT, Call, IMPOSSIBLE};
use crate::engine::unique;
use crate::history::KeyHistory;
use crate::near_linear::Clash;

/// Says why, and which call the sentence is about, if it is about one.
pub(super) fn sentence(
    calls: &[Call],
    key: &KeyHistory,
    names: &Names<'_>,
) -> (String, Option<usize>) {
    if let [call] = calls
        && call.expects == IMPOSSIBLE
    {
        return (format!("the answer to {} contradicts itself", long(call, names)), Some(0));
    }
    let clash = unique::clash(calls).flatten();
    let about = match &clash {
        Some(Clash::Phantom(index) | Clash::Absence(index)) => Some(*index),
        Some(Clash::WithinBlock(_, before)) => Some(*before),
        Some(Clash::Blocks([a_first, a_last], [b_first, b_last])) => {
            let pairs = [
                ([*a_first, *a_last], [*b_first, *b_last]),
                ([*b_first, *b_last], [*a_first, *a_last]),
            ];
            let mut stale_reads = pairs.into_iter();
            stale_reads
                .find(|(old, new)| stale(calls, *old, *new, names).is_some())
                .map(|(old, _)| old[1])
        }
        Some(Clash::TwoSuccessors(..) | Clash::Circle(_)) => None,
        None => (calls.len() == 1).then_some(0),
    };
    (reason(clash.as_ref(), calls, key, names), about)
}

fn reason(clash: Option<&Clash>, calls: &[Call], key: &KeyHistory, names: &Names<'_>) -> String {
    let call = |index: usize| long(&calls[index], names);
    match clash {
        Some(&Clash::Phantom(index)) => {
            let value = calls[index].expects;
            let failed = key.failed.iter().find(|failed| failed.writes == value);
            let origin = failed.map_or_else(
                || "which nobody wrote".to_owned(),
                |failed| {
                    format!(
                        "which only {} would have written, and that is said to have had no effect",
                        long(failed, names)
                    )
                },
            );
            format!("{} observed {}, {origin}", call(index), names.value(value))
        }
        Some(&Clash::TwoSuccessors(a, b)) => {
            let value = names.value(calls[a].expects);
            format!("{} and {} both replaced {value}, which was there only once", call(a), call(b))
        }
        Some(&Clash::Circle(index)) => {
            format!(
                "{} is part of a circle of CAS, each of which needs another one before it",
                call(index)
            )
        }
        Some(&Clash::WithinBlock(after, before)) => format!(
            "{} observed what comes only after {}, but had returned before that was invoked",
            call(before),
            call(after)
        ),
        Some(&Clash::Blocks([a_first, a_last], [b_first, b_last])) => {
            for [old_first, old_last, new_first, new_last] in
                [[a_first, a_last, b_first, b_last], [b_first, b_last, a_first, a_last]]
            {
                if let Some(sentence) =
                    stale(calls, [old_first, old_last], [new_first, new_last], names)
                {
                    return sentence;
                }
            }
            let holds = |first, last| core_value(calls, first, last, names);
            let reason = |first: usize, last: usize| {
                if calls[first].finish < calls[last].invoke {
                    format!("{} returned before {} was invoked", call(first), call(last))
                } else {
                    "the key is absent at first".to_owned()
                }
            };
            format!(
                "{} must come before {}, since {}, and after it, since {}",
                holds(a_first, a_last),
                holds(b_first, b_last),
                reason(a_first, b_last),
                reason(b_first, a_last),
            )
        }
        Some(&Clash::Absence(index)) => format!(
            "{} finds no moment in its interval at which the key was as it says, however the {} operations are ordered",
            call(index),
            calls.len()
        ),
        None if calls.len() == 1 => {
            format!("{} cannot be, for nobody wrote the key", call(0))
        }
        None => format!("no order of these {} operations explains all their answers", calls.len()),
    }
}

/// A clash of two values, one of which was read after the other had replaced it.
fn stale(
    calls: &[Call],
    [old_first, read]: [usize; 2],
    [new_first, new_last]: [usize; 2],
    names: &Names<'_>,
) -> Option<String> {
    let value = |index: usize| {
        let call = &calls[index];
        if call.is_read() { call.expects } else { call.writes }
    };
    let is_write_and_read = calls[read].is_read()
        && !calls[new_last].is_read()
        && value(old_first) == value(read)
        && value(new_first) == value(new_last);
    let (replaced, invoked) = (calls[new_first].finish, calls[read].invoke);
    let ago = invoked.saturating_sub(replaced) as f64 / 1e9;
    let (read_words, writer) = (long(&calls[read], names), long(&calls[new_last], names));
    let (seen, new) = (value(read), value(new_first));
    is_write_and_read.then(|| match (seen, new) {
        // What could have removed it would be among the operations.
        (ABSENT, _) => format!(
            "{read_words} found nothing, though {} was there {ago:.6} s before that was invoked, and nothing can have \
             removed it since: {writer}",
            names.value(new)
        ),
        (_, ABSENT) => format!(
            "{read_words} observed {}, though that had been removed {ago:.6} s before that was invoked: {writer} \
             began after {} had returned",
            names.value(seen),
            long(&calls[old_first], names)
        ),
        _ => format!(
            "{read_words} observed {}, though {} had replaced it {ago:.6} s before that was invoked: {writer} began \
             after {} had returned",
            names.value(seen),
            names.value(new),
            long(&calls[old_first], names)
        ),
    })
}

/// The value that a block of operations is about.
fn core_value(calls: &[Call], first: usize, last: usize, names: &Names<'_>) -> String {
    let value = |index: usize| {
        let call = &calls[index];
        if call.is_read() { call.expects } else { call.writes }
    };
    if value(first) == value(last) {
        names.value(value(first))
    } else {
        format!(
            "{} and what replaced it up to {}",
            names.value(value(first)),
            names.value(value(last))
        )
    }
}

/// A call with its client and times.
pub(super) fn long(call: &Call, names: &Names<'_>) -> String {
    let seconds = |time: u64| time.saturating_sub(1) as f64 / 1e9;
    let until = if call.is_unknown() {
        "never answered".to_owned()
    } else {
        format!("to {:.6} s", seconds(call.finish))
    };
    format!(
        "{} ({}, {:.6} s {until})",
        words(call, names),
        names.caller(call),
        seconds(call.invoke)
    )
}
