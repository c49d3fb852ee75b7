//! The core in virtual time, against stores that take its steps (see [`world`]).

mod world;

use super::{
    Core, Refusal,
    admin::Order,
    operator::Progress,
    saved::{SavedRegions, hex},
    stores::Condition,
};
use crate::profile::Profile;
use proptest::prelude::*;
use proto::{
    metapb::{self, PeerRole, StoreState},
    pdpb::CheckPolicy,
};
use serde_json::json;
use std::time::Duration;
use world::{World, peer, store};

const USE_KEY: CheckPolicy = CheckPolicy::Usekey;

fn spread(counts: &[u64]) -> u64 {
    counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0)
}

#[test]
fn a_new_cluster_has_five_regions_of_three_replicas_spread_out_and_then_rests() {
    let mut world = World::new(6, 3);
    world.rounds(100);
    let bounds: Vec<_> = world
        .core
        .regions()
        .scan(b"", b"", 0)
        .into_iter()
        .map(|region| (hex(&region.meta.start_key), region.meta.id))
        .collect();
    let starts: Vec<_> = bounds.iter().map(|(start, _)| start.as_str()).collect();
    let expected = [
        "",
        "7200000000000000FB",
        "7200000100000000FB",
        "7800000000000000FB",
        "7800000100000000FB",
    ];
    assert_eq!(starts, expected);
    assert_eq!(bounds[4].1, world.first, "the first region stays the rightmost");
    assert_eq!(world.voters(), [3; 5]);
    assert!(spread(&world.peers(6)) <= 1, "{:?}", world.peers(6));
    assert!(spread(&world.leaders(6)) <= 1, "{:?}", world.leaders(6));
    let taken = world.taken.len();
    world.rounds(300);
    assert_eq!(world.taken.len(), taken, "{:?}", &world.taken[taken..]);
}

#[test]
fn replicas_are_complete_within_two_seconds_of_the_start() {
    let mut world = World::new(6, 3);
    world.rounds(20);
    assert_eq!(world.voters(), [3; 5]);
}

#[test]
fn replicas_follow_max_replicas_up_and_down() {
    let mut world = World::new(6, 3);
    world.rounds(60);
    world.change("max-replicas", json!(5));
    world.rounds(30);
    assert!(world.voters().iter().all(|voters| *voters >= 5), "{:?}", world.voters());
    world.rounds(100);
    assert_eq!(world.voters(), [5; 5]);
    world.change("max-replicas", json!(3));
    world.rounds(100);
    assert_eq!(world.voters(), [3; 5]);
}

#[test]
fn surplus_goes_from_the_dead_first_and_never_breaks_the_quorum() {
    let mut world = World::new(5, 5);
    world.rounds(60);
    world.alive.remove(&2);
    world.alive.remove(&4);
    world.rounds(30);
    assert_eq!(world.core.condition(world.now, 2), Some(Condition::Disconnected));
    world.change("max-replicas", json!(3));
    world.rounds(60);
    for region in world.regions.values() {
        let mut stores: Vec<_> = region.meta.peers.iter().map(|peer| peer.store_id).collect();
        stores.sort_unstable();
        assert_eq!(stores, [1, 3, 5]);
    }
}

#[test]
fn a_disconnected_store_keeps_its_replicas_and_a_down_one_loses_them() {
    let mut world = World::new(4, 3);
    world.change("max-store-down-time", json!("10s"));
    world.rounds(60);
    world.alive.remove(&3);
    world.rounds(80);
    assert_eq!(world.core.condition(world.now, 3), Some(Condition::Disconnected));
    assert!(world.peers(4)[2] > 0);
    world.rounds(200);
    assert_eq!(world.core.condition(world.now, 3), Some(Condition::Down));
    assert_eq!(world.peers(4)[2], 0);
    assert_eq!(world.voters(), [3; 5]);
}

