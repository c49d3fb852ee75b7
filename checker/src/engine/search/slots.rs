//! The calls of known outcome that are open, and sets of them as bits.
//!
//! In: calls as they are invoked and return. Out: a slot, which is a bit, for as long as a call is open; and what a
//! state says of the open calls.

use crate::call::{ANYTHING, Call, ValueId};

/// A set of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slots<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Slots<WORDS> {
    pub(super) const NONE: Self = Self([0; WORDS]);

    pub(super) fn has(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn with(mut self, slot: usize) -> Self {
        self.0[slot / 64] |= 1 << (slot % 64);
        self
    }

    pub(super) fn without(mut self, slot: usize) -> Self {
        self.0[slot / 64] &= !(1 << (slot % 64));
        self
    }

    pub(super) fn both(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        self
    }

    pub(super) fn minus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn is_part_of(&self, whole: &Self) -> bool {
        self.0.iter().zip(whole.0).all(|(word, whole)| word & !whole == 0)
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// An open call with its slot and its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) slot: usize,
    number: u32,
    pub(super) call: Call,
}

/// The open calls of known outcome, in the order in which they return.
pub(super) struct Open<const WORDS: usize> {
    calls: Vec<Placed>,
    taken: Slots<WORDS>,
    /// Writes that look at nothing.
    puts: Slots<WORDS>,
    /// Writes that expect a state other than the one that they make.
    swaps: Slots<WORDS>,
}

impl<const WORDS: usize> Open<WORDS> {
    pub(super) fn new() -> Self {
        let none = Slots::NONE;
        Self { calls: Vec::new(), taken: none, puts: none, swaps: none }
    }

    pub(super) fn add(&mut self, number: u32, call: Call) -> Placed {
        let free = (0..64 * WORDS).find(|slot| !self.taken.has(*slot));
        let slot = free.expect("there are as many slots as calls overlap");
        self.taken = self.taken.with(slot);
        if is_put(&call) {
            self.puts = self.puts.with(slot);
        } else if is_swap(&call) {
            self.swaps = self.swaps.with(slot);
        }
        let at = self.calls.partition_point(|other| other.call.finish <= call.finish);
        let placed = Placed { slot, number, call };
        self.calls.insert(at, placed);
        placed
    }

    pub(super) fn get(&self, number: u32) -> Placed {
        let mut calls = self.calls.iter();
        *calls.find(|other| other.number == number).expect("a call that returns is open")
    }

    pub(super) fn remove(&mut self, number: u32) {
        let slot = self.get(number).slot;
        for set in [&mut self.taken, &mut self.puts, &mut self.swaps] {
            *set = set.without(slot);
        }
        self.calls.retain(|other| other.number != number);
    }

    /// Those in a set.
    pub(super) fn among(&self, set: Slots<WORDS>) -> impl Iterator<Item = &Placed> {
        self.calls.iter().filter(move |other| set.has(other.slot))
    }

    /// Writes that look at nothing.
    pub(super) fn puts(&self) -> &Slots<WORDS> {
        &self.puts
    }

    /// Writes that expect a state other than the one that they make.
    pub(super) fn swaps(&self) -> &Slots<WORDS> {
        &self.swaps
    }

    /// Those of a set that are still owed in a state: not those that may take effect there without changing it.
    pub(super) fn owed_in(&self, state: ValueId, mut owed: Slots<WORDS>) -> Slots<WORDS> {
        for Placed { slot, call, .. } in &self.calls {
            if owed.has(*slot) && call.step(state) == Some(state) {
                owed = owed.without(*slot);
            }
        }
        owed
    }
}

/// Returns true for a write that looks at nothing.
pub(super) fn is_put(call: &Call) -> bool {
    !call.is_read() && call.expects == ANYTHING
}

fn is_swap(call: &Call) -> bool {
    !call.is_read() && call.expects != ANYTHING && call.expects != call.writes
}
