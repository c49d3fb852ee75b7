//! The shapes of PD's answers, and what we make of them.
//!
//! PD leaves out fields that are zero or empty, so everything but an id may be missing. Keys are
//! hexadecimal on the wire. What a raw cluster stores is not encoded, so they are compared with
//! clients' keys as they are.

use serde::Deserialize;

/// What PD says of the cluster.
#[derive(Debug, Deserialize)]
pub(super) struct ClusterAnswer {
    pub(super) id: u64,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its id.
    pub id: u64,
    /// Where clients reach it.
    pub address: String,
    /// Where its status is served.
    pub status_address: String,
    /// PD's word: `Up`, `Disconnected`, `Down`, `Offline`, `Tombstone`.
    pub state: String,
    /// The number of regions that the store leads.
    pub leaders: u64,
    /// The number of regions of which the store has a peer.
    pub regions: u64,
}

/// A region, as PD last heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its id.
    pub id: u64,
    /// The lower bound, inclusive.
    pub start_key: Vec<u8>,
    /// The upper bound, exclusive; `None` = no bound.
    pub end_key: Option<Vec<u8>>,
    /// The versions of the region's membership and bounds.
    pub epoch: Epoch,
    /// Its replicas.
    pub peers: Vec<Peer>,
    /// The replica that leads, if PD knows one.
    pub leader: Option<Peer>,
    /// Replicas that wait for a snapshot.
    pub pending_peers: Vec<Peer>,
    /// About how many keys it has, as its leader last told PD.
    pub keys: u64,
}

/// A region's epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Epoch {
    /// Grows with every membership change.
    pub conf_ver: u64,
    /// Grows with every split or merge.
    pub version: u64,
}

/// A replica.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Peer {
    /// Its id.
    pub id: u64,
    /// The store it is on.
    pub store_id: u64,
    /// Its part in consensus.
    #[serde(rename = "role_name")]
    pub role: PeerRole,
}

/// A replica's part in consensus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum PeerRole {
    /// Votes.
    #[default]
    Voter,
    /// Receives the log, does not vote.
    Learner,
    /// Becomes a voter, in a joint change.
    IncomingVoter,
    /// Becomes a learner, in a joint change.
    DemotingVoter,
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A member of PD.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its id.
    pub member_id: u64,
    /// Where clients reach it.
    #[serde(default)]
    pub client_urls: Vec<String>,
}

/// The health of a member of PD.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MemberHealth {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its id.
    pub member_id: u64,
    /// True if the member is healthy.
    #[serde(default)]
    pub health: bool,
}

/// A placement rule: who shall have how many replicas.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct PlacementRule {
    /// The rule's group; `pd` is PD's own.
    pub group_id: String,
    /// Its name in the group; PD's own is `default`.
    pub id: String,
    /// `voter`, `leader`, `follower` or `learner`.
    pub role: String,
    /// The number of replicas.
    pub count: u64,
}

impl PlacementRule {
    /// Returns true if this is the rule that PD derives from `max-replicas`.
    pub fn is_default(&self) -> bool {
        (self.group_id.as_str(), self.id.as_str()) == ("pd", "default")
    }
}

impl Region {
    /// Returns true if the region holds keys of `[start, end)` (`None` = no bound).
    pub fn overlaps(&self, start: &[u8], end: Option<&[u8]>) -> bool {
        end.is_none_or(|end| &self.start_key[..] < end)
            && self.end_key.as_deref().is_none_or(|bound| start < bound)
    }

    /// The stores whose replicas vote, the leader's among them.
    pub fn voter_stores(&self) -> Vec<u64> {
        let votes = |peer: &&Peer| peer.role == PeerRole::Voter;
        self.peers.iter().filter(votes).map(|peer| peer.store_id).collect()
    }

    /// The stores whose replicas do not vote, or are about to change whether they do.
    pub fn learner_stores(&self) -> Vec<u64> {
        let other = |peer: &&Peer| peer.role != PeerRole::Voter;
        self.peers.iter().filter(other).map(|peer| peer.store_id).collect()
    }

