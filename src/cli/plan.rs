//! The flags of `plan` and its subcommands.

use super::TestArgs;
use clap::{Args, Subcommand};
use failure::{Exit, Failure};
use plan::Plan;
use std::path::PathBuf;
use targets::survey::surveyed;

/// The flags of `plan`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct PlanArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: PlanCommand,
}

/// What to do with a plan.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Print the plan that `test` would carry out with the same flags
    Draw(Box<TestArgs>),
    /// Say whether a plan can be carried out, and what is wrong with it otherwise
    Check {
        /// A plan.json, or a run directory
        plan: PathBuf,
    },
    /// Print the JSON Schema of plan.json
    Schema,
}

impl PlanArgs {
    /// Runs the command: prints a file's contents, or one sentence.
    pub fn run(&self) -> Result<Exit, Failure> {
        let printed = match &self.command {
            PlanCommand::Draw(test) => Plan::draw(surveyed(test.config()?)?)?.to_json()?,
            PlanCommand::Schema => Plan::json_schema()?.into_bytes(),
            PlanCommand::Check { plan } => {
                let file = super::replay::plan_file(plan);
                let read = Plan::named(plan)?;
                terminal::result(format_args!("{}: {}", file.display(), read.in_words()));
                return Ok(Exit::Valid);
            }
        };
        terminal::data(String::from_utf8_lossy(&printed).trim_end());
        Ok(Exit::Valid)
    }
}
