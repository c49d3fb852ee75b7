//! The reasons for PD's refusals, in PD's own words: clients and tools compare these texts.

/// A request that PD refuses, or cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No store has bootstrapped the cluster yet.
    #[error("cluster is not bootstrapped")]
    NotBootstrapped,
    /// Another store came first.
    #[error("cluster is already bootstrapped")]
    AlreadyBootstrapped,
    /// The first store or region of a cluster is malformed.
    #[error("invalid bootstrap request: {0}")]
    InvalidBootstrap(&'static str),
    /// The store was removed for good.
    #[error("store is tombstone")]
    StoreTombstone,
    /// No store of this id is registered.
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
    /// The report about a region is older than the known state.
    #[error("region is stale: region {region}, {detail}")]
    RegionStale {
        /// The region.
        region: u64,
        /// The outdated part.
        detail: String,
    },
    /// PD does not know the region.
    #[error("region {0} not found")]
    RegionNotFound(u64),
    /// The known regions leave holes in the requested ranges.
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
    /// The state that had to be saved first did not reach the disk.
    #[error("PD cannot save its state: {0}")]
    Disk(String),
}
