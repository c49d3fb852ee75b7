//! One run, from the plan to the history: start the target, load, let clients and nemesis work side by side, heal,
//! count the keys. Then the history is judged and the result told.
//!
//! In: a plan. Out: the files of the run directory, and how the program ends. Whatever way it takes, the target is
//! stopped at the end, and what was stopped by the nemesis runs again before that.

use crate::watch::{audience::Watching, tui::Tui};
use failure::{Exit, Failure};
use judge::Judging;
use plan::Plan;
use report::{Told, conclude};
use run::{Options, Purpose, Run, explained, listener::Nobody, open_files, pace::Free};
use run_directory::{RunDirectory, shown, write_whole};
use std::{net::SocketAddr, path::Path, time::Duration};
use targets::heal;
use terminal::progress::Progress;

/// Measures what recording costs: windows of work with and without it in turn, in one run.
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

/// What a run does beside its plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside {
    /// Where a live page is served meanwhile, if one is wanted.
    pub live: Option<SocketAddr>,
    /// Where Prometheus finds the tester's metrics meanwhile.
    pub metrics: Option<SocketAddr>,
    /// Whether a screen in the terminal shows it.
    pub tui: bool,
    /// Whether it ends as soon as a broken promise is seen.
    pub fail_fast: bool,
    /// From so many bytes on a segment of the history is compressed, and the next begun.
    pub history_segment_bytes: Option<u64>,
    /// What the target's measure may change in the plan: the user chose none.
    pub free: Free,
    /// So many invalid keys get a counterexample, if not as many as usual.
    pub counterexamples_max: Option<u32>,
    /// What is printed of the judgement, and kept of it.
    pub told: Told,
}

impl Beside {
    /// How the run is carried out.
    pub fn options(&self) -> Options {
        Options {
            fail_fast: self.fail_fast,
            history_segment_bytes: self.history_segment_bytes,
            free: self.free,
        }
    }

    /// How the run is judged.
    pub fn judging(&self) -> Judging {
        let mut judging = Judging::default();
        if let Some(most) = self.counterexamples_max {
            judging.options.counterexamples_max = most;
        }
        judging
    }
}

/// Runs a plan and judges it.
pub fn test(plan: &Plan, runs_dir: &Path, beside: Beside) -> Result<Exit, Failure> {
    heal::before_a_run()?;
    let run = RunDirectory::create(runs_dir, &plan.config.name)?;
    write_whole(&run.plan(), &plan.to_json()?)?;
    inside(plan, &run, beside)
}

/// The same in a run directory that has its plan already.
pub fn inside(plan: &Plan, run: &RunDirectory, beside: Beside) -> Result<Exit, Failure> {
    terminal::note(format_args!("seed {}, run directory {}", plan.config.seed, shown(run)));
    for warning in plan.warnings()?.into_iter().chain(open_files::too_few_for(&plan.config)) {
        terminal::note(format_args!("note: {warning}"));
    }

    let progress = if beside.tui { Progress::on_screen() } else { Progress::new() };
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let tui = beside.tui.then(|| Tui::start(&plan.config.name, &progress)).transpose()?;
    let carried_out = runtime.block_on(async {
        let seen = tui.as_ref().map(Tui::seen);
        let watching = Watching::begin(plan, &beside, seen, &progress).await?;
        let options = beside.options();
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
    // The target's measure may have changed it.
    let repeat = Plan::read(&run.plan())?.repeated_by(&run.plan())?;
    conclude(run, &troubles, &repeat, &beside.judging(), beside.told)
}
