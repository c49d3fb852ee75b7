//! The flags of the embedded cluster's shape, which several commands share.

use super::suggested::{Suggested, defect_names};
use clap::{Args, ValueEnum};
use plan::config::ClusterShape;

/// The speed of time in the embedded cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// Elections after 1–2 s
    Fast,
    /// TiKV's own defaults: elections after 10–20 s
    Tikv,
}

impl ProfileName {
    /// Returns the profile's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Tikv => "tikv",
        }
    }
}

/// The way in which a leader confirms that it still leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReadName {
    /// A majority confirms it for every round of reads
    ReadIndex,
    /// A majority confirms it for the length of a lease, shorter than the election timeout
    Lease,
}

impl ReadName {
    /// Returns the read mode's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadIndex => "read-index",
            Self::Lease => "lease",
        }
    }
}

/// The flags of the embedded cluster's shape.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to test")]
pub struct ShapeArgs {
    /// How many stores
    ///
    /// A cluster that runs already (attach) keeps its shape: it is found, not chosen.
    #[arg(long, default_value_t = 6)]
    pub stores: u32,
    /// How many replicas a region has
    #[arg(long, default_value_t = 3)]
    pub replicas: u32,
    /// Number of regions that the workload's keys are split into
    #[arg(long, default_value_t = 1, hide_short_help = true)]
    pub regions: u32,
    /// Let a region with more keys than this be split, again and again
    #[arg(long, value_name = "N")]
    #[arg(hide_short_help = true)]
    pub region_max_keys: Option<u64>,
    /// Let values have a time to live (TiKV's storage.enable-ttl), which is refused otherwise
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub enable_ttl: bool,
    /// Speed of elections
    ///
    /// Either fast (elections 1-2 s) or TiKV's defaults (10-20 s).
    #[arg(long, value_enum, default_value = "fast")]
    pub profile: ProfileName,
    /// PD's port; 0 = pick one
    #[arg(long, default_value_t = 0)]
    #[arg(hide_short_help = true)]
    pub pd_port: u16,
    /// The first store's port, the others follow; 0 = pick them
    #[arg(long, default_value_t = 0)]
    #[arg(hide_short_help = true)]
    pub store_port: u16,
    /// Confirmation of leadership before a leader answers a read
    #[arg(long, value_enum, default_value = "read-index")]
    #[arg(hide_short_help = true)]
    pub read: ReadName,
    /// Make the cluster wrong on purpose (see `jepsen-tikv defects`)
    ///
    /// NAME@1+3 gives the defect to stores 1 and 3 only.
    #[arg(long, value_name = "NAME[@STORES]", value_delimiter = ',')]
    #[arg(value_parser = Suggested(defect_names), hide_possible_values = true)]
    pub defect: Vec<String>,
}

impl ShapeArgs {
    /// Returns the unchecked shape.
    pub fn shape(&self) -> ClusterShape {
        ClusterShape {
            stores: self.stores,
            replicas: self.replicas,
            regions: self.regions,
            region_max_keys: self.region_max_keys,
            enable_ttl: self.enable_ttl,
            profile: self.profile.name().to_owned(),
            pd_port: self.pd_port,
            store_port: self.store_port,
            read: self.read.name().to_owned(),
            defects: self.defect.clone(),
        }
    }
}
