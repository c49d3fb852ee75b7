//! The flags of `heal`.

use clap::Args;
use std::path::PathBuf;

/// The flags of `heal`.
#[derive(Debug, Args)]
pub struct HealArgs {
    /// Only what was left by runs and clusters below this directory [default: all that this user's testers left]
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}
