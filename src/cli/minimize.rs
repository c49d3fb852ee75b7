//! The flags of `minimize`.

use crate::cli::reading::ReadArgs;
use clap::Args;
use failure::Exit;
use std::path::PathBuf;

/// The flags of `minimize`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct MinimizeArgs {
    /// A run directory, a history file, or a folder of Jepsen or etcd that is not linearizable
    pub history: PathBuf,
    /// How the history is read
    #[command(flatten)]
    pub reading: ReadArgs,
    /// Where the smallest sub-history goes; it must not exist yet
    #[arg(long, short, default_value = "minimal.jsonl")]
    pub output: PathBuf,
}
