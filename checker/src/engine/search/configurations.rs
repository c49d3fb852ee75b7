//! Configurations: a state, which open calls have taken effect, and which calls of unknown outcome were spent.
//!
//! In: configurations as a sweep reaches them. Out: sets of them in which none dominates another. A slot is a bit
//! of a configuration; an open call has one for as long as it is open.

use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use rustc_hash::FxHasher;

use super::unknown::{Spent, is_part_of};
use super::{Meter, States};
use crate::call::{Call, ValueId};

/// What a configuration costs in memory beside its bits and what it has spent.
const CONFIGURATION_BYTES: u64 = 64;

/// Which of the open calls have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Done<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Done<WORDS> {
    const NOTHING: Self = Self([0; WORDS]);

    fn has(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn with(mut self, slot: usize) -> Self {
        self.0[slot / 64] |= 1 << (slot % 64);
        self
    }

    fn without(mut self, slot: usize) -> Self {
        self.0[slot / 64] &= !(1 << (slot % 64));
        self
    }
}

/// The open calls of known outcome.
pub(super) struct Open<const WORDS: usize> {
    /// With their slots and numbers.
    calls: Vec<(usize, u32, Call)>,
    taken: Done<WORDS>,
}

impl<const WORDS: usize> Open<WORDS> {
    pub(super) fn new() -> Self {
        Self { calls: Vec::new(), taken: Done::NOTHING }
    }

    pub(super) fn add(&mut self, number: u32, call: Call) {
        let free = (0..64 * WORDS).find(|slot| !self.taken.has(*slot));
        let slot = free.expect("there are as many slots as calls overlap");
        self.taken = self.taken.with(slot);
        self.calls.push((slot, number, call));
    }

    pub(super) fn slot(&self, number: u32) -> usize {
        let mut calls = self.calls.iter();
        let found = calls.find(|(_, other, _)| *other == number);
        found.expect("a call that returns is open").0
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.taken = self.taken.without(self.slot(number));
        self.calls.retain(|(_, other, _)| *other != number);
    }

    /// Those that have not taken effect, with their slots.
    pub(super) fn undone(&self, done: &Done<WORDS>) -> impl Iterator<Item = (usize, &Call)> {
        let undone = self.calls.iter().filter(|(slot, ..)| !done.has(*slot));
        undone.map(|(slot, _, call)| (*slot, call))
    }

    /// Lets every open read that the state satisfies take effect.
    fn with_reads(&self, state: ValueId, mut done: Done<WORDS>) -> Done<WORDS> {
        for (slot, _, call) in &self.calls {
            if call.is_read() && call.step(state).is_some() {
                done = done.with(*slot);
            }
        }
        done
    }
}

/// A set of configurations in which none dominates another.
pub(super) struct Frontier<const WORDS: usize> {
    sets: HashMap<(ValueId, Done<WORDS>), Vec<Spent>, BuildHasherDefault<FxHasher>>,
}

impl<const WORDS: usize> Frontier<WORDS> {
    fn new() -> Self {
        Self { sets: HashMap::default() }
    }

    /// While no call is open.
    pub(super) fn beginning(states: States) -> Self {
        let sets = states.into_iter().map(|(state, spent)| ((state, Done::NOTHING), spent));
        Self { sets: sets.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The configurations, by state and bits.
    pub(super) fn in_order(self) -> impl Iterator<Item = (ValueId, Done<WORDS>, Spent)> {
        let mut sets: Vec<_> = self.sets.into_iter().collect();
        sets.sort_unstable_by_key(|(configuration, _)| *configuration);
        sets.into_iter().flat_map(|((state, done), spents)| {
            spents.into_iter().map(move |spent| (state, done, spent))
        })
    }

    /// The states, when no call is open any more.
    pub(super) fn states(self) -> States {
        let states = self.sets.into_iter().map(|((state, _), spents)| (state, spents));
        let mut states: States = states.collect();
        states.sort_unstable();
        states
    }

    /// Adds a configuration unless one that dominates it is there; says whether it was added.
    fn insert(&mut self, state: ValueId, done: Done<WORDS>, spent: &Spent) -> bool {
        let known = self.sets.entry((state, done)).or_default();
        if known.iter().any(|other| is_part_of(other, spent)) {
            return false;
        }
        known.retain(|other| !is_part_of(spent, other));
        known.push(spent.clone());
        true
    }
}

/// The configurations that can be reached until one call has returned.
pub(super) struct Reached<'a, const WORDS: usize> {
    open: &'a Open<WORDS>,
    /// Where that call is.
    slot: usize,
    meter: &'a mut Meter,
    /// Those in which it has taken effect, without its bit.
    completed: Frontier<WORDS>,
    /// Those in which it has not.
    seen: Frontier<WORDS>,
    /// Those of the latter that were not continued yet.
    waiting: Vec<(ValueId, Done<WORDS>, Spent)>,
    held_bytes: u64,
}

impl<'a, const WORDS: usize> Reached<'a, WORDS> {
    pub(super) fn new(open: &'a Open<WORDS>, slot: usize, meter: &'a mut Meter) -> Self {
        let (completed, seen) = (Frontier::new(), Frontier::new());
        Self { open, slot, meter, completed, seen, waiting: Vec::new(), held_bytes: 0 }
    }

    pub(super) fn add(
        &mut self,
        state: ValueId,
        done: Done<WORDS>,
        spent: Spent,
    ) -> Result<(), String> {
        let done = self.open.with_reads(state, done);
        let bytes = CONFIGURATION_BYTES + 8 * WORDS as u64 + 4 * spent.len() as u64;
        let is_new = if done.has(self.slot) {
            self.completed.insert(state, done.without(self.slot), &spent)
        } else {
            let is_new = self.seen.insert(state, done, &spent);
            if is_new {
                self.waiting.push((state, done, spent));
            }
            is_new
        };
        if is_new {
            self.held_bytes += bytes;
            self.meter.explore(self.held_bytes)?;
        }
        Ok(())
    }

    /// One that was not continued yet.
    pub(super) fn next(&mut self) -> Option<(ValueId, Done<WORDS>, Spent)> {
        self.waiting.pop()
    }

    pub(super) fn completed(self) -> Frontier<WORDS> {
        self.completed
    }
}