#[test]
fn a_pd_that_slept_does_not_take_its_stores_for_dead() {
    let mut world = World::new(4, 3);
    world.rounds(100);
    let before: Vec<_> = world.regions.values().map(|region| region.meta.clone()).collect();
    world.now += Duration::from_hours(1);
    let taken = world.taken.len();
    world.core.tick(world.now);
    assert_eq!(world.core.condition(world.now, 1), Some(Condition::Disconnected));
    assert_eq!(world.core.take_messages(), []);
    world.rounds(50);
    assert_eq!(world.taken.len(), taken, "{:?}", &world.taken[taken..]);
    let after: Vec<_> = world.regions.values().map(|region| region.meta.clone()).collect();
    assert_eq!(before, after);
}

#[test]
fn a_learner_that_does_not_catch_up_is_not_promoted() {
    let mut world = World::new(2, 1);
    world.rounds(30);
    world.laggards = (1..2_000).collect();
    world.change("max-replicas", json!(2));
    world.rounds(100);
    assert_eq!(world.voters(), [1; 5]);
    world.laggards.clear();
    world.rounds(30);
    assert_eq!(world.voters(), [2; 5]);
}

#[test]
fn a_stale_leader_does_not_overwrite_what_is_newer() {
    let mut world = World::new(3, 3);
    world.rounds(60);
    let id = world.first;
    let old = world.regions[&id].clone();
    let mut deposed = world.beat_of(&old);
    deposed.term -= 1;
    let refused = world.core.region_heartbeat(world.now, deposed);
    assert!(matches!(refused, Err(Refusal::RegionStale { .. })), "{refused:?}");
    let mut shrunk = old;
    shrunk.meta.region_epoch.as_mut().expect("set").conf_ver -= 1;
    shrunk.term += 5;
    let refused = world.core.region_heartbeat(world.now, world.beat_of(&shrunk));
    assert!(matches!(refused, Err(Refusal::RegionStale { .. })), "{refused:?}");
    let mut unsplit = shrunk;
    unsplit.meta.id = 4_242;
    unsplit.meta.start_key.clear();
    unsplit.meta.region_epoch = Some(metapb::RegionEpoch { conf_ver: 99, version: 1 });
    let refused = world.core.region_heartbeat(world.now, world.beat_of(&unsplit));
    assert!(matches!(refused, Err(Refusal::RegionStale { .. })), "{refused:?}");
    assert_eq!(world.core.regions().len(), 5);
}

#[test]
fn a_leader_transferred_by_hand_stays_for_a_while() {
    let mut world = World::new(3, 3);
    world.rounds(150);
    let to = (1..=3).max_by_key(|store| world.leaders(3)[*store as usize - 1]).expect("three");
    let led_elsewhere = world.regions.values().find(|region| region.leader != to);
    let id = led_elsewhere.expect("spread").meta.id;
    world.core.order(world.now, id, &Order::TransferLeader { to }).expect("accepted");
    world.rounds(2);
    assert_eq!(world.regions[&id].leader, to);
    assert_eq!(world.ended(id), Some(Progress::Success));
    let moves = world.taken.len();
    world.rounds(50);
    assert_eq!(world.regions[&id].leader, to);
    world.rounds(300);
    assert!(spread(&world.leaders(3)) <= 1, "{:?}", world.leaders(3));
    assert!(world.taken.len() <= moves + 2, "{:?}", &world.taken[moves..]);
}

