//! The near-linear check of one key whose written values are unique: O(n log n).
//!
//! In: the key's operations. Out: linearizable or not, with the operations that clash, or that this
//! engine cannot decide (a value written twice). Pure. `a` is before `b` iff `a.returned <
//! b.invoked`; ties are concurrent.
//!
//! # Why it is right
//!
//! An operation of unknown outcome that nobody observed may as well not have happened: leaving it
//! out keeps every linearization legal. What remains writes unique values, so whatever reads a
//! value stands between its writer and the next write, and a CAS stands directly behind the value
//! that it expected. Writer, readers and the chain of CAS behind them are therefore contiguous: a
//! *block*. Inside a block the order of its parts is forced (w, reads, CAS, reads, …); it is
//! feasible iff no part must return before something of an earlier part is invoked ([`block`]).
//!
//! Let m be a block's smallest return and M its largest invocation. Block A must stand before block
//! B iff some operation of A returns before some operation of B is invoked, that is iff m(A) <
//! M(B). In a cycle of this relation let B have the largest M and A be B's successor in it: m(B) <
//! M(A) by the edge, and A's own successor C has m(A) < M(C) <= M(B). So A and B are a cycle of
//! two, and it is enough to look for pairs with m(A) < M(B) and m(B) < M(A). If m < M the value
//! holds throughout [m, M]: a *forward* zone; otherwise the block fits into one point of [M, m]: a
//! *backward* zone. Such a pair is two forward zones that overlap, or a backward zone strictly
//! inside a forward one: a sort and a sweep ([`zones`]). (Gibbons and Korach, SIAM J. Comput.
//! 26(4), 1997, for plain registers.)
//!
//! Absence is a value that every delete writes, so blocks of absence are not unique; [`absence`]
//! places deletes by a greedy sweep, argued there.

mod absence;
mod block;
mod zones;

/// A value, numbered by the caller: equal values have equal numbers. The check takes memory up to
/// the largest.
pub type ValueId = u32;

/// The return of an operation of unknown outcome.
pub const NEVER: u64 = u64::MAX;

/// What an operation did to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Read a value; `None` = absent. Also a CAS that did not swap, which read what it says was
    /// there.
    Read(Option<ValueId>),
    /// Wrote a value.
    Put(ValueId),
    /// Removed the value, or found none.
    Delete,
    /// Replaced the expected value (`None` = absent) by a new one.
    Cas(Option<ValueId>, ValueId),
}

/// One operation on the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// When it was invoked.
    pub invoked: u64,
    /// When it returned; [`NEVER`] if its outcome is unknown.
    pub returned: u64,
    /// What it did.
    pub call: Call,
}

/// The answer. Operations are named by their index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is a linearization.
    Linearizable,
    /// There is none, because of these operations.
    Not(Clash),
    /// A value was written twice: this engine cannot say.
    NotUnique(usize, usize),
}

/// Why there is no linearization. Operations are named by their index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clash {
    /// It observed a value that nobody wrote.
    Phantom(usize),
    /// Both replaced the same value, which was written once.
    TwoSuccessors(usize, usize),
    /// A chain of CAS that has no beginning.
    Circle(usize),
    /// The first stands before the second in their block, but was invoked after the second had
    /// returned.
    WithinBlock(usize, usize),
    /// Two blocks that must each stand before the other: of each the operation that returns first
    /// and the one that is invoked last.
    Blocks([usize; 2], [usize; 2]),
    /// This operation finds no place for want of a delete, or of room between the blocks.
    Absence(usize),
}

/// The operations of one key, by index. Whoever holds them in another form need not copy them: a
/// key may have tens of millions.
pub trait Operations {
    /// How many there are, fewer than 2^32 - 1.
    fn count(&self) -> usize;
    /// One of them.
    fn at(&self, index: usize) -> Op;
}

impl Operations for [Op] {
    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, index: usize) -> Op {
        self[index]
    }
}

/// Checks one key.
pub fn check(ops: &(impl Operations + ?Sized)) -> Answer {
    match Blocks::of(ops).and_then(|blocks| {
        block::check(ops, &blocks)?;
        let zones = zones::of(ops, &blocks);
        zones::check(&zones)?;
        if blocks.absence_matters { absence::check(ops, &blocks, &zones) } else { Ok(()) }
    }) {
        Ok(()) => Answer::Linearizable,
        Err(answer) => answer,
    }
}

