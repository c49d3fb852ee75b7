//! The flags of `export`.

use crate::cli::reading::ReadArgs;
use clap::Args;
use failure::Exit;
use std::path::PathBuf;

/// The flags of `export`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ExportArgs {
    /// A run directory, a history file, or a folder of Jepsen or etcd
    pub history: PathBuf,
    /// How the history is read
    #[command(flatten)]
    pub reading: ReadArgs,
    /// Only this key, to stdout
    #[arg(long, conflicts_with = "out")]
    pub key: Option<String>,
    /// A file for each key, into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
