//! `test`: one run from the plan to the report. Starts the target, loads, lets clients and nemesis
//! work side by side, heals and counts the keys. Then judges the history and prints the result.
//!
//! In: a plan. Out: the files of the run directory, and the exit code. However the run ends,
//! processes that the nemesis paused are resumed first, then the target is terminated.

use crate::cli::RunOptions;
use crate::watch::{audience::Watching, tui::Tui};
use failure::{Exit, Failure};
use plan::Plan;
use report::conclude;
use run::{Options, Purpose, Run, audience::Nobody, explained, open_files};
use run_directory::{RunDirectory, shown, write_whole};
use std::{path::Path, time::Duration};
use targets::heal;
use terminal::progress::Progress;

/// Measures the cost of recording: alternates windows of work with and without it, in one run.
pub fn recording_cost(plan: &Plan, runs_dir: &Path) -> Result<Exit, Failure> {
    let run = RunDirectory::create(runs_dir, "recording-cost")?;
    let progress = Progress::new();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let measured = Run {
        plan,
        directory: &run,
        options: Options::default(),
        progress: &progress,
        audience: &Nobody,
    };
    let lines = runtime.block_on(measured.carry_out(Purpose::RecordingCost))?;
    progress.finish();
    for line in lines {
        terminal::result(line);
    }
    Ok(Exit::Valid)
}

/// Runs a plan and judges it.
pub fn test(plan: &Plan, runs_dir: &Path, options: RunOptions) -> Result<Exit, Failure> {
    heal::before_a_run()?;
    let run = RunDirectory::create(runs_dir, &plan.config.name)?;
    write_whole(&run.plan(), &plan.to_json()?)?;
    inside(plan, &run, options)
}

/// Runs and judges a plan in a run directory that already contains it.
pub fn inside(plan: &Plan, run: &RunDirectory, options: RunOptions) -> Result<Exit, Failure> {
    terminal::note(format_args!("seed {}, run directory {}", plan.config.seed, shown(run)));
    for warning in plan.warnings()?.into_iter().chain(open_files::too_few_for(&plan.config)) {
        terminal::note(format_args!("note: {warning}"));
    }

    let progress = if options.tui { Progress::on_screen() } else { Progress::new() };
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let tui = options.tui.then(|| Tui::start(&plan.config.name, &progress)).transpose()?;
    let carried_out = runtime.block_on(async {
        let seen = tui.as_ref().map(Tui::seen);
        let watching =
            Watching::begin(plan, (options.live, options.metrics), seen, &progress).await?;
        let options = options.options();
        let run = Run { plan, directory: run, options, progress: &progress, audience: &watching };
        run.carry_out(Purpose::Test).await
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(tui);
    progress.finish();
    let troubles = carried_out.map_err(|failure| explained(failure, run))?;
    if !run.history().exists() {
        return Err(judge::lost(run));
    }
    // Reading the target's settings may have changed the plan.
    let repeat = Plan::read(&run.plan())?.repeated_by(&run.plan())?;
    conclude(run, &troubles, &repeat, &options.judging(), options.told)
}
