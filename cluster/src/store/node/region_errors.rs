//! The reasons that a store does not serve a request, in TiKV's words and in TiKV's order of
//! checks.
//!
//! In: a request's context, and this store's knowledge of the region. Out: the region error that
//! sends the client to the right place. All of these are found *before* a request has any effect,
//! except [`stale_command`].

use super::{data_range_contains, peer::Peer};
use proto::{errorpb, kvrpcpb::Context, metapb};

/// A region error; boxed, for it is large and rare.
pub type Refusal = Box<errorpb::Error>;

/// The request went to another store's address.
pub fn store_not_match(requested: u64, actual: u64) -> Refusal {
    Box::new(errorpb::Error {
        message: format!("to store id {requested}, mine {actual}"),
        store_not_match: Some(errorpb::StoreNotMatch {
            request_store_id: requested,
            actual_store_id: actual,
        }),
        ..Default::default()
    })
}

/// This store has no peer of the region.
pub fn region_not_found(region_id: u64) -> Refusal {
    Box::new(errorpb::Error {
        message: format!("region {region_id} not found"),
        region_not_found: Some(errorpb::RegionNotFound { region_id }),
        ..Default::default()
    })
}

/// Our peer does not lead; it may know the leader.
pub fn not_leader(region_id: u64, leader: Option<metapb::Peer>) -> Refusal {
    Box::new(errorpb::Error {
        message: format!("peer is not leader for region {region_id}, leader may {leader:?}"),
        not_leader: Some(errorpb::NotLeader { region_id, leader }),
        ..Default::default()
    })
}

/// The region has been split, or its membership changed, since the client looked.
pub fn epoch_not_match(current_regions: Vec<metapb::Region>) -> Refusal {
    let current = current_regions.first().and_then(|region| region.region_epoch);
    Box::new(errorpb::Error {
        message: format!("epoch not match current epoch is {current:?}"),
        epoch_not_match: Some(errorpb::EpochNotMatch { current_regions }),
        ..Default::default()
    })
}

/// The key lies outside the region.
pub fn key_not_in_region(key: &[u8], region: &metapb::Region) -> Refusal {
    Box::new(errorpb::Error {
        message: format!("key {key:02X?} is not in region {}", region.id),
        key_not_in_region: Some(errorpb::KeyNotInRegion {
            key: key.to_vec(),
            region_id: region.id,
            start_key: region.start_key.clone(),
            end_key: region.end_key.clone(),
        }),
        ..Default::default()
    })
}

/// The request was taken up, and its effect is unknown because leadership changed meanwhile.
pub fn stale_command() -> Refusal {
    Box::new(errorpb::Error {
        message: "stale command".into(),
        stale_command: Some(errorpb::StaleCommand {}),
        ..Default::default()
    })
}

/// Too many requests are waiting already.
pub fn server_is_busy(reason: &str) -> Refusal {
    Box::new(errorpb::Error {
        message: "server is busy".into(),
        server_is_busy: Some(errorpb::ServerIsBusy { reason: reason.into(), ..Default::default() }),
        ..Default::default()
    })
}

/// There is no room on the disk for another write.
pub fn disk_full(store_id: u64) -> Refusal {
    let reason = "disk almost full".to_owned();
    Box::new(errorpb::Error {
        message: reason.clone(),
        disk_full: Some(errorpb::DiskFull { store_id: vec![store_id], reason }),
        ..Default::default()
    })
}

/// Raft did not take the proposal.
pub fn proposal_dropped() -> Refusal {
    Box::new(errorpb::Error { message: "Raft raft: proposal dropped".into(), ..Default::default() })
}

/// Checks whether the peer may serve a request with that context, as far as the region goes.
pub fn check_peer(peer: &Peer, context: &Context) -> Result<(), Refusal> {
    if !peer.is_leader() {
        return Err(not_leader(peer.region().id, peer.leader()));
    }
    let requested = context.peer.as_ref().map_or(0, |peer| peer.id);
    if requested != peer.peer_id() {
        return Err(Box::new(errorpb::Error {
            message: format!("mismatch peer id {requested} != {}", peer.peer_id()),
            mismatch_peer_id: Some(errorpb::MismatchPeerId {
                request_peer_id: requested,
                store_peer_id: peer.peer_id(),
            }),
            ..Default::default()
        }));
    }
    // TiKV lets a client's term lag by one.
    if context.term != 0 && peer.term() > context.term + 1 {
        return Err(stale_command());
    }
    Ok(())
}

/// Returns true if the client's bounds of the region are current. Membership may differ: data
/// requests do not depend on it.
pub fn version_matches(context: &Context, region: &metapb::Region) -> bool {
    let version = |epoch: Option<metapb::RegionEpoch>| epoch.unwrap_or_default().version;
    version(context.region_epoch) == version(region.region_epoch)
}

/// Checks that all of the keys lie in the region.
pub fn check_keys(keys: &[&[u8]], region: &metapb::Region) -> Result<(), Refusal> {
    match keys.iter().find(|key| !data_range_contains(region, key)) {
        Some(key) => Err(key_not_in_region(key, region)),
        None => Ok(()),
    }
}

/// The request is larger than any log entry may be.
pub fn entry_too_large(region_id: u64, entry_size: u64) -> Refusal {
    Box::new(errorpb::Error {
        message: format!("raft entry is too large, region {region_id}, entry size {entry_size}"),
        raft_entry_too_large: Some(errorpb::RaftEntryTooLarge { region_id, entry_size }),
        ..Default::default()
    })
}
