//! The table of evidence that shows each defect, and its lookup in verdict.json.
//!
//! In: a defect and a judgement. Out: the sentence that shows the defect, if the judgement has such
//! evidence. Evidence is a kind of finding with its participants, their times, and the fault that
//! they met, all from typed fields. A finding that another kind of defect could give as well is not
//! evidence: a stale read that is reported as a lost key is not a catch.
//!
//! *Older state* covers the checker's stale read, lost write and resurrected. The workload's other
//! reads decide by luck which of the three it is. A defect determines who wrote the newer state,
//! when, and whether it was seen.

use super::attempt::Judgement;
use checker::{CallKind, Content, Finding, FindingKind, OlderState, Participant, Role};
use cluster::defects::Defect;
use histories::jsonl::Text;
use judge::FaultJudged;

/// The fault that makes a deposed leader, or any peer with the defect follower-read, answer after
/// its resume.
const OVERLAP: &str = "pause-overlap";
/// The time after its resume within which an old leader learns that it is deposed.
const DEPOSED_WITHIN_NS: u64 = 1_000_000_000;
/// The time that ack-before-fsync may hold back writes: a second, and some for a busy machine.
const UNSYNCED_NS: u64 = 2_000_000_000;

/// The evidence that is accepted for a defect.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// A description of the evidence.
    pub evidence: &'static str,
    /// The reason why only this kind of defect gives it under its plan.
    pub reason: &'static str,
    shown: fn(&Judgement) -> Option<String>,
}

impl Accepted {
    /// Returns the sentence of the evidence in a judgement; `None` if there is none.
    pub fn in_judgement(&self, judgement: &Judgement) -> Option<String> {
        (self.shown)(judgement)
    }
}

/// Returns the evidence that shows a defect.
pub fn of(defect: Defect) -> Accepted {
    let (evidence, reason, shown): (_, _, fn(&Judgement) -> Option<String>) = match defect {
        Defect::StaleRead | Defect::LongLease => (
            "older state, returned after a `pause-overlap` had resumed the old leader alone; the newer write was acknowledged while that leader was stopped",
            "only a leader that was deposed while it was stopped lacks just these writes, and only then does it run alone",
            |judgement| served_alone(judgement, |_| true),
        ),
        Defect::FollowerRead => (
            "the same, by a read",
            "a store that was stopped answers from its own copy when it runs alone; a client cannot tell whether it took itself for the leader",
            |judgement| served_alone(judgement, |older| older.observer.call == CallKind::Get),
        ),
        Defect::AckBeforeCommit => (
            "older state over a put that was acknowledged during a `kill-followers` and that nobody ever saw",
            "a leader without followers cannot commit, so what it acknowledged was in its log alone and went with its leadership",
            |judgement| never_committed(judgement, |_, _| true),
        ),
        Defect::LostOnLeaderChange => (
            "the same; the put was invoked before the old leader was resumed",
            "it waited in the log of a leader without followers, and its acknowledgement came with the leader's deposition",
            |judgement| {
                never_committed(judgement, |older, fault| {
                    fault.seen.last_resume_ns.is_some_and(|at| older.newer.invoke_ns < at)
                })
            },
        ),
        Defect::AckBeforeFsync => (
            "older state after a `kill-all`, and the newer write was acknowledged within two seconds before it",
            "no leader outlives a kill of all stores, so nobody answers from old state; what is gone was not on disk, and only the last writes were not",
            |judgement| {
                undone_by(judgement, "kill-all", |older, fault| {
                    let finish_ns = older.newer.finish_ns.unwrap_or_default();
                    older.newer.call != CallKind::Delete
                        && finish_ns + UNSYNCED_NS >= fault.seen.begin_ns
                })
            },
        ),
        Defect::ApplyTwice => (
            "older state after a `kill-all`, and the newer write was acknowledged before it, at any time",
            "no leader outlives a kill of all stores, so nobody answers from old state; the older value came back with the restart",
            |judgement| {
                undone_by(judgement, "kill-all", |older, _| older.newer.call != CallKind::Delete)
            },
        ),
        Defect::ForgetfulSnapshot => (
            "a key that was certainly there is absent, to a get or in a scan, after `replicas` had begun; nothing deletes keys",
            "only a new replica loses whole keys, and only `replicas` makes new ones in this plan",
            |judgement| absent_after(judgement, "replicas"),
        ),
        Defect::TornMembership => (
            "older state over a write that was acknowledged after a `move-replica` had begun and that nobody saw any more, read when no store was stopped or seen to stay",
            "it was acknowledged by one of two quorums that do not meet; when all stores run nobody answers from old state, so the write is gone",
            torn,
        ),
        Defect::VoteTwice => (
            "older state after a `kill-leader-last`, over an acknowledged write that nobody saw any more",
            "no leader outlives a kill of all its voters; the write is in the log of one of two leaders of one term, and the log of the other counts as equal",
            |judgement| {
                undone_by(judgement, "kill-leader-last", |older, _| {
                    !older.state.newer_seen_afterwards
                })
            },
        ),
        Defect::KeyLostInSplit => (
            "a key that was certainly there is absent, to a get or in a scan, after a `split` had begun; nothing deletes keys",
            "only a split takes keys out of a region, and no replica is made in this plan",
            |judgement| absent_after(judgement, "split"),
        ),
        Defect::DeleteResurrects => (
            "a key is there after a `kill-all` although a delete had been acknowledged before it",
            "what is back is a deleted key, not an overwritten value, and it is back with the restart",
            |judgement| {
                undone_by(judgement, "kill-all", |older, _| older.newer.call == CallKind::Delete)
            },
        ),
        Defect::ScanSkipsBoundary => (
            "a scan lacks keys that were certainly there, each the last one before a region's bound, and no get misses one",
            "the keys are there, only the scan does not return them, and only where it goes from region to region",
            skipped_at_bounds,
        ),
        Defect::FailedCasWrites => (
            "a dirty read of a value of which the only write is a CAS that did not swap",
            "nobody else wrote that value",
            |judgement| dirty(judgement, CallKind::Cas),
        ),
        Defect::CasRace => (
            "two CAS of two clients, open at the same time, swapped one value that was there once",
            "each answers as a correct success would; only both together contradict each other",
            two_winners,
        ),
        Defect::PutReportsFailureButApplies => (
            "a dirty read of a value of which the only write is a put that is said to have failed",
            "nobody else wrote that value",
            |judgement| dirty(judgement, CallKind::Put),
        ),
    };
    Accepted { evidence, reason, shown }
}

