//! The hidden subcommand `internal-run`: executes the plan that a run directory already has.

use crate::{
    cli::{InternalRunArgs, RunOptions},
    commands::test,
};
use failure::{Exit, Failure};
use plan::Plan;
use run_directory::RunDirectory;

/// Executes the plan in its directory. The command that started this one has already confirmed the
/// faults with the user.
pub fn command(args: &InternalRunArgs) -> Result<Exit, Failure> {
    let run = RunDirectory::at(args.directory.clone());
    let plan = Plan::read(&run.plan())?;
    test::carry_out_in(&plan, &run, RunOptions::default())
}
