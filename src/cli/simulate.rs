//! The flags of `simulate`: those of `test`, or a plan.

use super::{TestArgs, replay::simulated};
use clap::{ArgMatches, Args, Command, parser::ValueSource};
use failure::{Exit, Failure};
use plan::{Plan, config::TargetConfig};
use std::path::PathBuf;

/// The flags of `simulate`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct SimulateArgs {
    /// A plan.json or a run directory, in place of the flags below
    ///
    /// Without it the flags below make a plan; beside it only --seed and --runs-dir count.
    pub plan: Option<PathBuf>,
    /// The flags that make a plan
    #[command(flatten)]
    pub test: TestArgs,
}

impl SimulateArgs {
    /// Returns the plan.
    pub fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.plan {
            None => {
                let mut config = self.test.config()?;
                if config.target != TargetConfig::Embedded {
                    return Err(Failure::usage(
                        "a simulation brings its own cluster: leave --target out, or use jepsen-tikv test",
                    ));
                }
                config.target = TargetConfig::Simulated;
                Plan::draw(config)?
            }
            Some(path) => {
                let mut plan = Plan::named(path)?;
                // The faults stay as written in the plan: a seed decides the rest.
                plan.config.seed = self.test.seed.unwrap_or(plan.config.seed);
                plan
            }
        };
        simulated(&mut plan)?;
        Ok(plan)
    }

    /// Returns the folder for run directories.
    pub fn runs_dir(&self) -> PathBuf {
        self.test.runs_dir.clone()
    }
}

/// Flags of `test` that make sense only for runs in real time.
const OF_REAL_RUNS: [&str; 6] =
    ["rotate_keys", "history_segment", "fail_fast", "live", "metrics", "tui"];

/// Hides flags that a simulation refuses from the short help.
pub fn hide_flags_of_real_runs(command: Command) -> Command {
    let is_refused = |id: &str| id == "target" || OF_REAL_RUNS.contains(&id);
    command.mut_args(|arg| {
        if is_refused(arg.get_id().as_str()) { arg.hide_short_help(true) } else { arg }
    })
}

/// Refuses flags that a simulation would silently ignore.
pub fn refuse_flags_of_real_runs(matches: &ArgMatches) -> Result<(), Failure> {
    let is_given = |id: &&&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let Some(id) = OF_REAL_RUNS.iter().find(is_given) else { return Ok(()) };
    Err(Failure::usage(format!(
        "--{} applies to runs on real processes only: leave it out of a simulation",
        id.replace('_', "-")
    )))
}

/// Refuses flags that a plan would silently override.
pub fn refuse_flags_beside_a_plan(command: &Command, matches: &ArgMatches) -> Result<(), Failure> {
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if !is_given("plan") {
        return Ok(());
    }
    let foreign = command.get_arguments().find(|argument| {
        let id = argument.get_id().as_str();
        let is_about_saying = argument.is_global_set();
        !matches!(id, "plan" | "seed" | "runs_dir" | "details" | "json" | "per_key")
            && !is_about_saying
            && is_given(id)
    });
    let Some(flag) = foreign.and_then(clap::Arg::get_long) else { return Ok(()) };
    Err(Failure::usage(format!(
        "--{flag} says what the plan says already: beside a plan only --seed and --runs-dir count; edit the plan, \
         or leave it out"
    )))
}
