//! A counterexample as a drawing: a lane for each client, time from left to right.
//!
//! ```text
//! client 3  ├ put "a" ┤                           ├ get → "a" ┤ ✗
//! client 5              ├ put "b" ┤ ├ get → "b" ┤
//! ```
//!
//! In: calls. Out: lines of text. Columns are in the order of time, not to scale: each operation is
//! as wide as its words, and what overlaps in time overlaps in columns. A call of unknown outcome
//! ends in an arrow.

use std::collections::BTreeMap;

use super::Names;
use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, NOTHING, PRESENT, UNLIKE};

/// Draws the calls, one of them marked.
pub(super) fn draw(calls: &[Call], marked: Option<usize>, names: &Names<'_>) -> Vec<String> {
    let is_marked =
        |call: &Call| marked.is_some_and(|index| std::ptr::eq(&raw const calls[index], call));
    let columns = columns(calls, names);
    let end = columns.values().max().map_or(0, |last| last + 12);
    let mut lanes: Vec<(String, Vec<&Call>)> = Vec::new();
    for call in calls {
        let caller = names.caller(call);
        let column = |call: &Call| columns[&(call.invoke, false)];
        let fits = |lane: &&mut (String, Vec<&Call>)| {
            lane.0 == caller
                && lane.1.iter().all(|other| {
                    !other.is_unknown() && columns[&(other.finish, true)] < column(call)
                })
        };
        match lanes.iter_mut().find(fits) {
            Some((_, lane)) => lane.push(call),
            None => lanes.push((caller, vec![call])),
        }
    }
    let width = lanes.iter().map(|(caller, _)| caller.chars().count()).max().unwrap_or(0);
    let lane = |(caller, calls): &(String, Vec<&Call>)| {
        let mut line = format!("{caller:width$}  ");
        let margin = width + 2;
        for call in calls {
            let from = margin + columns[&(call.invoke, false)];
            line.extend(std::iter::repeat_n(' ', from.saturating_sub(line.chars().count())));
            let to = if call.is_unknown() { end } else { columns[&(call.finish, true)] };
            let room = to - columns[&(call.invoke, false)] - 1;
            let words = format!("├ {} ", words(call, names));
            let last = if call.is_unknown() { '→' } else { '┤' };
            line += &words;
            let dashes = (room + 1).saturating_sub(words.chars().count());
            line.extend(std::iter::repeat_n('─', dashes));
            line.push(last);
            if is_marked(call) {
                line.push_str(" ✗");
            }
        }
        line
    };
    lanes.iter().map(lane).collect()
}

/// A column for every moment; invocations and returns at the same time have one each, invocations
/// first.
fn columns(calls: &[Call], names: &Names<'_>) -> BTreeMap<(u64, bool), usize> {
    let mut moments: BTreeMap<(u64, bool), Vec<&Call>> = BTreeMap::new();
    for call in calls {
        moments.entry((call.invoke, false)).or_default();
        moments.entry((call.finish, true)).or_default().push(call);
    }
    let mut columns: BTreeMap<(u64, bool), usize> = BTreeMap::new();
    let mut next = 0;
    for (moment, returning) in moments {
        let mut column = next;
        for call in returning {
            let from = columns[&(call.invoke, false)];
            column = column.max(from + words(call, names).chars().count() + 3);
        }
        columns.insert(moment, column);
        next = column + 2;
    }
    columns
}

/// A call in a few words.
pub(super) fn words(call: &Call, names: &Names<'_>) -> String {
    let value = |value| names.value(value);
    match (call.expects, call.writes) {
        (IMPOSSIBLE, _) => "cas with an answer that contradicts itself".to_owned(),
        (PRESENT, _) => "scan → there".to_owned(),
        (expected, UNLIKE) => format!("cas → not {}", value(expected)),
        (seen, NOTHING) => format!("get → {}", value(seen)),
        (ANYTHING, ABSENT) => "delete".to_owned(),
        (ANYTHING, written) => format!("put {}", value(written)),
        (expired, ABSENT) => format!("{} expires", value(expired)),
        (expected, written) => format!("cas {} → {}", value(expected), value(written)),
    }
}
