//! The choice of victims: from roles to stores, at the moment of injection.
//!
//! In: the workload's regions as PD knows them, the stores that are down already, and a seeded
//! source of randomness. Out: a region and stores, or `None` if no region has such stores now.
//! Pure.

use crate::{
    action::Whom,
    disturbance::Place,
    shared_state::LeadersHurt,
    target::{Region, StoreId},
};
use rand::{RngExt, seq::SliceRandom};
use std::collections::BTreeSet;

/// Draws a region and stores of the wanted roles. Stores that are down are not drawn, nor is a
/// region whose leader is unknown or down.
pub(crate) fn choose(
    whom: Whom,
    regions: &[Region],
    down: &BTreeSet<StoreId>,
    random: &mut impl RngExt,
) -> Option<(Region, Vec<StoreId>)> {
    let mut order: Vec<&Region> = regions.iter().collect();
    order.shuffle(random);
    order.into_iter().find_map(|region| {
        let leader = region.leader.filter(|leader| !down.contains(leader))?;
        let mut voters: Vec<StoreId> =
            region.voters.iter().copied().filter(|store| !down.contains(store)).collect();
        voters.shuffle(random);
        let wanted = match whom {
            Whom::Leader => return Some((region.clone(), vec![leader])),
            Whom::All => voters.len(),
            Whom::One => 1,
            Whom::Two => 2,
            Whom::TwoFollowers => {
                voters.retain(|store| *store != leader);
                // Stores that lead another region of the workload are taken only if there are no
                // others.
                voters.sort_by_key(|store| {
                    regions.iter().filter(|region| region.leader == Some(*store)).count()
                });
                2
            }
        };
        voters.truncate(wanted);
        (voters.len() == wanted).then(|| (region.clone(), voters))
    })
}

/// Draws a region and the voter to which its leader shall move.
pub(crate) fn choose_new_leader(
    regions: &[Region],
    down: &BTreeSet<StoreId>,
    random: &mut impl RngExt,
) -> Option<(Region, StoreId)> {
    let mut order: Vec<&Region> = regions.iter().collect();
    order.shuffle(random);
    order.into_iter().find_map(|region| {
        let leader = region.leader.filter(|leader| !down.contains(leader))?;
        let mut others: Vec<StoreId> = region.voters.clone();
        others.retain(|store| *store != leader && !down.contains(store));
        others.shuffle(random);
        Some((region.clone(), *others.first()?))
    })
}

/// Draws a region and the store that shall lead it when it is hurt. The leader that has just
/// changed the region's membership comes first. Otherwise it is a store that was hurt least often
/// as a leader, preferably one that leads already.
pub(crate) fn choose_next_leader(
    regions: &[Region],
    down: &BTreeSet<StoreId>,
    hurt: &LeadersHurt,
    can_move: bool,
    random: &mut impl RngExt,
) -> Option<(Region, StoreId)> {
    let mut order: Vec<&Region> = regions.iter().collect();
    order.shuffle(random);
    let mut choices: Vec<(&Region, StoreId)> = Vec::new();
    for region in order {
        let Some(leader) = region.leader.filter(|leader| !down.contains(leader)) else { continue };
        if hurt.changed == Some((region.id, leader)) {
            return Some((region.clone(), leader));
        }
        choices.push((region, leader));
        if can_move {
            let mut others = region.voters.clone();
            others.retain(|store| *store != leader && !down.contains(store));
            others.shuffle(random);
            choices.extend(others.into_iter().map(|store| (region, store)));
        }
    }
    let times = |store: &StoreId| hurt.times.get(store).copied().unwrap_or_default();
    let first = choices
        .into_iter()
        .min_by_key(|(region, store)| (times(store), region.leader != Some(*store)));
    first.map(|(region, store)| (region.clone(), store))
}

/// Draws a region, a follower's store that shall lose its replica, and a store that shall get it.
pub(crate) fn choose_move(
    regions: &[Region],
    stores: &[StoreId],
    down: &BTreeSet<StoreId>,
    random: &mut impl RngExt,
) -> Option<(Region, StoreId, StoreId)> {
    let mut order: Vec<&Region> = regions.iter().collect();
    order.shuffle(random);
    order.into_iter().find_map(|region| {
        let leader = region.leader.filter(|leader| !down.contains(leader))?;
        let mut from = region.voters.clone();
        from.retain(|store| *store != leader);
        from.shuffle(random);
        let holds =
            |store: &StoreId| region.voters.contains(store) || region.learners.contains(store);
        let mut to: Vec<StoreId> = stores.to_vec();
        to.retain(|store| !holds(store) && !down.contains(store));
        to.shuffle(random);
        Some((region.clone(), *from.first()?, *to.first()?))
    })
}

