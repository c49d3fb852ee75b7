//! Replicas come and go, regions split.

use super::*;
use proto::eraftpb::ConfChangeType::{AddLearnerNode, AddNode, RemoveNode};

fn voters(region: &Region) -> Vec<u64> {
    let mut stores: Vec<u64> =
        region.peers.iter().filter(|peer| peer.role == 0).map(|peer| peer.store_id).collect();
    stores.sort_unstable();
    stores
}

#[test]
fn three_replicas_become_five_and_three_again() {
    let mut stores = Stores::new(5, 3, &[]);
    stores.put(REGION, "k", "v");
    for store in 4..=5 {
        stores.change(REGION, AddLearnerNode, peer(store));
        assert_eq!(stores.copy(store, REGION, "k").as_deref(), Some("v"), "by snapshot");
        stores.change(REGION, AddNode, peer(store));
    }
    assert_eq!(voters(&stores.region(REGION)), [1, 2, 3, 4, 5]);
    stores.put(REGION, "k", "w");
    for store in [2, 3] {
        stores.change(REGION, RemoveNode, peer(store));
        assert!(!stores.nodes[&store].peers.contains_key(&REGION), "store {store} is rid of it");
    }
    assert_eq!(voters(&stores.region(REGION)), [1, 4, 5]);
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("w"));
    stores.restart(2);
    assert!(stores.nodes[&2].peers.is_empty(), "a tombstone is no peer");
    let data_left = stores.disks[&2].keys().filter(|key| key[0] != 2).count();
    assert_eq!(data_left, 0, "nothing of the region is left");
}

#[test]
fn a_leader_is_not_removed_but_hands_over() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.change(REGION, RemoveNode, peer(1));
    stores.run_ms(500);
    assert_eq!(voters(&stores.region(REGION)), [1, 2, 3]);
    assert_ne!(stores.leader(REGION), Some(1));
    stores.change(REGION, RemoveNode, peer(1));
    assert_eq!(voters(&stores.region(REGION)), [2, 3]);
}

#[test]
fn a_change_that_would_leave_no_healthy_quorum_is_refused() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.stopped.insert(3);
    stores.run_ms(2_500);
    stores.change(REGION, RemoveNode, peer(2));
    assert_eq!(voters(&stores.region(REGION)), [1, 2, 3]);
    stores.change(REGION, RemoveNode, peer(3));
    assert_eq!(voters(&stores.region(REGION)), [1, 2], "the dead one may go");
}

#[test]
fn a_peer_removed_while_it_was_down_learns_of_it_and_goes() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.stopped.insert(3);
    stores.run_ms(2_500);
    stores.change(REGION, RemoveNode, peer(3));
    stores.run_ms(500);
    // The peer missed every message; only its own questions can bring the answer.
    stores.inputs.get_mut(&3).expect("it exists").clear();
    stores.restart(3);
    stores.run_ms(5_000);
    assert!(stores.nodes[&3].peers.is_empty());
    stores.restart(3);
    assert!(stores.nodes[&3].peers.is_empty(), "the tombstone is on disk");
    // The store may have a peer again under a new id.
    let again = Peer { id: 777, ..peer(3) };
    stores.put(REGION, "k", "v");
    stores.change(REGION, AddLearnerNode, again);
    stores.change(REGION, AddNode, again);
    assert_eq!(stores.copy(3, REGION, "k").as_deref(), Some("v"));
}

#[test]
fn a_peer_that_nobody_speaks_to_asks_pd() {
    let mut stores = Stores::new(3, 3, &[]);
    for other in 1..=2 {
        stores.cut.extend([(3, other), (other, 3)]);
    }
    stores.run_ms(10_000);
    assert!(stores.asked_regions.contains(&REGION));
    let mut region = stores.region(REGION);
    stores.put_in(3, Input::RegionFromPd { region: region.clone() });
    stores.run_ms(100);
    assert!(stores.nodes[&3].peers.contains_key(&REGION), "it is still a member");
    region.peers.retain(|peer| peer.store_id != 3);
    region.region_epoch.as_mut().expect("an epoch").conf_ver += 1;
    stores.put_in(3, Input::RegionFromPd { region });
    stores.run_ms(100);
    assert!(!stores.nodes[&3].peers.contains_key(&REGION));
}

fn split(stores: &mut Stores, keys: &[&str]) {
    let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
    let split = pdpb::SplitRegion { policy: pdpb::CheckPolicy::Usekey as i32, keys };
    stores.operate(
        REGION,
        pdpb::RegionHeartbeatResponse { split_region: Some(split), ..Default::default() },
    );
    stores.run_ms(500);
}

