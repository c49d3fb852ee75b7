//! Schedules carried out against a cluster in virtual time: order, healing, and what is said of
//! each fault.

mod fake;

use fake::{Fake, Notes};
use histories::What;
use nemesis::{
    Action, Disturbance, FaultKind, FaultRecord, Faults, NemesisReport, PlannedFault,
    ScheduleConfig, Shape, Whom, schedule,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

fn planned(begin_ms: u64, kind: FaultKind, what: Action) -> PlannedFault {
    PlannedFault { begin_ms, kind, what, overlaps: false, required: false, draw: 7 }
}

fn pause(begin_ms: u64, whom: Whom, length_ms: u64) -> PlannedFault {
    planned(begin_ms, FaultKind::PauseOne, Action::Pause { whom, length_ms })
}

async fn run(fake: &Arc<Fake>, notes: &Arc<Notes>, faults: &[PlannedFault]) -> NemesisReport {
    let (_switch, stop) = watch::channel(false);
    nemesis::run(faults, Arc::clone(fake) as _, Arc::clone(notes) as _, stop).await
}

async fn run_one(fake: &Arc<Fake>, fault: PlannedFault) -> FaultRecord {
    let report = run(fake, &Arc::new(Notes::new()), &[fault]).await;
    assert!(report.unhealed.is_empty());
    let [record] = report.records.try_into().expect("one record");
    record
}

#[tokio::test(start_paused = true)]
async fn a_long_stop_moves_the_leader_and_a_short_one_does_not() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let report =
        run(&fake, &notes, &[pause(1_000, Whom::Leader, 300), pause(5_000, Whom::Leader, 3_000)])
            .await;
    let [short, long] = report.records.try_into().expect("two records");
    assert_eq!(short.effect_in_words(), "no effect on the cluster");
    assert_eq!(long.effect_in_words(), "leader of region 2 moved from store-1 to store-2");
    assert!(short.confirmed() && long.confirmed() && long.majority_left);
    assert_eq!(short.begun_ns, Some(1_000_000_000));
    assert_eq!(long.ended_ns, Some(8_000_000_000));
    assert_eq!(fake.calls(), ["pause [1]", "resume [1]", "pause [1]", "resume [1]"]);
    assert_eq!(notes.told()[..4], ["pause", "pause.", "resume", "resume."]);
    let events = notes.events.lock().expect("events");
    let What::FaultInvoke { value, .. } = &events[0] else { panic!("{events:?}") };
    let whom = &value["stores"][0];
    assert_eq!(value["length_ms"], 300);
    assert_eq!(
        (&whom["id"], &whom["pid"], &whom["role"]),
        (&1.into(), &101.into(), &"leader".into())
    );
    let What::FaultComplete { value, .. } = &events[7] else { panic!("{events:?}") };
    assert_eq!(value["stores"][0]["state"], "running");
    assert_eq!(value["regions"][0]["leader_after"], 2);
}

#[tokio::test(start_paused = true)]
async fn an_election_that_ends_just_after_the_fault_is_its_effect() {
    let fake = Arc::new(Fake::of_six());
    let record = run_one(&fake, pause(0, Whom::Leader, 1_400)).await;
    assert_eq!(record.effect_in_words(), "leader of region 2 moved from store-1 to store-2");
    assert_eq!(record.regions[0].leader_after, Some(2));
    assert_eq!(record.ended_ns, Some(1_400_000_000), "in force until it was resumed");
}

/// When the second of two pauses begins, due at 2 s, if clients succeed from then on.
async fn second_begins_s(serves_after_s: u64, overlaps: bool) -> f64 {
    let mut notes = Notes::new();
    notes.serves_after = Some(Duration::from_secs(serves_after_s));
    let notes = Arc::new(notes);
    let second = PlannedFault { overlaps, ..pause(2_000, Whom::Leader, 300) };
    let faults = [pause(1_000, Whom::Leader, 300), second];
    let report = run(&Arc::new(Fake::of_six()), &notes, &faults).await;
    report.records[1].begun_ns.expect("begun") as f64 / 1e9
}

