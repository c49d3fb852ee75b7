//! Group commit: one thread that writes all batches that arrived while it wrote the last ones.
//!
//! In: batches, in order. Out: after each round the number of the last batch on disk, or the reason
//! that writing failed, after which nothing more is written. It deliberately does not know what
//! waits for a batch.

use super::{StoreError, engine::Engine, node::effects::Persist};
use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};
use tokio::sync::mpsc::UnboundedSender;

/// The largest number of waiting batches; beyond it, the driver waits for the disk.
const WAITING_MAX: usize = 1_024;
/// The largest number of batches written as one.
const TOGETHER_MAX: usize = 256;

/// Starts the thread. It ends when the sender is dropped, after the last batch is on disk.
pub fn spawn(
    engine: Engine,
    done: UnboundedSender<Result<u64, StoreError>>,
) -> std::io::Result<(SyncSender<Persist>, thread::JoinHandle<()>)> {
    let (sender, batches) = sync_channel(WAITING_MAX);
    let thread = thread::Builder::new()
        .name("writer".into())
        .spawn(move || run(&engine, &batches, &done))?;
    Ok((sender, thread))
}

fn run(
    engine: &Engine,
    batches: &Receiver<Persist>,
    done: &UnboundedSender<Result<u64, StoreError>>,
) {
    while let Ok(first) = batches.recv() {
        let mut seq = first.seq;
        let mut together = vec![first.batch];
        while together.len() < TOGETHER_MAX
            && let Ok(next) = batches.try_recv()
        {
            seq = next.seq;
            together.push(next.batch);
        }
        let result = engine.write(&together).map(|()| seq);
        let failed = result.is_err();
        // The receiver is gone only when the store ends, and then nobody waits any more.
        if done.send(result).is_err() || failed {
            return;
        }
    }
}
