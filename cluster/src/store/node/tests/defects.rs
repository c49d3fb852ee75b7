//! Each defect that a plain run shows: its effect, compared with the correct store.

use super::*;

fn scanned(defects: &[Defect]) -> usize {
    let mut stores = Stores::new(1, 1, defects);
    for key in ["a", "b", "c", "x"] {
        stores.put(REGION, key, "v");
    }
    let keys = vec![b"m".to_vec()];
    let split = pdpb::SplitRegion { policy: pdpb::CheckPolicy::Usekey as i32, keys };
    let wish = pdpb::RegionHeartbeatResponse { split_region: Some(split), ..Default::default() };
    stores.operate(REGION, wish);
    let left = stores.splits_done[0][0].id;
    let context = Some(stores.context(1, left));
    let id = stores.send(1, kv::RawScanRequest { context, limit: 10, ..Default::default() });
    stores.run_ms(50);
    match stores.reply(id) {
        Some(RawResponse::Scan(found)) => found.kvs.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_vanish_at_the_bounds_of_regions() {
    assert_eq!(scanned(&[]), 3);
    assert_eq!(scanned(&[Defect::ScanSkipsBoundary]), 2);
    assert_eq!(scanned(&[Defect::KeyLostInSplit]), 2);
}

fn swap(stores: &mut Stores, expected: &str, value: &str) -> u64 {
    let request = kv::RawCasRequest {
        context: Some(stores.context(1, REGION)),
        key: b"k".to_vec(),
        value: value.into(),
        previous_value: expected.into(),
        ..Default::default()
    };
    stores.send(1, request)
}

fn succeeded(stores: &mut Stores, id: u64) -> bool {
    match stores.reply(id) {
        Some(RawResponse::CompareAndSwap(swap)) => swap.succeed,
        other => panic!("{other:?}"),
    }
}

fn winners_of_a_race(defects: &[Defect]) -> usize {
    let mut stores = Stores::new(1, 1, defects);
    stores.put(REGION, "k", "old");
    let ids = [swap(&mut stores, "old", "a"), swap(&mut stores, "old", "b")];
    stores.run_ms(50);
    ids.into_iter().filter(|id| succeeded(&mut stores, *id)).count()
}

#[test]
fn two_swaps_of_one_value_both_win() {
    assert_eq!(winners_of_a_race(&[]), 1);
    assert_eq!(winners_of_a_race(&[Defect::CasRace]), 2);
}

/// The answers to swaps that one client sends one after the other, each waiting for the one before
/// it.
fn swaps_of_one_client(defects: &[Defect]) -> Vec<RawResponse> {
    let mut stores = Stores::new(1, 1, defects);
    stores.put(REGION, "k", "old");
    let mut answers = Vec::new();
    for (expected, value) in [("old", "a"), ("old", "b"), ("a", "c"), ("c", "d")] {
        let id = swap(&mut stores, expected, value);
        stores.run_ms(50);
        answers.extend(stores.reply(id));
    }
    answers
}

#[test]
fn without_a_rival_a_racing_swap_answers_as_a_correct_one() {
    let correct = swaps_of_one_client(&[]);
    assert_eq!(correct.len(), 4);
    assert_eq!(swaps_of_one_client(&[Defect::CasRace]), correct);
}

#[test]
fn a_racing_swap_loses_by_what_is_applied_and_keeps_its_time_to_live() {
    let mut stores = Stores::new(3, 3, &[Defect::CasRace]);
    stores.put(REGION, "k", "old");
    let request = kv::RawCasRequest {
        context: Some(stores.context(1, REGION)),
        key: b"k".to_vec(),
        value: b"new".to_vec(),
        previous_value: b"old".to_vec(),
        ttl: 100,
        ..Default::default()
    };
    stores.send(1, request);
    stores.run_ms(50);
    let record = stores.nodes[&1].peers[&REGION].raw.store().data.get(b"k", 0).cloned();
    assert!(record.is_some_and(|record| record.expires_unix_s > 0));
    // A leader that was cut off does not know the value that a swap finds, so it must not report a
    // failed comparison.
    for other in 2..=3 {
        stores.cut.extend([(1, other), (other, 1)]);
    }
    let id = swap(&mut stores, "other", "x");
    stores.run_ms(100);
    assert_eq!(stores.reply(id), None);
}

fn value_after_a_failed_swap(defects: &[Defect]) -> Option<String> {
    let mut stores = Stores::new(1, 1, defects);
    stores.put(REGION, "k", "old");
    let id = swap(&mut stores, "other", "new");
    stores.run_ms(50);
    assert!(!succeeded(&mut stores, id));
    stores.get(REGION, "k")
}

#[test]
fn a_failed_swap_writes() {
    assert_eq!(value_after_a_failed_swap(&[]).as_deref(), Some("old"));
    assert_eq!(value_after_a_failed_swap(&[Defect::FailedCasWrites]).as_deref(), Some("new"));
}

fn value_after_delete_and_restart(defects: &[Defect]) -> Option<String> {
    let mut stores = Stores::new(1, 1, defects);
    stores.put(REGION, "k", "v");
    let context = Some(stores.context(1, REGION));
    let key = b"k".to_vec();
    stores.send(1, kv::RawDeleteRequest { context, key, ..Default::default() });
    // Until a tick has written the applied index, the log would delete the key again.
    stores.run_ms(1_000);
    stores.restart(1);
    stores.run_ms(500);
    stores.get(REGION, "k")
}

#[test]
fn a_deleted_key_comes_back_with_a_restart() {
    assert_eq!(value_after_delete_and_restart(&[]), None);
    let back = value_after_delete_and_restart(&[Defect::DeleteResurrects]);
    assert_eq!(back.as_deref(), Some("v"));
}

fn vote_after_restart(defects: &[Defect]) -> u64 {
    let mut stores = Stores::new(3, 3, defects);
    stores.put(REGION, "k", "v");
    stores.restart(1);
    let node = &stores.nodes[&1];
    node.peers[&REGION].raw.store().hard_state().vote
}

#[test]
fn a_vote_is_forgotten() {
    assert_eq!(vote_after_restart(&[]), 101);
    assert_eq!(vote_after_restart(&[Defect::VoteTwice]), 0);
}

#[test]
fn who_did_not_vote_forgets_nothing() {
    let disk = Stores::new(3, 3, &[]).disks.remove(&2).expect("a disk");
    let stored = |disk: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>| {
        disk::load(disk.clone()).expect("sound").remove(&REGION).expect("the region")
    };
    let mut without_vote = stored(&disk);
    without_vote.hard_state.vote = 0;
    let term = without_vote.hard_state.term;
    let mut storage = super::super::peer_storage::PeerStorage::restored(without_vote);
    storage.forget_vote();
    assert_eq!((storage.hard_state().term, storage.hard_state().vote), (term, 0));
    let mut with_vote = stored(&disk);
    with_vote.hard_state.vote = 101;
    let mut storage = super::super::peer_storage::PeerStorage::restored(with_vote);
    storage.forget_vote();
    assert_eq!((storage.hard_state().term, storage.hard_state().vote), (term - 1, 0));
}

fn keys_after_a_snapshot(defects: &[Defect]) -> usize {
    let mut stores = Stores::new(2, 1, defects);
    for key in ["a", "b", "c"] {
        stores.put(REGION, key, "v");
    }
    stores.change(REGION, proto::eraftpb::ConfChangeType::AddLearnerNode, peer(2));
    let keys = ["a", "b", "c"].into_iter();
    keys.filter(|key| stores.copy(2, REGION, key).is_some()).count()
}

#[test]
fn a_replica_made_from_a_snapshot_lacks_keys() {
    assert_eq!(keys_after_a_snapshot(&[]), 3);
    assert_eq!(keys_after_a_snapshot(&[Defect::ForgetfulSnapshot]), 2);
}

fn value_after_log_and_restart(defects: &[Defect]) -> Option<String> {
    let mut stores = Stores::new(1, 1, defects);
    stores.put(REGION, "k", "old");
    for round in 0..4 {
        stores.put(REGION, "other", &round.to_string());
    }
    stores.put(REGION, "k", "new");
    stores.run_ms(1_000);
    stores.restart(1);
    stores.run_ms(500);
    stores.get(REGION, "k")
}

#[test]
fn a_restarted_store_applies_old_entries_again() {
    assert_eq!(value_after_log_and_restart(&[]).as_deref(), Some("new"));
    let again = value_after_log_and_restart(&[Defect::ApplyTwice]);
    assert_eq!(again.as_deref(), Some("old"));
}

/// The answer to a put whose leader loses its followers and is then replaced, and the value there
/// afterwards.
fn put_of_a_deposed_leader(defects: &[Defect]) -> (Option<String>, Option<String>) {
    let mut stores = Stores::new(3, 3, defects);
    stores.put(REGION, "k", "old");
    for other in 2..=3 {
        stores.cut.extend([(1, other), (other, 1)]);
    }
    let id = stores.put_at(1, REGION, "k", "lost");
    stores.await_leader(REGION);
    stores.put(REGION, "other", "new");
    stores.run_ms(3_000);
    stores.cut.clear();
    stores.run_ms(3_000);
    let error = stores.reply(id).map(|reply| error_of(&reply).unwrap_or("none").to_owned());
    (error, stores.get(REGION, "k"))
}

#[test]
fn a_deposed_leader_acknowledges_what_its_successor_overwrites() {
    let (error, value) = put_of_a_deposed_leader(&[]);
    assert_eq!((error.as_deref(), value.as_deref()), (Some("stale command"), Some("old")));
    let (error, value) = put_of_a_deposed_leader(&[Defect::LostOnLeaderChange]);
    assert_eq!((error.as_deref(), value.as_deref()), (Some("none"), Some("old")));
}

/// Returns true if a leader that removed a peer serves a write although no other peer hears it.
fn serves_alone_after_a_removal(defects: &[Defect]) -> bool {
    let mut stores = Stores::new(4, 4, defects);
    stores.put(REGION, "k", "old");
    let leader = stores.leader(REGION).expect("a leader");
    let removed = (1..=4).find(|id| *id != leader).expect("another");
    stores.change(REGION, proto::eraftpb::ConfChangeType::RemoveNode, peer(removed));
    let kept: Vec<u64> = (1..=4).filter(|id| *id != leader && *id != removed).collect();
    for other in kept {
        stores.cut.extend([(leader, other), (other, leader)]);
    }
    let id = stores.put_at(leader, REGION, "k", "alone");
    stores.run_ms(100);
    stores.reply(id).is_some_and(|reply| error_of(&reply).is_none())
}

#[test]
fn a_leader_that_removed_a_peer_is_a_quorum_of_its_own() {
    assert!(!serves_alone_after_a_removal(&[]));
    assert!(serves_alone_after_a_removal(&[Defect::TornMembership]));
}
