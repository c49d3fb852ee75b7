//! Step 7: deletes, and those who saw that there was nothing.
//!
//! Every operation that is not part of a forward zone can be placed at one moment, and only moments
//! at which something is invoked or returns matter: what stands between two of them can move to the
//! earlier one without leaving its interval. Such a moment is *free* if it is not strictly inside a
//! forward zone. A sweep over the free moments keeps one bit, present or absent, and puts off a
//! delete as long as it can:
//! - while absent every open read of absence is served at once, while present every open plain
//!   block; both cost nothing;
//! - a change from present to absent takes a delete. It is made only when something is due that
//!   needs it, and takes the open delete with the earliest deadline: deletes differ in nothing
//!   else, so by exchange no other choice is better;
//! - a change from absent to present can take one block that begins with a CAS from absence along
//!   for nothing.

use super::{Answer, Blocks, Clash, NEVER, Operations, Place, zones::Zone};
use std::{cmp::Reverse, collections::BinaryHeap};

/// Open items by deadline, the earliest first.
type ByDeadline = BinaryHeap<Reverse<(u64, usize)>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AbsentRead,
    Delete,
    PlainBlock,
    CasBlock,
}

/// Something that takes one moment.
#[derive(Debug, Clone, Copy)]
struct Item {
    kind: Kind,
    from: u64,
    to: u64,
    operation: usize,
}

#[derive(Debug, Default)]
struct Sweep {
    present: bool,
    absent_reads: ByDeadline,
    deletes: ByDeadline,
    plain_blocks: ByDeadline,
    cas_blocks: ByDeadline,
}

/// Whether deletes, reads of absence and CAS from absence find their places.
pub fn check(
    ops: &(impl Operations + ?Sized),
    blocks: &Blocks,
    zones: &[Zone],
) -> Result<(), Answer> {
    let mut forward: Vec<&Zone> = zones.iter().filter(|zone| zone.is_forward()).collect();
    forward.sort_unstable_by_key(|zone| zone.smallest_return);
    let moments = free_moments(ops, &forward);
    let mut items = items(ops, blocks, zones, &moments)?;
    items.sort_unstable_by_key(|item| Reverse(item.from));

    let mut sweep = Sweep::default();
    let mut zone = 0;
    for moment in moments {
        // Nothing is free inside a zone, so the moment after its beginning is its end.
        if zone > 0 && forward[zone - 1].largest_invocation == moment {
            sweep.present = true;
        }
        while items.last().is_some_and(|item| item.from <= moment) {
            if let Some(item) = items.pop() {
                sweep.open(item);
            }
        }
        sweep.settle(moment)?;
        while let Some(begun) = forward.get(zone).filter(|begun| begun.smallest_return == moment) {
            sweep.begin_zone(begun.from_absence, begun.witnesses()[0])?;
            zone += 1;
        }
    }
    Ok(())
}

/// The moments at which something is invoked or returns, without those strictly inside a forward
/// zone.
fn free_moments(ops: &(impl Operations + ?Sized), forward: &[&Zone]) -> Vec<u64> {
    let mut moments = Vec::with_capacity(2 * ops.count());
    for op in (0..ops.count()).map(|index| ops.at(index)) {
        moments.extend([op.invoked, op.returned].into_iter().filter(|at| *at != NEVER));
    }
    moments.sort_unstable();
    moments.dedup();
    let mut zone = 0;
    moments.retain(|at| {
        while forward.get(zone).is_some_and(|begun| begun.largest_invocation <= *at) {
            zone += 1;
        }
        forward.get(zone).is_none_or(|begun| *at <= begun.smallest_return)
    });
    moments
}

/// What takes one moment, each with its first and its last free moment.
fn items(
    ops: &(impl Operations + ?Sized),
    blocks: &Blocks,
    zones: &[Zone],
    moments: &[u64],
) -> Result<Vec<Item>, Answer> {
    let single = |kind, place: &Place| {
        let op = ops.at(*place as usize);
        (kind, op.invoked, op.returned, *place as usize)
    };
    let reads = blocks.absent_reads.iter().map(|place| single(Kind::AbsentRead, place));
    let deletes = blocks.deletes.iter().map(|place| single(Kind::Delete, place));
    let blocks = zones.iter().filter(|zone| !zone.is_forward()).map(|zone| {
        let kind = if zone.from_absence { Kind::CasBlock } else { Kind::PlainBlock };
        (kind, zone.largest_invocation, zone.smallest_return, zone.witnesses()[0])
    });
    let mut items = Vec::new();
    for (kind, begin, end, operation) in reads.chain(deletes).chain(blocks) {
        let first = moments.partition_point(|at| *at < begin);
        let from = moments.get(first).copied().filter(|from| *from <= end);
        let to = match end {
            NEVER => Some(NEVER),
            _ => moments.partition_point(|at| *at <= end).checked_sub(1).map(|last| moments[last]),
        };
        match (from, to) {
            (Some(from), Some(to)) => items.push(Item { kind, from, to, operation }),
            // A delete of unknown outcome that finds no place did not happen.
            _ if kind == Kind::Delete && end == NEVER => {}
            _ => return Err(Clash::Absence(operation).into()),
        }
    }
    Ok(items)
}

fn due(heap: &ByDeadline, moment: u64) -> Option<usize> {
    heap.peek().filter(|Reverse((to, _))| *to <= moment).map(|Reverse((_, operation))| *operation)
}

impl Sweep {
    fn open(&mut self, item: Item) {
        let heap = match item.kind {
            Kind::AbsentRead => &mut self.absent_reads,
            Kind::Delete => &mut self.deletes,
            Kind::PlainBlock => &mut self.plain_blocks,
            Kind::CasBlock => &mut self.cas_blocks,
        };
        heap.push(Reverse((item.to, item.operation)));
    }

    /// Places everything that costs nothing, and then whatever is due at this moment.
    fn settle(&mut self, moment: u64) -> Result<(), Answer> {
        loop {
            self.place_what_is_free();
            if due(&self.deletes, moment).is_some() {
                self.delete(0)?;
            } else if self.present
                && let Some(needs) =
                    due(&self.absent_reads, moment).or_else(|| due(&self.cas_blocks, moment))
            {
                self.delete(needs)?;
            } else if due(&self.cas_blocks, moment).or(due(&self.plain_blocks, moment)).is_some() {
                // While absent: a CAS block that is due, or a plain one and a CAS block before it
                // for nothing.
                self.cas_blocks.pop();
                self.present = true;
            } else {
                return Ok(());
            }
        }
    }

    fn place_what_is_free(&mut self) {
        if self.present {
            self.plain_blocks.clear();
        } else {
            self.absent_reads.clear();
        }
    }

    /// The open delete with the earliest deadline, and before it every open block that it can hide.
    fn delete(&mut self, needs: usize) -> Result<(), Answer> {
        if self.deletes.pop().is_none() {
            return Err(Clash::Absence(needs).into());
        }
        if !self.present {
            self.cas_blocks.pop();
        }
        self.plain_blocks.clear();
        self.present = false;
        Ok(())
    }

    /// A forward zone begins as the last thing of a moment; until it ends nothing else is placed.
    fn begin_zone(&mut self, from_absence: bool, operation: usize) -> Result<(), Answer> {
        if from_absence {
            if self.present {
                self.delete(operation)?;
                self.place_what_is_free();
            }
        } else {
            if !self.present {
                self.cas_blocks.pop();
                self.present = true;
            }
            self.plain_blocks.clear();
        }
        Ok(())
    }
}
