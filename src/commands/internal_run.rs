//! The hidden subcommand `internal-run`: carries a plan out in a directory that has it already.

use clap::Args;
use failure::{Exit, Failure};
use std::path::PathBuf;

/// The flags of `internal-run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// A run directory with its plan, and nothing else yet.
    pub directory: PathBuf,
}

impl RunArgs {
    /// Carries the plan out there. Whoever asked for it was told already what it does to the cluster.
    pub fn run(&self) -> Result<Exit, Failure> {
        let run = run_directory::RunDirectory::at(self.directory.clone());
        let plan = plan::Plan::read(&run.plan())?;
        crate::commands::test::inside(&plan, &run, crate::commands::test::Beside::default())
    }
}
