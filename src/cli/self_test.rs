//! The flags of `self-test`.

use clap::Args;
use cluster::defects::Defect;
use failure::{Exit, Failure};
use std::{path::PathBuf, thread::available_parallelism};

/// The flags of `self-test`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct SelfTestArgs {
    /// Only these defects, separated by commas, and the correct cluster under their plans
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only the half of the defects that take the least time and luck
    #[arg(long)]
    pub quick: bool,
    /// Seed of the first try of each; the next ones follow it [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Runs at a time [default: one for every two cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Where run directories go, in its folder `self-test`
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl SelfTestArgs {
    /// The defects asked for; none = all.
    pub fn defects(&self) -> Result<Vec<Defect>, Failure> {
        let known = || Defect::ALL.map(Defect::name).join(", ");
        let named = |name: &String| {
            Defect::from_name(name).ok_or_else(|| {
                let known = known();
                Failure::usage(format!("there is no defect {name:?}; the known ones are: {known}"))
            })
        };
        self.only.iter().map(named).collect()
    }

    /// How many runs at a time.
    pub fn jobs(&self) -> usize {
        let cores = available_parallelism().map_or(1, usize::from);
        self.jobs.map_or((cores / 2).max(1), usize::from)
    }
}
