//! The command line: typed flags, a file for each command, and their conversion to checked values.
//!
//! In: the arguments. Out: a [`Command`]. Wrong usage is one sentence and exit code 64, never a
//! run.

mod check;
mod cluster;
mod count;
pub mod defaults;
mod doctor;
#[cfg(test)]
mod documented;
mod ending;
mod examples;
mod export;
mod fuzz;
mod heal;
mod help;
mod minimize;
mod named;
#[cfg(test)]
mod night_matrix;
mod nightly;
mod pd;
pub(crate) mod plan;
mod reading;
mod replay;
mod report;
mod run_options;
mod scenario;
mod self_test;
mod serve;
mod shape;
mod shell;
mod shrink;
mod simulate;
mod suggested;
mod target;
mod target_check;
mod test;
mod watching;
mod ycsb;

pub use ::plan::times::parse_ms;
pub use check::CheckArgs;
pub use cluster::{
    ChosenArgs, CleanArgs, ClusterArgs, ClusterCommand, ConfigArgs, ConfigCommand, DownArgs,
    StatusArgs, UpArgs,
};
pub use count::CountArgs;
pub use doctor::DoctorArgs;
pub use ending::EndingArgs;
pub use export::ExportArgs;
pub use fuzz::FuzzArgs;
pub use heal::HealArgs;
pub use minimize::MinimizeArgs;
pub use nightly::NightlyArgs;
pub use pd::PdArgs;
pub use plan::PlanArgs;
pub use replay::ReplayArgs;
pub use report::ReportArgs;
pub use run_options::RunOptions;
pub use scenario::ScenarioArgs;
pub use self_test::SelfTestArgs;
pub use serve::ServeArgs;
pub use shape::{ProfileName, ReadName};
pub use shell::{CompletionsArgs, ManArgs};
pub use shrink::ShrinkArgs;
pub use simulate::SimulateArgs;
pub use target_check::TargetCheckArgs;
pub use test::TestArgs;
pub use ycsb::YcsbArgs;

use ::plan::config::bounds;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use failure::{Exit, Failure};
use std::{ffi::OsString, path::PathBuf};
use terminal::escaped;

