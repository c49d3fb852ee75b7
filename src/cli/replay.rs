//! The flags of `replay`.

use crate::exit::Exit;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

/// The flags of `replay`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct ReplayArgs {
    /// A run directory, or its plan.json
    pub run: PathBuf,
    /// Serve a live page meanwhile, on this machine only
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    pub live: Option<SocketAddr>,
    /// Where run directories go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl ReplayArgs {
    /// The plan's file.
    pub fn plan(&self) -> PathBuf {
        if self.run.is_dir() { self.run.join("plan.json") } else { self.run.clone() }
    }
}
