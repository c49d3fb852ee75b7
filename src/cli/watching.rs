//! The flags for watching a run in progress, which all commands that run something share.

use crate::{cli::RunOptions, watch::live};
use clap::Args;
use failure::Failure;
use pages::serving;
use std::{io::IsTerminal, net::SocketAddr};

/// The flags.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct WatchingArgs {
    /// Serve a live page meanwhile, on this machine only
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    pub live: Option<SocketAddr>,
    /// Serve the tester's own metrics for Prometheus meanwhile
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    #[arg(hide_short_help = true)]
    pub metrics: Option<SocketAddr>,
    /// Show in the terminal how the run goes
    #[arg(long)]
    pub tui: bool,
}

impl WatchingArgs {
    /// Returns options with only the watchers set. Impossible ones are refused before anything
    /// starts.
    pub fn run_options(&self) -> Result<RunOptions, Failure> {
        if let Some(addr) = self.live {
            live::refuse_others(addr)?;
            serving::refuse_blocked("the live page", addr.port())?;
        }
        if let Some(addr) = self.metrics {
            serving::refuse_blocked("the metrics", addr.port())?;
        }
        if self.tui && !std::io::stderr().is_terminal() {
            return Err(Failure::usage(
                "--tui draws on a terminal, and standard error is none: leave it away, or look at --live",
            ));
        }
        let Self { live, metrics, tui } = *self;
        Ok(RunOptions { live, metrics, tui, ..RunOptions::default() })
    }
}
