//! The flags of `count`.

use crate::exit::Exit;
use clap::Args;
use std::path::PathBuf;

/// The flags of `count`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct CountArgs {
    /// Only keys that begin with this, for example usertable:
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Print the keys, one a line; what is no plain ASCII as \xNN
    #[arg(long)]
    pub list: bool,
    /// Where PD is, `host:port[,host:port]` [default: the cluster that runs here, or 127.0.0.1:2379]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub pd: Vec<String>,
    /// Where the clusters are that `cluster up` started
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}
