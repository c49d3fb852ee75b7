//! Pauses, crashes, partitions, and the guarantees that must hold through them.

use super::*;

fn stop_leader_until_another_writes(stores: &mut Stores) -> u64 {
    stores.put(REGION, "k", "old");
    let old = stores.leader(REGION).expect("a leader");
    stores.stopped.insert(old);
    let new = stores.await_leader(REGION);
    assert_ne!(new, old);
    stores.put(REGION, "k", "new");
    old
}

#[test]
fn a_stopped_leader_is_replaced_and_catches_up() {
    let mut stores = Stores::new(3, 3, &[]);
    let old = stop_leader_until_another_writes(&mut stores);
    stores.stopped.remove(&old);
    stores.run_ms(1_000);
    assert_eq!(stores.copy(old, REGION, "k").as_deref(), Some("new"));
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("new"));
}

/// The overlap of two pauses: the old leader goes on when no other store can tell it that it was
/// deposed.
fn read_at_a_leader_that_was_deposed_unawares(defects: &[Defect]) -> Option<RawResponse> {
    let mut stores = Stores::new(3, 3, defects);
    let old = stop_leader_until_another_writes(&mut stores);
    let others: Vec<u64> = (1..=3).filter(|id| *id != old).collect();
    stores.stopped.extend(&others);
    // Messages sent before their pause must not arrive either.
    stores.inputs.get_mut(&old).expect("it exists").clear();
    stores.stopped.remove(&old);
    let id = stores.ask_get_at(old, REGION, "k");
    stores.run_ms(3_000);
    stores.reply(id)
}

#[test]
fn a_leader_that_was_deposed_unawares_does_not_answer_reads() {
    let reply = read_at_a_leader_that_was_deposed_unawares(&[]).expect("it is refused at last");
    assert_eq!(error_of(&reply), Some("not leader"));
}

#[test]
fn with_the_defect_stale_read_it_does() {
    let reply = read_at_a_leader_that_was_deposed_unawares(&[Defect::StaleRead]);
    assert_eq!(value_of(&reply.expect("an answer")).as_deref(), Some("old"));
}

/// The first answer of a new leader that was asked at the moment of its election, before it knows
/// the committed entries.
fn first_read_of_a_new_leader(defects: &[Defect]) -> Option<String> {
    let mut stores = Stores::new(3, 3, defects);
    stores.put(REGION, "k", "old");
    stores.run_ms(1_000);
    let old = stores.leader(REGION).expect("a leader");
    stores.put(REGION, "k", "new");
    stores.stopped.insert(old);
    let elected = |stores: &Stores| {
        let leads = |id: &u64| *id != old && stores.nodes[id].peers[&REGION].is_leader();
        (1..=3).find(leads)
    };
    while elected(&stores).is_none() {
        stores.run_ms(10);
        assert!(stores.now.monotonic_ms < 60_000, "somebody is elected");
    }
    let new = elected(&stores).expect("it was just there");
    let id = stores.ask_get_at(new, REGION, "k");
    stores.run_ms(3_000);
    stores.reply(id).and_then(|reply| value_of(&reply))
}

#[test]
fn the_defect_stale_read_is_about_deposed_leaders_not_about_new_ones() {
    assert_eq!(first_read_of_a_new_leader(&[]).as_deref(), Some("new"));
    assert_eq!(first_read_of_a_new_leader(&[Defect::StaleRead]).as_deref(), Some("new"));
}

#[test]
fn a_read_that_came_before_the_stop_is_confirmed_after_it() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "k", "old");
    let old = stores.leader(REGION).expect("a leader");
    // The request is in the paused process's queue while the others elect and write.
    stores.stopped.insert(old);
    let id = stores.ask_get_at(old, REGION, "k");
    stores.await_leader(REGION);
    stores.put(REGION, "k", "new");
    stores.stopped.remove(&old);
    stores.run_ms(3_000);
    let reply = stores.reply(id).expect("an answer");
    assert!(
        error_of(&reply).is_some() || value_of(&reply).as_deref() == Some("new"),
        "a stale answer: {reply:?}"
    );
}

#[test]
fn a_write_whose_leader_was_deposed_is_never_called_not_applied() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "k", "old");
    for other in 2..=3 {
        stores.cut.extend([(1, other), (other, 1)]);
    }
    let id = stores.put_at(1, REGION, "k", "lost");
    stores.run_ms(200);
    assert_eq!(stores.reply(id), None, "nothing is known of it yet");
    stores.await_leader(REGION);
    stores.put(REGION, "k", "new");
    stores.cut.clear();
    stores.run_ms(3_000);
    assert_eq!(error_of(&stores.reply(id).expect("an answer")), Some("stale command"));
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("new"));
}

#[test]
fn every_acknowledged_write_survives_the_crash_of_all_stores() {
    let mut stores = Stores::new(3, 3, &[]);
    for round in 0..50 {
        stores.put(REGION, &format!("k{round}"), "v");
    }
    for store in 1..=3 {
        stores.restart(store);
    }
    stores.await_leader(REGION);
    for round in 0..50 {
        assert_eq!(stores.get(REGION, &format!("k{round}")).as_deref(), Some("v"), "k{round}");
    }
}

#[test]
fn nothing_is_acknowledged_before_a_majority_has_it_on_disk() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.hung.extend([2, 3]);
    let id = stores.put_at(1, REGION, "k", "v");
    stores.run_ms(300);
    assert_eq!(stores.reply(id), None);
    stores.restart(2);
    stores.run_ms(1_000);
    let reply = stores.reply(id).expect("two disks have it now");
    assert_eq!(error_of(&reply), None);
}

#[test]
fn reads_do_not_wait_for_the_disk() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "k", "v");
    stores.hung.extend([1, 2, 3]);
    let write = stores.put_at(1, REGION, "k", "w");
    stores.run_ms(20);
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("v"));
    assert_eq!(stores.reply(write), None);
}

#[test]
fn a_store_that_was_away_too_long_for_the_log_gets_a_snapshot() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "gone", "x");
    stores.stopped.insert(3);
    stores.run_ms(100);
    stores.inputs.get_mut(&3).expect("it exists").clear();
    for round in 0..4 * LOG_ENTRIES_KEPT {
        stores.put(REGION, &format!("k{round}"), "v");
    }
    let context = Some(stores.context(1, REGION));
    let key = b"gone".to_vec();
    stores.send(1, kv::RawDeleteRequest { context, key, ..Default::default() });
    stores.run_ms(500);
    stores.inputs.get_mut(&3).expect("it exists").clear();
    stores.restart(3);
    stores.run_ms(2_000);
    assert_eq!(stores.copy(3, REGION, "k0").as_deref(), Some("v"));
    assert_eq!(stores.copy(3, REGION, "gone"), None, "a snapshot replaces, it does not add");
    stores.restart(3);
    assert_eq!(stores.copy(3, REGION, "k0").as_deref(), Some("v"), "and it is on disk");
    assert_eq!(stores.copy(3, REGION, "gone"), None);
}

#[test]
fn the_same_inputs_give_the_same_run() {
    let run = || {
        let mut stores = Stores::new(3, 3, &[]);
        let old = stop_leader_until_another_writes(&mut stores);
        stores.stopped.remove(&old);
        stores.run_ms(2_000);
        (stores.leader(REGION), stores.disks)
    };
    assert!(run() == run(), "two runs of one script differ");
}