/// A finding of older state with its participants.
struct Older<'a> {
    finding: &'a Finding,
    observer: &'a Participant,
    newer: &'a Participant,
    state: OlderState,
}

impl Older<'_> {
    fn in_words(&self) -> String {
        in_words(self.finding)
    }
}

fn in_words(finding: &Finding) -> String {
    format!("{}: {}", finding.kind, finding.sentence)
}

fn older(judgement: &Judgement) -> impl Iterator<Item = Older<'_>> {
    judgement.checked.findings.iter().filter_map(|finding| {
        let is_older = matches!(
            finding.kind,
            FindingKind::StaleRead | FindingKind::LostWrite | FindingKind::Resurrected
        );
        let (observer, newer) =
            (finding.participant(Role::Observer)?, finding.participant(Role::NewerWrite)?);
        let state = finding.older_state.filter(|_| is_older)?;
        Some(Older { finding, observer, newer, state })
    })
}

fn faults<'a>(judgement: &'a Judgement, name: &'a str) -> impl Iterator<Item = &'a FaultJudged> {
    judgement.faults.iter().filter(move |fault| fault.seen.name == name && fault.seen.confirmed)
}

fn served_alone(judgement: &Judgement, accepts: fn(&Older<'_>) -> bool) -> Option<String> {
    let alone = |older: &Older<'_>| {
        faults(judgement, OVERLAP).any(|fault| {
            let fault = &fault.seen;
            let resumed = fault.ran_alone_ns.is_some_and(|alone_ns| {
                older.observer.finish_ns.is_some_and(|finish_ns| finish_ns >= alone_ns)
            });
            resumed
                && older.observer.invoke_ns <= fault.end_ns
                && older.newer.finish_ns.is_some_and(|finish_ns| finish_ns >= fault.begin_ns)
        })
    };
    older(judgement).find(|it| alone(it) && accepts(it)).map(|it| it.in_words())
}

fn never_committed(
    judgement: &Judgement,
    accepts: fn(&Older<'_>, &FaultJudged) -> bool,
) -> Option<String> {
    let unseen = |older: &Older<'_>| {
        let state = older.state;
        !state.newer_seen_before
            && !state.newer_seen_afterwards
            && older.newer.call == CallKind::Put
    };
    let during = |older: &Older<'_>| {
        let Some(finish_ns) = older.newer.finish_ns else { return false };
        faults(judgement, "kill-followers").any(|fault| {
            let (begin_ns, end_ns) = (fault.seen.begin_ns, fault.seen.end_ns);
            (begin_ns..=end_ns + DEPOSED_WITHIN_NS).contains(&finish_ns) && accepts(older, fault)
        })
    };
    older(judgement).find(|it| unseen(it) && during(it)).map(|it| it.in_words())
}

