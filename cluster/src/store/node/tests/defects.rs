//! Each defect that a plain run shows: what it breaks, beside what the correct store does.

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
