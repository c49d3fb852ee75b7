//! What goes into the node and what comes out of it, and the state that its peers share during one step.
//!
//! Everything here is data. A driver turns outputs into writes, sends and answers, and their results into inputs;
//! whoever drives decides about time, sockets, disks and threads.

use super::{
    command::SplitPart,
    data::RegionData,
    disk::Batch,
    requests::{RawRequest, RawResponse},
};
use crate::{defects::Defects, profile::Timing, read_mode::ReadMode};
use proto::{metapb, pdpb, raft_serverpb::RaftMessage};
use std::collections::BTreeMap;

/// A moment, as the driver tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Since any fixed moment, never running backwards.
    pub monotonic_ms: u64,
    /// The wall clock, for expiries.
    pub unix_ms: u64,
}

impl Now {
    /// Whole seconds since the epoch, TiKV's unit for expiries.
    pub fn unix_s(self) -> u64 {
        self.unix_ms / 1_000
    }
}

/// What a node needs to know once.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Our store's id.
    pub store_id: u64,
    /// Intervals.
    pub timing: Timing,
    /// How a leader makes sure that it still leads before it answers a read.
    pub read: ReadMode,
    /// How to be wrong on purpose.
    pub defects: Defects,
    /// Fixes the election timeouts, together with peer, term and attempt.
    pub seed: u64,
    /// Applied entries that stay in a log for peers that lag. The log is cut when it has twice as many.
    pub log_entries_kept: u64,
    /// A region with more keys is split (TiKV's `coprocessor.region-max-keys`).
    pub region_max_keys: Option<u64>,
    /// Values may have a time to live; otherwise a put with one is refused, as TiKV does by default.
    pub enable_ttl: bool,
    /// Proposals, and likewise reads, that may wait in one region.
    pub waiting_max: usize,
}

/// What happens to a node.
#[derive(Debug)]
pub enum Input {
    /// A client's request; `id` comes back with the answer.
    Request {
        /// Names the request.
        id: u64,
        /// What is asked.
        request: RawRequest,
    },
    /// A message from another store; a snapshot's data travel beside it.
    Raft {
        /// The message.
        message: RaftMessage,
        /// The snapshot's data, if it is one.
        snapshot: Option<Vec<u8>>,
    },
    /// All batches up to this one are on disk, and synced if they asked for it.
    Persisted {
        /// The batch's number.
        seq: u64,
    },
    /// Messages to a store were lost.
    Unreachable {
        /// The store.
        store_id: u64,
    },
    /// A snapshot's transfer has ended.
    SnapshotSent {
        /// The region.
        region_id: u64,
        /// The receiving peer.
        peer_id: u64,
        /// Whether it arrived.
        ok: bool,
    },
    /// PD wants something of a leader, or only acknowledges its heartbeat.
    Operator(Box<pdpb::RegionHeartbeatResponse>),
    /// PD allotted ids for a split.
    SplitIds {
        /// The region as it was when asked about.
        region: metapb::Region,
        /// Its new peers, from left to right.
        parts: Vec<SplitPart>,
    },
    /// What PD says of a region whose leader we miss.
    RegionFromPd {
        /// The region.
        region: metapb::Region,
    },
    /// Whether there is too little room on the disk for writes.
    DiskFull(bool),
    /// PD has forgotten what we told it, or a new connection stands: leaders introduce themselves again.
    PdConnected,
}

/// A message to another store.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The message.
    pub message: RaftMessage,
    /// A snapshot's data, which go beside it.
    pub snapshot: Option<Vec<u8>>,
}

/// A batch for the disk.
#[derive(Debug, PartialEq, Eq)]
pub struct Persist {
    /// Its number; [`Input::Persisted`] gives it back.
    pub seq: u64,
    /// What to write.
    pub batch: Batch,
}

/// What a node wants done after a step. The order between the kinds does not matter; within one it does.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Write this.
    pub persist: Option<Persist>,
    /// Send these.
    pub messages: Vec<Outgoing>,
    /// Answer these requests.
    pub replies: Vec<(u64, RawResponse)>,
    /// Tell PD of regions that we lead. The header is the driver's.
    pub heartbeats: Vec<pdpb::RegionHeartbeatRequest>,
    /// Ask PD for the ids of a split at these keys.
    pub ask_split: Vec<(metapb::Region, Vec<Vec<u8>>)>,
    /// Tell PD of a split that is done: all of its regions, from left to right.
    pub splits_done: Vec<Vec<metapb::Region>>,
    /// Ask PD about these regions.
    pub ask_region: Vec<u64>,
    /// Worth a line in the log.
    pub notes: Vec<String>,
}

/// What a peer cannot do alone: the node does it when the peer's turn is over.
#[derive(Debug)]
pub enum Effect {
    /// New regions came out of a split.
    Split {
        /// With their data, from left to right.
        parts: Vec<(metapb::Region, RegionData)>,
        /// Whether our peer of the old region leads.
        leads: bool,
        /// The old region as it is now.
        parent: metapb::Region,
    },
    /// Our peer of the region is no longer a member.
    Destroy {
        /// The region without it.
        region: metapb::Region,
    },
}

/// What waits until a batch is on disk.
#[derive(Debug)]
pub struct Waiter {
    /// Whose.
    pub region_id: u64,
    /// Which incarnation of it.
    pub peer_id: u64,
    /// Raft's number of the ready that was persisted.
    pub ready: u64,
    /// The index of the snapshot that was persisted with it; 0 = none.
    pub snapshot_index: u64,
    /// Promises that may only be made now.
    pub messages: Vec<Outgoing>,
}

/// What the peers of a node share while a step lasts.
#[derive(Debug)]
pub struct Shared {
    /// The node's configuration.
    pub config: NodeConfig,
    /// The moment of the step.
    pub now: Now,
    /// What goes to disk next.
    pub batch: Batch,
    /// That batch's number.
    pub seq: u64,
    /// The last batch known to be on disk.
    pub persisted_seq: u64,
    /// What waits, by batch.
    pub waiting: BTreeMap<u64, Vec<Waiter>>,
    /// What the step has produced so far.
    pub out: Outputs,
    /// What the node still has to do for its peers.
    pub effects: Vec<Effect>,
    /// Whether writes are refused for want of room.
    pub disk_full: bool,
}

impl Shared {
    /// Answers a request.
    pub fn reply(&mut self, id: u64, response: RawResponse) {
        self.out.replies.push((id, response));
    }

    /// Sends a message that promises nothing and carries no snapshot.
    pub fn send(&mut self, message: RaftMessage) {
        self.out.messages.push(Outgoing { message, snapshot: None });
    }
}
