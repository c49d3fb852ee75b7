//! Messages to other stores: one stream for each store, snapshots apart in pieces.
//!
//! In: the node's outgoing messages. Out: the same messages on the wire, and reports of lost ones.
//! Raft tolerates loss, so nothing is kept: with a full queue or a broken connection the message is
//! dropped and reported.

use super::{
    driver::Event,
    node::effects::{Input, Outgoing},
    pd_client::Pd,
};
use proto::{
    raft_serverpb::{RaftMessage, SnapshotChunk},
    tikvpb::{BatchRaftMessage, tikv_client::TikvClient},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{self, Instant},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const SNAPSHOT_TIMEOUT: Duration = Duration::from_mins(1);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// Well below an election timeout: a vote that is sent meanwhile is lost, and asked for again only
/// at the next one.
const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// The shortest time between two reports of losses: each report makes leaders probe anew.
const REPORT_PAUSE: Duration = Duration::from_millis(200);
const QUEUE_MAX: usize = 4_096;
const BATCH_MAX: usize = 128;
const CHUNK_BYTES: usize = 256 << 10;
const SNAPSHOTS_AT_ONCE_MAX: usize = 8;

/// The streams to other stores.
pub struct Transport {
    pd: Pd,
    events: mpsc::Sender<Event>,
    streams: HashMap<u64, Stream>,
    snapshots: Arc<Semaphore>,
}

struct Stream {
    queue: mpsc::Sender<RaftMessage>,
    reported: Option<Instant>,
}

impl Transport {
    /// Creates streams that report to `events` and ask `pd` for addresses.
    pub fn new(pd: Pd, events: mpsc::Sender<Event>) -> Self {
        let snapshots = Arc::new(Semaphore::new(SNAPSHOTS_AT_ONCE_MAX));
        Self { pd, events, streams: HashMap::new(), snapshots }
    }

    /// Sends a message, or drops it; never waits.
    pub fn send(&mut self, outgoing: Outgoing) {
        let Some(store_id) = outgoing.message.to_peer.as_ref().map(|peer| peer.store_id) else {
            return;
        };
        if let Some(data) = outgoing.snapshot {
            self.send_snapshot(store_id, outgoing.message, data);
            return;
        }
        let stream = self.streams.entry(store_id).or_insert_with(|| {
            let (queue, messages) = mpsc::channel(QUEUE_MAX);
            tokio::spawn(run_stream(store_id, self.pd.clone(), self.events.clone(), messages));
            Stream { queue, reported: None }
        });
        let quiet = stream.reported.is_none_or(|at| at.elapsed() > REPORT_PAUSE);
        if stream.queue.try_send(outgoing.message).is_err() && quiet {
            stream.reported = Some(Instant::now());
            // The node's own queue may be full as well; then it learns of the next loss.
            let _ = self.events.try_send(Event::Input(Input::Unreachable { store_id }));
        }
    }

    fn send_snapshot(&self, store_id: u64, message: RaftMessage, data: Vec<u8>) {
        let (pd, events, permits) = (self.pd.clone(), self.events.clone(), self.snapshots.clone());
        let region_id = message.region_id;
        let peer_id = message.to_peer.as_ref().map_or(0, |peer| peer.id);
        tokio::spawn(async move {
            let transfer = async {
                let _permit = permits.acquire().await.ok()?;
                let channel = connect(&pd, store_id, &mut Whereabouts::default()).await?;
                transfer_snapshot(channel, message, data).await
            };
            let ok = matches!(time::timeout(SNAPSHOT_TIMEOUT, transfer).await, Ok(Some(())));
            let input = Input::SnapshotSent { region_id, peer_id, ok };
            let _ = events.send(Event::Input(input)).await;
        });
    }
}

async fn transfer_snapshot(channel: Channel, message: RaftMessage, data: Vec<u8>) -> Option<()> {
    let (sender, chunks) = mpsc::channel(2);
    let mut client = TikvClient::new(channel);
    let feed = async move {
        let first = SnapshotChunk { message: Some(message), data: Vec::new() };
        sender.send(first).await.ok()?;
        for piece in data.chunks(CHUNK_BYTES) {
            sender.send(SnapshotChunk { message: None, data: piece.to_vec() }).await.ok()?;
        }
        Some(())
    };
    let (all_sent, answer) = tokio::join!(feed, client.snapshot(ReceiverStream::new(chunks)));
    all_sent.and(answer.ok().map(drop))
}

/// The last address of a store, and whether it still answered there.
#[derive(Default)]
struct Whereabouts {
    address: Option<String>,
    answered: bool,
}

/// Connects to a store. If it no longer answers at its last address, PD is asked whether it has
/// moved; if PD does not answer either, the last address is used.
async fn connect(pd: &Pd, store_id: u64, last: &mut Whereabouts) -> Option<Channel> {
    if !last.answered
        && let Some(address) = pd.store_address(store_id).await
    {
        last.address = Some(address);
    }
    let url = format!("http://{}", last.address.as_ref()?);
    let endpoint = Endpoint::from_shared(url).ok()?;
    let connected = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect().await;
    last.answered = connected.is_ok();
    connected.ok()
}

async fn run_stream(
    store_id: u64,
    pd: Pd,
    events: mpsc::Sender<Event>,
    mut messages: mpsc::Receiver<RaftMessage>,
) {
    let mut backoff = BACKOFF_MIN;
    let mut whereabouts = Whereabouts::default();
    while !messages.is_closed() {
        let opened = Instant::now();
        if let Some(channel) = connect(&pd, store_id, &mut whereabouts).await {
            pump(channel, &mut messages).await;
        }
        if opened.elapsed() > BACKOFF_MAX {
            backoff = BACKOFF_MIN;
        }
        if events.send(Event::Input(Input::Unreachable { store_id })).await.is_err() {
            return;
        }
        time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
        // Old messages are worse than none: raft has sent newer ones of the same content since.
        while messages.try_recv().is_ok() {}
    }
}

/// Feeds one stream until it breaks.
async fn pump(channel: Channel, messages: &mut mpsc::Receiver<RaftMessage>) {
    let (sender, batches) = mpsc::channel(4);
    let mut client = TikvClient::new(channel);
    let call = client.batch_raft(ReceiverStream::new(batches));
    let feed = async move {
        let mut msgs = Vec::with_capacity(BATCH_MAX);
        while messages.recv_many(&mut msgs, BATCH_MAX).await > 0 {
            let batch = BatchRaftMessage { msgs: std::mem::take(&mut msgs) };
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = call => {}
        () = feed => {}
    }
}
