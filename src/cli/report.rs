//! The flags of `report`.

use clap::Args;
use failure::Exit;
use std::path::PathBuf;

/// The flags of `report`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ReportArgs {
    /// A run directory
    #[arg(default_value = "runs/latest")]
    pub run: PathBuf,
    /// Open it in a browser
    #[arg(long)]
    pub open: bool,
}
