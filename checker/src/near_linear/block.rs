//! Step 4: the inside of a block. Its parts stand in a forced order; each must be able to follow those before it.

use super::{Answer, Block, Clash, Op};

/// No operation may have returned before one of an earlier part of its block was invoked.
pub fn check(ops: &[Op], blocks: &[Block]) -> Result<(), Answer> {
    for block in blocks {
        // The operation of the parts so far that was invoked last.
        let mut latest: Option<usize> = None;
        let mut follow = |group: &[usize]| {
            if let Some(latest) = latest
                && let Some(early) =
                    group.iter().copied().find(|index| ops[*index].returned < ops[latest].invoked)
            {
                return Err(Answer::from(Clash::WithinBlock(latest, early)));
            }
            latest = group.iter().copied().chain(latest).max_by_key(|index| ops[*index].invoked);
            Ok(())
        };
        for part in &block.parts {
            if let Some(writer) = part.writer {
                follow(&[writer])?;
            }
            follow(&part.readers)?;
        }
    }
    Ok(())
}
