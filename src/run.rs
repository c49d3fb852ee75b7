//! One run, from the plan to the history: start the target, load, let clients and nemesis work side by side, heal,
//! count the keys. Then the history is judged and the result told.
//!
//! In: a plan. Out: the files of the run directory, and how the program ends. Whatever way it takes, the target is
//! stopped at the end, and what was stopped by the nemesis runs again before that.

mod event_lines;
mod fail_fast;
mod leaders;
mod looking;
mod pace;
pub mod parts;
mod stage;
mod watcher;

use crate::{
    counterexamples,
    exit::{Exit, Failure},
    heal, html_report,
    interrupt::{Interrupt, Urgency},
    judge::{self, Judging, KeysListed},
    key_count::CountedRange,
    metrics::{self, Endpoint, Metrics, RunInfo},
    open_files,
    plan::{self, Plan},
    progress::Progress,
    report::{self, Around, Told},
    run_directory::{RunDirectory, write_whole},
    targets::under_test::UnderTest,
    tui::{Seen, Tui},
    workload::Workload,
};
use histories::{Header, jsonl::Text};
pub use pace::Free;
use stage::Stage;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

/// An idle client waits for so much longer than the longest pause: for a new leader, and for its own turn.
pub const IDLE_BEYOND_PAUSE_MS: u64 = 6_000;

/// From so many MiB on a segment of a history is compressed, and the next begun, unless the user says otherwise.
pub const HISTORY_SEGMENT_MIB: u64 = 256;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Clients and faults side by side, then a verdict.
    Test,
    /// How much throughput recording costs.
    RecordingCost,
}

