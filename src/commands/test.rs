//! `test`, and every other command that carries one plan out: `scenario`, `simulate`, `replay`.
//!
//! The whole flow: flags → configuration → plan.json → history.jsonl → verdict.json → what a person
//! reads. Each stage gets the values and files of the one before, and asks nobody else.

use crate::{
    cli::{RunOptions, TestArgs},
    watch::{audience::Watching, tui::Tui},
};
use campaigns::parts;
use failure::{Exit, Failure};
use plan::{Plan, config::TargetConfig};
use run::{Options, Purpose, Run, audience::Nobody, explained, interrupt, open_files, simulate};
use run_directory::{RunDirectory, shown, write_whole};
use std::{path::Path, time::Duration};
use targets::{consent, heal, survey::surveyed};
use terminal::progress::Progress;

/// One run, or one part of a long run after another.
pub fn command(args: &TestArgs) -> Result<Exit, Failure> {
    let mut config = args.config()?;
    if let Some(part_ms) = args.rotate_keys {
        parts::prepare(&mut config, part_ms)?;
        let plan = Plan::draw(surveyed(config)?)?;
        consent::ask(&plan)?;
        return parts::test(&plan, part_ms, &args.runs_dir, args.free());
    }
    let plan = Plan::draw(surveyed(config)?)?;
    carry_out(&plan, &args.runs_dir, args.run_options()?)
}

/// Carries a plan out in a run directory of its own, and judges it. Asks first before faults on a
/// cluster that somebody else started.
pub fn carry_out(plan: &Plan, runs_dir: &Path, options: RunOptions) -> Result<Exit, Failure> {
    let name = if is_simulated(plan) {
        format!("simulated-{}", plan.config.name)
    } else {
        consent::ask(plan)?;
        heal::before_a_run()?;
        plan.config.name.clone()
    };
    let files = RunDirectory::create(runs_dir, &name)?;
    write_whole(&files.plan(), &plan.to_json()?)?;
    carry_out_in(plan, &files, options)
}

/// Carries a plan out in a run directory that has it already, and judges it.
pub fn carry_out_in(
    plan: &Plan,
    files: &RunDirectory,
    options: RunOptions,
) -> Result<Exit, Failure> {
    terminal::note(format_args!("seed {}, run directory {}", plan.config.seed, shown(files)));
    let recorded =
        if is_simulated(plan) { simulated(plan, files) } else { real(plan, files, &options) };
    let troubles = recorded.map_err(|failure| explained(failure, files))?;
    terminal::note(format_args!("judging {}", files.history().display()));
    let judged = judge::of_run(files, &options.judging());
    report::conclude(files, judged, &troubles, &repeated_by(plan, files), options.told)
}

fn is_simulated(plan: &Plan) -> bool {
    plan.config.target == TargetConfig::Simulated
}

/// Writes the history of a run in virtual time. Returns the faults that could not be healed, in
/// sentences.
fn simulated(plan: &Plan, files: &RunDirectory) -> Result<Vec<String>, Failure> {
    let listener = interrupt::Listener::start()?;
    simulate::record(plan, &files.history(), &listener.interrupt())
}

/// Writes the history of a run on real processes. Returns the target's own troubles, in sentences.
fn real(plan: &Plan, files: &RunDirectory, options: &RunOptions) -> Result<Vec<String>, Failure> {
    for warning in plan.warnings()?.into_iter().chain(open_files::too_few_for(&plan.config)) {
        terminal::note(format_args!("note: {warning}"));
    }
    let progress = if options.tui { Progress::on_screen() } else { Progress::new() };
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let tui = options.tui.then(|| Tui::start(&plan.config.name, &progress)).transpose()?;
    let troubles = runtime.block_on(async {
        let seen = tui.as_ref().map(Tui::seen);
        let addresses = (options.live, options.metrics);
        let watching = Watching::begin(plan, addresses, seen, &progress).await?;
        let run = Run {
            plan,
            directory: files,
            options: options.options(),
            progress: &progress,
            audience: &watching,
        };
        run.carry_out(Purpose::Test).await
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(tui);
    progress.finish();
    troubles
}

/// The command that repeats a run. The target's measure may have changed the plan in its file.
fn repeated_by(plan: &Plan, files: &RunDirectory) -> String {
    let read = Plan::read(&files.plan());
    let repeated = read.as_ref().unwrap_or(plan).repeated_by(&files.plan());
    repeated.unwrap_or_else(|_| format!("jepsen-tikv replay {}", shown(files)))
}

/// Measures the cost of recording: windows of work with and without it in turn, in one run.
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
