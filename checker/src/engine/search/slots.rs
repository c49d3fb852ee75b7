//! The calls of known outcome that are open, and sets of them as bits.
//!
//! In: calls as they are invoked and return. Out: a slot, which is a bit, for each; what a state
//! says of the open calls; and which of them can stand in for which. Slots are numbered in the
//! order in which the calls return, so that the lowest bit of a set is the call that returns first.
//! The owner of a set makes room in it when a call begins ([`Slots::with_room_at`]) and moves it
//! down when the first one returns ([`Slots::without_first`]).

use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, PRESENT, UNLIKE, ValueId};

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

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(word, other)| word & other != 0)
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The members from a slot on.
    fn from(mut self, slot: usize) -> Self {
        self.0[..slot / 64].fill(0);
        self.0[slot / 64] &= u64::MAX << (slot % 64);
        self
    }

    /// The members in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < 64).then_some(64 * at + bit)
            })
        })
    }

    /// Moves the members from a slot on up by one, so that the slot is free.
    pub(super) fn with_room_at(mut self, slot: usize) -> Self {
        let word = slot / 64;
        for at in (word + 1..WORDS).rev() {
            self.0[at] = self.0[at] << 1 | self.0[at - 1] >> 63;
        }
        let above = self.0[word] & u64::MAX << (slot % 64);
        self.0[word] = self.0[word].wrapping_add(above);
        self
    }

    /// Moves all members down by one. The first slot is lost.
    pub(super) fn without_first(mut self) -> Self {
        for at in 0..WORDS {
            let next = self.0.get(at + 1).copied().unwrap_or(0);
            self.0[at] = self.0[at] >> 1 | next << 63;
        }
        self
    }
}

/// An open call with its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    number: u32,
    call: Call,
}

/// The open calls of known outcome, in the order in which they return.
#[derive(Debug)]
pub(super) struct Open<const WORDS: usize> {
    calls: Vec<Placed>,
    /// For each call those that return no later and whose effect makes its own possible: where one
    /// of them is owed, this one need not be.
    implied_by: Vec<Slots<WORDS>>,
    /// For each call that writes those that do the same, itself among them.
    alike: Vec<Slots<WORDS>>,
    /// Writes that look at nothing.
    puts: Slots<WORDS>,
    /// Writes that expect a state other than the one that they make.
    swaps: Slots<WORDS>,
}

impl<const WORDS: usize> Open<WORDS> {
    pub(super) fn new() -> Self {
        let none = Slots::NONE;
        let (implied_by, alike) = (Vec::new(), Vec::new());
        Self { calls: Vec::new(), implied_by, alike, puts: none, swaps: none }
    }

    /// The open calls again, as [`Self::calls`] gave them.
    pub(super) fn of(calls: &[Placed]) -> Self {
        let mut open = Self::new();
        for placed in calls {
            open.add(placed.number, placed.call);
        }
        open
    }

    pub(super) fn calls(&self) -> &[Placed] {
        &self.calls
    }

    /// Adds a call; its slot.
    pub(super) fn add(&mut self, number: u32, call: Call) -> usize {
        assert!(self.calls.len() < 64 * WORDS, "there are as many slots as calls overlap");
        let slot = self.calls.partition_point(|other| other.call.finish <= call.finish);
        for set in self.implied_by.iter_mut().chain(&mut self.alike) {
            *set = set.with_room_at(slot);
        }
        self.puts = self.puts.with_room_at(slot);
        self.swaps = self.swaps.with_room_at(slot);
        self.calls.insert(slot, Placed { number, call });
        self.implied_by.insert(slot, Slots::NONE);
        self.alike.insert(slot, Slots::NONE);
        for (at, other) in self.calls.iter().map(|other| &other.call).enumerate() {
            if at < slot && implies(other, &call) {
                self.implied_by[slot] = self.implied_by[slot].with(at);
            } else if at > slot && implies(&call, other) {
                self.implied_by[at] = self.implied_by[at].with(slot);
            }
            if (other.expects, other.writes) == (call.expects, call.writes) {
                self.alike[slot] = self.alike[slot].with(at);
                self.alike[at] = self.alike[at].with(slot);
            }
        }
        if is_put(&call) {
            self.puts = self.puts.with(slot);
        } else if is_swap(&call) {
            self.swaps = self.swaps.with(slot);
        }
        slot
    }

    /// The call that returns first, in slot 0.
    pub(super) fn first(&self) -> &Call {
        &self.calls[0].call
    }

