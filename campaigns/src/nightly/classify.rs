//! Interprets the end of a process: outcome, reasons and measurements.
//!
//! In: how a process ended, its output, and its verdict. Out: an [`Outcome`] with reasons; numbers.
//! Starts nothing.

use super::outcome::{Measured, Outcome};
use crate::{
    attempts::children::{Ended, last_line},
    self_test,
};
use judge::{Judgement, parts::PartsJudged, traffic::Counts};
use plan::Plan;
use workload::Workload;

/// The number of reasons kept of a run; the rest is in its verdict.json.
const REASONS_MAX: usize = 5;

/// Returns the outcome of the self-test with reasons. An accusation is the tester's own failure. An
/// escape is not: it only makes "valid" worthless.
pub fn self_test_outcome(ended: &Ended, said: &str) -> (Outcome, Vec<String>) {
    let reasons: Vec<String> = complaints(said).map(str::to_owned).collect();
    let accused = said.contains(self_test::Outcome::Accused.name());
    let outcome = match Outcome::of_code(ended.code) {
        Outcome::Invalid if accused => Outcome::Crash,
        Outcome::Invalid => Outcome::Unknown,
        as_it_says => as_it_says,
    };
    match (outcome, reasons.is_empty()) {
        (Outcome::Valid, _) => (outcome, Vec::new()),
        (_, true) => (outcome, vec![last_line(said).to_owned()]),
        (_, false) => (outcome, reasons),
    }
}

/// Returns the lines in which the self-test reports a bad end.
fn complaints(said: &str) -> impl Iterator<Item = &str> {
    use self_test::Outcome::{Accused, Escaped, Failed, Late, Undecided, WrongEvidence};
    let bad = [Accused, Escaped, Failed, Late, Undecided, WrongEvidence];
    said.lines().filter(move |line| {
        bad.iter().any(|outcome| line.contains(&format!(": {} after ", outcome.name())))
    })
}

/// Returns the outcome of a run, and the reasons why it is worse than valid.
pub fn run_outcome(
    ended: &Ended,
    said: &str,
    judgement: Option<&Judgement>,
) -> (Outcome, Vec<String>) {
    let mut outcome = Outcome::of_code(ended.code);
    let mut reasons = judgement.map_or_else(Vec::new, |it| it.reasons.clone());
    if reasons.len() > REASONS_MAX {
        let more = reasons.len() - REASONS_MAX;
        reasons.truncate(REASONS_MAX);
        reasons.push(format!("and {more} more, in verdict.json"));
    }
    if judgement.is_none() && outcome != Outcome::Crash {
        outcome = Outcome::Crash;
        reasons.push("the run ended without a verdict".into());
    }
    if outcome == Outcome::Crash {
        reasons.insert(0, last_line(said).to_owned());
    }
    if ended.took_too_long {
        outcome = outcome.max(Outcome::Unknown);
        reasons.push(format!("it did not end by itself within {:.0} s", ended.took.as_secs_f64()));
    }
    (outcome, reasons)
}

/// Returns the measurements of a run; the time of judging again is passed in.
pub fn measure(plan: &Plan, judgement: &Judgement, checked: &Ended) -> Measured {
    let sum = |part: fn(&Counts) -> u64| judgement.operations.values().map(part).sum::<u64>();
    let ok = sum(|counts| counts.ok);
    // Loading is not part of the time with faults, and every part loads.
    let loadings = judgement.parts.map_or(1, PartsJudged::total);
    let workload = &plan.config.workload;
    let loads = Workload::new(workload, plan.config.seed).loads();
    let beside = ok.saturating_sub(if loads { workload.keys * loadings } else { 0 });
    let gap = judgement.faults.iter().map(|fault| fault.longest_gap_ns).max().unwrap_or_default();
    Measured {
        operations: ok + sum(|counts| counts.fail + counts.info),
        ok_per_second: beside as f64 / (plan.config.time_ms as f64 / 1e3),
        longest_gap_ms: gap as f64 / 1e6,
        check_ms: checked.took.as_secs_f64() * 1e3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ended(code: Option<i32>) -> Ended {
        Ended { code, took: Duration::from_secs(3), took_too_long: false }
    }

    #[test]
    fn an_escape_takes_trust_and_an_accusation_is_the_testers_failure() {
        let escaped =
            "canary: caught after 6 s (1 tries)\nstale-read: ESCAPED after 60 s (2 tries)\n";
        let (outcome, reasons) = self_test_outcome(&ended(Some(1)), escaped);
        assert_eq!(outcome, Outcome::Unknown);
        assert_eq!(reasons, ["stale-read: ESCAPED after 60 s (2 tries)"]);
        let accused = "correct cluster: ACCUSED after 20 s (1 tries)\n";
        assert_eq!(self_test_outcome(&ended(Some(1)), accused).0, Outcome::Crash);
        assert_eq!(self_test_outcome(&ended(Some(0)), "9 caught"), (Outcome::Valid, vec![]));
        let (outcome, reasons) = self_test_outcome(&ended(Some(74)), "a disk is full\n\n");
        assert_eq!((outcome, reasons), (Outcome::Crash, vec!["a disk is full".to_owned()]));
    }

    #[test]
    fn what_ends_well_without_a_verdict_is_no_pass() {
        let (outcome, reasons) = run_outcome(&ended(Some(0)), "bye\n", None);
        assert_eq!(outcome, Outcome::Crash);
        assert_eq!(reasons, ["bye", "the run ended without a verdict"]);
        let (outcome, _) = run_outcome(&ended(None), "killed\n", None);
        assert_eq!(outcome, Outcome::Crash);
    }
}
