//! `jepsen-tikv`: tests whether a TiKV cluster keeps its promises while its machines fail.
//!
//! This crate binds the rooms together: flags → `config` → `plan` → `run` → history → `judge` → `report`.
//! Every stage's output is a file in the run directory, so that every stage can be run alone.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod attempts;
mod check;
mod cli;
mod clock;
mod cluster_samples;
mod clusters;
mod config;
mod count;
mod counterexamples;
mod doctor;
#[doc(hidden)]
pub mod doors;
mod ended_early;
mod ended_processes;
mod exit;
mod export;
mod faults_seen;
mod fuzz;
mod heal;
mod html_report;
mod internal;
mod interrupt;
mod judge;
mod key_count;
mod leaders_under_faults;
mod live;
mod live_tester;
mod logging;
mod measurement;
mod metrics;
mod minimize;
mod nightly;
mod observe;
mod open_files;
mod pages;
mod pd_endpoints;
mod plain_file;
mod plan;
mod progress;
mod reading_progress;
mod recording;
mod recording_cost;
mod recovery;
mod replay;
mod report;
mod run;
mod run_archive;
mod run_directory;
mod run_files;
mod scenario;
mod self_test;
mod serve;
mod shrink;
mod simulate;
mod stand_ins;
mod state;
mod target_check;
mod targets;
mod terminal;
mod traffic;
mod tui;
mod wall_clock;
mod workers;
mod workload;
mod ycsb;

use exit::{Exit, Failure};
use std::process::ExitCode;
use targets::survey::surveyed;

/// All of the program: reads the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    if let Some(code) = stand_ins::run() {
        return code;
    }
    open_files::allow_all();
    let ended = cli::parse().and_then(|cli| {
        if !cli.command.logs_by_itself() {
            logging::begin(&cli.verbosity);
        }
        dispatch(cli.command)
    });
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            crate::terminal::failure(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

/// A plan carried out, after it was said what it does to a cluster that somebody else started.
fn planned(
    plan: &plan::Plan,
    runs_dir: &std::path::Path,
    beside: run::Beside,
) -> Result<Exit, Failure> {
    if plan.config.target == config::TargetConfig::Simulated {
        return simulate::command(plan, runs_dir, &beside.judging());
    }
    targets::consent::ask(plan)?;
    run::test(plan, runs_dir, beside)
}

/// What `test` does: one run, or one part after another.
fn test(args: &cli::TestArgs) -> Result<Exit, Failure> {
    let mut config = args.config()?;
    let Some(part_ms) = args.rotate_keys else {
        return planned(&plan::Plan::draw(surveyed(config)?)?, &args.runs_dir, args.beside()?);
    };
    run::parts::prepare(&mut config, part_ms)?;
    let plan = plan::Plan::draw(surveyed(config)?)?;
    targets::consent::ask(&plan)?;
    run::parts::test(&plan, part_ms, &args.runs_dir, args.free())
}

fn dispatch(command: cli::Command) -> Result<Exit, Failure> {
    match command {
        cli::Command::Defects => {
            for defect in cluster::defects::Defect::ALL {
                let flags = self_test::trials::of(defect).plan.flags;
                let name = defect.name();
                crate::terminal::result(format_args!("{name}: {}", defect.breaks()));
                crate::terminal::result(format_args!(
                    "    caught by: jepsen-tikv test {flags} --defect {name}"
                ));
                let shown = self_test::evidence::of(defect);
                crate::terminal::result(format_args!("    shown by: {}", shown.evidence));
                crate::terminal::result(format_args!("    because {}", shown.reason));
            }
            Ok(Exit::Valid)
        }
        cli::Command::Export(args) => export::command(&args),
        cli::Command::Heal(args) => heal::command(args.directory.as_deref()),
        cli::Command::InternalExec(args) => args.run(),
        cli::Command::InternalPd(args) => args.run(),
        cli::Command::InternalRun(args) => args.run(),
        cli::Command::TargetCheck(args) => target_check::command(&args),
        cli::Command::InternalStore(args) => args.run(),
        cli::Command::SelfTest(args) => self_test::command(&args),
        cli::Command::Test(args) => test(&args),
        cli::Command::BenchRecording(args) => {
            run::recording_cost(&plan::Plan::draw(args.config()?)?, &args.runs_dir)
        }
        cli::Command::Plan(args) => args.run(),
        cli::Command::Replay(args) => {
            if let Some(times) = args.times {
                return replay::command(&args, times);
            }
            let beside = args.watching.beside()?;
            planned(&replay::plan(&args)?, &args.runs_dir, beside)
        }
        cli::Command::Scenario(args) => {
            let (scenario, runs_dir) = (args.scenario()?, args.runs_dir.clone());
            let beside = args.watching.beside()?;
            let plan = plan::Plan::of_scenario(surveyed(args.config()?)?, scenario)?;
            planned(&plan, &runs_dir, beside)
        }
        cli::Command::Load(args) => ycsb::load(&args),
        cli::Command::Ycsb(args) => ycsb::run(&args),
        cli::Command::Count(args) => count::command(&args),
        cli::Command::Fuzz(args) => fuzz::command(&args.fuzzing()?),
        cli::Command::Simulate(args) => {
            let judging = args.test.beside()?.judging();
            simulate::command(&args.plan()?, &args.runs_dir(), &judging)
        }
        cli::Command::Shrink(args) => shrink::command(&args),
        cli::Command::Doctor(args) => doctor::command(&args),
        cli::Command::Completions(args) => args.run(),
        cli::Command::Man(args) => args.run(),
        cli::Command::Nightly(args) => nightly::command(&args),
        cli::Command::Minimize(args) => minimize::command(&args),
        cli::Command::Report(args) => html_report::command(&args),
        cli::Command::Serve(args) => serve::command(&args),
        cli::Command::Check(args) => check::command(&args),
        cli::Command::Cluster(args) => clusters::command(&args.command),
        cli::Command::InternalSupervisor(_) => clusters::detached_supervisor(),
    }
}
