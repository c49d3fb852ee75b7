//! The inputs and outputs of the node, and the state that its peers share during one step.
//!
//! Everything here is data. A driver turns outputs into writes, sends and answers, and their
//! results into inputs. The driver decides about time, sockets, disks and threads.

use super::{
    command::SplitPart,
    data::RegionData,
    disk::Batch,
    requests::{RawRequest, RawResponse},
};
use crate::{defects::Defects, profile::Timing, read_mode::ReadMode};
use proto::{metapb, pdpb, raft_serverpb::RaftMessage};
use std::collections::BTreeMap;

/// A moment, as the driver reports it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since any fixed moment, never running backwards.
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

/// The fixed configuration of a node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Our store's id.
    pub store_id: u64,
    /// Intervals.
    pub timing: Timing,
    /// The way in which a leader ensures that it still leads before it answers a read.
    pub read: ReadMode,
    /// The node's defects.
    pub defects: Defects,
    /// The seed that fixes the election timeouts, together with peer, term and attempt.
    pub seed: u64,
    /// The number of applied entries that stay in a log for peers that lag. The log is cut when it
    /// has twice as many.
    pub log_entries_kept: u64,
    /// The number of keys above which a region is split (TiKV's `coprocessor.region-max-keys`).
    pub region_max_keys: Option<u64>,
    /// True if values may have a time to live; otherwise a put with one is refused, as TiKV does by
    /// default.
    pub enable_ttl: bool,
    /// The largest number of proposals, and likewise of reads, that may wait in one region.
    pub waiting_max: usize,
}

/// An input of a node.
#[derive(Debug)]
pub enum Input {
    /// A client's request; `id` comes back with the answer.
    Request {
        /// The request's id.
        id: u64,
        /// The request.
        request: RawRequest,
    },
    /// A message from another store; a snapshot's data are beside it.
    Raft {
        /// The message.
        message: RaftMessage,
        /// The snapshot's data, if the message is one.
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
        /// True if it arrived.
        ok: bool,
    },
    /// PD's request to a leader, or only the acknowledgement of its heartbeat.
    Operator(Box<pdpb::RegionHeartbeatResponse>),
    /// PD allotted ids for a split.
    SplitIds {
        /// The region as it was when PD was asked.
        region: metapb::Region,
        /// The new regions, from left to right.
        parts: Vec<SplitPart>,
    },
    /// PD's answer about a region whose leader is missing.
    RegionFromPd {
        /// The region.
        region: metapb::Region,
    },
    /// True if there is too little room on the disk for writes.
    DiskFull(bool),
    /// PD has lost earlier reports, or has a new connection: leaders report their regions again.
    PdConnected,
}

/// A message to another store.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The message.
    pub message: RaftMessage,
    /// A snapshot's data, sent beside the message.
    pub snapshot: Option<Vec<u8>>,
}

/// A batch for the disk.
#[derive(Debug, PartialEq, Eq)]
pub struct Persist {
    /// The batch's number; [`Input::Persisted`] returns it.
    pub seq: u64,
    /// The changes.
    pub batch: Batch,
}

/// The actions that a node wants done after a step. The order between the kinds does not matter;
/// within one it does.
#[derive(Debug, Default)]
pub struct Outputs {
    /// A batch to write.
    pub persist: Option<Persist>,
    /// Messages to send.
    pub messages: Vec<Outgoing>,
    /// Answers to requests, by id.
    pub replies: Vec<(u64, RawResponse)>,
    /// Heartbeats to PD for regions that this store leads. The driver fills in the header.
    pub heartbeats: Vec<pdpb::RegionHeartbeatRequest>,
    /// Requests to PD for the ids of a split at these keys.
    pub ask_split: Vec<(metapb::Region, Vec<Vec<u8>>)>,
    /// Reports to PD of completed splits: all of their regions, from left to right.
    pub splits_done: Vec<Vec<metapb::Region>>,
    /// Regions to ask PD about.
    pub ask_region: Vec<u64>,
    /// Notes for the log.
    pub notes: Vec<String>,
}

/// An action that a peer cannot do alone: the node does it when the peer's turn is over.
#[derive(Debug)]
pub enum Effect {
    /// New regions came out of a split.
    Split {
        /// The new regions with their data, from left to right.
        parts: Vec<(metapb::Region, RegionData)>,
        /// True if our peer of the old region leads.
        leads: bool,
        /// The old region after the split.
        parent: metapb::Region,
    },
    /// Our peer of the region is no longer a member.
    Destroy {
        /// The region without the peer.
        region: metapb::Region,
    },
}

/// The work that waits until a batch is on disk.
#[derive(Debug)]
pub struct Waiter {
    /// The region.
    pub region_id: u64,
    /// The incarnation of the peer.
    pub peer_id: u64,
    /// Raft's number of the ready that was persisted.
    pub ready: u64,
    /// The index of the snapshot that was persisted with it; 0 = none.
    pub snapshot_index: u64,
    /// Messages whose promises may only be made once the batch is on disk.
    pub messages: Vec<Outgoing>,
}

/// The state that the peers of a node share during a step.
#[derive(Debug)]
pub struct Shared {
    /// The node's configuration.
    pub config: NodeConfig,
    /// The moment of the step.
    pub now: Now,
    /// The next batch for the disk.
    pub batch: Batch,
    /// That batch's number.
    pub seq: u64,
    /// The last batch known to be on disk.
    pub persisted_seq: u64,
    /// The waiting work, by batch.
    pub waiting: BTreeMap<u64, Vec<Waiter>>,
    /// The outputs of the step so far.
    pub out: Outputs,
    /// The actions that the node still has to do for its peers.
    pub effects: Vec<Effect>,
    /// True if writes are refused for lack of room.
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
