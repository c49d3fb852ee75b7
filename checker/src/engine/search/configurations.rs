//! Configurations: a state, what the open calls still owe and can still do, and what was spent to
//! get there.
//!
//! In: configurations as a sweep reaches them. Out: sets of them in which none dominates another.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use rustc_hash::FxHasher;

use super::slots::{Open, Slots};
use super::unknown::{Spent, UnknownCalls};
use super::{Meter, States};
use crate::call::ValueId;

/// What a configuration costs in memory beside its bits and what it has spent.
const CONFIGURATION_BYTES: u64 = 64;

/// Where a linearization can stand at one moment.
#[derive(Debug, Clone)]
pub(super) struct Configuration<const WORDS: usize> {
    pub(super) state: ValueId,
    /// Open calls that must still take effect.
    pub(super) owed: Slots<WORDS>,
    /// Open writes that can still be used, owed or not.
    pub(super) usable: Slots<WORDS>,
    pub(super) spent: Spent,
    /// The numbers of writes and of swaps of unknown outcome that are spent.
    pub(super) writes_spent: u32,
    pub(super) swaps_spent: u32,
}

impl<const WORDS: usize> Configuration<WORDS> {
    pub(super) fn bytes(&self) -> u64 {
        CONFIGURATION_BYTES + 16 * WORDS as u64 + 8 * self.spent.len() as u64
    }

    /// The cost by which configurations are ordered. The cheapest is tried first.
    pub(super) fn cost(&self) -> u32 {
        3 * self.writes_spent + 2 * self.swaps_spent + self.owed.count()
    }

    /// Returns true if whatever can follow the other can follow this one, when their states are the
    /// same.
    fn dominates(&self, other: &Self, open: &Open<WORDS>, unknown: &UnknownCalls) -> bool {
        self.writes_spent <= other.writes_spent
            && self.writes_spent + self.swaps_spent <= other.writes_spent + other.swaps_spent
            && open.owes_no_more(&self.owed, &other.owed)
            && open.replaces(&self.usable, &other.usable)
            && unknown.costs_no_more(&self.spent, &other.spent)
    }
}

/// A set of configurations in which none dominates another.
pub(super) struct Set<'a, const WORDS: usize> {
    open: &'a Open<WORDS>,
    unknown: &'a UnknownCalls,
    /// By the state and what the owed swaps do: a swap is owed or not, and neither is better.
    places: HashMap<(ValueId, u64), Vec<u32>, BuildHasherDefault<FxHasher>>,
    /// In the order in which they came; `None` if a later one dominates it.
    all: Vec<Option<Configuration<WORDS>>>,
    alive: usize,
}

impl<'a, const WORDS: usize> Set<'a, WORDS> {
    pub(super) fn new(open: &'a Open<WORDS>, unknown: &'a UnknownCalls) -> Self {
        Self { open, unknown, places: HashMap::default(), all: Vec::new(), alive: 0 }
    }

    /// The number of configurations that are alive.
    pub(super) fn len(&self) -> usize {
        self.alive
    }

    /// One of them, unless another has come that dominates it.
    pub(super) fn get(&self, place: u32) -> Option<&Configuration<WORDS>> {
        self.all[place as usize].as_ref()
    }

    /// Adds a configuration unless one that dominates it is there; says where it is.
    pub(super) fn insert(&mut self, new: Configuration<WORDS>, meter: &mut Meter) -> Option<u32> {
        let Self { open, unknown, all, .. } = self;
        let swaps = new.owed.both(open.swaps());
        let places = self.places.entry((new.state, open.effects(swaps))).or_default();
        let there = |place: &u32, all: &[Option<Configuration<WORDS>>]| {
            let other = all[*place as usize].as_ref();
            other.is_some_and(|other| other.dominates(&new, open, unknown))
        };
        meter.compare(places.len() as u64);
        if places.iter().any(|place| there(place, all)) {
            return None;
        }
        places.retain(|place| {
            let other = &mut all[*place as usize];
            let is_worse = other.as_ref().is_some_and(|other| new.dominates(other, open, unknown));
            if is_worse {
                *other = None;
                self.alive -= 1;
            }
            !is_worse
        });
        let place = all.len() as u32;
        places.push(place);
        all.push(Some(new));
        self.alive += 1;
        Some(place)
    }

    /// All of them.
    pub(super) fn into_all(self) -> Vec<Configuration<WORDS>> {
        self.all.into_iter().flatten().collect()
    }
}

/// The configurations in which a stretch begins.
pub(super) fn beginning<const WORDS: usize>(
    states: States,
    unknown: &UnknownCalls,
) -> Vec<Configuration<WORDS>> {
    let begin = |state, spent: Spent| {
        let (writes_spent, swaps_spent) = unknown.count(&spent);
        let none = Slots::NONE;
        Configuration { state, owed: none, usable: none, spent, writes_spent, swaps_spent }
    };
    let all = states.into_iter().flat_map(|(state, spents)| {
        spents.into_iter().map(move |spent| begin(state, spent)).collect::<Vec<_>>()
    });
    all.collect()
}

/// The states, when no call is open any more.
pub(super) fn states<const WORDS: usize>(mut all: Vec<Configuration<WORDS>>) -> States {
    all.sort_unstable_by(|a, b| (a.state, &a.spent).cmp(&(b.state, &b.spent)));
    let same = |a: &Configuration<WORDS>, b: &Configuration<WORDS>| a.state == b.state;
    let state = |of: &[Configuration<WORDS>]| {
        (of[0].state, of.iter().map(|one| one.spent.clone()).collect())
    };
    all.chunk_by(same).map(state).collect()
}

/// The most promising of each state, so many in all.
pub(super) fn best<const WORDS: usize>(
    mut all: Vec<Configuration<WORDS>>,
    width: usize,
) -> Vec<Configuration<WORDS>> {
    if all.len() <= width {
        return all;
    }
    all.sort_by_key(|one| (one.state, one.cost()));
    let mut ranked = Vec::with_capacity(all.len());
    let (mut state, mut rank) = (None, 0_u32);
    for one in all {
        rank = if state == Some(one.state) { rank + 1 } else { 0 };
        state = Some(one.state);
        ranked.push((rank, one.cost(), one));
    }
    ranked.sort_by_key(|(rank, cost, _)| (*rank, *cost));
    ranked.truncate(width);
    ranked.into_iter().map(|(.., one)| one).collect()
}
