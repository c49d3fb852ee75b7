//! Steps 5 and 6: the zone of each block, and the pairs of zones that clash.

use super::{Answer, Blocks, Clash, Operations, Place};

/// What a block needs of time: `smallest_return` (m) and `largest_invocation` (M).
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    /// m. The initial absence has 0 and no operation for it.
    pub smallest_return: u64,
    /// M.
    pub largest_invocation: u64,
    /// The operations that have them.
    witnesses: [Place; 2],
    /// The block begins with a CAS from absence.
    pub from_absence: bool,
    /// The initial absence holds from before every operation.
    pub initial: bool,
}

impl Zone {
    /// The value holds throughout [m, M].
    pub fn is_forward(&self) -> bool {
        self.initial || self.smallest_return < self.largest_invocation
    }

    /// The operations that return first and are invoked last.
    pub fn witnesses(&self) -> [usize; 2] {
        self.witnesses.map(|place| place as usize)
    }
}

/// The zone of each block. The initial absence without any operation has none.
pub fn of(ops: &(impl Operations + ?Sized), blocks: &Blocks) -> Vec<Zone> {
    let mut zones = Vec::with_capacity(blocks.list.len());
    for block in &blocks.list {
        let mut zone: Option<Zone> = None;
        for part in blocks.parts(ops, block) {
            let writer = part.writer.map(|writer| (writer, writer));
            for (first, last) in writer.into_iter().chain(part.readers.ends()) {
                let (returned, invoked) = (ops.at(first).returned, ops.at(last).invoked);
                let zone = zone.get_or_insert(Zone {
                    smallest_return: returned,
                    largest_invocation: invoked,
                    witnesses: [first as Place, last as Place],
                    from_absence: block.from_absence,
                    initial: block.initial,
                });
                if returned < zone.smallest_return {
                    zone.smallest_return = returned;
                    zone.witnesses[0] = first as Place;
                }
                if invoked >= zone.largest_invocation {
                    zone.largest_invocation = invoked;
                    zone.witnesses[1] = last as Place;
                }
            }
        }
        zones.extend(zone.map(|zone| Zone {
            smallest_return: if block.initial { 0 } else { zone.smallest_return },
            ..zone
        }));
    }
    zones
}

/// Two forward zones must not overlap, and no backward zone may lie strictly inside a forward one.
pub fn check(zones: &[Zone]) -> Result<(), Answer> {
    let mut forward: Vec<&Zone> = zones.iter().filter(|zone| zone.is_forward()).collect();
    forward.sort_unstable_by_key(|zone| (!zone.initial, zone.smallest_return));
    for pair in forward.windows(2) {
        if pair[1].smallest_return < pair[0].largest_invocation {
            return Err(Clash::Blocks(pair[0].witnesses(), pair[1].witnesses()).into());
        }
    }
    for zone in zones.iter().filter(|zone| !zone.is_forward()) {
        // Forward zones do not overlap: only the last that begins before M can hold this one.
        let after = forward.partition_point(|other| {
            other.initial || other.smallest_return < zone.largest_invocation
        });
        if let Some(holder) = after.checked_sub(1).map(|index| forward[index])
            && zone.smallest_return < holder.largest_invocation
        {
            return Err(Clash::Blocks(holder.witnesses(), zone.witnesses()).into());
        }
    }
    Ok(())
}
