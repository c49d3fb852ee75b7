//! The hidden subcommand `internal-run`: carries a plan out in a directory that has it already.

use crate::{
    cli::{InternalRunArgs, RunOptions},
    commands::test,
};
use failure::{Exit, Failure};
use plan::Plan;
use run_directory::RunDirectory;

/// Carries the plan out there. Whoever asked for it was told already what it does to the cluster.
pub fn command(args: &InternalRunArgs) -> Result<Exit, Failure> {
    let run = RunDirectory::at(args.directory.clone());
    let plan = Plan::read(&run.plan())?;
    test::carry_out_in(&plan, &run, RunOptions::default())
}
