//! Tests each defect with evidence that is accepted, and with similar findings that are not.

use super::*;
use checker::{DecidedBy, KeyCount, KeyVerdict, Validity, Verdict};
use judge::faults_seen::FaultSeen;

const S: u64 = 1_000_000_000;

fn text(key: &str) -> Text {
    Text(key.as_bytes().to_vec())
}

fn fault(name: &str, begin_s: u64, resume_s: u64, end_s: u64) -> FaultJudged {
    let mut seen = FaultSeen::default();
    name.clone_into(&mut seen.name);
    (seen.begin_ns, seen.end_ns) = (begin_s * S, end_s * S);
    seen.ran_alone_ns = Some(resume_s * S);
    seen.last_resume_ns = Some(resume_s * S);
    seen.confirmed = true;
    FaultJudged { seen, ok_during: 0, longest_gap_ns: 0, first_success_after_ns: None }
}

fn participant(role: Role, call: CallKind, from_s: u64, to_s: u64) -> Participant {
    let (client, operation) = (from_s, from_s);
    let (invoke_ns, finish_ns) = (from_s * S, Some(to_s * S));
    Participant { role, operation, client, call, invoke_ns, finish_ns, found: None, wrote: None }
}

fn finding(kind: FindingKind, participants: Vec<Participant>) -> Finding {
    Finding {
        kind,
        key: text("k"),
        invoke_ns: 1,
        stale_by_ns: None,
        older_state: None,
        sentence: "what was seen".into(),
        operations: Vec::new(),
        participants,
        faults: Vec::new(),
    }
}

/// A dirty read of a value whose write failed, by a call of this kind.
pub fn dirty(failed: CallKind) -> Finding {
    let failed = participant(Role::FailedWrite, failed, 1, 2);
    finding(FindingKind::Dirty, vec![participant(Role::Observer, CallKind::Get, 3, 4), failed])
}

/// A finding of older state: the read and the newer write, each with its call and its seconds.
fn older(read: (u64, u64), newer: (CallKind, u64, u64)) -> Finding {
    let participants = vec![
        participant(Role::Observer, CallKind::Get, read.0, read.1),
        participant(Role::NewerWrite, newer.0, newer.1, newer.2),
    ];
    let older_state = Some(OlderState::default());
    Finding { older_state, ..finding(FindingKind::StaleRead, participants) }
}

fn seen_afterwards(mut finding: Finding) -> Finding {
    finding.older_state = Some(OlderState { newer_seen_afterwards: true, ..OlderState::default() });
    finding
}

fn nothing_found(mut finding: Finding) -> Finding {
    finding.participants[0].found = Some(Content::Nothing);
    finding
}

fn cas(role: Role, client: u64, invoke_s: u64, finish_s: u64) -> Participant {
    let found = Some(Content::Value(text("old")));
    Participant { client, found, ..participant(role, CallKind::Cas, invoke_s, finish_s) }
}

fn judgement(faults: Vec<FaultJudged>, findings: Vec<Finding>) -> Judgement {
    let checked = Verdict { findings, ..Verdict::default() };
    let (validity, reasons) = (Validity::Invalid, Vec::new());
    Judgement { validity, reasons, faults, split_at: Vec::new(), checked }
}

fn shows(defect: Defect, faults: &[FaultJudged], finding: Finding) -> bool {
    of(defect).in_judgement(&judgement(faults.to_vec(), vec![finding])).is_some()
}

#[test]
fn nothing_at_all_shows_no_defect_and_every_row_says_why() {
    for defect in Defect::ALL {
        let row = of(defect);
        assert_eq!(row.in_judgement(&judgement(Vec::new(), Vec::new())), None);
        assert!(!row.evidence.is_empty() && !row.reason.is_empty());
    }
}

#[test]
fn the_page_has_the_table_as_it_is() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/self-test.md");
    let page = std::fs::read_to_string(path).expect("a page");
    for defect in Defect::ALL {
        let row = of(defect);
        let line = format!("| `{}` | {} | {} |\n", defect.name(), row.evidence, row.reason);
        assert!(page.contains(&line), "docs/self-test.md lacks\n{line}");
    }
}

