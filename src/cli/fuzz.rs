//! The flags of `fuzz`.

use super::{
    ReadName, parse_ms,
    suggested::{Suggested, defect_names},
    target::TargetArgs,
};
use campaigns::fuzz::{Fuzzing, Profile, Space};
use clap::Args;
use cluster::{defects::Defect, read_mode::ReadMode};
use failure::{Exit, Failure};
use nemesis::Faults;
use plan::config::{Config, TargetConfig};
use std::{path::PathBuf, time::Duration};
use targets::survey::surveyed;

/// The flags of `fuzz`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct FuzzArgs {
    /// Run in virtual time, in this process: thousands of the cluster's seconds in a minute
    #[arg(long, conflicts_with = "target")]
    pub simulate: bool,
    /// How many runs at most [default: 100, or no limit with --for]
    #[arg(long)]
    pub runs: Option<u64>,
    /// How long at most (seconds, or with a unit: 30m); the run that is being made is finished
    #[arg(long = "for", value_parser = parse_ms)]
    pub for_ms: Option<u64>,
    /// Random seed of the plans [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on after a failure
    #[arg(long)]
    pub keep_going: bool,
    /// Keep the directories of runs that did not fail, too
    #[arg(long)]
    pub keep_runs: bool,
    /// A file that narrows what plans are drawn from (docs/fuzzing.md)
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Faults that may occur, separated by commas [default: the profile's, or all]
    #[arg(long, value_delimiter = ',')]
    #[arg(value_parser = Suggested(Faults::known_names), hide_possible_values = true)]
    pub nemesis: Vec<String>,
    /// How long one run is at most, in the cluster's time (seconds, or with a unit) [default: the profile's, or 30]
    #[arg(long, value_parser = parse_ms)]
    pub time_max: Option<u64>,
    /// Confirmation of leadership before a leader answers a read [default: drawn]
    #[arg(long, value_enum)]
    pub read: Option<ReadName>,
    /// Make the cluster wrong on purpose (see `jepsen-tikv defects`)
    #[arg(long, value_delimiter = ',')]
    #[arg(value_parser = Suggested(defect_names), hide_possible_values = true)]
    pub defect: Vec<String>,
    /// Which cluster
    #[command(flatten)]
    pub target: TargetArgs,
    /// Where run directories and the regressions file go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl FuzzArgs {
    /// Returns the checked options of the fuzzing.
    pub fn fuzzing(&self) -> Result<Fuzzing, Failure> {
        const RUNS_DEFAULT: u64 = 100;
        if self.runs == Some(0) {
            return Err(Failure::usage("--runs is 0: one run at least"));
        }
        let endless = if self.for_ms.is_some() { u64::MAX } else { RUNS_DEFAULT };
        Ok(Fuzzing {
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            runs_max: self.runs.unwrap_or(endless),
            time_max: self.for_ms.map(Duration::from_millis),
            keep_going: self.keep_going,
            keep_runs: self.keep_runs,
            space: self.space()?,
            runs_dir: self.runs_dir.clone(),
        })
    }

    /// Returns the space that plans are drawn from.
    fn space(&self) -> Result<Space, Failure> {
        let mut profile = match &self.profile {
            Some(path) => Profile::read(path)?,
            None => Profile::default(),
        };
        let config = self.shared()?;
        if !self.nemesis.is_empty() {
            Faults::parse(&self.nemesis).map_err(Failure::usage)?;
            profile.faults.clone_from(&self.nemesis);
        }
        if let Some(time_max) = self.time_max {
            profile.time_ms = (profile.time_ms.0.min(time_max), time_max);
        }
        if let TargetConfig::Attach(attach) = &config.target {
            if !attach.allow_faults {
                return Err(Failure::usage(
                    "fuzz injects faults into a cluster that somebody else started, run after run: confirm them with --allow-faults",
                ));
            }
            // The shape of an existing cluster is given.
            profile.stores = (config.cluster.stores.into(), config.cluster.stores.into());
            profile.replicas = (config.cluster.replicas.into(), config.cluster.replicas.into());
            profile.regions = (1, 1);
        }
        profile.check(&config.target).map_err(|reason| match &self.profile {
            Some(path) => {
                let sentence = format!("{} cannot be fuzzed from: {reason}", path.display());
                Failure::new(Exit::Malformed, sentence)
            }
            None => Failure::usage(reason),
        })?;
        Ok(Space {
            read: self.read(&config),
            target: config.target,
            prefix: config.workload.prefix,
            defects: self.defect.clone(),
            profile,
        })
    }

    /// Returns the checked common part of all plans: the target, as it was found, and its defects.
    fn shared(&self) -> Result<Config, Failure> {
        let mut config = Config::default();
        config.nemesis.faults = Vec::new();
        config.target =
            if self.simulate { TargetConfig::Simulated } else { self.target.target()? };
        config.workload.prefix = self.target.prefix()?;
        config.cluster.defects.clone_from(&self.defect);
        if let Some(read) = self.read(&config) {
            config.cluster.read = read;
        }
        config.check()?;
        surveyed(config)
    }

    /// Returns the read mode: the given one, or the one that a defect needs. It can be chosen only
    /// for the embedded cluster.
    fn read(&self, config: &Config) -> Option<String> {
        let of_leases = self.defect.iter().any(|text| text.starts_with(Defect::LongLease.name()));
        match self.read {
            Some(read) => Some(read.name().into()),
            None if of_leases => Some(ReadMode::Lease.name().into()),
            None if config.target.offers().defects => None,
            None => Some(ReadMode::default().name().into()),
        }
    }
}
