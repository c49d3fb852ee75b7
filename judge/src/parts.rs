//! The merged verdict on all parts of a long run: `verdict.json` of its directory, of the same form
//! as that of any run.
//!
//! In: each part's judgement, in order. Out: one [`Judgement`], as bad as the worst part, with
//! [`PartsJudged`] in it. Operations are added up. Faults are numbered through, and their times are
//! shifted to their part's time. Each fault's changes and each key's verdict stay with the part, if
//! its files are kept: there may be millions.

pub mod kept;

use crate::{
    FaultJudged, Judgement,
    ended_early::{EndedEarly, Why},
    ended_processes::EndedByItself,
};
use checker::{Validity, Verdict};
use serde::{Deserialize, Serialize};

/// The number of sentences kept from parts.
const REASONS_MAX: usize = 100;
/// The number of faults kept: enough for days.
const FAULTS_MAX: usize = 20_000;

/// The number of parts by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartsJudged {
    /// Parts that are valid by themselves.
    pub valid: u64,
    /// Parts that could not be decided.
    pub unknown: u64,
    /// Parts that broke a promise; no part follows such a one.
    pub invalid: u64,
}

impl PartsJudged {
    /// The number of all parts.
    pub fn total(self) -> u64 {
        self.valid + self.unknown + self.invalid
    }
}

/// The parts so far.
#[derive(Debug, Default)]
pub struct Merged {
    parts: PartsJudged,
    validity: Option<Validity>,
    checked: Option<Validity>,
    all_vacuous: Option<bool>,
    verdict: Option<Judgement>,
    began_ns: u64,
    /// The time that clients and faults worked, in milliseconds.
    worked_ms: u64,
    /// The early end, if the parts did not last as planned.
    early: Option<EndedEarly>,
}

impl Merged {
    /// Notes an interrupt, perhaps before the end of all parts, which should take `of_ms`.
    pub fn interrupted(&mut self, of_ms: u64) {
        let (after_ms, why) = (self.worked_ms, Why::Interrupted);
        self.early = (after_ms < of_ms).then_some(EndedEarly { after_ms, of_ms: Some(of_ms), why });
    }

    /// Adds a part that lasted `seconds` and should have worked for `time_ms`.
    pub fn take(&mut self, number: u64, judgement: &Judgement, seconds: f64, time_ms: u64) {
        self.worked_ms += judgement.ended_early.map_or(time_ms, |early| early.after_ms);
        match judgement.validity {
            Validity::Valid => self.parts.valid += 1,
            Validity::Unknown => self.parts.unknown += 1,
            Validity::Invalid => self.parts.invalid += 1,
        }
        let worse = |so_far: Option<Validity>, one: Validity| {
            Some(so_far.map_or(one, |so_far| so_far.merge(one)))
        };
        self.validity = worse(self.validity, judgement.validity);
        self.checked = worse(self.checked, judgement.checked.validity);
        self.all_vacuous = Some(self.all_vacuous.unwrap_or(true) && judgement.vacuous);
        let began_ns = self.began_ns;
        self.began_ns += (seconds * 1e9) as u64;
        let empty = || Judgement { reasons: Vec::new(), ..Judgement::of_nothing("") };
        let merged = self.verdict.get_or_insert_with(empty);
        merged.target.clone_from(&judgement.target);
        for (kind, counts) in &judgement.operations {
            let sum = merged.operations.entry(kind.clone()).or_default();
            (sum.ok, sum.fail, sum.info) =
                (sum.ok + counts.ok, sum.fail + counts.fail, sum.info + counts.info);
        }
        merged.served = match (merged.served, judgement.served) {
            (Some(sum), Some(one)) => Some(sum.and(one)),
            (sum, one) => sum.or(one),
        };
        let room = FAULTS_MAX.saturating_sub(merged.faults.len());
        for fault in judgement.faults.iter().take(room) {
            let fault = moved(fault, merged.faults.len() as u64, began_ns);
            merged.faults.push(fault);
        }
        for (kind, times) in &judgement.planned {
            *merged.planned.entry(kind.clone()).or_default() += times;
        }
        merged.ended_ns = Some(self.began_ns);
        let (sum, one) = (merged.keys_judged.get_or_insert_default(), judgement.keys_judged());
        sum.total += one.total;
        sum.invalid += one.invalid;
        sum.unknown += one.unknown;
        sum.searched += one.searched;
        merged.leaders.merge(&judgement.leaders);
        let room = REASONS_MAX.saturating_sub(merged.reasons.len());
        let said = judgement.reasons.iter().map(|reason| format!("part {number}: {reason}"));
        merged.reasons.extend(said.take(room));
        let room = REASONS_MAX.saturating_sub(merged.ended_by_themselves.len());
        let ended = judgement.ended_by_themselves.iter().take(room).cloned();
        let moved = |ended: EndedByItself| EndedByItself { at_ns: ended.at_ns + began_ns, ..ended };
        merged.ended_by_themselves.extend(ended.map(moved));
        let (sum, one) = (&mut merged.checked, &judgement.checked);
        sum.operations.ok += one.operations.ok;
        sum.operations.fail += one.operations.fail;
        sum.operations.info += one.operations.info;
        sum.explored += one.explored;
    }

