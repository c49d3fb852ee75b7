//! The flags of `fuzz`.

use super::{ReadName, times::parse_ms};
use crate::{
    config::TargetConfig,
    exit::{Exit, Failure},
    fuzz::{Fuzzing, Space},
};
use clap::Args;
use std::{path::PathBuf, time::Duration};

/// The flags of `fuzz`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct FuzzArgs {
    /// Run in virtual time, in this process: thousands of the cluster's seconds in a minute
    #[arg(long, required = true)]
    pub simulate: bool,
    /// How many runs at most [default: 100, or no limit with --for]
    #[arg(long)]
    pub runs: Option<u64>,
    /// How long at most (seconds, or with a unit: 30m)
    #[arg(long = "for", value_parser = parse_ms)]
    pub for_ms: Option<u64>,
    /// Seed of the plans [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on after a failure
    #[arg(long)]
    pub keep_going: bool,
    /// Faults that may occur, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    pub nemesis: Vec<String>,
    /// How long one run is at most, in the cluster's time (seconds, or with a unit)
    #[arg(long, default_value = "30", value_parser = parse_ms)]
    pub time_max: u64,
    /// How leaders make sure that they still lead before they answer a read
    #[arg(long, value_enum, default_value = "read-index")]
    pub read: ReadName,
    /// Make the cluster wrong on purpose (see `jepsen-tikv defects`)
    #[arg(long, value_delimiter = ',')]
    pub defect: Vec<String>,
    /// Where run directories and the regressions file go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl FuzzArgs {
    /// What is asked, checked.
    pub fn fuzzing(&self) -> Result<Fuzzing, Failure> {
        const RUNS_DEFAULT: u64 = 100;
        nemesis::Faults::parse(&self.nemesis).map_err(Failure::usage)?;
        if self.runs == Some(0) {
            return Err(Failure::usage("--runs is 0: one run at least"));
        }
        let mut shape = super::default_config()?.cluster;
        shape.defects.clone_from(&self.defect);
        self.read.name().clone_into(&mut shape.read);
        shape.check()?;
        let endless = if self.for_ms.is_some() { u64::MAX } else { RUNS_DEFAULT };
        Ok(Fuzzing {
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            runs_max: self.runs.unwrap_or(endless),
            time_max: self.for_ms.map(Duration::from_millis),
            keep_going: self.keep_going,
            space: Space {
                target: TargetConfig::Simulated,
                shape,
                time_ms_max: self.time_max,
                faults: self.nemesis.clone(),
            },
            runs_dir: self.runs_dir.clone(),
        })
    }
}
