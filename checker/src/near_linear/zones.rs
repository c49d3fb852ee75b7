//! Steps 5 and 6: the zone of each block, and the pairs of zones that clash.

use super::{Answer, Block, Clash, Op};

/// What a block needs of time: `smallest_return` (m) and `largest_invocation` (M).
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    /// The block's index.
    pub block: usize,
    /// m. The initial absence has 0 and no operation for it.
    pub smallest_return: u64,
    /// M.
    pub largest_invocation: u64,
    /// The operations that have them.
    pub witnesses: [usize; 2],
    /// The initial absence holds from before every operation.
    pub initial: bool,
}

impl Zone {
    /// The value holds throughout [m, M].
    pub fn is_forward(&self) -> bool {
        self.initial || self.smallest_return < self.largest_invocation
    }
}

/// The zone of each block. The initial absence without any operation has none.
pub fn of(ops: &[Op], blocks: &[Block]) -> Vec<Zone> {
    let mut zones = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let members =
            || block.parts.iter().flat_map(|part| part.writer.iter().chain(&part.readers)).copied();
        let first = members().min_by_key(|member| ops[*member].returned);
        let last = members().max_by_key(|member| ops[*member].invoked);
        if let (Some(first), Some(last)) = (first, last) {
            zones.push(Zone {
                block: index,
                smallest_return: if block.initial { 0 } else { ops[first].returned },
                largest_invocation: ops[last].invoked,
                witnesses: [first, last],
                initial: block.initial,
            });
        }
    }
    zones
}

/// Two forward zones must not overlap, and no backward zone may lie strictly inside a forward one.
pub fn check(zones: &[Zone]) -> Result<(), Answer> {
    let mut forward: Vec<&Zone> = zones.iter().filter(|zone| zone.is_forward()).collect();
    forward.sort_unstable_by_key(|zone| (!zone.initial, zone.smallest_return));
    for pair in forward.windows(2) {
        if pair[1].smallest_return < pair[0].largest_invocation {
            return Err(Clash::Blocks(pair[0].witnesses, pair[1].witnesses).into());
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
            return Err(Clash::Blocks(holder.witnesses, zone.witnesses).into());
        }
    }
    Ok(())
}
