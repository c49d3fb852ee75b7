//! `jepsen-tikv`: tests whether a TiKV cluster keeps its promises while its machines fail.
//!
//! This crate binds the rooms together: flags → [`config`] → [`plan`] → [`run`] → history → [`judge`] → [`report`].
//! Every stage's output is a file in the run directory, so that every stage can be run alone.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod check;
mod cli;
mod clock;
mod clusters;
mod config;
mod counterexamples;
mod exit;
mod faults_seen;
mod heal;
mod internal;
mod interrupt;
mod judge;
mod key_count;
mod live;
mod measurement;
mod observe;
mod pages;
mod plan;
mod progress;
mod recording;
mod recording_cost;
mod report;
mod run;
mod run_directory;
mod targets;
mod terminal;
mod traffic;
mod workers;
mod workload;

use exit::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse().and_then(|cli| dispatch(cli.command)) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            crate::terminal::note(format_args!("jepsen-tikv: {failure}"));
            ExitCode::from(failure.exit.code())
        }
    }
}

fn dispatch(command: cli::Command) -> Result<Exit, Failure> {
    match command {
        cli::Command::Defects => {
            for defect in cluster::defects::Defect::ALL {
                crate::terminal::result(format_args!("{:14} {}", defect.name(), defect.breaks()));
            }
            Ok(Exit::Valid)
        }
        cli::Command::Heal(args) => heal::command(&args.runs_dir),
        cli::Command::InternalPd(args) => args.run(),
        cli::Command::InternalStore(args) => args.run(),
        cli::Command::Test(args) => {
            let config = args.config()?;
            let repeat = config.command_line(&cli::default_config()?);
            run::test(&plan::Plan::draw(config)?, &repeat, &args.runs_dir)
        }
        cli::Command::BenchRecording(args) => {
            run::recording_cost(&plan::Plan::draw(args.config()?)?, &args.runs_dir)
        }
        cli::Command::Replay(args) => {
            let plan = plan::Plan::read(&args.plan())?;
            let repeat = plan.config.command_line(&cli::default_config()?);
            run::test(&plan, &repeat, &args.runs_dir)
        }
        cli::Command::Check(args) => check::command(&args),
        cli::Command::Cluster(args) => clusters::command(&args.command),
        cli::Command::InternalSupervisor(_) => clusters::detached_supervisor(),
    }
}
