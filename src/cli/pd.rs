//! The flags that name the PD for clients.

use clap::Args;
use std::path::PathBuf;

/// Where clients find PD, as flags say it.
#[derive(Debug, Args)]
pub struct PdArgs {
    /// Where PD is, `host:port[,host:port]` [default: the cluster that runs here, or 127.0.0.1:2379]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', conflicts_with = "tag")]
    pub pd: Vec<String>,
    /// The tag of a cluster that `cluster up` started
    #[arg(short = 'T', long)]
    pub tag: Option<String>,
    /// Where run directories are; clusters are in its folder `clusters`
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}
