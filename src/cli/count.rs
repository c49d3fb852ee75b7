//! The flags of `count`.

use super::PdArgs;
use clap::Args;
use failure::Exit;

/// The flags of `count`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct CountArgs {
    /// Only keys that begin with this, for example usertable:
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Print the keys, one a line; what is no plain ASCII as \xNN
    #[arg(long)]
    pub list: bool,
    /// Where PD is.
    #[command(flatten)]
    pub pd: PdArgs,
}
