//! Step 4: the inside of a block. Its parts stand in a forced order; each must be able to follow
//! those before it.

use super::{Answer, Blocks, Clash, Operations};

/// No operation may have returned before one of an earlier part of its block was invoked.
pub fn check(ops: &(impl Operations + ?Sized), blocks: &Blocks) -> Result<(), Answer> {
    for block in &blocks.list {
        // The operation of the parts so far that was invoked last.
        let mut latest: Option<usize> = None;
        for part in blocks.parts(ops, block) {
            let writer = part.writer.map(|writer| (writer, writer));
            for (first_returned, last_invoked) in writer.into_iter().chain(part.readers.ends()) {
                let last_invoked_at = ops.at(last_invoked).invoked;
                let latest_at = latest.map(|latest| (latest, ops.at(latest).invoked));
                if let Some((latest, at)) = latest_at
                    && ops.at(first_returned).returned < at
                {
                    return Err(Clash::WithinBlock(latest, first_returned).into());
                }
                if latest_at.is_none_or(|(_, at)| last_invoked_at >= at) {
                    latest = Some(last_invoked);
                }
            }
        }
    }
    Ok(())
}
