//! Disturbances, which only a simulated cluster can suffer, with the stores named: cut connections,
//! slow disks, wrong clocks.
//!
//! In: a partition's shape, the stores and a region. Out: a [`Disturbance`] that a target carries
//! out. Pure.

use crate::{
    action::Shape,
    target::{Region, StoreId},
};
use rand::{RngExt, seq::SliceRandom};
use serde_json::{Value, json};

/// A process in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// PD.
    Pd,
    /// A store.
    Store(StoreId),
}

/// One disturbance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing gets from the first of each pair to the second.
    Cut(Vec<(Place, Place)>),
    /// Messages take long.
    Delay {
        /// The longest delay.
        ms_max: u64,
    },
    /// Messages between stores are lost, repeated, or late.
    Lose {
        /// The number of messages lost out of a thousand.
        lost_per_mille: u32,
        /// The number of messages delivered twice out of a thousand.
        twice_per_mille: u32,
        /// The number of messages delivered late out of a thousand.
        late_per_mille: u32,
        /// The longest delay of a late message.
        late_ms_max: u64,
    },
    /// A store's disk is slow.
    SlowDisk {
        /// The store.
        store: StoreId,
        /// The factor by which it is slower.
        times: u64,
    },
    /// A store's clock is wrong.
    Clock {
        /// The store.
        store: StoreId,
        /// The clock's drift in parts per million; positive is fast.
        drift_ppm: i32,
        /// The offset of the wall clock.
        wall_offset_ms: i64,
    },
    /// PD is stopped.
    PdStopped,
    /// PD is killed.
    PdKilled,
}

impl Disturbance {
    /// The names of its steps in a history: the one that disturbs, and the one that heals.
    pub fn steps(&self) -> (&'static str, &'static str) {
        match self {
            Self::Cut(_) => ("start-partition", "stop-partition"),
            Self::Delay { .. } => ("start-delay", "stop-delay"),
            Self::Lose { .. } => ("start-loss", "stop-loss"),
            Self::SlowDisk { .. } => ("start-slow-disk", "stop-slow-disk"),
            Self::Clock { .. } => ("start-clock-skew", "stop-clock-skew"),
            Self::PdStopped => ("pause-pd", "resume-pd"),
            Self::PdKilled => ("kill-pd", "start-pd"),
        }
    }

    /// The strength of the disturbance, for a history.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Cut(pairs) => {
                let place = |place: &Place| match place {
                    Place::Pd => json!("pd"),
                    Place::Store(store) => json!(store),
                };
                let pairs = pairs.iter().map(|(from, to)| json!([place(from), place(to)]));
                json!({ "cuts": pairs.collect::<Value>() })
            }
            Self::Delay { ms_max } => json!({ "delay_ms_max": ms_max }),
            Self::Lose { lost_per_mille, twice_per_mille, late_per_mille, late_ms_max } => json!({
                "lost_per_mille": lost_per_mille,
                "twice_per_mille": twice_per_mille,
                "late_per_mille": late_per_mille,
                "late_ms_max": late_ms_max,
            }),
            Self::SlowDisk { times, .. } => json!({ "times": times }),
            Self::Clock { drift_ppm, wall_offset_ms, .. } => {
                json!({ "drift_ppm": drift_ppm, "wall_offset_ms": wall_offset_ms })
            }
            Self::PdStopped | Self::PdKilled => json!({}),
        }
    }

    /// The cut connections, as pairs of sender and receiver.
    pub(crate) fn cuts(&self) -> &[(Place, Place)] {
        match self {
            Self::Cut(pairs) => pairs,
            _ => &[],
        }
    }
}

/// The stores affected by a partition, and the cut connections.
type Parted = (Vec<StoreId>, Vec<(Place, Place)>);

/// Draws a partition of this shape around a region with a leader: the affected stores and the cut
/// connections. Returns `None` if there are too few stores.
pub(crate) fn partition(
    shape: Shape,
    stores: &[StoreId],
    region: &Region,
    random: &mut impl RngExt,
) -> Option<Parted> {
    let leader = region.leader?;
    let mut voters = region.voters.clone();
    voters.shuffle(random);
    // Voters first, so that the partition separates them.
    let mut all = voters.clone();
    let mut rest: Vec<StoreId> =
        stores.iter().copied().filter(|store| !voters.contains(store)).collect();
    rest.shuffle(random);
    all.extend(rest);
    let places = |stores: &[StoreId]| stores.iter().copied().map(Place::Store).collect::<Vec<_>>();
    let others = |one: StoreId| {
        let mut others = places(&all);
        others.retain(|place| *place != Place::Store(one));
        others.push(Place::Pd);
        others
    };
    match shape {
        Shape::One => {
            let one = *voters.first()?;
            Some((vec![one], both_ways(&[Place::Store(one)], &others(one))))
        }
        Shape::Leader => Some((vec![leader], both_ways(&[Place::Store(leader)], &others(leader)))),
        Shape::OneWay => {
            let one = if random.random_bool(0.5) { leader } else { *voters.first()? };
            let heard = random.random_bool(0.5);
            let pair = |other: Place| {
                if heard { (other, Place::Store(one)) } else { (Place::Store(one), other) }
            };
            Some((vec![one], others(one).into_iter().map(pair).collect()))
        }
        Shape::Halves => {
            all.shuffle(random);
            let (majority, minority) = all.split_at(all.len() / 2 + 1);
            let mut majority = places(majority);
            majority.push(Place::Pd);
            Some((minority.to_vec(), both_ways(&majority, &places(minority))))
        }
        Shape::Bridge => {
            let bridge = all.remove(0);
            // The other voters are not on the same side.
            let (one, other): (Vec<_>, Vec<_>) =
                all.iter().copied().enumerate().partition(|(place, _)| place % 2 == 0);
            let side = |it: &[(usize, StoreId)]| {
                it.iter().map(|(_, store)| Place::Store(*store)).collect::<Vec<_>>()
            };
            let (mut one, other) = (side(&one), side(&other));
            one.push(Place::Pd);
            Some((vec![bridge], both_ways(&one, &other)))
        }
        Shape::Ring => Some((Vec::new(), ring(&all))),
    }
}