#[test]
fn orders_that_make_no_sense_are_refused_in_real_pds_words() {
    let mut world = World::new(4, 3);
    world.rounds(100);
    let (id, region) = world.regions.iter().next().map(|(id, r)| (*id, r.clone())).expect("five");
    let held = region.leader;
    let free = (1..=4).find(|s| region.meta.peers.iter().all(|p| p.store_id != *s)).expect("one");
    for (region, order, said) in [
        (id, Order::TransferLeader { to: 4_242 }, "region has no voter in store 4242".to_owned()),
        (id, Order::AddPeer { store: held }, format!("region already has peer in store {held}")),
        (id, Order::RemovePeer { store: free }, format!("region has no peer in store {free}")),
        (
            4_242,
            Order::AddPeer { store: 1 },
            "[PD:core:ErrRegionNotFound]region 4242 not found".into(),
        ),
        (id, Order::AddPeer { store: 77 }, "[PD:core:ErrStoreNotFound]store 77 not found".into()),
        (
            id,
            Order::SplitRegion { policy: USE_KEY, keys: vec![] },
            "split keys must lie inside the region".into(),
        ),
    ] {
        let refused = world.core.order(world.now, region, &order).expect_err("no sense");
        assert_eq!(refused.to_string(), said);
    }
    world.laggards = (1..2_000).collect();
    world.core.order(world.now, id, &Order::AddPeer { store: free }).expect("accepted");
    let again = world.core.order(
        world.now,
        id,
        &Order::TransferLeader { to: region.meta.peers[0].store_id },
    );
    let said = again.expect_err("one at a time").to_string();
    assert!(
        said == "[PD:operator:ErrAddOperator]failed to add operator, maybe already have one"
            || said == "no operator step is built",
        "{said}"
    );
}

#[test]
fn moves_and_splits_by_hand() {
    let mut world = World::new(4, 3);
    world.rounds(100);
    let id = world.core.regions().by_key(b"user").expect("covered").meta.id;
    let keys = vec![b"user5".to_vec(), b"user7".to_vec()];
    world
        .core
        .order(world.now, id, &Order::SplitRegion { policy: USE_KEY, keys })
        .expect("accepted");
    world.rounds(20);
    assert_eq!(world.core.regions().len(), 7);
    assert_eq!(world.core.regions().by_key(b"user9").map(|region| region.meta.id), Some(id));
    let left = world.core.regions().before_key(b"user9").expect("split").meta.clone();
    assert_eq!(
        (left.start_key.as_slice(), left.end_key.as_slice()),
        (&b"user5"[..], &b"user7"[..])
    );
    let region = &world.regions[&id];
    let from = region.leader;
    let to = (1..=4).find(|s| region.meta.peers.iter().all(|p| p.store_id != *s)).expect("one");
    world.core.order(world.now, id, &Order::TransferPeer { from, to }).expect("accepted");
    world.rounds(10);
    let stores: Vec<_> = world.regions[&id].meta.peers.iter().map(|peer| peer.store_id).collect();
    assert!(stores.contains(&to) && !stores.contains(&from), "{stores:?}");
}

#[test]
fn a_store_that_leaves_is_emptied_and_buried() {
    let mut world = World::new(4, 3);
    world.rounds(100);
    world.core.set_store_state(2, StoreState::Offline).expect("three others remain");
    world.rounds(200);
    assert_eq!(world.core.condition(world.now, 2), Some(Condition::Tombstone));
    assert_eq!(world.peers(4)[1], 0);
    assert_eq!(world.voters(), [3; 5]);
    assert_eq!(world.core.put_store(world.now, store(2)), Err(Refusal::StoreTombstone));
    let refused = world.core.set_store_state(1, StoreState::Offline).expect_err("too few");
    assert!(refused.to_string().contains("the number of up stores would be 2"), "{refused}");
}

#[test]
fn evicted_stores_do_not_lead() {
    let mut world = World::new(3, 3);
    world.rounds(60);
    world.core.add_scheduler("evict-leader-scheduler", Some(3)).expect("a known scheduler");
    world.rounds(100);
    assert_eq!(world.leaders(3)[2], 0);
    world.core.remove_scheduler("evict-leader-scheduler-3").expect("it runs");
    world.rounds(100);
    assert!(world.leaders(3)[2] > 0);
}

