//! The near-linear check of one key whose written values are unique: O(n log n).
//!
//! In: the key's operations. Out: linearizable or not, with the operations that clash, or that this engine cannot
//! decide (a value written twice). Pure. `a` is before `b` iff `a.returned < b.invoked`; ties are concurrent.
//!
//! # Why it is right
//!
//! An operation of unknown outcome that nobody observed may as well not have happened: leaving it out keeps every
//! linearization legal. What remains writes unique values, so whatever reads a value stands between its writer and
//! the next write, and a CAS stands directly behind the value that it expected. Writer, readers and the chain of CAS
//! behind them are therefore contiguous: a *block*. Inside a block the order of its parts is forced (w, reads, CAS,
//! reads, …); it is feasible iff no part must return before something of an earlier part is invoked ([`block`]).
//!
//! Let m be a block's smallest return and M its largest invocation. Block A must stand before block B iff some
//! operation of A returns before some operation of B is invoked, that is iff m(A) < M(B). In a cycle of this relation
//! let B have the largest M and A be B's successor in it: m(B) < M(A) by the edge, and A's own successor C has
//! m(A) < M(C) <= M(B). So A and B are a cycle of two, and it is enough to look for pairs with m(A) < M(B) and
//! m(B) < M(A). If m < M the value holds throughout [m, M]: a *forward* zone; otherwise the block fits into one
//! point of [M, m]: a *backward* zone. Such a pair is two forward zones that overlap, or a backward zone strictly
//! inside a forward one: a sort and a sweep ([`zones`]). (Gibbons and Korach, SIAM J. Comput. 26(4), 1997, for
//! plain registers.)
//!
//! Absence is a value that every delete writes, so blocks of absence are not unique; [`absence`] places deletes by a
//! greedy sweep, argued there.

mod absence;
mod block;
mod zones;

use std::collections::BTreeSet;

/// A value, numbered by the caller: equal values have equal numbers. The check takes memory up to the largest.
pub type ValueId = u32;

/// The return of an operation of unknown outcome.
pub const NEVER: u64 = u64::MAX;

/// What an operation did to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Read a value; `None` = absent. Also a CAS that did not swap, which read what it says was there.
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
    /// The first stands before the second in their block, but was invoked after the second had returned.
    WithinBlock(usize, usize),
    /// Two blocks that must each stand before the other: of each the operation that returns first and the one that
    /// is invoked last.
    Blocks([usize; 2], [usize; 2]),
    /// This operation finds no place for want of a delete, or of room between the blocks.
    Absence(usize),
}