    /// Removes the call that returns first.
    pub(super) fn remove_first(&mut self, number: u32) {
        assert_eq!(self.calls[0].number, number, "calls return in their order");
        self.calls.remove(0);
        self.implied_by.remove(0);
        self.alike.remove(0);
        let sets = self.implied_by.iter_mut().chain(&mut self.alike);
        for set in sets.chain([&mut self.puts, &mut self.swaps]) {
            *set = set.without_first();
        }
    }

    /// Those in a set, with their slots.
    pub(super) fn among(&self, set: Slots<WORDS>) -> impl Iterator<Item = (usize, &Call)> {
        set.iter().map(|slot| (slot, &self.calls[slot].call))
    }

    /// Those in a set, but of those that do the same only the first to return.
    pub(super) fn firsts(&self, set: Slots<WORDS>) -> impl Iterator<Item = (usize, &Call)> {
        let is_first =
            move |slot: &usize| self.alike[*slot].both(&set).iter().next() == Some(*slot);
        set.iter().filter(is_first).map(|slot| (slot, &self.calls[slot].call))
    }

    /// Writes that look at nothing.
    pub(super) fn puts(&self) -> &Slots<WORDS> {
        &self.puts
    }

    /// Writes that expect a state other than the one that they make.
    pub(super) fn swaps(&self) -> &Slots<WORDS> {
        &self.swaps
    }

    /// Those that may take effect in a state without changing it.
    pub(super) fn met_in(&self, state: ValueId) -> Slots<WORDS> {
        let met = (0..).zip(&self.calls).filter(|(_, it)| it.call.step(state) == Some(state));
        met.fold(Slots::NONE, |met, (slot, _)| met.with(slot))
    }

    /// Those of a set that have to be remembered as owed: not those that another one of them
    /// implies.
    pub(super) fn without_implied(&self, owed: Slots<WORDS>) -> Slots<WORDS> {
        let implied = owed.iter().filter(|slot| self.implied_by[*slot].meets(&owed));
        implied.fold(owed, Slots::without)
    }

    /// Returns true if whoever does what one set owes can do what the other, `less`, owes beside
    /// that.
    pub(super) fn owes_no_more(&self, less: &Slots<WORDS>, owed: &Slots<WORDS>) -> bool {
        let only = less.minus(owed);
        let reads_and_puts = only.minus(&self.swaps);
        if !reads_and_puts.iter().all(|slot| self.implied_by[slot].meets(owed)) {
            return false;
        }
        let (swaps, others) = (only.both(&self.swaps), owed.minus(less).both(&self.swaps));
        // As many of each kind, and these return no earlier.
        swaps.count() == others.count() && self.replaces(&swaps, &others)
    }

    /// Returns true if for each member of `others` there is one of its own in `these` that does the
    /// same and returns no earlier.
    pub(super) fn replaces(&self, these: &Slots<WORDS>, others: &Slots<WORDS>) -> bool {
        let (these, others) = (these.minus(others), others.minus(these));
        others.iter().all(|slot| {
            let alike = self.alike[slot].from(slot);
            these.both(&alike).count() >= others.both(&alike).count()
        })
    }

    /// A number that is equal for sets of swaps that do the same, and mostly different for others.
    pub(super) fn effects(&self, swaps: Slots<WORDS>) -> u64 {
        let effect = |call: &Call| {
            let pair = u64::from(call.expects) << 32 | u64::from(call.writes);
            (pair ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        self.among(swaps).fold(0, |sum, (_, call)| {
            let effect = effect(call);
            sum.wrapping_add(effect ^ effect >> 29)
        })
    }
}

/// Returns true for a write that looks at nothing.
pub(super) fn is_put(call: &Call) -> bool {
    !call.is_read() && call.expects == ANYTHING
}

fn is_swap(call: &Call) -> bool {
    !call.is_read() && call.expects != ANYTHING && call.expects != call.writes
}

/// The value that a call sees not to be there.
fn unlike(call: &Call) -> Option<ValueId> {
    match (call.expects, call.writes) {
        (PRESENT, _) => Some(ABSENT),
        (other, UNLIKE) => Some(other),
        _ => None,
    }
}

/// Returns true if one call's effect gives another, which is open as well, its moment: directly
/// before it or behind it.
fn implies(one: &Call, other: &Call) -> bool {
    if is_put(other) {
        return is_put(one);
    }
    if is_swap(other) || other.expects == IMPOSSIBLE {
        return false;
    }
    let seen = Some(one.expects).filter(|value| *value < IMPOSSIBLE && unlike(one).is_none());
    let made = Some(one.writes).filter(|_| !one.is_read());
    let mut values = seen.into_iter().chain(made);
    match unlike(other) {
        Some(unlike_other) => {
            unlike(one) == Some(unlike_other) || values.any(|value| value != unlike_other)
        }
        None => values.any(|value| value == other.expects),
    }
}