fn undone_by(
    judgement: &Judgement,
    fault: &str,
    accepts: fn(&Older<'_>, &FaultJudged) -> bool,
) -> Option<String> {
    let undone = |older: &Older<'_>| {
        let Some(finish_ns) = older.newer.finish_ns else { return false };
        faults(judgement, fault).any(|it| {
            finish_ns <= it.seen.end_ns
                && older.observer.invoke_ns >= it.seen.begin_ns
                && accepts(older, it)
        })
    };
    older(judgement).find(undone).map(|it| it.in_words())
}

fn torn(judgement: &Judgement) -> Option<String> {
    let gone = |older: &Older<'_>| {
        let stayed = older.finding.kind != FindingKind::StaleRead;
        let is_gone = !older.state.newer_seen_afterwards
            && (stayed || !older.finding.faults.iter().any(|name| name == OVERLAP));
        is_gone
            && older.newer.finish_ns.is_some_and(|finish_ns| {
                let before = |fault: &FaultJudged| fault.seen.begin_ns <= finish_ns;
                faults(judgement, "move-replica").any(before)
            })
    };
    older(judgement).find(gone).map(|it| it.in_words())
}

fn absent_after(judgement: &Judgement, fault: &str) -> Option<String> {
    let begun = |at_ns: u64| faults(judgement, fault).any(|it| it.seen.begin_ns <= at_ns);
    let absent = |older: &Older<'_>| {
        older.observer.found == Some(Content::Nothing)
            && older.newer.call != CallKind::Delete
            && older.observer.finish_ns.is_some_and(begun)
    };
    if let Some(older) = older(judgement).find(absent) {
        return Some(older.in_words());
    }
    let mut counts = judgement.checked.key_counts.iter();
    let lacking = counts.find(|count| !count.missing.is_empty() && begun(count.finish_ns))?;
    Some(missing(&lacking.missing))
}

fn missing(keys: &[Text]) -> String {
    let first = keys.first().map(ToString::to_string).unwrap_or_default();
    format!("a scan lacks {} keys that were certainly there, the first is {first}", keys.len())
}

fn skipped_at_bounds(judgement: &Judgement) -> Option<String> {
    let bounds = &judgement.split_at;
    let last_before_a_bound = |key: &Text| {
        bounds.iter().any(|bound| {
            let between = |it: &Text| it.0 > key.0 && it.0 < bound.0;
            key.0 < bound.0 && !judgement.checked.keys.iter().any(|it| between(&it.key))
        })
    };
    // A key that a scan does not return is also reported as a read of that key.
    let of_a_scan =
        |operation: u64| judgement.checked.key_counts.iter().any(|count| count.event == operation);
    let got_nothing = older(judgement)
        .any(|it| it.observer.found == Some(Content::Nothing) && !of_a_scan(it.observer.operation));
    let lacking: Vec<_> =
        judgement.checked.key_counts.iter().filter(|count| !count.missing.is_empty()).collect();
    let all_at_bounds = lacking.iter().flat_map(|count| &count.missing).all(last_before_a_bound);
    let first = lacking.first().filter(|_| all_at_bounds && !got_nothing)?;
    Some(format!("{}, each before a region's bound", missing(&first.missing)))
}

fn dirty(judgement: &Judgement, call: CallKind) -> Option<String> {
    let failed = |finding: &&Finding| {
        finding.kind == FindingKind::Dirty
            && finding.participant(Role::FailedWrite).is_some_and(|it| it.call == call)
    };
    judgement.checked.findings.iter().find(failed).map(in_words)
}

fn two_winners(judgement: &Judgement) -> Option<String> {
    let raced = |finding: &&Finding| {
        let pair = finding.participant(Role::Observer).zip(finding.participant(Role::OtherCas));
        pair.is_some_and(|(one, other)| {
            let swapped = |it: &Participant| it.call == CallKind::Cas && it.finish_ns.is_some();
            let before = |a: &Participant, b: &Participant| {
                a.finish_ns.is_some_and(|finish_ns| finish_ns < b.invoke_ns)
            };
            swapped(one)
                && swapped(other)
                && one.client != other.client
                && one.found == other.found
                && !before(one, other)
                && !before(other, one)
        })
    };
    let of_kind = |it: &&Finding| it.kind == FindingKind::LostUpdate;
    judgement.checked.findings.iter().filter(of_kind).find(raced).map(in_words)
}

#[cfg(test)]
pub(super) mod tests;