/// Checks one key.
pub fn check(ops: &[Op]) -> Answer {
    match blocks_of(ops).and_then(|history| {
        block::check(ops, &history.blocks)?;
        let zones = zones::of(ops, &history.blocks);
        zones::check(&zones)?;
        if history.absence_matters { absence::check(ops, &history, &zones) } else { Ok(()) }
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

/// A writer and its readers.
#[derive(Debug, Clone, Default)]
struct Part {
    /// `None` for the initial absence.
    writer: Option<usize>,
    readers: Vec<usize>,
}

/// A write and the chain of CAS behind it.
#[derive(Debug, Clone)]
struct Block {
    parts: Vec<Part>,
    /// It begins with a CAS from absence, which a delete or the beginning must precede.
    from_absence: bool,
    /// It is the initial absence, which holds from the beginning.
    initial: bool,
}

#[derive(Debug)]
struct History {
    blocks: Vec<Block>,
    /// There are deletes, and somebody observed absence.
    absence_matters: bool,
    absent_reads: Vec<usize>,
    deletes: Vec<usize>,
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

/// Something for each value.
type ByValue<T> = Vec<Option<T>>;

/// Steps 1 to 3: who wrote what, what can be left out, what stands directly behind what.
fn blocks_of(ops: &[Op]) -> Result<History, Answer> {
    let values =
        ops.iter().flat_map(|op| mentioned(op.call)).max().map_or(0, |max| max as usize + 1);
    let mut writer: ByValue<usize> = vec![None; values];
    for (index, op) in ops.iter().enumerate() {
        if let Some(value) = written(op.call)
            && let Some(first) = writer[value as usize].replace(index)
        {
            return Err(Answer::NotUnique(first, index));
        }
    }
    let kept = observed(ops, &writer)?;

    let has_deletes = ops.iter().any(|op| op.call == Call::Delete);
    let mut readers: ByValue<Vec<usize>> = vec![None; values];
    let mut successor: ByValue<usize> = vec![None; values];
    let mut roots = Vec::new();
    let mut absent_reads = Vec::new();
    let mut from_absence = Vec::new();
    let mut deletes = Vec::new();
    for (index, op) in ops.iter().enumerate().filter(|(index, _)| kept[*index]) {
        match op.call {
            Call::Read(None) => absent_reads.push(index),
            Call::Read(Some(value)) => {
                readers[value as usize].get_or_insert_with(Vec::new).push(index);
            }
            Call::Put(_) => roots.push(index),
            Call::Delete => deletes.push(index),
            Call::Cas(None, _) => from_absence.push(index),
            Call::Cas(Some(expected), _) => {
                if let Some(other) = successor[expected as usize].replace(index) {
                    return Err(Clash::TwoSuccessors(other, index).into());
                }
            }
        }
    }

    let mut chained = 0;
    let mut chain = |first: Option<usize>| {
        let mut chain = Vec::new();
        let mut next = first;
        while let Some(index) = next {
            let value = written(ops[index].call).map_or(0, |value| value as usize);
            let readers = readers[value].take().unwrap_or_default();
            chain.push(Part { writer: Some(index), readers });
            chained += 1;
            next = successor[value];
        }
        chain
    };
    let plain = |parts| Block { parts, from_absence: false, initial: false };
    let mut blocks: Vec<Block> = roots.into_iter().map(|root| plain(chain(Some(root)))).collect();
    let kept_writes = ops
        .iter()
        .enumerate()
        .filter(|(index, op)| kept[*index] && matches!(op.call, Call::Put(_) | Call::Cas(..)))
        .map(|(index, _)| index);
    let absence_matters = has_deletes && !(absent_reads.is_empty() && from_absence.is_empty());
    if has_deletes {
        blocks.extend(
            from_absence
                .into_iter()
                .map(|root| Block { from_absence: true, ..plain(chain(Some(root))) }),
        );
        if !absence_matters {
            let known = deletes.iter().filter(|index| ops[**index].returned != NEVER);
            blocks.extend(
                known.map(|&index| plain(vec![Part { writer: Some(index), readers: vec![] }])),
            );
        }
    } else {
        // Nothing makes the key absent again: the initial absence is a value like any other.
        if let [first, second, ..] = from_absence[..] {
            return Err(Clash::TwoSuccessors(first, second).into());
        }
        let mut parts = vec![Part { writer: None, readers: std::mem::take(&mut absent_reads) }];
        parts.extend(chain(from_absence.first().copied()));
        blocks.push(Block { initial: true, ..plain(parts) });
    }
    if chained < kept_writes.clone().count() {
        let in_blocks: BTreeSet<usize> =
            blocks.iter().flat_map(|block| &block.parts).filter_map(|part| part.writer).collect();
        if let Some(lost) = kept_writes.into_iter().find(|index| !in_blocks.contains(index)) {
            return Err(Clash::Circle(lost).into());
        }
    }
    Ok(History { blocks, absence_matters, absent_reads, deletes })
}

/// Which operations count: all whose outcome is known, and of the others the writes that somebody observed,
/// directly or through a chain of CAS, and the deletes.
fn observed(ops: &[Op], writer: &ByValue<usize>) -> Result<Vec<bool>, Answer> {
    let mut kept: Vec<bool> = ops.iter().map(|op| op.returned != NEVER).collect();
    let mut open: Vec<usize> = (0..ops.len()).filter(|index| kept[*index]).collect();
    while let Some(index) = open.pop() {
        let (Call::Read(Some(value)) | Call::Cas(Some(value), _)) = ops[index].call else {
            continue;
        };
        let Some(source) = writer[value as usize] else {
            return Err(Clash::Phantom(index).into());
        };
        if !std::mem::replace(&mut kept[source], true) {
            open.push(source);
        }
    }
    for (index, op) in ops.iter().enumerate() {
        kept[index] |= op.call == Call::Delete;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