impl From<Clash> for Answer {
    fn from(clash: Clash) -> Self {
        Self::Not(clash)
    }
}

/// An operation's index, in half the room.
type Place = u32;

const NOBODY: Place = Place::MAX;

fn index_of(place: Place) -> Option<usize> {
    (place != NOBODY).then_some(place as usize)
}

/// The readers of one value: all that matters of them is who returned first and who was invoked
/// last.
#[derive(Debug, Clone, Copy)]
struct Readers {
    first_returned: Place,
    last_invoked: Place,
}

impl Default for Readers {
    fn default() -> Self {
        Self { first_returned: NOBODY, last_invoked: NOBODY }
    }
}

impl Readers {
    fn add(&mut self, ops: &(impl Operations + ?Sized), index: usize) {
        let Op { invoked, returned, .. } = ops.at(index);
        let earlier = index_of(self.first_returned).map(|first| ops.at(first).returned);
        if earlier.is_none_or(|first| returned < first) {
            self.first_returned = index as Place;
        }
        let later = index_of(self.last_invoked).map(|last| ops.at(last).invoked);
        if later.is_none_or(|last| invoked >= last) {
            self.last_invoked = index as Place;
        }
    }

    /// The one that returned first and the one that was invoked last.
    fn ends(self) -> Option<(usize, usize)> {
        index_of(self.first_returned).zip(index_of(self.last_invoked))
    }
}

/// A writer and its readers.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// `None` for the initial absence.
    writer: Option<usize>,
    readers: Readers,
}

/// A write and the chain of CAS behind it.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// The write; nobody for an initial absence that no CAS follows.
    root: Place,
    /// It begins with a CAS from absence, which a delete or the beginning must precede.
    from_absence: bool,
    /// It is the initial absence, which holds from the beginning.
    initial: bool,
}

impl Block {
    fn plain(root: Place) -> Self {
        Self { root, from_absence: false, initial: false }
    }
}

#[derive(Debug, Default)]
struct Blocks {
    list: Vec<Block>,
    /// By value.
    readers: Vec<Readers>,
    /// The CAS behind each value; empty if there is none at all.
    successor: Vec<Place>,
    /// The readers of the initial absence, if nothing makes the key absent again.
    absent_readers: Readers,
    /// There are deletes, and somebody observed absence.
    absence_matters: bool,
    absent_reads: Vec<Place>,
    deletes: Vec<Place>,
}

/// The value that a call writes.
fn written(call: Call) -> Option<ValueId> {
    match call {
        Call::Put(value) | Call::Cas(_, value) => Some(value),
        Call::Read(_) | Call::Delete => None,
    }
}

/// The values that a call mentions.
fn mentioned(call: Call) -> impl Iterator<Item = ValueId> {
    let seen = match call {
        Call::Read(seen) | Call::Cas(seen, _) => seen,
        Call::Put(_) | Call::Delete => None,
    };
    seen.into_iter().chain(written(call))
}

/// Steps 1 to 3: who wrote what, what can be left out, what stands directly behind what.
impl Blocks {
    fn of(ops: &(impl Operations + ?Sized)) -> Result<Self, Answer> {
        let writer = writers(ops)?;
        let kept = observed(ops, &writer)?;
        let values = writer.len();
        drop(writer);
        let kept_ops = || (0..ops.count()).filter(|index| kept[*index]).map(|i| (i, ops.at(i)));

        let mut blocks = Self { readers: vec![Readers::default(); values], ..Self::default() };
        let mut from_absence = Vec::new();
        let has_deletes = kept_ops().any(|(_, op)| op.call == Call::Delete);
        for (index, op) in kept_ops() {
            let place = index as Place;
            match op.call {
                Call::Read(None) if has_deletes => blocks.absent_reads.push(place),
                Call::Read(None) => blocks.absent_readers.add(ops, index),
                Call::Read(Some(value)) => blocks.readers[value as usize].add(ops, index),
                Call::Put(_) => blocks.list.push(Block::plain(place)),
                Call::Delete => blocks.deletes.push(place),
                Call::Cas(None, _) => from_absence.push(place),
                Call::Cas(Some(expected), _) => {
                    blocks.successor.resize(values, NOBODY);
                    let entry = &mut blocks.successor[expected as usize];
                    if let Some(other) = index_of(std::mem::replace(entry, place)) {
                        return Err(Clash::TwoSuccessors(other, index).into());
                    }
                }
            }
        }
        blocks.absence_matters =
            has_deletes && !(blocks.absent_reads.is_empty() && from_absence.is_empty());
        if has_deletes {
            let from_absence = from_absence.into_iter();
            blocks.list.extend(
                from_absence.map(|root| Block { from_absence: true, ..Block::plain(root) }),
            );
            if !blocks.absence_matters {
                let known = blocks.deletes.iter().copied();
                let known = known.filter(|place| ops.at(*place as usize).returned != NEVER);
                blocks.list.extend(known.map(Block::plain));
            }
        } else {
            // Nothing makes the key absent again: the initial absence is a value like any other.
            if let [first, second, ..] = from_absence[..] {
                return Err(Clash::TwoSuccessors(first as usize, second as usize).into());
            }
            let root = from_absence.first().copied().unwrap_or(NOBODY);
            blocks.list.push(Block { initial: true, ..Block::plain(root) });
        }
        blocks.has_no_circle(ops, kept_ops())?;
        Ok(blocks)
    }