#[test]
fn a_deposed_leader_is_shown_by_what_it_lacks_once_it_runs_alone() {
    let overlap = [fault("pause-overlap", 10, 14, 18)];
    for defect in [Defect::StaleRead, Defect::LongLease, Defect::FollowerRead] {
        let put = CallKind::Put;
        assert!(shows(defect, &overlap, older((15, 16), (put, 12, 13))));
        assert!(shows(defect, &overlap, older((12, 15), (put, 11, 12))), "asked before its resume");
        assert!(!shows(defect, &overlap, older((11, 13), (put, 10, 11))), "before the resume");
        assert!(!shows(defect, &overlap, older((19, 20), (put, 12, 13))), "after the fault");
        assert!(!shows(defect, &overlap, older((15, 16), (put, 1, 2))), "it had that write");
        let other = [fault("kill-all", 10, 14, 18)];
        assert!(!shows(defect, &other, older((15, 16), (put, 12, 13))), "another fault");
        let lost_key = finding(FindingKind::Phantom, vec![]);
        assert!(!shows(defect, &overlap, lost_key));
    }
}

#[test]
fn what_never_was_committed_is_shown_by_a_put_that_nobody_saw() {
    let followers = [fault("kill-followers", 10, 14, 15)];
    for defect in [Defect::AckBeforeCommit, Defect::LostOnLeaderChange] {
        let put = CallKind::Put;
        assert!(shows(defect, &followers, older((17, 18), (put, 11, 15))));
        assert!(!shows(defect, &followers, seen_afterwards(older((17, 18), (put, 11, 15)))));
        assert!(!shows(defect, &followers, older((17, 18), (put, 1, 2))), "before the fault");
        assert!(!shows(defect, &[], older((17, 18), (put, 11, 15))), "no such fault");
        assert!(!shows(defect, &followers, older((17, 18), (CallKind::Cas, 11, 15))));
    }
    let late = older((17, 18), (CallKind::Put, 14, 15));
    assert!(!shows(Defect::LostOnLeaderChange, &followers, late), "invoked after the resume");
}

#[test]
fn what_a_restart_undid_is_shown_by_who_wrote_it_and_when() {
    let kill = [fault("kill-all", 10, 10, 12)];
    let (put, delete) = (CallKind::Put, CallKind::Delete);
    let (fsync, twice, deleted) =
        (Defect::AckBeforeFsync, Defect::ApplyTwice, Defect::DeleteResurrects);
    let just_before = || older((13, 14), (put, 8, 9));
    let long_before = || older((13, 14), (put, 2, 3));
    let of_a_delete = || older((13, 14), (delete, 8, 9));
    assert!(shows(fsync, &kill, just_before()) && !shows(fsync, &kill, long_before()));
    assert!(shows(twice, &kill, just_before()) && shows(twice, &kill, long_before()));
    assert!(!shows(fsync, &kill, of_a_delete()) && !shows(twice, &kill, of_a_delete()));
    assert!(shows(deleted, &kill, of_a_delete()) && !shows(deleted, &kill, just_before()));
    for defect in [fsync, twice, deleted] {
        let call = if defect == deleted { delete } else { put };
        assert!(!shows(defect, &kill, older((5, 6), (call, 2, 3))), "seen before the kill");
        assert!(!shows(defect, &kill, older((14, 15), (call, 13, 13))), "written after it");
    }
    let leader_last = [fault("kill-leader-last", 10, 10, 12)];
    assert!(shows(Defect::VoteTwice, &leader_last, just_before()));
    assert!(!shows(Defect::VoteTwice, &leader_last, seen_afterwards(just_before())));
    assert!(!shows(Defect::VoteTwice, &kill, just_before()));
}

#[test]
fn two_quorums_are_shown_by_a_write_that_is_gone_when_all_stores_run() {
    let faults = [fault("move-replica", 10, 10, 11), fault("pause-overlap", 12, 16, 20)];
    let gone = || older((22, 23), (CallKind::Put, 14, 15));
    assert!(shows(Defect::TornMembership, &faults, gone()));
    assert!(!shows(Defect::TornMembership, &faults, seen_afterwards(gone())));
    let mut alone = gone();
    alone.faults = vec![OVERLAP.into()];
    assert!(!shows(Defect::TornMembership, &faults, alone.clone()), "a stale read shows as much");
    alone.kind = FindingKind::LostWrite;
    assert!(shows(Defect::TornMembership, &faults, alone), "it was seen to stay");
    assert!(!shows(Defect::TornMembership, &faults[1..], gone()), "no membership changed");
}

