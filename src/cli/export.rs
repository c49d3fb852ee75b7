//! The flags of `export`.

use crate::exit::Exit;
use clap::Args;
use std::path::PathBuf;

/// The flags of `export`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct ExportArgs {
    /// A run directory or a history file
    pub history: PathBuf,
    /// Only this key, to stdout
    #[arg(long, conflicts_with = "out")]
    pub key: Option<String>,
    /// A file for each key, into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
