//! The faults of a run, grouped by kind: how often, what they changed, the longest gap of each
//! kind, what never came up.
//!
//! In: a judgement. Out: text for the row "faults". Changes of the number of replicas that belong
//! to an experiment are its setting and no faults. A gap is called expected where the fault left no
//! majority, and its absence where it left one.

use super::figures::{count, counted, length};
use judge::{FaultJudged, Judgement};
use std::collections::BTreeMap;

/// So many kinds have a row of their own.
const ROWS_MAX: usize = 6;
/// A shorter time without a success is none that a person would notice.
const GAP_MIN_NS: u64 = 1_000_000_000;

/// All faults of a kind, in the order in which the kinds came up.
fn kinds(judgement: &Judgement) -> Vec<(&str, Vec<&FaultJudged>)> {
    let is_setting =
        |fault: &FaultJudged| !judgement.experiment.is_empty() && fault.seen.only_replicas;
    let mut kinds: Vec<(&str, Vec<&FaultJudged>)> = Vec::new();
    for fault in judgement.faults.iter().filter(|fault| !is_setting(fault)) {
        let step = fault.seen.steps.first().filter(|_| !judgement.experiment.is_empty());
        // A step of an experiment bears the experiment's name.
        let name = step.map_or(fault.seen.name.as_str(), |step| &step.f);
        match kinds.iter_mut().find(|(kind, _)| *kind == name) {
            Some((_, faults)) => faults.push(fault),
            None => kinds.push((name, vec![fault])),
        }
    }
    // What was felt most comes first.
    let longest = |faults: &[&FaultJudged]| faults.iter().map(|it| it.longest_gap_ns).max();
    kinds.sort_by_key(|(_, faults)| std::cmp::Reverse(longest(faults)));
    kinds
}

