//! The flags of `doctor`.

use clap::Args;
use failure::Exit;
use std::path::PathBuf;

/// The flags of `doctor`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct DoctorArgs {
    /// Where run directories would go: that disk is measured
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}
