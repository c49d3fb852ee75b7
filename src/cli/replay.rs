//! The flags of `replay`.

use super::{EndingArgs, named::NamedArgs, watching::WatchingArgs};
use clap::Args;
use failure::{Exit, Failure};
use plan::{
    Plan,
    config::{ClientName, TargetConfig},
};
use std::path::{Path, PathBuf};

/// The flags of `replay`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ReplayArgs {
    /// A run directory, or its plan.json
    pub run: PathBuf,
    /// How often; then it says how many of them failed, and whether as the run did
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    #[arg(conflicts_with_all = ["live", "metrics", "tui"])]
    pub times: Option<u32>,
    /// In virtual time, whatever the plan's target is
    #[arg(long, conflicts_with_all = ["live", "metrics", "tui"])]
    pub simulate: bool,
    /// Programs and hosts of the plan
    #[command(flatten)]
    pub named: NamedArgs,
    /// How it is watched
    #[command(flatten)]
    pub watching: WatchingArgs,
    /// The ending's form
    #[command(flatten)]
    pub ending: EndingArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs", help_heading = None)]
    pub runs_dir: PathBuf,
}

impl ReplayArgs {
    /// Returns the plan to execute.
    pub fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = Plan::named(&self.run)?;
        if self.simulate {
            simulated(&mut plan)?;
        }
        self.named.name_in(&mut plan)?;
        Ok(plan)
    }
}

/// Returns the plan's path of a run directory, or the file itself.
pub fn plan_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("plan.json") } else { path.to_owned() }
}

/// Converts a plan to virtual time. It gets the direct client, since tikv-client brings sockets of
/// its own.
pub fn simulated(plan: &mut Plan) -> Result<(), Failure> {
    if plan.scenario.is_some() {
        return Err(Failure::usage(
            "a scenario looks at real processes and cannot be simulated: use test or scenario",
        ));
    }
    plan.config.target = TargetConfig::Simulated;
    plan.config.workload.client = ClientName::Direct;
    plan.config.workload.client_retries = false;
    Ok(())
}