/// Tests whether a TiKV cluster keeps its promises while its machines fail.
#[derive(Debug, Parser)]
#[command(name = "jepsen-tikv", version, about, after_long_help = Exit::table())]
pub struct Cli {
    /// How much is said beside the results
    #[command(flatten)]
    pub verbosity: Verbosity,
    /// A file with values for flags, a table for each command: `[test] stores = 3`
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    #[arg(hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How much is said beside the results, and how.
#[derive(Debug, Args)]
pub struct Verbosity {
    /// Say more on stderr: -v what happens, -vv what libraries say too
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Say only results and failures
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// The form of log lines on stderr
    #[arg(long, global = true, value_enum, default_value = "text", help_heading = "Everywhere")]
    #[arg(hide_short_help = true)]
    pub log_format: LogFormat,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run clients and faults against a cluster, then judge what the clients saw
    Test(Box<TestArgs>),
    /// Start, inspect, pause, kill and end an embedded cluster for other clients
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
    /// The smallest part of a history that is still not linearizable
    Minimize(MinimizeArgs),
    /// Write a run's report.html again, and open it
    Report(ReportArgs),
    /// Look at all runs in a browser: a list, their reports and files, two side by side
    Serve(ServeArgs),
    /// Judge recorded histories again, offline
    Check(CheckArgs),
    /// Write a history for Jepsen and Knossos, in EDN, a key at a time
    Export(ExportArgs),
    /// Resume processes that a killed tester left stopped, and end those it left running
    Heal(HealArgs),
    /// Try every operation and fault that a target offers, once each
    TargetCheck(Box<TargetCheckArgs>),
    /// List the faults: what each does, what it needs, and on which targets it works
    Nemeses,
    /// List the embedded cluster's defects: what each breaks, and which plan catches it
    Defects,
    /// Show that the tester catches every defect and accuses no correct cluster
    SelfTest(SelfTestArgs),
    /// Look whether this machine can run tests, and what limits them
    Doctor(DoctorArgs),
    /// Print a script that completes commands and flags in a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for every command
    Man(ManArgs),
    /// Run a night: self-test, what failed before, and a matrix of runs, in a time budget
    Nightly(NightlyArgs),
    /// Measure what recording costs (docs/benchmarks.md)
    #[command(hide = true)]
    BenchRecording(Box<TestArgs>),
    /// Supervise a detached cluster
    #[command(hide = true)]
    InternalSupervisor(InternalSupervisorArgs),
    /// Carry out the plan of a run directory
    #[command(hide = true)]
    InternalRun(InternalRunArgs),
    /// Become another program that ends with the tester
    #[command(hide = true)]
    InternalExec(targets::internal::ExecArgs),
    /// Serve as a PD of the embedded cluster
    #[command(hide = true)]
    InternalPd(targets::internal::PdArgs),
    /// Serve as a store of the embedded cluster
    #[command(hide = true)]
    InternalStore(targets::internal::StoreArgs),
}

impl Command {
    /// Returns true for a process of the embedded cluster, whose log is its stderr.
    pub fn logs_by_itself(&self) -> bool {
        matches!(self, Self::InternalPd(_) | Self::InternalStore(_))
    }
}

/// Returns the flags of a test without any arguments.
fn default_test() -> Result<TestArgs, Failure> {
    match Cli::try_parse_from(["jepsen-tikv", "test"]) {
        Ok(Cli { command: Command::Test(args), .. }) => Ok(*args),
        _ => Err(Failure::software("the default flags do not parse")),
    }
}

/// The argument of `internal-run`.
#[derive(Debug, Clone, Args)]
pub struct InternalRunArgs {
    /// A run directory with its plan, and nothing else yet.
    pub directory: PathBuf,
}

/// The argument of `internal-supervisor`: the rest comes through its standard input.
#[derive(Debug, Args)]
pub struct InternalSupervisorArgs {
    /// The cluster's directory, for those who look at the list of processes.
    pub directory: PathBuf,
}

/// Parses the arguments of this process. Flags without an argument are taken from the environment,
/// then from the file that `--config` names ([`defaults`]).
pub fn parse() -> Result<Cli, Failure> {
    let cli = parse_with(defaults::command(), std::env::args_os())?;
    match &cli.config {
        // The file of `nightly` has settings of a night, not flags.
        Some(_) if matches!(cli.command, Command::Nightly(_)) => Ok(cli),
        Some(path) => {
            let with_file = defaults::with_file(defaults::command(), path)?;
            // The arguments parsed without the file, so the error is in the file.
            let refuse = |failure: Failure| {
                Failure::usage(format!("--config {}: {failure}", path.display()))
            };
            parse_with(with_file, std::env::args_os()).map_err(refuse)
        }
        None => Ok(cli),
    }
}

/// Parses only the given arguments, the program's name first. Help and version are printed and end
/// the program with success; wrong usage is a failure.
pub fn parse_from<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, Failure> {
    parse_with(Cli::command(), arguments)
}

/// Returns true if no argument that an error may quote contains characters that a terminal obeys or
/// that begin a line.
fn are_harmless(arguments: &[OsString]) -> bool {
    let given = arguments.iter().map(|it| it.to_string_lossy().into_owned());
    given.chain(defaults::of_environment()).all(|it| escaped(&it) == it)
}

fn parse_with<T: Into<OsString> + Clone>(
    mut command: clap::Command,
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let refused = |error: clap::Error| {
        if error.use_stderr() {
            let text = error.to_string();
            Failure {
                has_lines: are_harmless(&arguments),
                ..Failure::usage(text.trim_start_matches("error: ").trim_end())
            }
        } else {
            error.exit()
        }
    };
    let matches = command.try_get_matches_from_mut(&arguments).map_err(refused)?;
    if let Some(("simulate", matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand("simulate")
    {
        simulate::refuse_flags_beside_a_plan(command, matches)?;
        simulate::refuse_flags_of_real_runs(matches)?;
    }
    bounds::command_line(&matches)?;
    Cli::from_arg_matches(&matches).map_err(refused)
}
