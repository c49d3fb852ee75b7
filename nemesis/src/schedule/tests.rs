//! Properties of every schedule, tested with random configurations.

use super::*;
use proptest::prelude::*;

fn config(names: &[&str], duration_ms: u64, seed: u64) -> ScheduleConfig {
    ScheduleConfig {
        faults: Faults::parse(names).expect("known"),
        replicas: 3,
        interval_ms: 3_000,
        pause_ms_min: 300,
        pause_ms_max: 4_000,
        drift_ppm_max: 200_000,
        duration_ms,
        seed,
    }
}

fn end_ms(fault: &PlannedFault) -> u64 {
    fault.begin_ms + fault.what.expected_ms()
}

proptest! {
    #[test]
    fn a_seed_determines_the_schedule(seed: u64) {
        let config = config(&["mix"], 60_000, seed);
        prop_assert_eq!(schedule(&config), schedule(&config));
    }

    #[test]
    fn only_enabled_faults_occur_and_leave_time_before_and_after(
        seed: u64, duration_ms in 10_000_u64..120_000, kind in 0_usize..FaultKind::ALL.len(),
    ) {
        let kind = FaultKind::ALL[kind];
        let planned = schedule(&config(&[kind.name()], duration_ms, seed));
        prop_assert!(!planned.is_empty());
        prop_assert!(planned[0].begin_ms >= 1_000);
        for fault in &planned {
            prop_assert_eq!(fault.kind, kind);
            prop_assert!(fault.begin_ms + 1_000 <= duration_ms);
            if !matches!(fault.what, Action::MaxReplicas { .. }) {
                prop_assert!(end_ms(fault) + 1_000 <= duration_ms);
            }
        }
        for pair in planned.windows(2) {
            prop_assert!(pair[0].begin_ms <= pair[1].begin_ms && !pair[1].overlaps);
        }
    }

    #[test]
    fn replicas_in_a_combination_come_first_and_go_last(seed: u64) {
        let planned = schedule(&config(&["replicas", "pause-two"], 20_000, seed));
        let (first, last) = (&planned[0], &planned[planned.len() - 1]);
        prop_assert!(first.required);
        prop_assert_eq!(first.what, Action::MaxReplicas { to: 5 });
        prop_assert_eq!(last.what, Action::MaxReplicas { to: 3 });
        prop_assert!(planned.len() >= 3);
        for fault in &planned[1..planned.len() - 1] {
            prop_assert_eq!(fault.kind, FaultKind::PauseTwo);
            prop_assert!(fault.begin_ms > first.begin_ms);
        }
    }

    #[test]
    fn any_configuration_gives_a_bounded_schedule_that_lowers_what_it_raises(
        seed: u64, duration_ms in 1_u64..100_000, interval_ms in 0_u64..5_000,
        pause_ms_min in 0_u64..5_000, more_ms in 0_u64..5_000,
    ) {
        let config = ScheduleConfig {
            interval_ms, pause_ms_min, pause_ms_max: pause_ms_min + more_ms,
            ..config(&["mix"], duration_ms, seed)
        };
        let planned = schedule(&config);
        prop_assert!(!planned.is_empty());
        prop_assert!(planned.len() as u64 <= 2 + duration_ms / STEP_MS_MIN);
        let mut replicas = planned.iter().filter_map(|fault| match fault.what {
            Action::MaxReplicas { to } => Some(to),
            _ => None,
        });
        prop_assert_eq!(replicas.next_back().unwrap_or(3), 3);
    }
}

#[test]
fn a_minute_of_mix_has_every_kind_and_overlaps() {
    let planned = schedule(&config(&["mix"], 120_000, 7));
    for kind in FaultKind::ALL {
        assert!(planned.iter().any(|fault| fault.kind == kind), "{}", kind.name());
    }
    assert!(planned.windows(2).any(|pair| pair[1].begin_ms < end_ms(&pair[0])));
}

#[test]
fn choreographies_alone_are_as_many_as_a_region_has_voters() {
    for kind in FaultKind::ALL.into_iter().filter(|kind| kind.is_choreography()) {
        for seed in 0..100 {
            let planned = schedule(&config(&[kind.name()], 25_000, seed));
            assert!(planned.len() >= 3, "{}: {planned:?}", kind.name());
        }
    }
}

#[test]
fn ten_seconds_have_a_whole_fault() {
    for seed in 0..100 {
        let planned = schedule(&config(&["pause-two"], 10_000, seed));
        let Action::Pause { whom: Whom::TwoFollowers, length_ms } = planned[0].what else {
            panic!("{planned:?}")
        };
        assert!((300..=4_000).contains(&length_ms));
    }
}

#[test]
fn a_schedule_survives_its_json() {
    let planned = schedule(&config(&["mix"], 120_000, 3));
    let json = serde_json::to_string(&planned).expect("written");
    let again: Vec<PlannedFault> = serde_json::from_str(&json).expect("read");
    assert_eq!(again, planned);
}
