//! PD's admin API over HTTP (`/pd/api/v1/`): what the cluster looks like, and the wishes that one
//! can have.
//!
//! In: a member's address. Out: typed answers, keys as plain bytes. Every call ends within the
//! timeout and says in one line what went wrong. It does not know why anybody asks.

mod answers;
#[doc(hidden)]
pub mod doors;

pub use answers::{Epoch, Member, MemberHealth, Peer, PeerRole, PlacementRule, Region, Store};

use crate::{Security, security::use_ring};
use answers::{MembersAnswer, RegionsAnswer, ReplicationAnswer, StoresAnswer};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// PD answers no more regions of a range at once.
const REGIONS_MAX: u32 = 10_240;

/// Why PD did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PdHttpError {
    /// No answer, or none in time.
    #[error("PD does not answer at {url}: {reason}")]
    Unreachable {
        /// The requested URL.
        url: String,
        /// The transport's words.
        reason: String,
    },
    /// PD refused.
    #[error("PD refused {url} with HTTP {status}: {message}")]
    Refused {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// PD's words.
        message: String,
    },
    /// PD's answer is not what it should be.
    #[error("PD's answer to {url} cannot be read: {reason}")]
    Unreadable {
        /// The requested URL.
        url: String,
        /// The defect of the answer.
        reason: String,
    },
}

/// A client of PD's admin API. It speaks to one member until that does not serve it, and then to
/// the next: a follower sends what is asked to PD's leader, and a leader may move or end.
#[derive(Debug, Clone)]
pub struct PdHttp {
    http: reqwest::Client,
    bases: Arc<[String]>,
    /// Which member served last.
    current: Arc<AtomicUsize>,
}

impl PdHttp {
    /// A client for the PD at an address (`host:port`, with or without `http://`). Does not connect
    /// yet.
    pub fn new(address: &str, timeout: Duration) -> Result<Self, PdHttpError> {
        Self::of_members(&[address.to_owned()], timeout, None)
    }

    /// A client for a PD of several members. `timeout` is that of one question to one member.
    pub fn of_members(
        addresses: &[String],
        timeout: Duration,
        security: Option<&Security>,
    ) -> Result<Self, PdHttpError> {
        let scheme = if security.is_some() { "https" } else { "http" };
        let base = |address: &String| {
            let bare = address.rsplit_once("://").map_or(address.as_str(), |(_, bare)| bare);
            format!("{scheme}://{}/pd/api/v1", bare.trim_end_matches('/'))
        };
        let bases: Arc<[String]> = addresses.iter().map(base).collect();
        let unusable = |reason: String| PdHttpError::Unreachable {
            url: bases.first().cloned().unwrap_or_default(),
            reason,
        };
        if bases.is_empty() {
            return Err(unusable("no address was given".into()));
        }
        // The library wants one in any case, TLS or not.
        use_ring();
        // A proxy of the environment has no business between us and the cluster.
        let mut builder = reqwest::Client::builder().timeout(timeout).no_proxy();
        if let Some(security) = security {
            builder = security.http(builder);
        }
        let http = builder.build().map_err(|error| unusable(reason(&error)))?;
        Ok(Self { http, bases, current: Arc::default() })
    }

    /// All stores that are not tombstones, by id.
    pub async fn stores(&self) -> Result<Vec<Store>, PdHttpError> {
        let answer: StoresAnswer = self.get("stores").await?;
        let mut stores: Vec<Store> = answer.stores.into_iter().map(Store::from).collect();
        stores.sort_by_key(|store| store.id);
        Ok(stores)
    }

    /// All regions, by lower bound.
    pub async fn regions(&self) -> Result<Vec<Region>, PdHttpError> {
        let answer: RegionsAnswer = self.get("regions").await?;
        let mut regions = Self::decoded("regions", answer.regions)?;
        regions.sort_by(|a, b| a.start_key.cmp(&b.start_key));
        Ok(regions)
    }