#[tokio::test(start_paused = true)]
async fn the_next_fault_waits_until_clients_are_served_again_unless_it_is_to_overlap() {
    let begins_s = second_begins_s(0, false).await;
    assert!((2.0..2.5).contains(&begins_s), "served all the time: {begins_s}");
    let begins_s = second_begins_s(9, false).await;
    assert!((9.5..11.0).contains(&begins_s), "{begins_s}");
    let begins_s = second_begins_s(1_000, false).await;
    assert!((31.0..33.0).contains(&begins_s), "it is never served: {begins_s}");
    let begins_s = second_begins_s(1_000, true).await;
    assert!((begins_s - 2.0).abs() < 0.01, "{begins_s}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_stop_is_an_error() {
    let fake = Arc::new(Fake::of_six());
    fake.now().unstoppable = Some(1);
    let record = run_one(&fake, pause(0, Whom::Leader, 500)).await;
    assert_eq!(record.error.as_deref(), Some("store-1 is running, not stopped, after pause"));
    assert!(!record.confirmed());
    assert_eq!(fake.calls(), ["pause [1]", "resume [1]"]);
}

#[tokio::test(start_paused = true)]
async fn two_followers_of_three_leave_no_majority() {
    let fake = Arc::new(Fake::of_six());
    let record = run_one(&fake, pause(0, Whom::TwoFollowers, 1_000)).await;
    assert!(!record.majority_left);
    assert_eq!(record.effect_in_words(), "a region had no majority");
    assert_eq!(record.hurt.len(), 2);
    assert_eq!(fake.calls().len(), 2, "both in one call: {:?}", fake.calls());
}

#[tokio::test(start_paused = true)]
async fn replicas_are_raised_before_two_followers_stop() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let faults = Faults::parse(&["replicas", "pause-two"]).expect("known");
    let config = ScheduleConfig {
        faults,
        replicas: 3,
        interval_ms: 3_000,
        pause_ms_min: 300,
        pause_ms_max: 4_000,
        drift_ppm_max: 200_000,
        duration_ms: 30_000,
        seed: 5,
    };
    let report = run(&fake, &notes, &schedule(&config)).await;
    let pauses: Vec<_> = report.records.iter().filter(|it| it.name == "pause-two").collect();
    assert!(!pauses.is_empty());
    for record in pauses {
        assert!(record.confirmed() && record.majority_left, "{record:?}");
        assert_eq!((record.hurt.len(), record.regions[0].voters_before), (2, 5));
    }
    assert_eq!(report.records[0].effect_in_words(), "region 2 went from 3 to 5 voters");
    assert_eq!(fake.now().voters.len(), 3);
    assert_eq!(fake.calls().first().map(String::as_str), Some("max-replicas 5"));
    assert_eq!(fake.calls().last().map(String::as_str), Some("max-replicas 3"));
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_replicas_is_not_injected_without_them() {
    let fake = Arc::new(Fake::of_six());
    let required = PlannedFault {
        required: true,
        ..planned(0, FaultKind::Replicas, Action::MaxReplicas { to: 9 })
    };
    fake.now().broken = Some("max-replicas");
    let report =
        run(&fake, &Arc::new(Notes::new()), &[required, pause(1, Whom::TwoFollowers, 5)]).await;
    assert_eq!(report.records[0].error.as_deref(), Some("max-replicas is broken"));
    assert_eq!(report.records[1].effect_in_words(), "not injected");
    assert_eq!(report.records[1].error.as_deref(), Some("replicas before it failed"));
    assert!(fake.calls().is_empty());
    assert!(report.unhealed[0].contains("max-replicas is 9 and could not be set back"));
}

#[tokio::test(start_paused = true)]
async fn an_overlap_leaves_the_first_leader_alone_with_old_state() {
    let fake = Arc::new(Fake::of_six());
    let what =
        Action::PauseOverlap { election_wait_ms_max: 10_000, serve_ms: 500, length_ms: 2_000 };
    let record = run_one(&fake, planned(0, FaultKind::PauseOverlap, what)).await;
    assert_eq!(fake.calls(), ["pause [1]", "pause [2, 3]", "resume [1]", "resume [2, 3]"]);
    assert_eq!(record.error, None);
    assert!(record.effects[0].contains("store-1 ran alone with old state"));
    assert!(!record.majority_left);
}

#[tokio::test(start_paused = true)]
async fn an_overlap_without_another_leader_ends_with_the_first_stop() {
    let fake = Arc::new(Fake::of_six());
    let what =
        Action::PauseOverlap { election_wait_ms_max: 1_000, serve_ms: 500, length_ms: 2_000 };
    let record = run_one(&fake, planned(0, FaultKind::PauseOverlap, what)).await;
    let tries = ["pause [1]", "resume [1]"].repeat(3);
    assert_eq!(fake.calls(), tries, "it begins again until another leader serves");
    assert_eq!(record.error.as_deref(), Some("no other leader acknowledged writes in time"));
    assert!(!record.confirmed());
}

/// Overlaps as many as there are voters, and whom each of them stopped first.
async fn first_stopped_by_overlaps(fake: &Arc<Fake>, notes: &Arc<Notes>) -> Vec<String> {
    let what =
        Action::PauseOverlap { election_wait_ms_max: 10_000, serve_ms: 500, length_ms: 1_000 };
    let faults = [0, 10_000, 20_000].map(|at| planned(at, FaultKind::PauseOverlap, what));
    let report = run(fake, notes, &faults).await;
    assert!(report.records.iter().all(FaultRecord::confirmed), "{report:?}");
    let calls = fake.calls();
    let is_one = |call: &&String| call.starts_with("pause") && !call.contains(',');
    calls.iter().filter(is_one).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn choreographies_move_leadership_until_every_voter_was_hurt_as_a_leader() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let mut first = first_stopped_by_overlaps(&fake, &notes).await;
    first.sort_unstable();
    assert_eq!(first, ["pause [1]", "pause [2]", "pause [3]"]);
    let events = notes.events.lock().expect("events");
    let begun = |event: &What| match event {
        What::FaultInvoke { value, .. } if value["name"].is_string() => {
            (value["leader"].as_u64(), value["voters"].as_array().map(Vec::len))
        }
        _ => (None, None),
    };
    let told: Vec<_> = events.iter().map(begun).filter(|told| told.1.is_some()).collect();
    assert_eq!(told.len(), 3, "once for each fault: {events:?}");
    assert!(told.iter().all(|(leader, voters)| leader.is_some() && *voters == Some(3)));
}

#[tokio::test(start_paused = true)]
async fn where_leaders_cannot_be_moved_the_choreography_says_so() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    fake.now().cannot_schedule = true;
    first_stopped_by_overlaps(&fake, &notes).await;
    assert!(!fake.calls().iter().any(|call| call.starts_with("transfer-leader")));
    let events = notes.events.lock().expect("events");
    let What::FaultInvoke { value, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(value["leaders-stay"], true);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_has_just_changed_its_region_is_hurt_before_leadership_moves() {
    let fake = Arc::new(Fake::of_six());
    let what =
        Action::PauseOverlap { election_wait_ms_max: 10_000, serve_ms: 500, length_ms: 1_000 };
    let overlap = |at| planned(at, FaultKind::PauseOverlap, what);
    let moved = planned(10_000, FaultKind::MoveReplica, Action::MoveReplica);
    run(&fake, &Arc::new(Notes::new()), &[overlap(0), moved, overlap(20_000)]).await;
    let calls = fake.calls();
    let at = calls.iter().position(|call| call.starts_with("move-replica")).expect("moved");
    assert!(calls[at + 1].starts_with("pause ["), "no move of the leader before: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_with_writes_that_nobody_else_has_is_stopped_until_another_one_leads() {
    let fake = Arc::new(Fake::of_six());
    let what =
        Action::KillFollowers { alone_ms: 500, election_wait_ms_max: 10_000, length_ms: 300 };
    let record = run_one(&fake, planned(0, FaultKind::KillFollowers, what)).await;
    assert_eq!(fake.calls(), ["kill [2, 3]", "pause [1]", "start [2, 3]", "resume [1]"]);
    assert_eq!(record.error, None);
    assert!(record.confirmed() && !record.majority_left, "{record:?}");
    assert!(record.effects[0].starts_with("store-1 had "), "{record:?}");
    assert_ne!(fake.now().leader, 1);
}

#[tokio::test(start_paused = true)]
async fn without_such_writes_it_begins_again_and_ends_with_the_reason() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::silent()));
    let what =
        Action::KillFollowers { alone_ms: 500, election_wait_ms_max: 10_000, length_ms: 300 };
    let report = run(&fake, &notes, &[planned(0, FaultKind::KillFollowers, what)]).await;
    let tries = ["kill [2, 3]", "start [2, 3]"].repeat(3);
    assert_eq!(fake.calls(), tries);
    let error = report.records[0].error.as_deref();
    assert_eq!(error, Some("no write came to a leader without followers in time"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_is_moved_on_request() {
    let fake = Arc::new(Fake::of_six());
    let record =
        run_one(&fake, planned(0, FaultKind::TransferLeader, Action::TransferLeader)).await;
    assert_ne!(fake.now().leader, 1);
    assert!(record.confirmed() && record.effect_in_words().contains("moved from store-1"));
}

#[tokio::test(start_paused = true)]
async fn every_store_is_killed_and_started_again() {
    let fake = Arc::new(Fake::of_six());
    let kill = Action::Kill { whom: Whom::All, length_ms: 1_000 };
    let record = run_one(&fake, planned(500, FaultKind::KillAll, kill)).await;
    assert_eq!(fake.calls(), ["kill [1, 2, 3, 4, 5, 6]", "start [1, 2, 3, 4, 5, 6]"]);
    assert!(record.confirmed() && !record.majority_left, "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_is_killed_after_its_followers_and_all_are_started_together() {
    let fake = Arc::new(Fake::of_six());
    let kill = Action::KillLeaderLast { alone_ms: 500, length_ms: 1_000 };
    let record = run_one(&fake, planned(500, FaultKind::KillLeaderLast, kill)).await;
    assert_eq!(fake.calls(), ["kill [2, 3]", "kill [1]", "start [2, 3, 1]"]);
    assert!(record.confirmed() && !record.majority_left, "{record:?}");
    let lasted_ms = (record.ended_ns.expect("ended") - record.begun_ns.expect("begun")) / 1_000_000;
    assert!(lasted_ms >= 1_500, "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_moves_on_request() {
    let fake = Arc::new(Fake::of_six());
    let record = run_one(&fake, planned(500, FaultKind::MoveReplica, Action::MoveReplica)).await;
    assert!(record.confirmed(), "{record:?}");
    assert!(record.effects[0].starts_with("region 2 moved from store-"), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn the_switch_ends_a_fault_early_and_heals() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let (switch, stop) = watch::channel(false);
    let faults = [
        planned(0, FaultKind::Replicas, Action::MaxReplicas { to: 5 }),
        planned(5_000, FaultKind::KillTwo, Action::Kill { whom: Whom::Two, length_ms: 60_000 }),
        pause(100_000, Whom::One, 5),
    ];
    let ended = nemesis::run(&faults, Arc::clone(&fake) as _, Arc::clone(&notes) as _, stop);
    let throw = async {
        sleep(Duration::from_secs(8)).await;
        switch.send_replace(true);
    };
    let (report, ()) = tokio::join!(ended, throw);
    assert!(report.records[1].cut_short && report.records[1].ended_ns.is_some());
    assert_eq!(report.records[2].effect_in_words(), "not injected");
    assert!(report.unhealed.is_empty() && fake.now().down.is_empty());
    assert_eq!(fake.now().max_replicas, 3);
    assert_eq!(fake.calls().iter().filter(|call| call.starts_with("start")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_nemesis_that_is_dropped_resumes_everybody() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let faults = [pause(0, Whom::Leader, 60_000)];
    let ended = tokio::time::timeout(Duration::from_secs(5), run(&fake, &notes, &faults)).await;
    assert!(ended.is_err(), "it was dropped");
    assert_eq!(fake.calls().last().map(String::as_str), Some("resume-all-now"));
    assert!(fake.now().down.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_one_fault_is_told_and_the_others_go_on() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    fake.now().broken = Some("kill");
    let kill = planned(0, FaultKind::KillOne, Action::Kill { whom: Whom::Leader, length_ms: 5 });
    let report = run(&fake, &notes, &[kill, pause(5_000, Whom::One, 1_000)]).await;
    let error = report.records[0].error.as_deref().expect("told");
    assert!(error.contains("the nemesis itself failed"), "{error}");
    assert!(fake.calls().contains(&"start [1]".to_owned()), "it might have been killed");
    assert!(!report.records[1].confirmed(), "its region had no leader up, to our knowledge");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_healed_is_said() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    fake.now().broken = Some("resume");
    let report = run(&fake, &notes, &[pause(0, Whom::Leader, 5)]).await;
    assert_eq!(report.unhealed, ["store-1 could not be healed: resume is broken"]);
    assert_eq!(report.records[0].error.as_deref(), Some("resume is broken"));
}

#[tokio::test(start_paused = true)]
async fn a_mix_of_any_seed_leaves_nobody_down() {
    for seed in 0..200 {
        let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
        let config = ScheduleConfig {
            faults: Faults::parse(&["mix"]).expect("known"),
            replicas: 3,
            interval_ms: 2_000,
            pause_ms_min: 300,
            pause_ms_max: 4_000,
            drift_ppm_max: 200_000,
            duration_ms: 60_000,
            seed,
        };
        let faults = schedule(&config);
        let report = run(&fake, &notes, &faults).await;
        assert_eq!(report.records.len(), faults.len());
        assert!(report.unhealed.is_empty());
        let failed = |it: &&FaultRecord| {
            it.error.as_ref().is_some_and(|error| error.contains("nemesis itself"))
        };
        assert_eq!(report.records.iter().find(failed), None, "seed {seed}");
        let confirmed = report.records.iter().filter(|record| record.confirmed()).count();
        assert!(confirmed * 2 > faults.len(), "seed {seed}: {report:?}");
        sleep(fake::REPLICA_CHANGE).await;
        let cluster = fake.now();
        assert!(cluster.down.is_empty() && cluster.disturbed.is_empty());
        assert!(cluster.serves(), "seed {seed}: {cluster:?}");
        assert_eq!((cluster.max_replicas, cluster.voters.len()), (3, 3), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_is_split_on_request_and_one_that_cannot_be_is_said_so() {
    let fake = Arc::new(Fake::of_six());
    let record = run_one(&fake, planned(0, FaultKind::Split, Action::Split)).await;
    assert_eq!(fake.calls(), ["split 2"]);
    assert_eq!(record.effect_in_words(), "region 2 was split: 1 regions became 2");
    assert!(record.confirmed());

    let fake = Arc::new(Fake::of_six());
    fake.now().indivisible = true;
    let record = run_one(&fake, planned(0, FaultKind::Split, Action::Split)).await;
    assert_eq!(record.effect_in_words(), "no effect on the cluster");
    assert!(record.error.is_none() && !record.confirmed());
}

fn partition(length_ms: u64) -> PlannedFault {
    let what = Action::Partition { shape: Shape::Leader, length_ms };
    planned(1_000, FaultKind::PartitionLeader, what)
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_mended_and_says_what_met_it() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let report = run(&fake, &notes, &[partition(3_000)]).await;
    assert_eq!(fake.calls(), ["start-partition", "stop-partition"]);
    assert!(fake.now().disturbed.is_empty());
    let [record] = report.records.try_into().expect("one record");
    assert!(record.confirmed() && record.majority_left, "{record:?}");
    assert_eq!(record.effect_in_words(), "it was met");
    assert_eq!(record.ended_ns, Some(4_000_000_000));
    let events = notes.events.lock().expect("events");
    let What::FaultInvoke { value, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(value["stores"], serde_json::json!([{ "id": 1, "role": "leader" }]));
    assert_eq!(value["cuts"].as_array().expect("ways").len(), 2 * 6, "five stores and PD");
    let What::FaultComplete { value, .. } = &events[3] else { panic!("{events:?}") };
    assert_eq!(value["touched"], "it was met");
}

#[tokio::test(start_paused = true)]
async fn a_disturbance_is_healed_when_the_run_ends_early_and_said_if_it_cannot_be() {
    let (fake, notes) = (Arc::new(Fake::of_six()), Arc::new(Notes::new()));
    let (switch, stop) = watch::channel(false);
    let faults = [partition(60_000)];
    let nemesis = nemesis::run(&faults, Arc::clone(&fake) as _, Arc::clone(&notes) as _, stop);
    let (report, ()) = tokio::join!(nemesis, async {
        sleep(Duration::from_secs(2)).await;
        assert!(matches!(fake.now().disturbed.get(&0), Some(Disturbance::Cut(_))));
        switch.send(true).expect("it waits");
    });
    assert!(report.unhealed.is_empty() && report.records[0].cut_short);
    assert!(fake.now().disturbed.is_empty());

    let fake = Arc::new(Fake::of_six());
    fake.now().broken = Some("calm");
    let report = run(&fake, &Arc::new(Notes::new()), &[partition(5)]).await;
    assert_eq!(report.unhealed, ["stop-partition failed: calm is broken"]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_ends_its_store_which_is_started_again() {
    let fake = Arc::new(Fake::of_six());
    let what = Action::DiskError { whom: Whom::Leader, length_ms: 3_000 };
    let record = run_one(&fake, planned(0, FaultKind::DiskError, what)).await;
    assert_eq!(fake.calls(), ["fail-disks [1]", "start [1]"]);
    assert!(record.confirmed(), "{record:?}");
    assert!(fake.now().down.is_empty());
}
