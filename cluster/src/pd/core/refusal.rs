//! Why PD says no, in PD's own words: clients and tools compare these texts.

/// A request that PD refuses, or cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No store has bootstrapped the cluster yet.
    #[error("cluster is not bootstrapped")]
    NotBootstrapped,
    /// Another store came first.
    #[error("cluster is already bootstrapped")]
    AlreadyBootstrapped,
    /// The first store or region of a cluster does not look as it must.
    #[error("invalid bootstrap request: {0}")]
    InvalidBootstrap(&'static str),
    /// The store was removed for good.
    #[error("store is tombstone")]
    StoreTombstone,
    /// Nobody registered a store of this id.
    #[error("invalid store ID {0}, not found")]
    StoreNotFound(u64),
    /// Another living store has the address.
    #[error("duplicated store address: {address}, already registered by {by}")]
    DuplicateAddress {
        /// The address.
        address: String,
        /// The store that has it.
        by: u64,
    },
    /// What was reported about a region is older than what is known.
    #[error("region is stale: region {region}, {detail}")]
    RegionStale {
        /// The region.
        region: u64,
        /// In what it is older.
        detail: String,
    },
    /// PD knows no such region.
    #[error("region {0} not found")]
    RegionNotFound(u64),
    /// The regions that are known leave holes in the ranges that were asked for.
    #[error("found regions not contain all key range")]
    RangesNotCovered,
    /// A number of timestamps or ids that cannot be given.
    #[error("{0}")]
    InvalidCount(&'static str),
    /// An operator could not be made; the text is real PD's.
    #[error("{0}")]
    Operator(String),
    /// A setting is unknown or its value wrong; the text is real PD's.
    #[error("{0}")]
    Setting(String),
    /// What had to reach the disk first did not.
    #[error("PD cannot save its state: {0}")]
    Disk(String),
}