#[test]
fn a_split_divides_keys_and_leaves_old_clients_an_answer() {
    let mut stores = Stores::new(3, 3, &[]);
    for key in ["a", "m", "z"] {
        stores.put(REGION, key, key);
    }
    let old = Some(stores.context(1, REGION));
    split(&mut stores, &["x", "m"]);
    let done = stores.splits_done.pop().expect("the split is reported");
    let bounds: Vec<_> =
        done.iter().map(|r| (r.start_key.as_slice(), r.end_key.as_slice())).collect();
    assert_eq!(bounds, [(&b""[..], &b"m"[..]), (b"m", b"x"), (b"x", b"")]);
    assert_eq!(done[2].id, REGION, "the old id stays on the right");
    for (region, key) in done.iter().zip(["a", "m", "z"]) {
        assert_eq!(stores.get(region.id, key).as_deref(), Some(key));
        assert_eq!(region.region_epoch, done[0].region_epoch);
    }
    let key = b"a".to_vec();
    let id = stores.send(1, kv::RawGetRequest { context: old, key, ..Default::default() });
    stores.run_ms(50);
    let reply = stores.reply(id).expect("an answer");
    assert_eq!(error_of(&reply), Some("epoch not match"));
    let leader = stores.leader(done[0].id).expect("a leader");
    let context = stores.context(leader, done[0].id);
    let request =
        kv::RawGetRequest { context: Some(context), key: b"z".to_vec(), ..Default::default() };
    let id = stores.send(leader, request);
    stores.run_ms(50);
    let reply = stores.reply(id).expect("an answer");
    assert_eq!(error_of(&reply), Some("key not in region"));
    for store in 1..=3 {
        stores.restart(store);
    }
    stores.run_ms(5_000);
    for (region, key) in done.iter().zip(["a", "m", "z"]) {
        assert_eq!(stores.get(region.id, key).as_deref(), Some(key), "after a crash");
    }
}

/// The regions that store 1 has, by their start keys, with the number of keys in each.
fn sizes(stores: &Stores) -> BTreeMap<Vec<u8>, usize> {
    let peers = stores.nodes[&1].peers.values();
    peers.map(|peer| (peer.region().start_key.clone(), peer.raw.store().data.len())).collect()
}

#[test]
fn a_region_that_outgrows_its_limit_is_split_until_none_does() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.limit_regions(9);
    for number in 0..9 {
        stores.put(REGION, &format!("k{number:02}"), "v");
    }
    stores.run_ms(3_000);
    assert_eq!(sizes(&stores).len(), 1, "the limit itself is no excess");
    // All keys go into the rightmost region, which keeps its id.
    for number in 9..30 {
        stores.put(REGION, &format!("k{number:02}"), "v");
    }
    stores.run_ms(5_000);
    let sizes = sizes(&stores);
    assert!(sizes.len() >= 4 && sizes.values().all(|keys| (1..=9).contains(keys)), "{sizes:?}");
    assert_eq!(sizes.values().sum::<usize>(), 30);
}

#[test]
fn a_split_without_keys_falls_into_the_middle() {
    let mut stores = Stores::new(3, 3, &[]);
    let split = |stores: &mut Stores, policy: pdpb::CheckPolicy| {
        let split = pdpb::SplitRegion { policy: policy.into(), keys: Vec::new() };
        let wish =
            pdpb::RegionHeartbeatResponse { split_region: Some(split), ..Default::default() };
        stores.operate(REGION, wish);
        stores.run_ms(500);
    };
    stores.put(REGION, "a", "v");
    split(&mut stores, pdpb::CheckPolicy::Scan);
    assert_eq!(sizes(&stores).len(), 1, "a single key has no middle");
    for key in ["b", "c", "d"] {
        stores.put(REGION, key, "v");
    }
    split(&mut stores, pdpb::CheckPolicy::Scan);
    assert_eq!(sizes(&stores), [(b"".to_vec(), 2), (b"c".to_vec(), 2)].into());
    split(&mut stores, pdpb::CheckPolicy::Approximate);
    assert_eq!(sizes(&stores), [(b"".to_vec(), 2), (b"c".to_vec(), 1), (b"d".to_vec(), 1)].into());
}

#[test]
fn a_follower_that_sleeps_through_a_split_applies_it_when_it_wakes() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "a", "1");
    stores.put(REGION, "z", "1");
    stores.stopped.insert(3);
    split(&mut stores, &["m"]);
    let left = stores.splits_done[0][0].id;
    stores.put(left, "a", "2");
    // The new region's messages come before the old one's: they must not create an empty peer in
    // its place.
    let inputs = stores.inputs.get_mut(&3).expect("it exists");
    let (new, old): (VecDeque<Input>, VecDeque<Input>) = inputs.drain(..).partition(
        |input| matches!(input, Input::Raft { message, .. } if message.region_id == left),
    );
    inputs.extend(new);
    inputs.extend(old);
    stores.stopped.remove(&3);
    stores.run_ms(2_000);
    assert_eq!(stores.copy(3, left, "a").as_deref(), Some("2"));
    assert_eq!(stores.copy(3, REGION, "z").as_deref(), Some("1"));
    assert_eq!(stores.copy(3, REGION, "a"), None);
}

#[test]
fn leadership_moves_on_request() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.operate(
        REGION,
        pdpb::RegionHeartbeatResponse {
            transfer_leader: Some(pdpb::TransferLeader { peer: Some(peer(3)), peers: Vec::new() }),
            ..Default::default()
        },
    );
    assert_eq!(stores.leader(REGION), Some(3));
    stores.put(REGION, "k", "v");
}

#[test]
fn a_wish_for_an_older_state_of_the_region_is_dropped() {
    let mut stores = Stores::new(4, 3, &[]);
    let change = pdpb::ChangePeer { peer: Some(peer(4)), change_type: AddLearnerNode as i32 };
    let wish = pdpb::RegionHeartbeatResponse {
        region_id: REGION,
        region_epoch: Some(RegionEpoch { conf_ver: 1, version: 1 }),
        change_peer: Some(change),
        ..Default::default()
    };
    stores.put_in(1, Input::Operator(Box::new(wish)));
    stores.run_ms(500);
    assert_eq!(stores.region(REGION).peers.len(), 3);
}
