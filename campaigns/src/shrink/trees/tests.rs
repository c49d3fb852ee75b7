use super::*;
use proptest::prelude::*;

fn plan(seed: u64) -> Plan {
    let mut config = plan::config::Config { seed, ..Default::default() };
    config.nemesis.faults = vec!["mix".into()];
    Plan::draw(config).expect("can be drawn")
}

/// Shrinks a plan with a tree as proptest's runner does.
fn shrunk(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut best = plan.clone();
    loop {
        let before = best.clone();
        for part in Part::ALL {
            let mut tree = part.tree(&best);
            let mut goes_on = tree.simplify();
            while goes_on {
                let candidate = tree.current();
                goes_on = if fails(&candidate) {
                    best = candidate;
                    tree.simplify()
                } else {
                    tree.complicate()
                };
            }
        }
        if best == before {
            return best;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn exactly_what_a_failure_needs_is_left(
        seed: u64, needed in proptest::collection::btree_set(0_usize..8, 0..4),
        clients in 1_u32..=4, keys in 1_u64..100, time_ms in 500_u64..50_000,
    ) {
        let plan = plan(seed);
        let needed: Vec<u32> = needed
            .into_iter()
            .filter_map(|place| plan.schedule.get(place))
            .map(|fault| fault.draw)
            .collect();
        let smallest = shrunk(&plan, |plan| {
            let has = |draw: &u32| plan.schedule.iter().any(|fault| fault.draw == *draw);
            needed.iter().all(has)
                && plan.config.workload.concurrency >= clients
                && plan.config.workload.keys >= keys
                && plan.config.time_ms >= time_ms
        });
        let left: Vec<u32> = smallest.schedule.iter().map(|fault| fault.draw).collect();
        prop_assert_eq!(left, needed);
        prop_assert_eq!(smallest.config.workload.concurrency, clients);
        prop_assert_eq!(smallest.config.workload.keys, keys);
        prop_assert_eq!(smallest.config.time_ms, time_ms.next_multiple_of(TIME_STEP_MS));
        prop_assert_eq!(smallest.config.cluster.stores, 1);
        prop_assert!(smallest.schedule.iter().all(|it| it.begin_ms <= smallest.config.time_ms));
        prop_assert_eq!(smallest.config.workload.rate, Some(10));
    }
}

#[test]
fn faults_come_early_and_are_as_short_as_the_failure_lets_them() {
    let mut plan = plan(3);
    plan.schedule.retain(|fault| fault.what.no_longer_than(300) != fault.what);
    plan.schedule.truncate(2);
    let draws: Vec<u32> = plan.schedule.iter().map(|fault| fault.draw).collect();
    assert_eq!(draws.len(), 2);
    let smallest = shrunk(&plan, |plan| {
        let [first, second] = plan.schedule.as_slice() else { return false };
        let gap_ms = second.begin_ms - first.begin_ms;
        let is_long = |fault: &nemesis::PlannedFault| fault.what.no_longer_than(200) != fault.what;
        is_long(first) && gap_ms >= 400
    });
    let [first, second] = smallest.schedule.as_slice() else { panic!("two are needed") };
    assert_eq!([first.draw, second.draw].to_vec(), draws);
    assert!(first.begin_ms <= 50, "{first:?}");
    assert!((400..=500).contains(&(second.begin_ms - first.begin_ms)), "{first:?} {second:?}");
    assert_eq!(first.what.no_longer_than(250), first.what);
    assert_eq!(second.what.no_longer_than(50), second.what);
    assert!(smallest.config.time_ms <= 1_000, "{}", smallest.config.time_ms);
}

#[test]
fn nothing_is_offered_where_nothing_is_simpler() {
    let smallest = shrunk(&plan(1), |_| true);
    for part in Part::ALL {
        assert!(!part.tree(&smallest).simplify(), "{part:?}");
    }
}
