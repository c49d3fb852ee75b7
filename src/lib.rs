//! `jepsen-tikv`: tests whether a TiKV cluster keeps its promises while its machines fail.
//!
//! This crate binds the rooms together: flags → `config` → `plan` → `run` → history → `judge` →
//! `report`. Every stage's output is a file in the run directory, so that every stage can be run
//! alone.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod commands;
#[doc(hidden)]
pub mod fuzz_entry_points;
mod logging;
mod stand_ins;
mod watch;

use failure::{Exit, Failure};
use std::process::ExitCode;
use targets::survey::surveyed;

/// All of the program: reads the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    if let Some(code) = stand_ins::run() {
        return code;
    }
    run::open_files::allow_all();
    let ended = cli::parse().and_then(|cli| {
        if !cli.command.logs_by_itself() {
            logging::begin(&cli.verbosity);
        }
        dispatch(cli.command)
    });
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            terminal::failure(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn dispatch(command: cli::Command) -> Result<Exit, Failure> {
    match command {
        cli::Command::Defects => Ok(commands::defects::command()),
        cli::Command::Nemeses => Ok(commands::nemeses::command()),
        cli::Command::Export(args) => commands::export::command(&args),
        cli::Command::Heal(args) => targets::heal::command(args.directory.as_deref()),
        cli::Command::InternalExec(args) => args.run(),
        cli::Command::InternalPd(args) => args.run(),
        cli::Command::InternalRun(args) => commands::internal_run::command(&args),
        cli::Command::TargetCheck(args) => commands::target_check::command(&args),
        cli::Command::InternalStore(args) => args.run(),
        cli::Command::SelfTest(args) => campaigns::self_test::command(&args.self_test()?),
        cli::Command::Test(args) => commands::test::command(&args),
        cli::Command::BenchRecording(args) => {
            commands::test::recording_cost(&plan::Plan::draw(args.config()?)?, &args.runs_dir)
        }
        cli::Command::Plan(args) => args.run(),
        cli::Command::Replay(args) => {
            let plan = args.plan()?.on(|config| surveyed(config.clone()))?;
            if let Some(times) = args.times {
                return campaigns::replay::many(&plan, &args.run, times, &args.runs_dir);
            }
            let options =
                cli::RunOptions { told: args.ending.told(), ..args.watching.run_options()? };
            commands::test::carry_out(&plan, &args.runs_dir, options)
        }
        cli::Command::Scenario(args) => {
            let (scenario, runs_dir) = (args.scenario()?, args.runs_dir.clone());
            let options =
                cli::RunOptions { told: args.ending.told(), ..args.watching.run_options()? };
            let plan = plan::Plan::of_scenario(surveyed(args.config()?)?, scenario)?;
            commands::test::carry_out(&plan, &runs_dir, options)
        }
        cli::Command::Load(args) => commands::ycsb::load(&args),
        cli::Command::Ycsb(args) => commands::ycsb::run(&args),
        cli::Command::Count(args) => commands::count::command(&args),
        cli::Command::Fuzz(args) => campaigns::fuzz::command(&args.fuzzing()?),
        cli::Command::Simulate(args) => {
            let options = args.test.run_options()?;
            commands::test::carry_out(&args.plan()?, &args.runs_dir(), options)
        }
        cli::Command::Shrink(args) => campaigns::shrink::command(&args.shrinking()?),
        cli::Command::Doctor(args) => commands::doctor::command(&args),
        cli::Command::Completions(args) => args.run(),
        cli::Command::Man(args) => args.run(),
        cli::Command::Nightly(args) => campaigns::nightly::command(&args.night()?),
        cli::Command::Minimize(args) => commands::minimize::command(&args),
        cli::Command::Report(args) => commands::report::command(&args),
        cli::Command::Serve(args) => commands::serve::command(&args),
        cli::Command::Check(args) => commands::check::command(&args),
        cli::Command::Cluster(args) => commands::clusters::command(&args.command),
        cli::Command::InternalSupervisor(_) => commands::clusters::detached_supervisor(),
    }
}