/// Measures what recording costs: windows of work with and without it in turn, in one run.
pub fn recording_cost(plan: &Plan, runs_dir: &Path) -> Result<Exit, Failure> {
    let run = RunDirectory::create(runs_dir, "recording-cost")?;
    let progress = Progress::new();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let asked = Asked { purpose: Purpose::RecordingCost, beside: Beside::default(), seen: None };
    let measured = carry_out(plan, asked, &run, &progress);
    let lines = runtime.block_on(measured)?;
    progress.finish();
    for line in lines {
        crate::terminal::result(line);
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
    /// The parts of the judgement that are printed, and kept.
    pub told: Told,
}

impl Beside {
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
    crate::terminal::note(format_args!("seed {}, run directory {}", plan.config.seed, shown(run)));
    for warning in plan.warnings()?.into_iter().chain(open_files::too_few_for(&plan.config)) {
        crate::terminal::note(format_args!("note: {warning}"));
    }

    let progress = if beside.tui { Progress::on_screen() } else { Progress::new() };
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let tui = beside.tui.then(|| Tui::start(&plan.config.name, &progress)).transpose()?;
    let asked = Asked { purpose: Purpose::Test, beside, seen: tui.as_ref().map(Tui::seen) };
    let carried_out = runtime.block_on(carry_out(plan, asked, run, &progress));
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(tui);
    progress.finish();
    let troubles = carried_out.map_err(|failure| explained(failure, run))?;
    // The target's measure may have changed it.
    let repeat = Plan::read(&run.plan())?.repeated_by(&run.plan())?;
    conclude(run, &troubles, &repeat, &beside.judging(), beside.told)
}

/// A failure, or what is behind it: somebody removed the run directory, or its disk is full.
pub fn explained(failure: Failure, run: &RunDirectory) -> Failure {
    if failure.exit != Exit::TargetOrDisk {
        return failure;
    }
    if !run.path().is_dir() {
        return lost(run);
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

/// What is said of a run whose history is not there any more.
fn lost(run: &RunDirectory) -> Failure {
    Failure::target_or_disk(format!(
        "the history is lost: {} is not there any more, somebody removed it while the run went; nothing can be judged",
        run.history().display()
    ))
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
    crate::terminal::note(format_args!("judging {}", run.history().display()));
    let mut judgement = match judge::judge(&run.history(), judging) {
        Ok(judgement) => judgement,
        Err(failure) => {
            complain(html_report::write(run, Err(&failure)));
            return Err(failure);
        }
    };
    if told.json {
        crate::terminal::data(judgement.json(KeysListed::None)?);
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
    written.map_err(|failure| crate::terminal::failure(&failure)).ok()
}

/// A run directory as a person would type it.
pub fn shown(run: &RunDirectory) -> String {
    shown_path(run.path())
}

/// A path as a person would type it.
pub fn shown_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// What a run is for, and who looks.
struct Asked {
    purpose: Purpose,
    beside: Beside,
    /// Where a screen in the terminal wants to be told what is seen.
    seen: Option<Seen>,
}

/// Everything that needs a runtime. The target's own troubles, in sentences.
async fn carry_out(
    plan: &Plan,
    asked: Asked,
    run: &RunDirectory,
    progress: &Progress,
) -> Result<Vec<String>, Failure> {
    let interrupt = Interrupt::listen().map_err(Failure::software)?;
    let counted = count(plan, asked.beside, progress).await?;
    let workload = Workload::new(&plan.config.workload, plan.config.seed);
    progress.phase(plan.config.target.beginning(), None);
    let target = tokio::select! {
        target = UnderTest::start(&plan.config, run, workload.range()) => target?,
        () = interrupt.at_least(Urgency::Early) => return Err(interrupted()),
    };
    let target = Arc::new(target);
    let staged = async {
        let free = asked.beside.free;
        let paced = tokio::select! {
            paced = pace::paced(plan, free, &target, progress) => paced?,
            () = interrupt.at_least(Urgency::Early) => return Err(interrupted()),
        };
        if let Some(paced) = &paced {
            write_whole(&run.plan(), &paced.to_json()?)?;
        }
        let plan = paced.as_ref().unwrap_or(plan);
        let stage = Stage {
            plan,
            plan_hash: &plan::hash(&plan.to_json()?),
            run,
            progress,
            workload,
            target: Arc::clone(&target),
            beside: asked.beside,
            metrics: counted.as_ref().map(|(metrics, _)| Arc::clone(metrics)),
            seen: asked.seen,
        };
        stage.perform(asked.purpose, &interrupt).await
    };
    let result = tokio::select! {
        result = staged => result,
        () = interrupt.at_least(Urgency::Now) => Err(interrupted()),
    };
    // Those that ended before stand in the history.
    let mut troubles: Vec<String> = target.newly_ended().iter().map(ToString::to_string).collect();
    progress.phase(plan.config.target.ending(), None);
    target.stop().await;
    troubles.extend(result?);
    Ok(troubles)
}

/// The tester's metrics, served from the beginning, if Prometheus shall have them.
async fn count(
    plan: &Plan,
    beside: Beside,
    progress: &Progress,
) -> Result<Option<(Arc<Metrics>, Endpoint)>, Failure> {
    let Some(addr) = beside.metrics else { return Ok(None) };
    let info = RunInfo { name: &plan.config.name, seed: plan.config.seed };
    let metrics = Arc::new(Metrics::new(info).map_err(Failure::software)?);
    let endpoint = metrics::serve(Arc::clone(&metrics), addr).await?;
    progress.address(&format!("metrics: {}", endpoint.url()));
    if let Some(warning) = endpoint.warning() {
        progress.line(&warning);
    }
    Ok(Some((metrics, endpoint)))
}

/// Somebody asked twice for an end, or once while the cluster or the keys were not there yet.
pub fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; faults are healed, nothing was judged")
}

/// What the history of a plan says of itself, whichever target it was carried out on.
pub fn header(plan: &Plan, plan_hash: &str, target: &str, range: &CountedRange) -> Header {
    let config = &plan.config;
    let faults = match &plan.scenario {
        Some(scenario) => serde_json::json!([scenario.name]),
        // Whoever edits a plan may take all of them away.
        None if plan.schedule.is_empty() => serde_json::json!([]),
        None => serde_json::json!(config.nemesis.faults),
    };
    let value = serde_json::json!({
        "target": target,
        "client": config.workload.client,
        "client-retries": config.workload.client_retries,
        "atomic": config.workload.atomic,
        "workload": config.workload.name,
        "concurrency": config.workload.concurrency,
        "nemesis": faults,
        "keys": config.workload.keys,
        "seed": config.seed,
        "plan-hash": plan_hash,
        "tool-version": env!("CARGO_PKG_VERSION"),
        "key-count": range,
        "planned": plan.planned(),
    });
    let splits = match config.cluster.regions {
        0 | 1 => Vec::new(),
        regions => Workload::new(&config.workload, config.seed).split_keys(regions),
    };
    let mut fields = match value {
        serde_json::Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    if !splits.is_empty() {
        let splits: Vec<Text> = splits.into_iter().map(Text).collect();
        fields.insert("split-at".into(), serde_json::json!(splits));
    }
    if let Some(scenario) = &plan.scenario {
        fields.insert("scenario".into(), serde_json::json!(scenario));
    }
    Header { fields }
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
        assert!(html_report::read_verdict(&run).is_some());
    }
}
