//! Numbers without sense in flags, plans and settings: each is refused with a sentence, and nothing
//! is allocated or drawn for it.

use super::{assert_ended_well, run};
use serde_json::{Value, json};
use std::fs;

const USAGE: i32 = 64;
const MALFORMED: i32 = 65;

#[test]
fn extreme_flags_are_refused_by_whoever_draws_a_plan() {
    let dir = tempfile::tempdir().expect("a directory");
    for flags in [
        "--keys 18446744073709551615",
        "--keys 4000000000",
        "--value-bytes 1099511627776",
        "--concurrency 4294967295",
        "--stores 4294967295",
        "--regions 4294967295",
        "--op-timeout-ms 18446744073709551615",
        "--pause-ms-max 18446744073709551615",
        "--pause-ms-min 0 --pause-ms-max 0 --nemesis-interval 0 --time 1h",
        "--rate 0",
        "--rate 1e300",
        "--rate NaN",
        "--time 99999999999999999999s",
    ] {
        for command in ["plan draw", "test", "simulate"] {
            let words: Vec<&str> = command.split(' ').chain(flags.split(' ')).collect();
            let output = run(dir.path(), &words);
            assert_ended_well(&output, &format!("{words:?}"));
            assert_eq!(output.status.code(), Some(USAGE), "{words:?}: {output:?}");
        }
    }
    // A pause may end at once, but the time in which faults are drawn passes all the same.
    let words = "plan draw --pause-ms-min 0 --pause-ms-max 1 --nemesis-interval 0 --time 10m --nemesis mix --seed 1";
    let output = run(dir.path(), &words.split(' ').collect::<Vec<_>>());
    assert_ended_well(&output, words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!dir.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn extreme_numbers_in_a_plan_are_malformed() {
    let dir = tempfile::tempdir().expect("a directory");
    let draw = "plan draw --workload register --nemesis pause-one --time 5 --seed 1";
    let drawn = run(dir.path(), &draw.split(' ').collect::<Vec<_>>());
    let plan: Value = serde_json::from_slice(&drawn.stdout).expect("a plan");
    let most = u64::MAX;
    for (pointer, value) in [
        ("/config/workload/keys", json!(most)),
        ("/config/workload/keys", json!(4_000_000_000_u64)),
        ("/config/workload/value-bytes", json!(1_u64 << 40)),
        ("/config/workload/concurrency", json!(u32::MAX)),
        ("/config/workload/idle-clients", json!(u32::MAX)),
        ("/config/workload/op-timeout-ms", json!(most)),
        ("/config/workload/rate", json!(1e300)),
        ("/config/cluster/stores", json!(u32::MAX)),
        ("/config/cluster/regions", json!(u32::MAX)),
        ("/config/nemesis/pause-ms-max", json!(most)),
        ("/config/nemesis/interval-ms", json!(most)),
        ("/config/time-ms", json!(most)),
        ("/schedule/0/begin-ms", json!(most)),
        ("/schedule/0/what/length_ms", json!(most)),
    ] {
        let mut plan = plan.clone();
        *plan.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        fs::write(dir.path().join("plan.json"), plan.to_string()).expect("written");
        for command in [&["plan", "check"][..], &["replay"], &["replay", "--simulate"]] {
            let output = run(dir.path(), &[command, &["plan.json"]].concat());
            let what = format!("{command:?}, {pointer}");
            assert_ended_well(&output, &what);
            assert_eq!(output.status.code(), Some(MALFORMED), "{what}: {output:?}");
        }
    }
    assert!(!dir.path().join("runs").exists(), "nothing was begun");
}
