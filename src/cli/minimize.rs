//! The flags of `minimize`.

use crate::exit::Exit;
use clap::Args;
use std::path::PathBuf;

/// The flags of `minimize`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct MinimizeArgs {
    /// A run directory or a history file that is not linearizable
    pub history: PathBuf,
    /// Where the smallest sub-history goes; it must not exist yet
    #[arg(long, short, default_value = "minimal.jsonl")]
    pub output: PathBuf,
}
