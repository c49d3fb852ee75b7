//! Group commit: one thread that writes whatever batches have come up while it wrote the last ones.
//!
//! In: batches, in order. Out: after each round the number of the last batch that is down, or why writing failed,
//! after which nothing more is written. It deliberately does not know what waits for a batch.

use super::{StoreError, engine::Engine, node::effects::Persist};
use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};
use tokio::sync::mpsc::UnboundedSender;

/// Batches that may wait; whoever steps the node then waits for the disk.
const WAITING_MAX: usize = 1_024;
/// Batches written as one.
const TOGETHER_MAX: usize = 256;

/// Starts the thread. It ends when the sender is dropped, after the last batch is down.
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
        // The receiver is gone only when the store stops, and then nobody waits any more.
        if done.send(result).is_err() || failed {
            return;
        }
    }
}
