//! Everything that is judged of a run, line by line: operations, each fault, each reason, the first
//! counterexamples.
//!
//! In: a [`Judgement`]. Out: lines. Decides nothing.

use super::{experiment, faults::never_led, notes, verdict};
use judge::{FaultJudged, Judgement, counterexamples};

/// So many faults are listed: those of a run of an hour.
const FAULTS_LISTED_MAX: usize = 1_000;

/// All of it.
pub fn lines(judgement: &Judgement) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.push(operations(judgement));
    lines.extend(judgement.faults.iter().take(FAULTS_LISTED_MAX).map(fault));
    if let Some(more @ 1..) = judgement.faults.len().checked_sub(FAULTS_LISTED_MAX) {
        lines.push(format!("and {more} more faults, in verdict.json"));
    }
    if let Some(stores) = never_led(judgement) {
        lines.push(format!("never led when a fault began, so not tested as a leader: {stores}"));
    }
    lines.extend(judgement.experiment.iter().map(experiment));
    if let (Some(before), Some(after)) = (judgement.key_counts.before, judgement.key_counts.after) {
        lines.push(format!("keys: {before}, after one more put {after}"));
    }
    lines.push(String::new());
    lines.extend(verdict(judgement));
    lines.extend(notes(judgement));
    lines.extend(counterexamples::lines(judgement));
    lines.push(String::new());
    lines
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
