//! `jepsen-tikv`: tests whether a TiKV cluster keeps its promises while its machines fail.
//!
//! The crate joins the crates of the stages: flags → `config` → `plan` → `run` → history → `judge`
//! → `report`. Every stage's output is a file in the run directory, so that every stage can be run
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

/// The whole program: parses the command line, runs the command, and returns the exit code.
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

/// Runs a plan, after a warning about its effects on a cluster that somebody else started.
fn planned(
    plan: &plan::Plan,
    runs_dir: &std::path::Path,
    options: cli::RunOptions,
) -> Result<Exit, Failure> {
    if plan.config.target == plan::config::TargetConfig::Simulated {
        return commands::simulate::command(plan, runs_dir, &options.judging(), options.told);
    }
    targets::consent::ask(plan)?;
    commands::test::test(plan, runs_dir, options)
}

/// Runs `test`: one run, or one part after another.
fn test(args: &cli::TestArgs) -> Result<Exit, Failure> {
    let mut config = args.config()?;
    let Some(part_ms) = args.rotate_keys else {
        return planned(&plan::Plan::draw(surveyed(config)?)?, &args.runs_dir, args.run_options()?);
    };
    campaigns::parts::prepare(&mut config, part_ms)?;
    let plan = plan::Plan::draw(surveyed(config)?)?;
    targets::consent::ask(&plan)?;
    campaigns::parts::test(&plan, part_ms, &args.runs_dir, args.free())
}

fn dispatch(command: cli::Command) -> Result<Exit, Failure> {
    match command {
        cli::Command::Defects => {
            for defect in cluster::defects::Defect::ALL {
                let flags = campaigns::self_test::trials::of(defect).plan.flags;
                let name = defect.name();
                terminal::result(format_args!("{name}: {}", defect.breaks()));
                terminal::result(format_args!(
                    "    caught by: jepsen-tikv test {flags} --defect {name}"
                ));
                let shown = campaigns::self_test::evidence::of(defect);
                terminal::result(format_args!("    shown by: {}", shown.evidence));
                terminal::result(format_args!("    because {}", shown.reason));
            }
            Ok(Exit::Valid)
        }
        cli::Command::Export(args) => commands::export::command(&args),
        cli::Command::Heal(args) => targets::heal::command(args.directory.as_deref()),
        cli::Command::InternalExec(args) => args.run(),
        cli::Command::InternalPd(args) => args.run(),
        cli::Command::InternalRun(args) => commands::internal_run::command(&args),
        cli::Command::TargetCheck(args) => commands::target_check::command(&args),
        cli::Command::InternalStore(args) => args.run(),
        cli::Command::SelfTest(args) => campaigns::self_test::command(&args.self_test()?),
        cli::Command::Test(args) => test(&args),
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
            planned(&plan, &args.runs_dir, options)
        }
        cli::Command::Scenario(args) => {
            let (scenario, runs_dir) = (args.scenario()?, args.runs_dir.clone());
            let options =
                cli::RunOptions { told: args.ending.told(), ..args.watching.run_options()? };
            let plan = plan::Plan::of_scenario(surveyed(args.config()?)?, scenario)?;
            planned(&plan, &runs_dir, options)
        }
        cli::Command::Load(args) => commands::ycsb::load(&args),
        cli::Command::Ycsb(args) => commands::ycsb::run(&args),
        cli::Command::Count(args) => commands::count::command(&args),
        cli::Command::Fuzz(args) => campaigns::fuzz::command(&args.fuzzing()?),
        cli::Command::Simulate(args) => {
            let options = args.test.run_options()?;
            let (plan, runs_dir) = (args.plan()?, args.runs_dir());
            commands::simulate::command(&plan, &runs_dir, &options.judging(), options.told)
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
