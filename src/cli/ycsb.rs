//! The flags of `load` and `ycsb`: go-ycsb's, and the address of PD.

use super::{PdArgs, parse_ms};
use clap::Args;
use failure::Exit;
use plan::config::ClientName;
use std::time::Duration;

/// The flags of `load` and `ycsb`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct YcsbArgs {
    /// The database, for hands that type `go-ycsb load tikv`
    #[arg(value_parser = ["tikv"], hide_possible_values = true)]
    pub db: Option<String>,
    /// A property file in Java's format, or workloada to workloadf; several, also FILE,FILE: the later wins
    #[arg(
        short = 'P',
        long = "property_file",
        value_name = "FILE",
        alias = "property-file",
        value_delimiter = ','
    )]
    pub property_files: Vec<String>,
    /// A property, `name=value`, with go-ycsb's names and defaults; wins over files
    #[arg(short = 'p', long = "prop", value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
    /// Threads; the same as -p threadcount=N
    #[arg(long, value_name = "N")]
    pub threads: Option<u64>,
    /// Operations a second; the same as -p target=N
    #[arg(long, value_name = "N")]
    pub target: Option<u64>,
    /// Seconds between two reports; the same as -p measurement.interval=N
    #[arg(long, value_name = "SECONDS")]
    pub interval: Option<u64>,
    /// Table; the same as -p table=NAME
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Where PD is.
    #[command(flatten)]
    pub pd: PdArgs,
    /// Client library
    #[arg(long, value_enum, default_value = "tikv-client")]
    pub client: ClientName,
    /// How long one call may take (seconds, or with a unit: 500ms)
    #[arg(long, default_value = "5", value_parser = parse_ms)]
    pub op_timeout: u64,
}

impl YcsbArgs {
    /// Returns the deadline of one call.
    pub fn op_timeout(&self) -> Duration {
        Duration::from_millis(self.op_timeout)
    }
}
