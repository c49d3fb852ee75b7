//! The contents of a region's log entry: one write, or one split, with everything that replicas
//! need to apply it alike.
//!
//! In: a checked client request and the leader's clock. Out: bytes for the Raft log. Replicas
//! compare the epoch's version and expiries with the entry's values, never with their own clock, so
//! that they cannot differ.

use proto::metapb;

/// The contents of a normal log entry.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Command {
    /// The version of the region's epoch that the leader checked the keys against.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// The leader's wall clock at the proposal, in seconds since the epoch.
    #[prost(uint64, tag = "2")]
    pub unix_s: u64,
    /// The action.
    #[prost(oneof = "Action", tags = "3, 4, 5, 6")]
    pub action: Option<Action>,
}

/// The action of an entry.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Action {
    /// Puts and deletes, in order, all or nothing.
    #[prost(message, tag = "3")]
    Write(Write),
    /// Deletes every key of a range.
    #[prost(message, tag = "4")]
    DeleteRange(DeleteRange),
    /// Compares, then swaps.
    #[prost(message, tag = "5")]
    CompareAndSwap(CompareAndSwap),
    /// Splits the region.
    #[prost(message, tag = "6")]
    Split(Split),
}

/// Puts and deletes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Write {
    /// The changes, in the order of the request.
    #[prost(message, repeated, tag = "1")]
    pub mutations: Vec<Mutation>,
}

/// One key's change.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Mutation {
    /// The key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The new value; `None` deletes.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub value: Option<Vec<u8>>,
    /// The time at which the value expires, in seconds since the epoch; 0 = never.
    #[prost(uint64, tag = "3")]
    pub expires_unix_s: u64,
}

/// A range whose keys are deleted.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeleteRange {
    /// The lower bound, inclusive.
    #[prost(bytes = "vec", tag = "1")]
    pub start: Vec<u8>,
    /// The upper bound, exclusive; empty = the region's end.
    #[prost(bytes = "vec", tag = "2")]
    pub end: Vec<u8>,
}

/// A compare-and-swap.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CompareAndSwap {
    /// The key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The value that must be there; `None` = absent.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub expected: Option<Vec<u8>>,
    /// The new value.
    #[prost(bytes = "vec", tag = "3")]
    pub value: Vec<u8>,
    /// The time at which the new value expires, in seconds since the epoch; 0 = never.
    #[prost(uint64, tag = "4")]
    pub expires_unix_s: u64,
    /// True if the value was compared when this was proposed and is not compared again: the defect
    /// cas-race.
    #[prost(bool, tag = "5")]
    pub compared: bool,
}

/// A split. The region keeps its id for the part right of the last key, as TiKV's does by default.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Split {
    /// The new regions, from left to right.
    #[prost(message, repeated, tag = "1")]
    pub parts: Vec<SplitPart>,
    /// The membership for which the new peers' ids were allotted.
    #[prost(uint64, tag = "2")]
    pub conf_ver: u64,
}

/// One new region: the part left of a key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SplitPart {
    /// The region's exclusive end.
    #[prost(bytes = "vec", tag = "1")]
    pub end: Vec<u8>,
    /// The region's id.
    #[prost(uint64, tag = "2")]
    pub region_id: u64,
    /// The ids of the region's peers, in the order of the old region's peers.
    #[prost(uint64, repeated, tag = "3")]
    pub peer_ids: Vec<u64>,
}

/// A store's record of a region of which it has, or had, a peer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegionRecord {
    /// The region as of the applied index.
    #[prost(message, optional, tag = "1")]
    pub region: Option<metapb::Region>,
    /// Our peer's id.
    #[prost(uint64, tag = "2")]
    pub peer_id: u64,
    /// True if our peer is gone for good: then only the epoch and the peer's id matter.
    #[prost(bool, tag = "3")]
    pub tombstone: bool,
}

/// The progress of a peer.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct AppliedRecord {
    /// The last applied entry's index.
    #[prost(uint64, tag = "1")]
    pub applied: u64,
    /// The index of the last entry that is no longer in the log.
    #[prost(uint64, tag = "2")]
    pub truncated_index: u64,
    /// The term of that entry.
    #[prost(uint64, tag = "3")]
    pub truncated_term: u64,
}

/// A region's contents on their way to another store.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SnapshotRecord {
    /// The region.
    #[prost(message, optional, tag = "1")]
    pub region: Option<metapb::Region>,
    /// The region's keys, as mutations with values.
    #[prost(message, repeated, tag = "2")]
    pub keys: Vec<Mutation>,
}