    /// Every write that was kept must be in a block; only CAS can stand in a circle.
    fn has_no_circle(
        &self,
        ops: &(impl Operations + ?Sized),
        kept_ops: impl Iterator<Item = (usize, Op)>,
    ) -> Result<(), Answer> {
        if self.successor.is_empty() {
            return Ok(());
        }
        let mut in_blocks = vec![false; ops.count()];
        for writer in self.list.iter().flat_map(|block| self.parts(ops, block)) {
            if let Some(writer) = writer.writer {
                in_blocks[writer] = true;
            }
        }
        for (index, op) in kept_ops {
            if written(op.call).is_some() && !in_blocks[index] {
                return Err(Clash::Circle(index).into());
            }
        }
        Ok(())
    }

    /// The parts of a block, in their order.
    fn parts(&self, ops: &(impl Operations + ?Sized), block: &Block) -> impl Iterator<Item = Part> {
        let initial = Part { writer: None, readers: self.absent_readers };
        let mut next = index_of(block.root);
        let chain = std::iter::from_fn(move || {
            let writer = next?;
            let value = written(ops.at(writer).call).map(|value| value as usize);
            next = value.and_then(|value| self.successor.get(value)).copied().and_then(index_of);
            let readers = value.map_or_else(Readers::default, |value| self.readers[value]);
            Some(Part { writer: Some(writer), readers })
        });
        block.initial.then_some(initial).into_iter().chain(chain)
    }
}

/// Who wrote each value.
fn writers(ops: &(impl Operations + ?Sized)) -> Result<Vec<Place>, Answer> {
    let mut writer = Vec::new();
    for index in 0..ops.count() {
        let call = ops.at(index).call;
        for value in mentioned(call) {
            if value as usize >= writer.len() {
                writer.resize(value as usize + 1, NOBODY);
            }
        }
        if let Some(value) = written(call) {
            let entry = &mut writer[value as usize];
            if let Some(first) = index_of(std::mem::replace(entry, index as Place)) {
                return Err(Answer::NotUnique(first, index));
            }
        }
    }
    Ok(writer)
}

/// Which operations count: all whose outcome is known, and of the others the writes that somebody
/// observed, directly or through a chain of CAS, and the deletes.
fn observed(ops: &(impl Operations + ?Sized), writer: &[Place]) -> Result<Vec<bool>, Answer> {
    let count = ops.count();
    let mut kept: Vec<bool> = (0..count).map(|index| ops.at(index).returned != NEVER).collect();
    let mut open = Vec::new();
    for index in (0..count).rev() {
        if ops.at(index).returned != NEVER {
            open.push(index);
        }
        while let Some(index) = open.pop() {
            let (Call::Read(Some(value)) | Call::Cas(Some(value), _)) = ops.at(index).call else {
                continue;
            };
            let Some(source) = index_of(writer[value as usize]) else {
                return Err(Clash::Phantom(index).into());
            };
            if !std::mem::replace(&mut kept[source], true) {
                open.push(source);
            }
        }
    }
    for (index, kept) in kept.iter_mut().enumerate() {
        *kept |= ops.at(index).call == Call::Delete;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
