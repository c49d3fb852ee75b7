//! One run, from the plan to the history: start the target, load, let clients and nemesis work side by side, heal,
//! count the keys. Then the history is judged and the result told.
//!
//! In: a plan. Out: the files of the run directory, and how the program ends. Whatever way it takes, the target is
//! stopped at the end, and what was stopped by the nemesis runs again before that.

use crate::{
    html_report,
    report::{self, Around, Told},
    tui::Tui,
    watching::Watching,
};
use failure::{Exit, Failure};
use judge::{Judging, KeysListed, counterexamples};
use plan::Plan;
use run::{Options, Purpose, Run, listener::Nobody, lost, open_files, pace::Free};
use run_directory::{RunDirectory, shown, shown_path, write_whole};
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
        return Err(lost(run));
    }
    // The target's measure may have changed it.
    let repeat = Plan::read(&run.plan())?.repeated_by(&run.plan())?;
    conclude(run, &troubles, &repeat, &beside.judging(), beside.told)
}

/// A failure, or what is behind it: somebody removed the run directory, or its disk is full.
pub fn explained(failure: Failure, run: &RunDirectory) -> Failure {
    let may_be_of_a_file = matches!(failure.exit, Exit::TargetOrDisk | Exit::NoInput);
    if may_be_of_a_file && !run.path().is_dir() {
        return lost(run);
    }
    if failure.exit != Exit::TargetOrDisk {
        return failure;
    }
    let is_full = nix::sys::statvfs::statvfs(run.path()).is_ok_and(|disk| {
        disk.blocks_available() == 0 || disk.files_available() == 0 && disk.files() > 0
    });
    if is_full {
        let sentence = format!("{failure}; the disk under {} is full: make room", shown(run));
        return Failure::target_or_disk(sentence);
    }
    failure
}

/// Judges a run's history, and tells what is judged. `repeat` is the command that repeats the run. The verdict is said
/// before anything is written, and decides how the program ends, also if a file beside it cannot be written.
pub fn conclude(
    run: &RunDirectory,
    troubles: &[String],
    repeat: &str,
    judging: &Judging,
    told: Told,
) -> Result<Exit, Failure> {
    if !run.history().exists() {
        return Err(lost(run));
    }
    terminal::note(format_args!("judging {}", run.history().display()));
    let mut judgement = match judge::judge(&run.history(), judging) {
        Ok(judgement) => judgement,
        Err(failure) => {
            complain(html_report::write(run, Err(&failure)));
            return Err(failure);
        }
    };
    if told.json {
        terminal::data(judgement.json(KeysListed::None)?);
    } else {
        let around = Around {
            run: Some(shown(run)),
            report: Some(shown_path(&run.html())),
            repeat: Some(repeat.to_owned()),
            troubles: troubles.to_vec(),
            ..Around::default()
        };
        report::print(&judgement, &around, told);
    }
    let listed = if told.per_key { KeysListed::All } else { KeysListed::Remarkable };
    complain(judgement.write(&run.verdict(), listed));
    complain(counterexamples::write(&judgement, run.path()));
    complain(html_report::write(run, Ok(&judgement)));
    match (judgement.exit(), troubles.first()) {
        // A target that was in trouble of its own did not just keep its promises.
        (Exit::Valid, Some(trouble)) => Err(Failure::target_or_disk(trouble)),
        (exit, _) => Ok(exit),
    }
}

/// Says on stderr that a file beside the verdict could not be written.
pub fn complain<T>(written: Result<T, Failure>) -> Option<T> {
    written.map_err(|failure| terminal::failure(&failure)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_written_hide_no_verdict() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunDirectory::at(folder.path().to_owned());
        let history = [
            r#"{"format":"jepsen-tikv history","version":1}"#,
            r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"put","key":"a","value":"1"}"#,
            r#"{"index":1,"time":2,"process":0,"type":"ok","f":"put","key":"a","value":"1"}"#,
            r#"{"index":2,"time":3,"process":0,"type":"invoke","f":"get","key":"a","value":null}"#,
            r#"{"index":3,"time":4,"process":0,"type":"ok","f":"get","key":"a","value":null}"#,
        ];
        std::fs::write(run.history(), history.join("\n") + "\n").expect("written");
        // Where the files would be there are folders, which root cannot overwrite either.
        let counterexample = run.path().join("counterexample-a.jsonl");
        for taken in [run.verdict(), run.html(), counterexample] {
            std::fs::create_dir_all(taken.join("in-the-way")).expect("made");
        }
        let exit = conclude(&run, &["a trouble".into()], "", &Judging::default(), Told::default());
        assert_eq!(exit.expect("a verdict"), Exit::Invalid);
        std::fs::remove_dir_all(run.verdict()).expect("removed");
        conclude(&run, &[], "", &Judging::default(), Told::default()).expect("a verdict");
        assert!(judge::read_verdict(&run).is_some());
    }
}
