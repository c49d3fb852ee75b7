//! The command line: typed flags, a file for each command, and how they become checked values.
//!
//! In: the arguments. Out: a [`Command`]. Wrong usage is one sentence and exit code 64, never a run.

mod check;
mod cluster;
mod count;
mod fuzz;
mod heal;
mod minimize;
mod plan;
mod replay;
mod report;
mod scenario;
mod self_test;
mod shape;
mod shrink;
mod simulate;
mod target;
mod target_check;
mod test;
mod times;
mod ycsb;

pub use check::CheckArgs;
pub use cluster::{
    ChosenArgs, CleanArgs, ClusterArgs, ClusterCommand, DownArgs, StatusArgs, UpArgs,
};
pub use count::CountArgs;
pub use fuzz::FuzzArgs;
pub use heal::HealArgs;
pub use minimize::MinimizeArgs;
pub use plan::PlanArgs;
pub use replay::ReplayArgs;
pub use report::ReportArgs;
pub use scenario::ScenarioArgs;
pub use self_test::SelfTestArgs;
pub use shape::{ProfileName, ReadName};
pub use shrink::ShrinkArgs;
pub use simulate::SimulateArgs;
pub use target_check::TargetCheckArgs;
pub use test::TestArgs;
pub use ycsb::YcsbArgs;

use crate::{
    config::Config,
    exit::{Exit, Failure},
    scenario::{ScenarioConfig, ScenarioName},
};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::{ffi::OsString, path::PathBuf};

/// Tests whether a TiKV cluster keeps its promises while its machines fail.
#[derive(Debug, Parser)]
#[command(name = "jepsen-tikv", version, about, after_help = Exit::table())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run clients and faults against a cluster, then judge what the clients saw
    Test(Box<TestArgs>),
    /// Start an embedded cluster for other clients, look at it, hurt it, end it
    Cluster(ClusterArgs),
    /// Load records as `go-ycsb load tikv` does
    Load(YcsbArgs),
    /// Run a workload as `go-ycsb run tikv` does
    #[command(alias = "run")]
    Ycsb(YcsbArgs),
    /// Count the keys, each once, over all regions
    Count(CountArgs),
    /// Play an experiment of TiKV's walk-through, and judge it
    Scenario(Box<ScenarioArgs>),
    /// Write a plan, check one that was edited, or print the format's schema
    Plan(PlanArgs),
    /// Execute a run's plan again
    Replay(ReplayArgs),
    /// Try plans drawn by chance until one fails
    Fuzz(Box<FuzzArgs>),
    /// Carry a plan out in virtual time, in one process: the seed decides everything
    Simulate(Box<SimulateArgs>),
    /// The smallest plan that still fails as a run did
    Shrink(ShrinkArgs),
    /// The smallest part of a history that is still not linearizable, as a history of its own
    Minimize(MinimizeArgs),
    /// Write a run's report.html again, and open it
    Report(ReportArgs),
    /// Judge recorded histories again, offline
    Check(CheckArgs),
    /// Resume processes that a killed tester left stopped, and end those it left running
    Heal(HealArgs),
    /// Try everything that a target lets us do, once each
    TargetCheck(Box<TargetCheckArgs>),
    /// List the embedded cluster's defects: what each breaks, and which plan catches it
    Defects,
    /// Show that the tester catches every defect and accuses no correct cluster
    SelfTest(SelfTestArgs),
    /// Measure what recording costs (docs/benchmarks.md)
    #[command(hide = true)]
    BenchRecording(Box<TestArgs>),
    /// Supervise a detached cluster
    #[command(hide = true)]
    InternalSupervisor(InternalSupervisorArgs),
    /// Carry out the plan of a run directory
    #[command(hide = true)]
    InternalRun(crate::internal::RunArgs),
    /// Become another program that ends with the tester
    #[command(hide = true)]
    InternalExec(crate::internal::ExecArgs),
    /// Serve as a PD of the embedded cluster
    #[command(hide = true)]
    InternalPd(crate::internal::PdArgs),
    /// Serve as a store of the embedded cluster
    #[command(hide = true)]
    InternalStore(crate::internal::StoreArgs),
}

/// The configuration of a test without any flags.
pub fn default_config() -> Result<Config, Failure> {
    default_test()?.config()
}

/// The configuration of a scenario without any flags.
pub fn default_scenario(name: ScenarioName) -> Result<(Config, ScenarioConfig), Failure> {
    match Cli::try_parse_from(["jepsen-tikv", "scenario", name.name()]) {
        Ok(Cli { command: Command::Scenario(args) }) => {
            let scenario = args.scenario()?;
            Ok((args.config()?, scenario))
        }
        _ => Err(Failure::software("the default flags do not parse")),
    }
}

/// A test without any flags.
fn default_test() -> Result<TestArgs, Failure> {
    match Cli::try_parse_from(["jepsen-tikv", "test"]) {
        Ok(Cli { command: Command::Test(args) }) => Ok(*args),
        _ => Err(Failure::software("the default flags do not parse")),
    }
}

/// The argument of `internal-supervisor`: the rest comes through its standard input.
#[derive(Debug, Args)]
pub struct InternalSupervisorArgs {
    /// The cluster's directory, for those who look at the list of processes.
    pub directory: PathBuf,
}

/// Parses the arguments of this process.
pub fn parse() -> Result<Cli, Failure> {
    parse_from(std::env::args_os())
}

/// Parses arguments, the program's name first. Help and version are printed and end the program well; wrong usage is a failure.
pub fn parse_from<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, Failure> {
    let refused = |error: clap::Error| {
        if error.use_stderr() {
            let text = error.to_string();
            let sentence = text.trim_start_matches("error: ").trim_end().to_owned();
            Failure::usage(sentence)
        } else {
            error.exit()
        }
    };
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(arguments).map_err(refused)?;
    if let Some(("simulate", matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand("simulate")
    {
        simulate::refuse_flags_beside_a_plan(command, matches)?;
    }
    Cli::from_arg_matches(&matches).map_err(refused)
}