/// The cuts of a ring. Each store reaches as many neighbours on either side as make a majority with
/// itself. The first two stores are placed where they do not reach each other.
fn ring(stores: &[StoreId]) -> Vec<(Place, Place)> {
    let count = stores.len();
    let reach = (count / 2).div_ceil(2);
    let mut order = stores.to_vec();
    if count > 2 {
        order.swap(1, count / 2);
    }
    let mut cuts = Vec::new();
    for (a, from) in order.iter().enumerate() {
        for (b, to) in order.iter().enumerate() {
            let apart = a.abs_diff(b).min(count - a.abs_diff(b));
            if apart > reach {
                cuts.push((Place::Store(*from), Place::Store(*to)));
            }
        }
    }
    cuts
}

fn both_ways(one: &[Place], other: &[Place]) -> Vec<(Place, Place)> {
    let pairs = one.iter().flat_map(|a| other.iter().flat_map(|b| [(*a, *b), (*b, *a)]));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeSet;

    fn drawn(shape: Shape, count: u64, seed: u64) -> (Vec<StoreId>, BTreeSet<(Place, Place)>) {
        let stores: Vec<StoreId> = (1..=count).collect();
        let region = Region { id: 1, leader: Some(2), voters: vec![1, 2, 3], learners: Vec::new() };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (about, cuts) = partition(shape, &stores, &region, &mut random).expect("enough stores");
        let count = cuts.len();
        let cuts: BTreeSet<_> = cuts.into_iter().collect();
        assert_eq!(cuts.len(), count, "each once");
        (about, cuts)
    }

    /// Counts for each store the stores that it hears, including itself.
    fn heard(count: u64, cuts: &BTreeSet<(Place, Place)>) -> Vec<u64> {
        let hears = |from, to| !cuts.contains(&(Place::Store(from), Place::Store(to)));
        let of = |to| (1..=count).filter(|from| hears(*from, to)).count() as u64;
        (1..=count).map(of).collect()
    }

    #[test]
    fn in_a_ring_everybody_hears_a_majority_and_some_voters_do_not_hear_each_other() {
        for count in 4..=12 {
            for seed in 0..20 {
                let (_, cuts) = drawn(Shape::Ring, count, seed);
                assert!(heard(count, &cuts).iter().all(|heard| *heard > count / 2), "{count}");
                let between_voters = |(from, to): &(Place, Place)| {
                    let voter = |place: &Place| matches!(place, Place::Store(1..=3));
                    voter(from) && voter(to)
                };
                assert!(cuts.iter().any(between_voters), "{count} stores, seed {seed}");
            }
        }
    }

    #[test]
    fn halves_are_a_majority_with_pd_and_the_others() {
        let (minority, cuts) = drawn(Shape::Halves, 6, 5);
        assert_eq!(minority.len(), 2);
        for store in &minority {
            assert!(cuts.contains(&(Place::Pd, Place::Store(*store))));
            assert_eq!(heard(6, &cuts)[*store as usize - 1], 2);
        }
    }

    #[test]
    fn a_bridge_hears_all_and_nobody_else_does() {
        for seed in 0..20 {
            let (bridge, cuts) = drawn(Shape::Bridge, 5, seed);
            let heard = heard(5, &cuts);
            assert_eq!(heard.iter().filter(|heard| **heard == 5).count(), 1);
            assert_eq!(heard[bridge[0] as usize - 1], 5);
            assert!(bridge[0] <= 3, "a voter");
        }
    }

    #[test]
    fn who_is_cut_off_reaches_neither_stores_nor_pd_and_one_way_is_one_way() {
        let (one, cuts) = drawn(Shape::Leader, 4, 1);
        assert_eq!((one, cuts.len()), (vec![2], 2 * 4));
        for seed in 0..20 {
            let (one, cuts) = drawn(Shape::OneWay, 4, seed);
            let back = |(from, to): &(Place, Place)| cuts.contains(&(*to, *from));
            assert!(cuts.len() == 4 && !cuts.iter().any(back) && one[0] <= 3);
        }
    }
}
