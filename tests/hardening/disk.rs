//! The disk that the tester writes to takes no more: what was recorded stays, and is a history.

use crate::tester::{PROGRAM, Tester, judged, words};
use std::process::Command;

const TROUBLE: i32 = 74;
const UNKNOWN: i32 = 2;

/// Becomes the tester with files of 200 KiB at most. The signal that the kernel sends first is
/// ignored, as the exit code of whoever ignores it is what is asked for.
const LIMITED: &str = "trap '' XFSZ; ulimit -f 400; exec \"$0\" simulate --workload register --nemesis none --time 60 \
     --rate 100 --stores 3 --seed 1";

#[test]
fn a_history_that_cannot_grow_is_whole_up_to_its_last_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let ended =
        Tester::start(dir.path(), Command::new("sh").args(["-c", LIMITED]).arg(PROGRAM)).end();
    assert_eq!(ended.code, Some(TROUBLE), "{}", ended.said);
    assert!(ended.said.contains("cannot write the history"), "{}", ended.said);
    assert!(ended.said.contains("--runs-dir") && ended.said.contains("check"), "{}", ended.said);
    let run = dir.path().join("runs/latest");
    let history = std::fs::read(run.join("history.jsonl")).expect("it stays");
    assert!(history.len() > 100_000, "{} bytes", history.len());
    let judged = judged(&run, UNKNOWN);
    assert!(judged.contains("not counted"), "{judged}");
}

/// A disk in memory that nobody else sees, and that goes with the last process that does; a run on
/// it; and something else that takes the rest of the room. What the run left is copied to where it
/// can be looked at.
const FILLED: &str = "mkdir full && mount -t tmpfs -o size=48m none full || exit 99
here=$PWD; cd full
{ until grep -q 'clients and faults' ../said.txt; do sleep 0.1; done
  sleep 2; dd if=/dev/zero of=filler bs=64k 2> /dev/null; } &
\"$0\" test --runs-dir \"$here/full/runs\" --nemesis pause-one --time 60 --keys 100 --stores 3 --seed 1
code=$?
cp -rL runs/latest \"$here/left\"
exit $code";

#[test]
fn a_full_disk_ends_the_run_and_its_cluster() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", FILLED, PROGRAM]);
    let ended = Tester::start(dir.path(), &mut command).end();
    if ended.code == Some(99) || ended.said.contains("unshare") {
        eprintln!("left out: this user cannot mount a small disk here: {}", ended.said);
        return;
    }
    assert_eq!(ended.code, Some(TROUBLE), "{}", ended.said);
    assert!(ended.said.contains("No space left"), "{}", ended.said);
    assert!(ended.said.contains("make room"), "{}", ended.said);
    judged(&dir.path().join("left"), UNKNOWN);
}

/// Starts a run of a minute, and removes all runs while clients are at work.
fn removed_meanwhile(line: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut tester = Tester::start(dir.path(), Command::new(PROGRAM).args(words(line)));
    tester.await_words("clients and faults");
    // Its processes write there.
    while std::fs::remove_dir_all(dir.path().join("runs")).is_err() {}
    let ended = tester.end();
    assert_eq!(ended.code, Some(TROUBLE), "{line}: {}", ended.said);
    let last = ended.said.lines().last().unwrap_or_default();
    assert!(last.contains("the history is lost: ") && last.contains("/runs/"), "{last}");
    assert!(!dir.path().join("runs").exists(), "{line}: nothing is made anew");
}

#[test]
fn a_run_whose_directory_vanishes_says_that_its_history_is_lost() {
    removed_meanwhile("test --nemesis none --time 60 --keys 50 --stores 3 --seed 3");
    removed_meanwhile(
        "test --nemesis none --time 60 --rotate-keys 20 --keys 50 --stores 3 --seed 3",
    );
    removed_meanwhile("scenario one-store --keys 50 --seed 3");
}