#[test]
fn lost_keys_are_absent_after_the_fault_that_loses_them() {
    for (defect, name) in
        [(Defect::ForgetfulSnapshot, "replicas"), (Defect::KeyLostInSplit, "split")]
    {
        let faults = [fault(name, 10, 10, 12)];
        let absent = || nothing_found(older((13, 14), (CallKind::Put, 2, 3)));
        assert!(shows(defect, &faults, absent()));
        assert!(!shows(defect, &[fault("kill-all", 10, 10, 12)], absent()), "another fault");
        let deleted = nothing_found(older((13, 14), (CallKind::Delete, 2, 3)));
        assert!(!shows(defect, &faults, deleted));
        assert!(!shows(defect, &faults, older((13, 14), (CallKind::Put, 2, 3))), "a value");
        let early = nothing_found(older((5, 6), (CallKind::Put, 2, 3)));
        assert!(!shows(defect, &faults, early), "before the fault");
    }
}

#[test]
fn a_scan_skips_bounds_only_where_each_missing_key_is_the_last_before_one() {
    let with_missing = |missing: &[&str], findings: Vec<Finding>| {
        let mut judgement = judgement(Vec::new(), findings);
        judgement.split_at = vec![text("c"), text("e")];
        judgement.checked.keys = ["a", "b", "c", "d", "e"]
            .map(|key| KeyVerdict {
                key: text(key),
                validity: Validity::Valid,
                decided_by: DecidedBy::NearLinear,
                explored: 0,
                calls: 1,
                searched: None,
                reason: None,
                counterexample: None,
            })
            .into();
        judgement.checked.key_counts = vec![KeyCount {
            event: 1,
            invoke_ns: 1,
            finish_ns: 2,
            count: 3,
            certainly_present: 5,
            possibly_present: 5,
            missing: missing.iter().map(|key| text(key)).collect(),
            unexpected: Vec::new(),
        }];
        of(Defect::ScanSkipsBoundary).in_judgement(&judgement).is_some()
    };
    assert!(with_missing(&["b", "d"], Vec::new()));
    assert!(!with_missing(&["a"], Vec::new()) && !with_missing(&["b", "e"], Vec::new()));
    let got_nothing = nothing_found(older((13, 14), (CallKind::Put, 2, 3)));
    let mut by_the_scan = got_nothing.clone();
    by_the_scan.participants[0].operation = 1;
    assert!(with_missing(&["b"], vec![by_the_scan]), "what the scan itself did not return");
    assert!(!with_missing(&["b"], vec![got_nothing]), "the key is gone, not skipped");
}

#[test]
fn failed_writes_are_shown_by_whose_they_were() {
    let (swap, put) = (Defect::FailedCasWrites, Defect::PutReportsFailureButApplies);
    assert!(shows(swap, &[], dirty(CallKind::Cas)) && !shows(swap, &[], dirty(CallKind::Put)));
    assert!(shows(put, &[], dirty(CallKind::Put)) && !shows(put, &[], dirty(CallKind::Cas)));
}

#[test]
fn a_race_has_two_winners_who_met() {
    let race = |clients: (u64, u64), times: (u64, u64)| {
        let other = cas(Role::OtherCas, clients.0, 1, 5);
        let observer = cas(Role::Observer, clients.1, times.0, times.1);
        let finding = finding(FindingKind::LostUpdate, vec![observer, other]);
        shows(Defect::CasRace, &[], finding)
    };
    assert!(race((1, 2), (4, 6)));
    assert!(!race((1, 1), (4, 6)), "one client does not race with itself");
    assert!(!race((1, 2), (7, 8)), "one had answered when the other began");
    let alone = finding(FindingKind::LostUpdate, vec![cas(Role::Observer, 1, 4, 6)]);
    assert!(!shows(Defect::CasRace, &[], alone));
}
