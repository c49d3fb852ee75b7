//! The flags of `target-check`.

use super::{shape::ShapeArgs, target::TargetArgs};
use clap::Args;
use failure::{Exit, Failure};
use plan::config::Config;
use std::path::PathBuf;

/// The flags of `target-check`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct TargetCheckArgs {
    /// Which cluster
    #[command(flatten)]
    pub target: TargetArgs,
    /// The cluster's shape
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl TargetCheckArgs {
    /// Returns a checked configuration; of its workload only the prefix matters.
    pub fn config(&self) -> Result<Config, Failure> {
        let mut config = Config { name: "target-check".into(), ..Config::default() };
        config.seed = u64::from(rand::random::<u32>());
        config.target = self.target.target()?;
        config.cluster = self.shape.shape();
        config.workload.prefix = match self.target.prefix()? {
            none if none.is_empty() => "target-check/".into(),
            prefix => prefix,
        };
        // The check has steps of its own.
        config.nemesis.faults = Vec::new();
        config.check()?;
        Ok(config)
    }
}
