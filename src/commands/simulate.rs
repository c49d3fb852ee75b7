//! `simulate`: executes a plan in virtual time, then judges it like any run.

use failure::{Exit, Failure};
use judge::Judging;
use plan::Plan;
use report::{Told, conclude};
use run::{explained, interrupt::Listener, simulate::record};
use run_directory::{RunDirectory, shown, write_whole};
use std::path::Path;

/// Executes a plan in virtual time and judges it. An interrupt ends it early; the operations so far
/// are judged.
pub fn command(
    plan: &Plan,
    runs_dir: &Path,
    judging: &Judging,
    told: Told,
) -> Result<Exit, Failure> {
    let run = RunDirectory::create(runs_dir, &format!("simulated-{}", plan.config.name))?;
    write_whole(&run.plan(), &plan.to_json()?)?;
    terminal::note(format_args!("seed {}, run directory {}", plan.config.seed, shown(&run)));
    let listener = Listener::start()?;
    let unhealed = record(plan, &run.history(), &listener.interrupt())
        .map_err(|failure| explained(failure, &run))?;
    conclude(&run, &unhealed, &plan.repeated_by(&run.plan())?, judging, told)
}
