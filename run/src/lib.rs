//! One run, from the plan to the history: start the target, load, let clients and nemesis work side
//! by side, heal, count the keys.
//!
//! In: a plan, the run's directory, and the listeners. Out: the history, and the target's own
//! troubles. In every case the target is terminated at the end, after paused stores have been
//! resumed. It knows no overall verdict, no report, no page and no flag.

pub mod audience;
pub mod clock;
mod cluster_samples;
mod counting;
mod event_lines;
mod fail_fast;
pub mod interrupt;
mod leaders;
pub mod listener;
pub mod measurement;
pub mod open_files;
pub mod pace;
pub mod recording;
mod recording_cost;
pub mod scenario;
pub mod simulate;
pub mod stage;
mod watcher;
mod workers;

use crate::{
    audience::Audience,
    interrupt::{Interrupt, Urgency},
    pace::Free,
    stage::Stage,
};
use failure::{Exit, Failure};
use histories::{Header, jsonl::Text};
use plan::{Plan, key_range::CountedRange};
use run_directory::{RunDirectory, shown, write_whole};
use std::sync::Arc;
use targets::under_test::UnderTest;
use terminal::progress::Progress;
use workload::Workload;

/// Idle clients wait this much longer than the longest pause: for a new leader, and for their turn.
pub const IDLE_BEYOND_PAUSE_MS: u64 = 6_000;

/// Size in MiB at which a history segment is compressed and the next begun, unless the user sets
/// it.
pub const HISTORY_SEGMENT_MIB: u64 = 256;

/// The purpose of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Clients and faults side by side, then a verdict.
    Test,
    /// Measures the throughput that recording costs.
    RecordingCost,
}

/// Settings of a run that are not in its plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Ends the run as soon as a violation is seen.
    pub fail_fast: bool,
    /// Size in bytes at which a history segment is compressed and the next begun.
    pub history_segment_bytes: Option<u64>,
    /// Values of the plan that the user left open and the target's measured pace may change.
    pub free: Free,
}

/// A run to be carried out.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The plan, which determines the run.
    pub plan: &'a Plan,
    /// The directory of the run's files, which already holds the plan.
    pub directory: &'a RunDirectory,
    /// The settings of the run.
    pub options: Options,
    /// Shows the progress.
    pub progress: &'a Progress,
    /// Supplies the listeners.
    pub audience: &'a dyn Audience,
}

impl Run<'_> {
    /// Carries the plan out. Returns the target's own troubles, in sentences.
    pub async fn carry_out(&self, purpose: Purpose) -> Result<Vec<String>, Failure> {
        let Self { plan, directory, options, progress, audience } = *self;
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        let workload = Workload::new(&plan.config.workload, plan.config.seed);
        progress.phase(plan.config.target.beginning(), None);
        let target = tokio::select! {
            target = UnderTest::start(&plan.config, directory, workload.range()) => target?,
            () = interrupt.at_least(Urgency::Early) => return Err(interrupted()),
        };
        let target = Arc::new(target);
        let staged = async {
            let paced = tokio::select! {
                paced = pace::paced(plan, options.free, &target, progress) => paced?,
                () = interrupt.at_least(Urgency::Early) => return Err(interrupted()),
            };
            if let Some(paced) = &paced {
                write_whole(&directory.plan(), &paced.to_json()?)?;
            }
            let plan = paced.as_ref().unwrap_or(plan);
            let stage = Stage {
                plan,
                plan_hash: &plan::hash(&plan.to_json()?),
                run: directory,
                progress,
                workload,
                target: Arc::clone(&target),
                options,
                audience,
            };
            stage.perform(purpose, &interrupt).await
        };
        let result = tokio::select! {
            result = staged => result,
            () = interrupt.at_least(Urgency::Now) => Err(interrupted()),
        };
        // Processes that ended earlier are in the history.
        let mut troubles: Vec<String> =
            target.newly_ended().iter().map(ToString::to_string).collect();
        progress.phase(plan.config.target.ending(), None);
        target.stop().await;
        troubles.extend(result?);
        Ok(troubles)
    }
}

/// The failure of a run interrupted twice, or once before the cluster and the keys were ready.
pub fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; faults are healed, nothing was judged")
}

/// Returns the failure, or its cause: a removed run directory or a full disk.
pub fn explained(failure: Failure, run: &RunDirectory) -> Failure {
    let may_be_of_a_file = matches!(failure.exit, Exit::TargetOrDisk | Exit::NoInput);
    if may_be_of_a_file && !run.path().is_dir() {
        return judge::lost(run);
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

/// The header of a plan's history, for any target.
pub fn header(plan: &Plan, plan_hash: &str, target: &str, range: &CountedRange) -> Header {
    let config = &plan.config;
    let faults = match &plan.scenario {
        Some(scenario) => serde_json::json!([scenario.name]),
        // An edited plan may have no faults left.
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
