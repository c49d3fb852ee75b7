//! What a person reads at the end: the verdict in words, what was tried, where it is, and how to do it again.
//!
//! In: a [`Judgement`]. Out: lines for stdout. Decides nothing.

use crate::judge::{FaultJudged, Judgement};
use crate::scenario::{Finding, Weight};
use checker::Validity;

/// So many reasons are listed; the rest is in verdict.json.
const LISTED_MAX: usize = 10;
/// So many faults are listed: those of a run of an hour.
const FAULTS_LISTED_MAX: usize = 1_000;

/// Prints a judgement to stdout.
pub fn print(judgement: &Judgement) {
    for line in lines(judgement) {
        crate::terminal::result(line);
    }
}

fn lines(judgement: &Judgement) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.push(operations(judgement));
    lines.extend(judgement.faults.iter().take(FAULTS_LISTED_MAX).map(fault));
    if let Some(more @ 1..) = judgement.faults.len().checked_sub(FAULTS_LISTED_MAX) {
        lines.push(format!("and {more} more faults, in verdict.json"));
    }
    if let Some(stores) = judgement.leaders.in_words() {
        lines.push(format!("never led when a fault began, so not tested as a leader: {stores}"));
    }
    lines.extend(judgement.experiment.iter().map(experiment));
    if let (Some(before), Some(after)) = (judgement.key_counts.before, judgement.key_counts.after) {
        lines.push(format!("keys: {before}, after one more put {after}"));
    }
    lines.push(String::new());
    lines.extend(verdict(judgement));
    lines.extend(notes(judgement));
    lines
}

/// What a reader should know of a run beside its verdict.
pub fn notes(judgement: &Judgement) -> Vec<String> {
    let early = judgement.ended_early.map(|early| early.to_string());
    let little = judgement.served.filter(|served| served.is_little()).map(|served| {
        format!(
            "little was served: for {} % of the time in which clients waited for an answer, less than a third; longer \
             --nemesis-interval or shorter faults let the cluster recover in between",
            served.percent()
        )
    });
    early.into_iter().chain(little).collect()
}

fn operations(judgement: &Judgement) -> String {
    let kinds = judgement.operations.iter().map(|(kind, counts)| {
        format!("{kind} {} ok, {} fail, {} info", counts.ok, counts.fail, counts.info)
    });
    format!("operations: {}", kinds.collect::<Vec<_>>().join("; "))
}

fn fault(fault: &FaultJudged) -> String {
    let seen = &fault.seen;
    let stores = match seen.store_names().join(", ") {
        none if none.is_empty() => String::new(),
        stores => format!(" of {stores}"),
    };
    let effect = match (seen.confirmed, seen.effects_shown().as_slice()) {
        (false, _) => "not confirmed".into(),
        (true, []) if fault.unavailable() => "nothing succeeded for most of it".into(),
        (true, []) => "no effect seen".into(),
        (true, effects) => effects.join(", "),
    };
    let effect = [vec![effect], seen.errors_shown()].concat().join(", ");
    format!(
        "fault {}: {}{stores} from {:.1} s to {:.1} s: {effect}; longest gap without a success {:.0} ms, \
         {} operations succeeded during it",
        seen.fault,
        seen.name,
        seen.begin_ns as f64 / 1e9,
        seen.end_ns as f64 / 1e9,
        fault.longest_gap_ns as f64 / 1e6,
        fault.ok_during,
    )
}

/// What an experiment showed, in a line.
pub fn experiment(finding: &Finding) -> String {
    let mark = match finding.weight {
        Weight::Good => "seen",
        Weight::Note => "note",
        Weight::Unknown => "not seen",
        Weight::Invalid => "broken",
    };
    format!("{mark}: {}", finding.said)
}

/// How many parts it had, in words.
fn counted_parts(judgement: &Judgement) -> String {
    let total = judgement.parts.unwrap_or_default().total();
    format!("{total} part{}", if total == 1 { "" } else { "s" })
}

/// The verdict in words, and its reasons.
pub fn verdict(judgement: &Judgement) -> Vec<String> {
    let operations = judgement.checked.operations;
    let total = operations.ok + operations.fail + operations.info;
    let about = &judgement.target;
    let mut lines = match judgement.validity {
        Validity::Valid if judgement.parts.is_some() => vec![format!(
            "VALID: {}, each judged by itself, {total} operations. Target: {about}.",
            counted_parts(judgement)
        )],
        Validity::Unknown if judgement.parts.is_some() => vec![format!(
            "UNKNOWN: of {} some could not be decided. Target: {about}.",
            counted_parts(judgement)
        )],
        Validity::Invalid if judgement.parts.is_some() => vec![format!(
            "INVALID: in the last of {} a promise was broken. Target: {about}.",
            counted_parts(judgement)
        )],
        Validity::Valid => {
            let counts = judgement.key_counts;
            let are_counted = counts.before.is_some() && counts.after.is_some();
            let counted = if are_counted { ", and every key is accounted for" } else { "" };
            vec![format!(
                "VALID: {total} operations on {} keys are linearizable{counted}. Target: {about}.",
                judgement.checked.keys.len()
            )]
        }
        Validity::Unknown if judgement.vacuous => {
            vec![format!("UNKNOWN: the run tested too little to say. Target: {about}.")]
        }
        Validity::Unknown => vec![format!("UNKNOWN: it could not be decided. Target: {about}.")],
        Validity::Invalid if judgement.is_only_stuck() => vec![format!(
            "INVALID: the cluster did not recover. No answer was wrong, but after the last healing it does not serve \
             again. Target: {about}."
        )],
        Validity::Invalid => vec![format!("INVALID: a promise was broken. Target: {about}.")],
    };
    let more_keys = judgement.checked.more_invalid_keys();
    let mut reasons = judgement.reasons.iter().filter(|reason| Some(*reason) != more_keys.as_ref());
    lines.extend(reasons.by_ref().take(LISTED_MAX).map(|reason| format!("  - {reason}")));
    match reasons.count() {
        0 => {}
        more => lines.push(format!("  - and {more} more, in verdict.json")),
    }
    lines.extend(more_keys.map(|more| format!("  - {more}")));
    lines
}
