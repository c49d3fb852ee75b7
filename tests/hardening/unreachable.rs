//! PD, or every store, is gone for the whole of the clients' time: unknown, never valid, and soon.

use crate::tester::{PROGRAM, Tester, jepsen_tikv, judged, words};
use std::process::Command;

const UNKNOWN: i32 = 2;

/// A run without faults, whose processes with this word in their command line are killed once the
/// keys are loaded.
fn without(word: &str, how_many: usize) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let arguments = words("test --nemesis none --time 8 --keys 50 --stores 3 --seed 3");
    let mut tester = Tester::start(dir.path(), Command::new(PROGRAM).args(arguments));
    tester.await_words("clients and faults");
    assert_eq!(tester.kill_processes(word), how_many);
    let ended = tester.end();
    assert_eq!(ended.code, Some(UNKNOWN), "{}", ended.said);
    assert!(ended.said.contains("ended though no fault killed"), "{}", ended.said);
    judged(&dir.path().join("runs/latest"), UNKNOWN);
    ended.said
}

#[test]
fn without_pd_a_run_is_unknown_and_says_that_pd_ended() {
    let said = without("internal-pd", 1);
    assert!(said.contains("why?     pd1 ended by itself"), "{said}");
    assert!(said.contains("         the keys were not counted to the end"), "{said}");
}

#[test]
fn without_stores_a_run_is_unknown_and_says_which_ended() {
    let said = without("internal-store", 3);
    for store in ["store-1", "store-2", "store-3"] {
        assert!(said.contains(&format!("     {store} ended by itself")), "{said}");
    }
    assert!(said.contains("vacuous: only"), "{said}");
}

#[test]
fn in_virtual_time_they_come_back_and_that_is_no_more_valid() {
    for (nemesis, vacuous) in [("kill-all", "vacuous: only"), ("kill-pd", "vacuous: only")] {
        let dir = tempfile::tempdir().expect("a directory");
        let line = format!(
            "simulate --workload register --nemesis {nemesis} --nemesis-interval 0 --pause-ms-min 60000 \
             --pause-ms-max 60000 --time 20 --keys 50 --stores 3 --seed 3"
        );
        let ended = jepsen_tikv(dir.path(), &words(&line));
        assert_eq!(ended.code, Some(UNKNOWN), "{nemesis}: {}", ended.said);
        assert!(ended.said.contains(vacuous), "{nemesis}: {}", ended.said);
        judged(&dir.path().join("runs/latest"), UNKNOWN);
    }
}
