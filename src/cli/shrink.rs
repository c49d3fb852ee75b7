//! The flags of `shrink`.

use super::{named::NamedArgs, parse_ms, replay::simulated};
use campaigns::shrink::Shrinking;
use clap::Args;
use failure::{Exit, Failure};
use plan::{Plan, config::TargetConfig};
use std::{path::PathBuf, time::Duration};

/// The default attempts per step on real processes, which fail only now and then.
const ON_PROCESSES: u32 = 3;
/// The default attempts per step in virtual time, where each is cheap and has another seed.
const IN_VIRTUAL_TIME: u32 = 10;

/// The flags of `shrink`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ShrinkArgs {
    /// A run directory that failed, or a plan.json
    pub run: PathBuf,
    /// How often a smaller plan is tried before it counts as one that does not fail
    /// [default: 3; in virtual time 10, each with another seed]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub attempts_per_step: Option<u32>,
    /// How long at most (seconds, or with a unit: 30m); the same command goes on
    #[arg(long = "for", value_parser = parse_ms)]
    pub for_ms: Option<u64>,
    /// How often the smallest plan is carried out at the end, for its rate: one that fails less than half as often as the
    /// plan it came from is given up for the one before it; in virtual time once
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub times: u32,
    /// In virtual time, whatever the plan's target is
    #[arg(long)]
    pub simulate: bool,
    /// Programs and hosts of the plan
    #[command(flatten)]
    pub named: NamedArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs", help_heading = None)]
    pub runs_dir: PathBuf,
}

impl ShrinkArgs {
    /// Returns the plan to shrink, on the target that the flags name.
    pub fn shrinking(&self) -> Result<Shrinking, Failure> {
        let plan = self.plan()?;
        Ok(Shrinking {
            run: self.run.clone(),
            attempts_per_step: self
                .attempts_per_step(plan.config.target == TargetConfig::Simulated),
            plan,
            time: self.for_ms.map(Duration::from_millis),
            times: self.times,
            runs_dir: self.runs_dir.clone(),
        })
    }

    /// Returns the plan to shrink.
    fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = Plan::named(&self.run)?;
        if self.simulate {
            simulated(&mut plan)?;
        }
        self.named.name_in(&mut plan)?;
        Ok(plan)
    }

    /// Returns the number of attempts per step.
    fn attempts_per_step(&self, virtual_time: bool) -> u32 {
        self.attempts_per_step.unwrap_or(if virtual_time { IN_VIRTUAL_TIME } else { ON_PROCESSES })
    }
}
