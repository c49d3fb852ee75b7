//! The report of a run on the terminal: an ending that fits a screen, and on demand everything.
//!
//! In: a [`Judgement`], and where its run's files are. Out: lines for stdout. Decides nothing.

mod cause;
mod details;
mod drawing;
mod ending;
mod faults;
mod figures;
mod frame;
#[cfg(test)]
mod goldens;

pub use ending::{Around, ending};
pub use frame::Form;

use crate::{
    judge::Judgement,
    scenario::{Finding, Weight},
};
use checker::Validity;
use std::io::IsTerminal;

/// So many reasons are listed; the rest is in verdict.json.
const LISTED_MAX: usize = 10;

/// The parts of a judgement that are printed, and kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Everything, before the ending.
    pub details: bool,
    /// The head of verdict.json, in place of the ending.
    pub json: bool,
    /// verdict.json lists every key.
    pub per_key: bool,
}

/// Prints the ending to stdout, after everything else if that is wanted.
pub fn print(judgement: &Judgement, around: &Around, told: Told) {
    if told.details {
        details::lines(judgement).into_iter().for_each(crate::terminal::result);
    }
    // A terminal has lines on how it went above it.
    if std::io::stdout().is_terminal() {
        crate::terminal::result("");
    }
    for line in ending(judgement, around, Form::of_stdout()) {
        crate::terminal::prepared(&line);
    }
}

/// What a reader should know of a run beside its verdict.
pub fn notes(judgement: &Judgement) -> Vec<String> {
    let early = judgement.ended_early.map(|early| early.to_string());
    early.into_iter().chain(little(judgement)).collect()
}

/// A note if clients were served for little of the time.
fn little(judgement: &Judgement) -> Option<String> {
    judgement.served.filter(|served| served.is_little()).map(|served| {
        format!(
            "little was served: for {} % of the time in which clients waited for an answer, less than a third; longer \
             --nemesis-interval or shorter faults let the cluster recover in between",
            served.percent()
        )
    })
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
                judgement.keys_judged().total
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