/// Returns true if every region has a majority of voters that are not down, and one of these voters
/// reaches, and is reached by, all of that majority.
pub(crate) fn majority_runs(
    regions: &[Region],
    down: &BTreeSet<StoreId>,
    cuts: &BTreeSet<(Place, Place)>,
) -> bool {
    let cut = |a: StoreId, b: StoreId| cuts.contains(&(Place::Store(a), Place::Store(b)));
    regions.iter().all(|region| {
        let running: Vec<StoreId> =
            region.voters.iter().copied().filter(|store| !down.contains(store)).collect();
        let reached = |one: &StoreId| {
            running.iter().filter(|other| !cut(*one, **other) && !cut(**other, *one)).count()
        };
        running.iter().any(|one| reached(one) > region.voters.len() / 2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn region(id: u64, leader: StoreId, voters: &[StoreId]) -> Region {
        Region { id, leader: Some(leader), voters: voters.to_vec(), learners: Vec::new() }
    }

    fn draws(
        whom: Whom,
        regions: &[Region],
        down: &[StoreId],
    ) -> Vec<Option<(Region, Vec<StoreId>)>> {
        let down = down.iter().copied().collect();
        (0..50)
            .map(|seed| choose(whom, regions, &down, &mut ChaCha8Rng::seed_from_u64(seed)))
            .collect()
    }

    #[test]
    fn roles_are_kept() {
        let regions = [region(1, 10, &[10, 11, 12, 13, 14])];
        for (_, stores) in draws(Whom::TwoFollowers, &regions, &[]).into_iter().flatten() {
            assert_eq!(stores.len(), 2);
            assert!(!stores.contains(&10) && stores[0] != stores[1]);
        }
        for (_, stores) in draws(Whom::Leader, &regions, &[]).into_iter().flatten() {
            assert_eq!(stores, [10]);
        }
        let any: BTreeSet<_> =
            draws(Whom::Two, &regions, &[]).into_iter().flatten().flat_map(|it| it.1).collect();
        assert_eq!(any.into_iter().collect::<Vec<_>>(), [10, 11, 12, 13, 14], "all are drawn");
    }

    #[test]
    fn who_is_down_is_not_hurt_again() {
        let regions = [region(1, 10, &[10, 11, 12])];
        assert!(draws(Whom::One, &regions, &[10]).iter().all(Option::is_none), "no leader runs");
        assert!(draws(Whom::TwoFollowers, &regions, &[11]).iter().all(Option::is_none));
        for (_, stores) in draws(Whom::Two, &regions, &[11]).into_iter().flatten() {
            assert!(!stores.contains(&11));
        }
        let two = [region(1, 10, &[10, 11, 12]), region(2, 20, &[20, 21, 22])];
        assert!(draws(Whom::Leader, &two, &[10]).iter().flatten().all(|it| it.0.id == 2));
    }

    #[test]
    fn followers_that_lead_nothing_come_first() {
        let regions = [region(1, 10, &[10, 11, 12, 13]), region(2, 11, &[11, 12, 13])];
        let of_first = draws(Whom::TwoFollowers, &regions, &[]).into_iter().flatten();
        for (_, stores) in of_first.filter(|(region, _)| region.id == 1) {
            assert!(!stores.contains(&11), "{stores:?}");
        }
    }

    #[test]
    fn a_replica_moves_from_a_follower_to_a_store_that_runs_and_has_none() {
        let regions = [region(1, 10, &[10, 11, 12])];
        let down = BTreeSet::from([14]);
        for seed in 0..50 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let (_, from, to) = choose_move(&regions, &[10, 11, 12, 13, 14], &down, &mut random)
                .expect("13 has none");
            assert!((from == 11 || from == 12) && to == 13, "{from} to {to}");
            assert!(choose_move(&regions, &[10, 11, 12, 14], &down, &mut random).is_none());
        }
    }

    #[test]
    fn majorities_are_counted() {
        let regions = [region(1, 10, &[10, 11, 12]), region(2, 20, &[10, 20, 21, 22, 23])];
        let none = BTreeSet::new();
        let runs = |down: &[StoreId], cuts: &BTreeSet<_>| {
            majority_runs(&regions, &down.iter().copied().collect(), cuts)
        };
        assert!(runs(&[], &none) && runs(&[10, 20], &none));
        assert!(!runs(&[10, 11], &none) && !runs(&[20, 21, 22], &none));
        let cut = |a, b| (Place::Store(a), Place::Store(b));
        assert!(runs(&[], &BTreeSet::from([cut(10, 11)])), "12 reaches both");
        assert!(!runs(&[12], &BTreeSet::from([cut(10, 11)])), "one way is not enough");
    }
}