    /// The regions that hold keys of `[start, end)` (`None` = no bound), by lower bound; at most
    /// 10,240.
    pub async fn regions_of_range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
    ) -> Result<Vec<Region>, PdHttpError> {
        let (key, end_key) = (percent_encoded(start), percent_encoded(end.unwrap_or_default()));
        let path = format!("regions/key?key={key}&end_key={end_key}&limit={REGIONS_MAX}");
        let answer: RegionsAnswer = self.get(&path).await?;
        let mut regions = Self::decoded(&path, answer.regions)?;
        regions.sort_by(|a, b| a.start_key.cmp(&b.start_key));
        regions.retain(|region| region.overlaps(start, end));
        Ok(regions)
    }

    /// A region by id, if PD knows it.
    pub async fn region(&self, id: u64) -> Result<Option<Region>, PdHttpError> {
        self.one_region(&format!("region/id/{id}")).await
    }

    /// The region that holds a key, if PD knows one.
    pub async fn region_of_key(&self, key: &[u8]) -> Result<Option<Region>, PdHttpError> {
        self.one_region(&format!("region/key/{}", percent_encoded(key))).await
    }

    /// Returns the number of replicas that PD wants for each region (`max-replicas`).
    pub async fn max_replicas(&self) -> Result<u64, PdHttpError> {
        let answer: ReplicationAnswer = self.get("config/replicate").await?;
        Ok(answer.max_replicas)
    }

    /// Tells PD how many replicas a region shall have. It takes PD some time to get there.
    pub async fn set_max_replicas(&self, replicas: u64) -> Result<(), PdHttpError> {
        self.post("config", &json!({"max-replicas": replicas})).await
    }

    /// All settings, as PD has them.
    pub async fn settings(&self) -> Result<serde_json::Value, PdHttpError> {
        self.get("config").await
    }

    /// Changes one setting, whose name PD looks for in all sections.
    pub async fn set_setting(
        &self,
        name: &str,
        value: &serde_json::Value,
    ) -> Result<(), PdHttpError> {
        self.post("config", &json!({ name: value })).await
    }

    /// Asks PD to move a region's leader to another store. It may happen later, or not at all.
    pub async fn transfer_leader(&self, region: u64, to_store: u64) -> Result<(), PdHttpError> {
        let operator =
            json!({"name": "transfer-leader", "region_id": region, "to_store_id": to_store});
        self.post("operators", &operator).await
    }

    /// Asks PD to move a region's peer from one store to another. It happens later, or not at all.
    pub async fn transfer_peer(
        &self,
        region: u64,
        from_store: u64,
        to_store: u64,
    ) -> Result<(), PdHttpError> {
        let operator = json!({
            "name": "transfer-peer", "region_id": region,
            "from_store_id": from_store, "to_store_id": to_store,
        });
        self.post("operators", &operator).await
    }

    /// Asks PD to split a region at keys inside it. It happens later, or not at all.
    pub async fn split_region(&self, region: u64, keys: &[Vec<u8>]) -> Result<(), PdHttpError> {
        let keys: Vec<String> = keys.iter().map(|key| answers::to_hex(key)).collect();
        let operator = json!({
            "name": "split-region", "region_id": region, "policy": "usekey", "keys": keys,
        });
        self.post("operators", &operator).await
    }

    /// The placement rules. PD without them (`enable-placement-rules = false`) has none to answer.
    pub async fn placement_rules(&self) -> Result<Vec<PlacementRule>, PdHttpError> {
        match self.get("config/rules").await {
            Err(PdHttpError::Refused { status: 412, .. }) => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// Asks for a split where the leader finds the middle of the region's keys, and returns when PD
    /// has taken the operator. One with fewer than two keys is not split.
    pub async fn split_region_in_the_middle(&self, region: u64) -> Result<(), PdHttpError> {
        let operator = json!({ "name": "split-region", "region_id": region, "policy": "scan" });
        self.post("operators", &operator).await
    }

    /// The cluster's id: no two clusters have the same.
    pub async fn cluster_id(&self) -> Result<u64, PdHttpError> {
        let answer: answers::ClusterAnswer = self.get("cluster").await?;
        Ok(answer.id)
    }

    /// PD's members.
    pub async fn members(&self) -> Result<Vec<Member>, PdHttpError> {
        let answer: MembersAnswer = self.get("members").await?;
        Ok(answer.members)
    }

    /// The health of PD's members.
    pub async fn health(&self) -> Result<Vec<MemberHealth>, PdHttpError> {
        self.get("health").await
    }

    async fn one_region(&self, path: &str) -> Result<Option<Region>, PdHttpError> {
        let answer: answers::RegionAnswer = self.get(path).await?;
        // PD's word for "no such region" is a region with the id 0.
        if answer.id == 0 {
            return Ok(None);
        }
        Ok(Self::decoded(path, vec![answer])?.pop())
    }

    fn decoded(
        path: &str,
        regions: Vec<answers::RegionAnswer>,
    ) -> Result<Vec<Region>, PdHttpError> {
        regions
            .into_iter()
            .map(Region::try_from)
            .collect::<Result<_, _>>()
            .map_err(|reason| PdHttpError::Unreadable { url: path.to_owned(), reason })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, PdHttpError> {
        let (url, text) = self.ask(path, None).await?;
        serde_json::from_str(&text)
            .map_err(|error| PdHttpError::Unreadable { url, reason: error.to_string() })
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Result<(), PdHttpError> {
        self.ask(path, Some(body)).await.map(|_| ())
    }

    /// Asks one member after the other, from the one that served last, until one serves. What is
    /// posted are wishes that bear being said twice.
    async fn ask(
        &self,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<(String, String), PdHttpError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut tried = 0;
        loop {
            let member = (first + tried) % self.bases.len();
            let url = format!("{}/{path}", self.bases[member]);
            let request = match body {
                Some(body) => self.http.post(&url).json(body),
                None => self.http.get(&url),
            };
            tried += 1;
            match text(&url, request).await {
                Err(error) if error.is_of_the_member() && tried < self.bases.len() => {
                    tracing::debug!(%error, "asking the next member");
                }
                Err(error) => return Err(error),
                Ok(text) => {
                    self.current.store(member, Ordering::Relaxed);
                    return Ok((url, text));
                }
            }
        }
    }
}

impl PdHttpError {
    /// Returns true if another member may answer: this one is unreachable or has no leader.
    fn is_of_the_member(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            // 503: no leader, or still starting; 502 and 504: the leader that it asked for us does
            // not answer.
            Self::Refused { status, .. } => matches!(status, 502..=504),
            Self::Unreadable { .. } => false,
        }
    }
}

async fn text(url: &str, request: reqwest::RequestBuilder) -> Result<String, PdHttpError> {
    let unreachable = |error: reqwest::Error| PdHttpError::Unreachable {
        url: url.to_owned(),
        reason: reason(&error),
    };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    if status.is_success() {
        return Ok(text);
    }
    let message = text.trim().trim_matches('"').to_owned();
    Err(PdHttpError::Refused { url: url.to_owned(), status: status.as_u16(), message })
}

/// The innermost reason, which is the operating system's; the outer ones only repeat the URL.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// A key as a segment of a path. PD decodes it once, so every byte that is not plain is written in
/// hex.
fn percent_encoded(key: &[u8]) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(key.len() * 3);
    for byte in key {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_path() {
        assert_eq!(percent_encoded(b"user:1/ \xff"), "user%3A1%2F%20%FF");
    }
}