    /// The verdict on all parts.
    pub fn judgement(self) -> Judgement {
        let Some(merged) = self.verdict else {
            return Judgement {
                parts: Some(self.parts),
                ..Judgement::of_nothing("no part was judged")
            };
        };
        let checked =
            Verdict { validity: self.checked.unwrap_or(Validity::Unknown), ..merged.checked };
        Judgement {
            validity: self.validity.unwrap_or(Validity::Unknown),
            vacuous: self.all_vacuous.unwrap_or(true),
            parts: Some(self.parts),
            ended_early: self.early,
            checked,
            ..merged
        }
    }
}

/// A fault of a part that began at `began_ns`, with its number among all faults.
fn moved(fault: &FaultJudged, number: u64, began_ns: u64) -> FaultJudged {
    let mut fault = fault.clone();
    let seen = &mut fault.seen;
    (seen.fault, seen.begin_ns, seen.end_ns) =
        (number, seen.begin_ns + began_ns, seen.end_ns + began_ns);
    seen.ran_alone_ns = seen.ran_alone_ns.map(|ns| ns + began_ns);
    seen.last_resume_ns = seen.last_resume_ns.map(|ns| ns + began_ns);
    seen.effects.clear();
    // That a leader moved is kept, not each of a thousand moves.
    seen.leader_moves.truncate(1);
    seen.leader_moves.iter_mut().for_each(|it| it.seen_ns += began_ns);
    seen.steps.iter_mut().for_each(|step| step.at_ns += began_ns);
    fault.first_success_after_ns = fault.first_success_after_ns.map(|ns| ns + began_ns);
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{faults_seen::FaultSeen, traffic::Counts};

    fn part(validity: Validity, vacuous: bool) -> Judgement {
        let mut seen = FaultSeen::default();
        (seen.begin_ns, seen.end_ns) = (5, 7);
        let fault =
            FaultJudged { seen, ok_during: 1, longest_gap_ns: 2, first_success_after_ns: None };
        Judgement {
            validity,
            vacuous,
            operations: [("get".to_owned(), Counts { ok: 3, fail: 1, info: 0 })].into(),
            faults: vec![fault],
            checked: Verdict { validity, ..Verdict::default() },
            ..Judgement::of_nothing("because")
        }
    }

    fn merged(parts: &[Judgement]) -> Judgement {
        let mut merged = Merged::default();
        (1..).zip(parts).for_each(|(number, part)| merged.take(number, part, 10.0, 9_000));
        merged.judgement()
    }

    #[test]
    fn the_whole_is_as_bad_as_its_worst_part_and_adds_up() {
        use Validity::{Invalid, Unknown, Valid};
        let all = merged(&[part(Valid, false), part(Unknown, true)]);
        assert_eq!((all.validity, all.vacuous), (Unknown, false));
        assert_eq!(all.parts, Some(PartsJudged { valid: 1, unknown: 1, invalid: 0 }));
        assert_eq!(all.operations["get"].ok, 6);
        assert_eq!(all.reasons, ["part 1: because", "part 2: because"]);
        let times: Vec<(u64, u64)> =
            all.faults.iter().map(|it| (it.seen.fault, it.seen.begin_ns)).collect();
        assert_eq!(times, [(0, 5), (1, 10_000_000_005)]);
        let broken = merged(&[part(Valid, false), part(Invalid, false)]);
        assert_eq!(broken.exit(), failure::Exit::Invalid);
        assert_eq!(merged(&[part(Valid, false)]).exit(), failure::Exit::Valid);
    }

    #[test]
    fn what_is_missing_of_the_time_is_that_of_all_parts() {
        let mut merged = Merged::default();
        merged.take(1, &part(Validity::Valid, false), 10.0, 9_000);
        let mut cut = part(Validity::Valid, false);
        cut.ended_early =
            Some(EndedEarly { after_ms: 4_000, of_ms: Some(9_000), why: Why::Interrupted });
        merged.take(2, &cut, 5.0, 9_000);
        merged.interrupted(27_000);
        let said = merged.judgement().ended_early.expect("early").to_string();
        assert_eq!(said, "ended early: 13 of 27 s");
    }

    #[test]
    fn no_part_at_all_is_unknown() {
        let nothing = merged(&[]);
        assert_eq!(
            (nothing.validity, nothing.parts),
            (Validity::Unknown, Some(PartsJudged::default()))
        );
        let vacuous = merged(&[part(Validity::Unknown, true)]);
        assert!(vacuous.vacuous);
    }
}