/// A line for each kind, in columns.
pub fn table(judgement: &Judgement, room: usize) -> Vec<String> {
    let kinds = kinds(judgement);
    let rows: Vec<[String; 3]> = kinds
        .iter()
        .take(ROWS_MAX)
        .map(|(kind, faults)| {
            [format!("{kind} ×{}", count(faults.len() as u64)), effect(faults), gap(faults)]
        })
        .collect();
    let longest = |column: usize| {
        rows.iter().map(|row: &[String; 3]| row[column].chars().count()).max().unwrap_or(0)
    };
    let width = |column: usize| longest(column) + if longest(column) > 0 { 2 } else { 0 };
    let widths = [width(0), width(1)];
    let fits = widths.iter().sum::<usize>() + longest(2) <= room;
    let mut lines: Vec<String> = rows
        .iter()
        .map(|[kind, effect, gap]| {
            if fits {
                let [first, second] = widths;
                format!("{kind:first$}{effect:second$}{gap}")
            } else {
                let parts = [kind, effect, gap].into_iter().filter(|part| !part.is_empty());
                parts.cloned().collect::<Vec<_>>().join(", ")
            }
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    if kinds.len() > ROWS_MAX {
        let more: Vec<String> = kinds[ROWS_MAX..]
            .iter()
            .map(|(kind, faults)| format!("{kind} ×{}", faults.len()))
            .collect();
        lines.push(format!("and {}", more.join(", ")));
    }
    lines.extend(beside(judgement));
    // What was not tested takes from a good verdict only.
    lines.extend(never_led(judgement).map(|stores| {
        format!("never led when a fault began, so not tested as a leader: {stores}")
    }));
    lines
}

/// All kinds in a line.
pub fn summary(judgement: &Judgement) -> Vec<String> {
    let kinds = kinds(judgement);
    let mut lines = Vec::new();
    if !kinds.is_empty() {
        let each = kinds.iter().map(|(kind, faults)| format!("{kind} ×{}", faults.len()));
        let longest = kinds.iter().flat_map(|(_, faults)| faults).map(|it| it.longest_gap_ns).max();
        let longest = length(longest.unwrap_or(0));
        lines.push(format!("{}, longest gap {longest}", each.collect::<Vec<_>>().join(", ")));
    }
    lines.extend(beside(judgement));
    lines
}

/// Planned faults that did not happen.
fn beside(judgement: &Judgement) -> Vec<String> {
    let mut happened: BTreeMap<&str, u64> = BTreeMap::new();
    for fault in &judgement.faults {
        *happened.entry(&fault.seen.name).or_default() += 1;
    }
    let times = |kind: &str| happened.get(kind).copied().unwrap_or(0);
    let never: Vec<&str> =
        judgement.planned.keys().map(String::as_str).filter(|kind| times(kind) == 0).collect();
    let missing =
        judgement.planned.iter().map(|(kind, planned)| planned.saturating_sub(times(kind)));
    let missing: u64 = missing.sum();
    let mut lines = Vec::new();
    if missing > 0 {
        let never = match never.as_slice() {
            [] => String::new(),
            kinds => format!("; never in force: {}", kinds.join(", ")),
        };
        lines.push(format!("{} did not happen{never}", counted(missing, "planned fault")));
    }
    lines
}

/// Stores that never led when a fault began, where that matters: for faults that are about what a
/// deposed leader still answers.
pub fn never_led(judgement: &Judgement) -> Option<String> {
    let matters = |fault: &FaultJudged| {
        matches!(&*fault.seen.name, "pause-overlap" | "kill-followers" | "kill-leader-last")
    };
    judgement.faults.iter().any(matters).then(|| judgement.leaders.in_words()).flatten()
}

/// Changes that the faults of a kind made.
fn effect(faults: &[&FaultJudged]) -> String {
    let mut parts = Vec::new();
    let of = |is: fn(&FaultJudged) -> bool| faults.iter().filter(|fault| is(fault)).count() as u64;
    let doubtful = of(|fault| !fault.seen.confirmed);
    let times = |number: u64| match number {
        1 if faults.len() == 1 => String::new(),
        number if number == faults.len() as u64 => " each time".to_owned(),
        1 => " once".to_owned(),
        number => format!(" {}", counted(number, "time")),
    };
    let moved = of(|fault| !fault.seen.leader_moves.is_empty());
    if moved > 0 {
        parts.push(format!("leader moved{}", times(moved)));
    }
    let kept = of(|fault| fault.seen.hit_leader && fault.seen.leader_moves.is_empty());
    if kept > 0 && moved == 0 && doubtful == 0 {
        parts.push("leader stayed".to_owned());
    }
    let voters = faults.iter().flat_map(|fault| &fault.seen.voter_changes);
    let mut voters: Vec<(u64, u64)> = voters.map(|it| (it.from, it.to)).collect();
    voters.sort_unstable();
    voters.dedup();
    if let Some((from, to)) = voters.first() {
        let back = if voters.contains(&(*to, *from)) { " and back" } else { "" };
        parts.push(format!("{from} to {to} voters{back}"));
    }
    let without = of(|fault| fault.seen.leaves_majority() == Some(false));
    if without > 0 {
        parts.push(format!("no majority{}", times(without)));
    }
    if parts.is_empty() && doubtful < faults.len() as u64 {
        let seen = faults.iter().flat_map(|fault| &fault.seen.effects);
        parts.extend(seen.take(1).cloned());
    }
    if doubtful > 0 {
        parts.push(format!("not confirmed{}", times(doubtful)));
    }
    parts.join(", ")
}

/// The longest gap of a kind, and whether it, or its absence, was to be expected.
fn gap(faults: &[&FaultJudged]) -> String {
    let longest_ns = faults.iter().map(|fault| fault.longest_gap_ns).max().unwrap_or(0);
    let serves = |fault: &&&FaultJudged| fault.seen.leaves_majority() == Some(true);
    let quiet = |fault: &&FaultJudged| serves(&fault) && !fault.seen.hit_leader;
    if longest_ns < GAP_MIN_NS {
        let voters = faults.iter().filter_map(|fault| fault.seen.voters).max();
        return match voters {
            Some(voters) if faults.iter().all(quiet) => {
                format!("no gap, as expected with {}", counted(voters, "replica"))
            }
            _ => format!("longest gap {}", length(longest_ns)),
        };
    }
    let expected = faults.iter().any(|fault| fault.seen.leaves_majority() == Some(false));
    let expected = if expected { ", as expected without a majority" } else { "" };
    format!("longest gap {}{expected}", length(longest_ns))
}
