//! The real driver of the node: gathers events, steps the node, and carries out its outputs.
//!
//! In: events from the services, PD, the writer and the clock. Out: batches to the writer, messages
//! to the transport, answers to waiting calls, messages to PD. One loop steps the node, so there is
//! nothing to lock; while the disk syncs, the loop goes on.

use super::{
    StoreError,
    engine::Engine,
    metrics::Metrics,
    node::{
        Node,
        effects::{Input, Now, Outputs, Persist},
        requests::{RawRequest, RawResponse},
    },
    pd_client::Pd,
    transport::Transport,
    writer,
};
use proto::pdpb;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, mpsc::SyncSender},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{mpsc, oneshot},
    time,
};

/// The largest number of waiting events; beyond it, clients are told that the server is busy, and
/// other stores wait.
pub const EVENTS_WAITING_MAX: usize = 16_384;
/// The largest number of events of one step.
const EVENTS_TOGETHER_MAX: usize = 1_024;
/// The free space on the disk below which writes are refused.
const DISK_RESERVE_BYTES: u64 = 32 << 20;

/// An event for the node.
#[derive(Debug)]
pub enum Event {
    /// A client's request, and the sender of the answer.
    Request(RawRequest, oneshot::Sender<RawResponse>),
    /// Anything else.
    Input(Input),
}

/// The node with all its connections.
pub struct Driver {
    node: Node,
    clock: Clock,
    events: mpsc::Receiver<Event>,
    written: mpsc::UnboundedReceiver<Result<u64, StoreError>>,
    writer: Option<SyncSender<Persist>>,
    writer_thread: Option<thread::JoinHandle<()>>,
    replies: HashMap<u64, oneshot::Sender<RawResponse>>,
    requests: u64,
    transport: Transport,
    pd: Pd,
    heartbeats: mpsc::Sender<pdpb::RegionHeartbeatRequest>,
    to_self: mpsc::Sender<Event>,
    metrics: Arc<Metrics>,
}

/// The driver's clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Starts a clock at this moment.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Reads the clock.
    pub fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_ms: self.0.elapsed().as_millis() as u64, unix_ms: unix.as_millis() as u64 }
    }
}

impl Driver {
    /// Connects a node.
    pub fn new(
        node: Node,
        clock: Clock,
        engine: Engine,
        pd: Pd,
        (to_self, events): (mpsc::Sender<Event>, mpsc::Receiver<Event>),
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let (done, written) = mpsc::unbounded_channel();
        let (writer, thread) = writer::spawn(engine, done).map_err(StoreError::Thread)?;
        Ok(Self {
            node,
            clock,
            events,
            written,
            writer: Some(writer),
            writer_thread: Some(thread),
            replies: HashMap::new(),
            requests: 0,
            transport: Transport::new(pd.clone(), to_self.clone()),
            heartbeats: pd.region_heartbeats(to_self.clone()),
            pd,
            to_self,
            metrics,
        })
    }

    /// Runs until the disk fails; the caller handles a stop from outside.
    pub async fn run(&mut self) -> Result<(), StoreError> {
        let mut gathered = Vec::with_capacity(EVENTS_TOGETHER_MAX);
        loop {
            let now_ms = self.clock.now().monotonic_ms;
            let sleep_ms = self.node.wakes_at_ms().saturating_sub(now_ms);
            let mut inputs = Vec::new();
            tokio::select! {
                _ = self.events.recv_many(&mut gathered, EVENTS_TOGETHER_MAX) => {}
                written = self.written.recv() => match written {
                    Some(result) => inputs.push(Input::Persisted { seq: result? }),
                    None => return Err(StoreError::Writer),
                },
                () = time::sleep(Duration::from_millis(sleep_ms)) => {}
            }
            // Requests before messages, as in TiKV, whose reads do not queue behind Raft. A leader
            // that slept meets both at once, and must be correct even if it is asked before it
            // hears of its successor.
            gathered.sort_by_key(|event| matches!(event, Event::Input(_)));
            for event in gathered.drain(..) {
                inputs.push(self.as_input(event));
            }
            while let Ok(result) = self.written.try_recv() {
                inputs.push(Input::Persisted { seq: result? });
            }
            let outputs = self.node.step(self.clock.now(), inputs);
            self.carry_out(outputs)?;
            self.metrics.set_counts(self.node.counts());
        }
    }

    fn as_input(&mut self, event: Event) -> Input {
        match event {
            Event::Input(input) => input,
            Event::Request(request, reply) => {
                self.requests += 1;
                self.replies.insert(self.requests, reply);
                Input::Request { id: self.requests, request }
            }
        }
    }

    fn carry_out(&mut self, outputs: Outputs) -> Result<(), StoreError> {
        for outgoing in outputs.messages {
            self.transport.send(outgoing);
        }
        if let (Some(persist), Some(writer)) = (outputs.persist, &self.writer) {
            // The send waits if the disk is that far behind, and so does this loop.
            writer.send(persist).map_err(|_| StoreError::Writer)?;
        }
        for (id, response) in outputs.replies {
            if let Some(reply) = self.replies.remove(&id) {
                // The client may have gone.
                let _ = reply.send(response);
            }
        }
        for heartbeat in outputs.heartbeats {
            let _ = self.heartbeats.try_send(heartbeat);
        }
        for (region, keys) in outputs.ask_split {
            tokio::spawn(self.pd.clone().ask_split(region, keys, self.to_self.clone()));
        }
        for regions in outputs.splits_done {
            tokio::spawn(self.pd.clone().report_split(regions));
        }
        for region_id in outputs.ask_region {
            tokio::spawn(self.pd.clone().ask_region(region_id, self.to_self.clone()));
        }
        for note in outputs.notes {
            tracing::info!("{note}");
        }
        Ok(())
    }
}

/// Writes the remaining batches and frees the directory for the next process.
impl Drop for Driver {
    fn drop(&mut self) {
        self.writer.take();
        if let Some(thread) = self.writer_thread.take() {
            // A panic there has been reported by the loop already.
            let _ = thread.join();
        }
    }
}

/// Watches the free space on the disk, and tells the node when it runs out and when there is some
/// again.
pub async fn watch_disk(path: PathBuf, events: mpsc::Sender<Event>) {
    let mut full = false;
    loop {
        time::sleep(Duration::from_secs(1)).await;
        let Ok(room) = nix::sys::statvfs::statvfs(&path) else { continue };
        let now_full = room.blocks_available() * room.fragment_size() < DISK_RESERVE_BYTES;
        if now_full != full {
            full = now_full;
            if events.send(Event::Input(Input::DiskFull(full))).await.is_err() {
                return;
            }
        }
    }
}