#[test]
fn a_restart_forgets_no_promise() {
    let mut world = World::new(4, 3);
    world.rounds(60);
    world.change("max-replicas", json!(4));
    let last_id = world.core.alloc_ids(10);
    let last = world.core.timestamp(world.now, 5).expect("in range");
    let saved = world.core.unsaved().expect("settings changed");
    let regions = SavedRegions::from(world.core.regions());
    let earlier = world.now.checked_sub(Duration::from_mins(1)).expect("late enough");
    let mut core =
        Core::restore(earlier, Profile::Fast.timing(), 3, saved, Some(regions)).expect("our own");
    assert_eq!(core.cluster_id(), world.core.cluster_id());
    assert!(core.alloc_ids(1) > last_id);
    let next = core.timestamp(earlier, 1).expect("in range");
    assert!((next.physical, next.logical) > (last.physical, last.logical));
    assert_eq!(core.settings().policy().max_replicas, 4);
    assert_eq!(core.stores().count(), 4);
    assert_eq!(core.regions().len(), 5, "routes are known before the first heartbeat");
    assert!(core.bootstrap(earlier, None, None) == Err(Refusal::AlreadyBootstrapped));
    core.tick(earlier);
    assert_eq!(core.take_messages(), [], "nobody is moved before anybody was heard");
}

#[test]
fn one_address_belongs_to_one_store() {
    let mut world = World::new(2, 1);
    let twin = metapb::Store { id: 9, ..store(1) };
    let refused = world.core.put_store(world.now, twin).expect_err("taken");
    assert_eq!(
        refused.to_string(),
        "duplicated store address: 127.0.0.1:20001, already registered by 1"
    );
}

#[test]
fn a_first_region_that_looks_wrong_is_refused() {
    let now = Duration::from_secs(1);
    let mut core = Core::create(now, 1, Profile::Fast.timing(), 3);
    assert_eq!(core.put_store(now, store(1)), Err(Refusal::NotBootstrapped));
    let good =
        metapb::Region { id: 2, peers: vec![peer(3, 1, PeerRole::Voter)], ..Default::default() };
    let elsewhere = metapb::Region { peers: vec![peer(3, 9, PeerRole::Voter)], ..good.clone() };
    let partial = metapb::Region { end_key: b"k".to_vec(), ..good.clone() };
    for region in [Some(elsewhere), Some(partial), None] {
        let refused = core.bootstrap(now, Some(store(1)), region);
        assert!(matches!(refused, Err(Refusal::InvalidBootstrap(_))), "{refused:?}");
    }
    assert_eq!(core.bootstrap(now, Some(store(1)), Some(good.clone())), Ok(()));
    assert_eq!(core.bootstrap(now, Some(store(1)), Some(good)), Err(Refusal::AlreadyBootstrapped));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Stores die and return, max-replicas changes, administrators give orders. [`World`] checks
    /// PD's guarantees at every step, and once all stores live again every region has its replicas.
    #[test]
    fn whatever_happens_quorums_hold_and_replicas_return(
        turns in prop::collection::vec((0..6_u8, 1..=6_u64, 1..=6_u64), 1..25)
    ) {
        let mut world = World::new(6, 3);
        world.change("max-store-down-time", json!("5s"));
        world.rounds(30);
        for (what, a, b) in turns {
            let ids: Vec<_> = world.regions.keys().copied().collect();
            let id = ids[(a * 7 + b) as usize % ids.len()];
            match what {
                // At most one store is dead, so that a majority of any three lives.
                0 => world.let_live((1..=6).filter(|store| *store != a)),
                1 => world.let_live(1..=6),
                2 => world.change("max-replicas", json!([1, 3, 5][(a % 3) as usize])),
                3 => { let _ = world.core.order(world.now, id, &Order::TransferLeader { to: a }); }
                4 => { let _ = world.core.order(world.now, id, &Order::TransferPeer { from: a, to: b }); }
                _ => { let _ = world.core.order(world.now, id, &Order::RemovePeer { store: b }); }
            }
            world.rounds((a * b) as usize);
        }
        world.let_live(1..=6);
        world.change("max-replicas", json!(3));
        world.rounds(600);
        prop_assert_eq!(world.voters(), vec![3; 5]);
        prop_assert!(spread(&world.peers(6)) <= 2, "{:?}", world.peers(6));
    }
}
