//! Reads under a lease: served alone while it holds, never by a leader that may have been deposed.

use super::*;

const LEASE_MS: u64 = 900;

fn three_with_leases(defects: &[Defect]) -> Stores {
    Stores::reading(ReadMode::Lease, 3, 3, defects)
}

/// Cuts the leader off from both others after a read has renewed its lease. Returns the leader.
fn cut_off_leader(stores: &mut Stores) -> u64 {
    stores.put(REGION, "k", "old");
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("old"));
    let leader = stores.leader(REGION).expect("a leader");
    for other in (1..=3).filter(|id| *id != leader) {
        stores.cut.extend([(leader, other), (other, leader)]);
    }
    leader
}

#[test]
fn a_read_under_the_lease_asks_nobody_and_one_after_it_does() {
    let mut stores = three_with_leases(&[]);
    let leader = cut_off_leader(&mut stores);
    let within = stores.ask_get_at(leader, REGION, "k");
    stores.run_ms(10);
    assert_eq!(value_of(&stores.reply(within).expect("at once")).as_deref(), Some("old"));
    stores.run_ms(LEASE_MS);
    let after = stores.ask_get_at(leader, REGION, "k");
    stores.run_ms(50);
    assert_eq!(stores.reply(after), None, "nobody can confirm it");
}

#[test]
fn without_leases_a_read_asks_even_when_it_was_just_confirmed() {
    let mut stores = Stores::new(3, 3, &[]);
    let leader = cut_off_leader(&mut stores);
    let read = stores.ask_get_at(leader, REGION, "k");
    stores.run_ms(50);
    assert_eq!(stores.reply(read), None);
}

/// Returns true if a leader that slept through an election reads the old value.
fn is_stale_after_a_stop(defects: &[Defect]) -> bool {
    let mut stores = three_with_leases(defects);
    stores.put(REGION, "k", "old");
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("old"));
    let old = stores.leader(REGION).expect("a leader");
    stores.stopped.insert(old);
    stores.await_leader(REGION);
    stores.put(REGION, "k", "new");
    stores.stopped.extend((1..=3).filter(|id| *id != old));
    stores.inputs.get_mut(&old).expect("it exists").clear();
    stores.stopped.remove(&old);
    let read = stores.ask_get_at(old, REGION, "k");
    stores.run_ms(50);
    stores.reply(read).is_some_and(|reply| value_of(&reply).as_deref() == Some("old"))
}

#[test]
fn a_lease_that_outlives_elections_answers_from_old_state() {
    assert!(!is_stale_after_a_stop(&[]));
    assert!(is_stale_after_a_stop(&[Defect::LongLease]));
}

/// Tests two followers, one of which was cut off from all before; the other one restarts while the
/// leader's lease holds. The first must not be elected before the lease is over.
#[test]
fn a_restarted_follower_keeps_the_promise_that_it_forgot() {
    let mut stores = three_with_leases(&[]);
    stores.put(REGION, "k", "old");
    let leader = stores.leader(REGION).expect("a leader");
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    let (lonely, restarted) = (others[0], others[1]);
    for other in [leader, restarted] {
        stores.cut.extend([(lonely, other), (other, lonely)]);
    }
    // Long enough for it to stand for election the moment that another store hears it.
    stores.run_ms(2_500);
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("old"));
    stores.cut.clear();
    stores.cut.extend([(leader, lonely), (lonely, leader), (leader, restarted)]);
    stores.cut.insert((restarted, leader));
    stores.restart(restarted);
    stores.run_ms(LEASE_MS - 100);
    let led = |id: &u64| stores.nodes[id].peers[&REGION].is_leader();
    assert!(!led(&lonely) && !led(&restarted), "elected within the old leader's lease");
    stores.run_ms(5_000);
    let led = |id: &u64| stores.nodes[id].peers[&REGION].is_leader();
    assert!(led(&lonely) || led(&restarted), "but after it somebody is");
}

#[test]
fn a_transfer_of_leadership_ends_the_lease_for_good() {
    let mut stores = three_with_leases(&[]);
    stores.put(REGION, "k", "old");
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("old"));
    let leader = stores.leader(REGION).expect("a leader");
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    for other in &others {
        stores.cut.extend([(leader, *other), (*other, leader)]);
    }
    let to = Some(peer(others[0]));
    let transfer = pdpb::TransferLeader { peer: to, peers: Vec::new() };
    let region = stores.nodes[&leader].peers[&REGION].region().clone();
    let wish = pdpb::RegionHeartbeatResponse {
        region_id: REGION,
        region_epoch: region.region_epoch,
        transfer_leader: Some(transfer),
        ..Default::default()
    };
    stores.put_in(leader, Input::Operator(Box::new(wish)));
    stores.run_ms(10);
    let read = stores.ask_get_at(leader, REGION, "k");
    stores.run_ms(50);
    assert_eq!(stores.reply(read), None, "the other one may be elected already");
}
