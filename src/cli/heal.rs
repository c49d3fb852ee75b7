//! The flags of `heal`.

use clap::Args;
use std::path::PathBuf;

/// The flags of `heal`.
#[derive(Debug, Args)]
pub struct HealArgs {
    /// Where the run directories are
    #[arg(default_value = "runs")]
    pub runs_dir: PathBuf,
}