    /// The leader's store, if PD knows it.
    pub fn leader_store(&self) -> Option<u64> {
        self.leader.map(|leader| leader.store_id)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct StoresAnswer {
    #[serde(default)]
    pub(super) stores: Vec<StoreAnswer>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoreAnswer {
    store: StoreMeta,
    #[serde(default)]
    status: StoreStatus,
}

#[derive(Debug, Deserialize)]
struct StoreMeta {
    id: u64,
    #[serde(default)]
    address: String,
    #[serde(default)]
    status_address: String,
    #[serde(default)]
    state_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoreStatus {
    leader_count: u64,
    region_count: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct RegionsAnswer {
    #[serde(default)]
    pub(super) regions: Vec<RegionAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct RegionAnswer {
    pub(super) id: u64,
    start_key: String,
    end_key: String,
    epoch: Epoch,
    peers: Vec<Peer>,
    leader: Option<Peer>,
    pending_peers: Vec<Peer>,
    approximate_keys: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ReplicationAnswer {
    pub(super) max_replicas: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct MembersAnswer {
    #[serde(default)]
    pub(super) members: Vec<Member>,
}

impl From<StoreAnswer> for Store {
    fn from(answer: StoreAnswer) -> Self {
        let StoreMeta { id, address, status_address, state_name } = answer.store;
        let StoreStatus { leader_count, region_count } = answer.status;
        let state = state_name;
        Self { id, address, status_address, state, leaders: leader_count, regions: region_count }
    }
}

impl TryFrom<RegionAnswer> for Region {
    type Error = String;

    fn try_from(answer: RegionAnswer) -> Result<Self, String> {
        let end_key = from_hex(&answer.end_key)?;
        Ok(Self {
            id: answer.id,
            start_key: from_hex(&answer.start_key)?,
            end_key: Some(end_key).filter(|key| !key.is_empty()),
            epoch: answer.epoch,
            peers: answer.peers,
            // PD writes a leader without a store when it knows none.
            leader: answer.leader.filter(|leader| leader.store_id != 0),
            pending_peers: answer.pending_peers,
            keys: answer.approximate_keys,
        })
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| format!("{text:?} is not hexadecimal"))
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// An answer of a real PD, if this checkout has them beside it.
    fn real_answer(name: &str) -> Option<String> {
        let folder = "../../shared/data/pd-http";
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
        let text = std::fs::read_to_string(&path).ok();
        if text.is_none() {
            eprintln!("skipped: {} is not there", path.display());
        }
        text
    }

    fn regions(text: &str) -> Vec<Region> {
        let answer: RegionsAnswer = serde_json::from_str(text).expect("PD's shape");
        answer.regions.into_iter().map(|r| Region::try_from(r).expect("hexadecimal")).collect()
    }

    #[test]
    fn hexadecimal_goes_both_ways_and_nonsense_is_refused() {
        let bytes = vec![0, 1, 0x7f, 0xff, b'r'];
        assert_eq!(from_hex(&to_hex(&bytes)), Ok(bytes));
        assert!(from_hex("7").is_err());
        assert!(from_hex("zz").is_err());
        assert!(from_hex("é").is_err());
    }

    #[test]
    fn what_pd_leaves_out_is_zero_or_none() {
        let text = r#"{"count":1,"regions":[{"id":3,"start_key":"","end_key":"72",
            "epoch":{"version":1},"peers":[{"id":4,"store_id":1},
            {"role_name":"Learner","id":5,"store_id":2}],"leader":{"role_name":""}}]}"#;
        // Without a role PD writes an empty name; it is no voter's.
        let region = &regions(text)[0];
        assert_eq!(region.leader_store(), None);
        assert_eq!(region.voter_stores(), [1]);
        assert_eq!(region.learner_stores(), [2]);
        assert_eq!(region.epoch, Epoch { conf_ver: 0, version: 1 });
        let store: StoreAnswer =
            serde_json::from_str(r#"{"store":{"id":7},"status":{"region_count":5}}"#)
                .expect("a store");
        assert_eq!((Store::from(store).leaders), 0);
    }

    #[test]
    fn ranges_touch_regions_by_exclusive_upper_bounds() {
        let text = r#"{"regions":[{"id":3,"start_key":"62","end_key":"64"}]}"#;
        let region = &regions(text)[0];
        for (start, end, overlaps) in [
            ("a", Some("b"), false),
            ("a", Some("ba"), true),
            ("c", None, true),
            ("d", None, false),
            ("", None, true),
        ] {
            let end = end.map(str::as_bytes);
            assert_eq!(region.overlaps(start.as_bytes(), end), overlaps, "{start}..{end:?}");
        }
    }

    #[test]
    fn a_real_pds_regions_are_read() {
        let Some(text) = real_answer("regions.json") else { return };
        let mut regions = regions(&text);
        regions.sort_by(|a, b| a.start_key.cmp(&b.start_key));
        assert_eq!(regions.len(), 5);
        assert_eq!(regions[0].start_key, b"");
        assert_eq!(regions[4].end_key, None);
        let usertable: Vec<_> =
            regions.iter().filter(|r| r.overlaps(b"usertable:", Some(b"usertable;"))).collect();
        assert_eq!(usertable.len(), 1);
        assert_eq!((usertable[0].id, usertable[0].leader_store()), (15, Some(1)));
        assert_eq!(usertable[0].voter_stores(), [2, 1, 8, 9, 7]);
        assert_eq!(usertable[0].epoch, Epoch { conf_ver: 39, version: 5 });
    }

    #[test]
    fn a_real_pds_other_answers_are_read() {
        let Some(stores) = real_answer("stores.json") else { return };
        let answer: StoresAnswer = serde_json::from_str(&stores).expect("PD's shape");
        let stores: Vec<Store> = answer.stores.into_iter().map(Store::from).collect();
        assert_eq!(stores.len(), 6);
        assert!(stores.iter().all(|store| store.state == "Up" && !store.address.is_empty()));
        let read = |name| real_answer(name).expect("it stands beside stores.json");
        let config: ReplicationAnswer =
            serde_json::from_str(&read("config-replicate.json")).expect("PD's shape");
        assert_eq!(config.max_replicas, 5);
        let members: MembersAnswer =
            serde_json::from_str(&read("members.json")).expect("PD's shape");
        assert_eq!(members.members[0].client_urls, ["http://127.0.0.1:2379"]);
        let health: Vec<MemberHealth> =
            serde_json::from_str(&read("health.json")).expect("PD's shape");
        assert!(health[0].health);
        let unknown: RegionAnswer =
            serde_json::from_str(&read("region-id-unknown.json")).expect("PD's shape");
        assert_eq!(unknown.id, 0);
    }
}
