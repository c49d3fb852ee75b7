//! The participants of a finding, drawn: a lane for each client, time from left to right, not to
//! scale.
//!
//! ```text
//! client 11  ├ put 11-61 ┤
//! client 53                ├ put 53-468 ┤
//! client 27                              ├ get → 11-61 ┤ ✗
//! ```
//!
//! In: a finding and the room. Out: lines. The operation that shows the finding is marked, and it
//! is the one that the sentence beside the drawing is about. One whose outcome is unknown ends in
//! an arrow.

use super::{
    figures::value,
    frame::{MARK, cut},
};
use checker::{CallKind, Finding, Participant, Role};
use std::collections::BTreeMap;

/// Values are cut further and further, until the drawing fits.
const CUTS: [usize; 5] = [24, 16, 10, 6, 3];

/// One operation.
struct Bar {
    lane: String,
    words: String,
    invoke_ns: u64,
    finish_ns: Option<u64>,
    marked: bool,
}

/// Draws whom the finding is about. Nothing, if the finding does not tell who wrote what was
/// observed.
pub fn draw(finding: &Finding, room: usize) -> Vec<String> {
    let drawn = |it: &&Participant| {
        !matches!(it.role, Role::SawNewerAfterwards | Role::SawOlderToo)
            && (it.role != Role::SawNewerBefore
                || finding.kind == checker::FindingKind::NonMonotonicRead)
    };
    let mut participants: Vec<&Participant> = finding.participants.iter().filter(drawn).collect();
    participants.sort_by_key(|it| (it.invoke_ns, it.operation));
    let mut lines = Vec::new();
    for most in CUTS {
        let bars: Vec<Bar> = participants.iter().map(|it| bar(it, most)).collect();
        lines = lanes(&bars);
        if lines.iter().all(|line| line.chars().count() <= room) {
            break;
        }
    }
    lines
}

fn bar(it: &Participant, most: usize) -> Bar {
    let shown = |content: Option<&checker::Content>| {
        content.map_or_else(|| "?".to_owned(), |content| cut(&value(content), most))
    };
    let (found, wrote) = (shown(it.found.as_ref()), shown(it.wrote.as_ref()));
    let words = match it.call {
        CallKind::Get => format!("get → {found}"),
        CallKind::ScanKeys => {
            format!("scan → {}", if found == "nothing" { "absent" } else { "there" })
        }
        CallKind::Put => format!("put {wrote}"),
        CallKind::Delete => "delete".to_owned(),
        CallKind::Cas if it.wrote.is_some() => format!("cas {found} → {wrote}"),
        CallKind::Cas => format!("cas → not {found}"),
        CallKind::Expiry => format!("{found} expires"),
    };
    Bar {
        lane: format!("client {}", it.client),
        words,
        invoke_ns: it.invoke_ns,
        finish_ns: it.finish_ns,
        marked: it.role == Role::Observer,
    }
}

/// A line for each client, in the order of their first operations.
fn lanes(bars: &[Bar]) -> Vec<String> {
    let columns = columns(bars);
    let end = columns.values().max().map_or(0, |last| last + 3);
    let margin = bars.iter().map(|bar| bar.lane.chars().count()).max().unwrap_or(0) + 2;
    let mut lanes: Vec<(&str, String)> = Vec::new();
    for bar in bars {
        let column = margin + columns[&(bar.invoke_ns, false)];
        let fits =
            |(name, line): &(&str, String)| *name == bar.lane && line.chars().count() < column;
        let place = lanes.iter().position(fits).unwrap_or_else(|| {
            lanes.push((&bar.lane, format!("{:margin$}", bar.lane)));
            lanes.len() - 1
        });
        let line = &mut lanes[place].1;
        line.extend(std::iter::repeat_n(' ', column.saturating_sub(line.chars().count())));
        let words = format!("├ {} ", bar.words);
        let to = bar.finish_ns.map_or(end, |finish_ns| columns[&(finish_ns, true)]);
        let dashes = (margin + to).saturating_sub(column + words.chars().count());
        *line += &words;
        line.extend(std::iter::repeat_n('─', dashes));
        line.push(if bar.finish_ns.is_some() { '┤' } else { '→' });
        if bar.marked {
            line.push(' ');
            line.push(MARK);
        }
    }
    lanes.into_iter().map(|(_, line)| line).collect()
}

/// A column for every moment at which an operation begins (false) or ends (true), in the order of
/// time.
fn columns(bars: &[Bar]) -> BTreeMap<(u64, bool), usize> {
    let mut moments: BTreeMap<(u64, bool), Vec<&Bar>> = BTreeMap::new();
    for bar in bars {
        moments.entry((bar.invoke_ns, false)).or_default();
        if let Some(finish_ns) = bar.finish_ns {
            moments.entry((finish_ns, true)).or_default().push(bar);
        }
    }
    let mut columns: BTreeMap<(u64, bool), usize> = BTreeMap::new();
    let mut next = 0;
    for (moment, ending) in moments {
        let mut column = next;
        for bar in ending {
            let from = columns.get(&(bar.invoke_ns, false)).copied().unwrap_or(0);
            column = column.max(from + bar.words.chars().count() + 3);
        }
        columns.insert(moment, column);
        next = column + 2;
    }
    columns
}
