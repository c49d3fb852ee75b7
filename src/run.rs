//! One run, from the plan to the history: start the target, load, let clients and nemesis work side by side, heal,
//! count the keys. Then the history is judged and the result told.
//!
//! In: a plan. Out: the files of the run directory, and how the program ends. Whatever way it takes, the target is
//! stopped at the end, and what was stopped by the nemesis runs again before that.

use crate::{
    clock::Clock,
    config::ClientName,
    counterexamples,
    exit::{Exit, Failure},
    heal,
    interrupt::{Interrupt, Urgency},
    judge,
    key_count::CountedRange,
    plan::{self, Plan},
    progress::Progress,
    recording::Recording,
    recording_cost, report,
    run_directory::{RunDirectory, write_whole},
    targets::under_test::UnderTest,
    workers::Workers,
    workload::Workload,
};
use client::{DirectClient, DirectOptions, RawKv, TikvClient, TikvClientOptions};
use histories::{Header, Recorder, What};
use nemesis::{NemesisReport, Observer, Target};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How often the progress is shown, and the recorder asked whether it still records.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the cluster may take until it is whole, at the start and after the faults, at the `fast` profile.
const WHOLE_WITHIN: Duration = Duration::from_mins(1);
/// The `tikv` profile is slower by so much.
const TIKV_SLOWER: u32 = 5;
/// How long the counting of the keys may take.
const COUNT_WITHIN: Duration = Duration::from_mins(1);
/// An idle client waits for so much longer than the longest pause: for a new leader, and for its own turn.
pub const IDLE_BEYOND_PAUSE_MS: u64 = 6_000;

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
    let measured = carry_out(plan, Purpose::RecordingCost, "", &run, &progress);
    let lines = runtime.block_on(measured)?;
    progress.finish();
    for line in lines {
        crate::terminal::result(line);
    }
    Ok(Exit::Valid)
}

/// Runs a plan and judges it. `repeat` is the command that repeats it.
pub fn test(plan: &Plan, repeat: &str, runs_dir: &Path) -> Result<Exit, Failure> {
    heal::before_a_run(runs_dir);
    let run = RunDirectory::create(runs_dir, &plan.config.name)?;
    let plan_json = plan.to_json()?;
    write_whole(&run.plan(), &plan_json)?;
    crate::terminal::result(format_args!(
        "seed {}, run directory {}",
        plan.config.seed,
        shown(&run)
    ));
    for warning in plan.warnings()? {
        crate::terminal::result(format_args!("note: {warning}"));
    }

    let progress = Progress::new();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let hash = plan::hash(&plan_json);
    let carried_out = runtime.block_on(carry_out(plan, Purpose::Test, &hash, &run, &progress));
    runtime.shutdown_timeout(Duration::from_secs(5));
    progress.finish();
    let troubles = carried_out?;

    conclude(&run, &troubles, repeat)
}

/// Judges a run's history, and tells what is judged. `repeat` is the command that repeats the run.
pub fn conclude(run: &RunDirectory, troubles: &[String], repeat: &str) -> Result<Exit, Failure> {
    crate::terminal::note(format_args!("judging {}", run.history().display()));
    let judgement = judge::judge(&run.history(), &judge::Judging::default())?;
    let verdict_json = serde_json::to_vec_pretty(&judgement).map_err(Failure::software)?;
    write_whole(&run.verdict(), &verdict_json)?;
    report::print(&judgement);
    counterexamples::print(&judgement);
    counterexamples::write(&judgement, run.path())?;
    for trouble in troubles {
        crate::terminal::result(format_args!("  - {trouble}"));
    }
    crate::terminal::result(format_args!("run:    {}", shown(run)));
    crate::terminal::result(format_args!("check:  jepsen-tikv check {}", shown(run)));
    crate::terminal::result(format_args!("repeat: {repeat}"));
    match (judgement.exit(), troubles.first()) {
        // A target that was in trouble of its own did not just keep its promises.
        (Exit::Valid, Some(trouble)) => Err(Failure::target_or_disk(trouble)),
        (exit, _) => Ok(exit),
    }
}

/// A run directory as a person would type it.
fn shown(run: &RunDirectory) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    run.path().strip_prefix(here).unwrap_or(run.path()).display().to_string()
}

/// Everything that needs a runtime. The target's own troubles, in sentences.
async fn carry_out(
    plan: &Plan,
    purpose: Purpose,
    plan_hash: &str,
    run: &RunDirectory,
    progress: &Progress,
) -> Result<Vec<String>, Failure> {
    let interrupt = Interrupt::listen().map_err(Failure::software)?;
    let workload = Workload::new(&plan.config.workload, plan.config.seed);
    progress.phase("starting the cluster", None);
    let target = tokio::select! {
        target = UnderTest::start(&plan.config, run, workload.range()) => target?,
        () = interrupt.at_least(Urgency::Early) => return Err(interrupted()),
    };
    let target = Arc::new(target);
    let staged = Stage { plan, plan_hash, run, progress, workload, target: Arc::clone(&target) };
    let result = tokio::select! {
        result = staged.perform(purpose, &interrupt) => result,
        () = interrupt.at_least(Urgency::Now) => Err(interrupted()),
    };
    let mut troubles = target.ended_by_themselves();
    progress.phase("stopping the cluster", None);
    target.stop().await;
    troubles.extend(result?);
    Ok(troubles)
}

fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; faults are healed, nothing was judged")
}

/// A started target and what shall be done with it.
struct Stage<'a> {
    plan: &'a Plan,
    plan_hash: &'a str,
    run: &'a RunDirectory,
    progress: &'a Progress,
    workload: Workload,
    target: Arc<UnderTest>,
}

impl Stage<'_> {
    /// Load, work under faults, heal, count. What could not be healed, in sentences.
    async fn perform(
        &self,
        purpose: Purpose,
        interrupt: &Interrupt,
    ) -> Result<Vec<String>, Failure> {
        let config = &self.plan.config;
        self.progress.phase("waiting until every region has its replicas", None);
        self.target.await_whole(self.whole_within()).await?;
        if config.cluster.regions > 1 {
            let splits = self.workload.split_keys(config.cluster.regions);
            self.target.split(&splits, self.whole_within()).await?;
            self.target.await_whole(self.whole_within()).await?;
        }

        let recorder = Recorder::create(&self.run.history(), &self.header())
            .map_err(Failure::target_or_disk)?;
        let recording = Recording::new(Clock::start(), recorder.handle());
        let workers = self.workers(&recording);
        if purpose == Purpose::RecordingCost {
            return Ok(recording_cost::measure(&workers).await);
        }
        let unhealed = self.work(&workers, &recorder, interrupt).await?;

        if let Err(failure) = self.target.await_whole(self.whole_within()).await {
            self.progress.line(&format!("after the faults {failure}"));
        }
        self.progress.phase("counting the keys", None);
        let direct = self.direct_library();
        let (mut client, op_timeout) = (recording.client(), self.op_timeout() * 5);
        self.counted_range().count(&direct, &mut client, op_timeout, COUNT_WITHIN).await;
        recorder.finish().map_err(|error| {
            Failure::target_or_disk(format!("{error}; make room or choose another --runs-dir"))
        })?;
        Ok(unhealed)
    }

    /// Loads, and then lets clients and nemesis work until the time is over. What could not be healed.
    async fn work(
        &self,
        workers: &Workers,
        recorder: &Recorder,
        interrupt: &Interrupt,
    ) -> Result<Vec<String>, Failure> {
        let (stop, stopped) = watch::channel(false);
        let watcher = Watcher {
            recording: &workers.recording,
            recorder,
            progress: self.progress,
            in_force: Arc::default(),
        };
        if self.workload.loads() {
            self.progress.phase("loading the keys", None);
            let load_started = Instant::now();
            let missing = tokio::select! {
                missing = workers.load(&stopped) => missing,
                ended = watcher.watch(None, interrupt) => {
                    ended?;
                    return Err(interrupted());
                }
            };
            watcher.lines(load_started);
            if let Some(key) = missing.first() {
                return Err(Failure::target_or_disk(format!(
                    "the keys could not be loaded, {} among others; look whether the disk is full, and at the \
                     logs in {}",
                    String::from_utf8_lossy(key),
                    self.run.path().display()
                )));
            }
        }

        let time = Duration::from_millis(self.plan.config.time_ms);
        self.progress.phase("clients and faults", Some(time));
        workers.recording.take_measurement();
        let observer = Arc::new(RunObserver {
            recording: Arc::clone(&workers.recording),
            in_force: Arc::clone(&watcher.in_force),
            progress: self.progress.clone(),
        });
        let target: Arc<dyn Target> = self.target.clone();
        let nemesis = nemesis::run(&self.plan.schedule, target, observer, stopped.clone());
        let until_over = async {
            let ended = watcher.watch(Some(time), interrupt).await;
            // Both wait for it; if neither is there any more there is nobody to tell.
            let _ = stop.send(true);
            ended
        };
        let (report, (), ended) = tokio::join!(nemesis, workers.work(&stopped), until_over);
        ended?;
        Ok(self.unhealed(&report))
    }

    fn unhealed(&self, report: &NemesisReport) -> Vec<String> {
        for record in report.records.iter().filter(|record| record.error.is_some()) {
            let error = record.error.as_deref().unwrap_or_default();
            self.progress.line(&format!("fault {} ({}): {error}", record.fault, record.name));
        }
        report.unhealed.clone()
    }

    fn workers(&self, recording: &Arc<Recording>) -> Workers {
        let workload = &self.plan.config.workload;
        let idle_op_timeout = Duration::from_millis(
            workload
                .op_timeout_ms
                .max(self.plan.config.nemesis.pause_ms_max + IDLE_BEYOND_PAUSE_MS),
        );
        Workers {
            workload: self.workload.clone(),
            recording: Arc::clone(recording),
            busy_library: self.library(self.op_timeout()),
            idle_libraries: (0..workload.idle_clients)
                .map(|_| self.library(idle_op_timeout))
                .collect(),
            busy_clients: workload.concurrency - workload.idle_clients,
            op_timeout: self.op_timeout(),
            idle_op_timeout,
            rate: workload.rate,
        }
    }

    /// A client library with connections and a region cache of its own.
    fn library(&self, rpc_timeout: Duration) -> Arc<dyn RawKv> {
        let workload = &self.plan.config.workload;
        match workload.client {
            ClientName::Direct => Arc::new(self.direct_library()),
            ClientName::TikvClient => Arc::new(TikvClient::new(
                self.target.pd_endpoints().to_vec(),
                TikvClientOptions {
                    atomic: self.workload.uses_cas(),
                    client_retries: workload.client_retries,
                    rpc_timeout,
                    ..TikvClientOptions::default()
                },
            )),
        }
    }

    fn direct_library(&self) -> DirectClient {
        let options =
            DirectOptions { atomic: self.workload.uses_cas(), ..DirectOptions::default() };
        DirectClient::new(self.target.pd_endpoints().to_vec(), options)
    }

    fn op_timeout(&self) -> Duration {
        Duration::from_millis(self.plan.config.workload.op_timeout_ms)
    }

    fn whole_within(&self) -> Duration {
        match self.plan.config.cluster.profile.as_str() {
            "tikv" => WHOLE_WITHIN * TIKV_SLOWER,
            _ => WHOLE_WITHIN,
        }
    }

    fn counted_range(&self) -> CountedRange {
        CountedRange::of(&self.workload)
    }

    /// What the history says of itself; judging it needs nothing else.
    fn header(&self) -> Header {
        let shape = &self.plan.config.cluster;
        let target = format!(
            "embedded cluster of {} stores, {} replicas, profile {}{}",
            shape.stores,
            shape.replicas,
            shape.profile,
            shape.wrong_on_purpose()
        );
        header(self.plan, self.plan_hash, &target, &self.counted_range())
    }
}

/// What the history of a plan says of itself, whichever target it was carried out on.
pub fn header(plan: &Plan, plan_hash: &str, target: &str, range: &CountedRange) -> Header {
    let config = &plan.config;
    let value = serde_json::json!({
        "target": target,
        "client": config.workload.client,
        "client-retries": config.workload.client_retries,
        "workload": config.workload.name,
        "concurrency": config.workload.concurrency,
        "nemesis": config.nemesis.faults,
        "seed": config.seed,
        "plan-hash": plan_hash,
        "tool-version": env!("CARGO_PKG_VERSION"),
        "key-count": range,
    });
    let fields = match value {
        serde_json::Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    Header { fields }
}

/// Watches a phase: shows how far it is, and ends it when its time is over or it makes no sense any more.
struct Watcher<'a> {
    recording: &'a Recording,
    recorder: &'a Recorder,
    progress: &'a Progress,
    in_force: Arc<Mutex<Vec<String>>>,
}

impl Watcher<'_> {
    /// Returns when the time is over (`None`: never), or when somebody asks for an early end; fails when recording
    /// failed.
    async fn watch(&self, time: Option<Duration>, interrupt: &Interrupt) -> Result<(), Failure> {
        let started = Instant::now();
        let (mut last, mut next_lines) = (self.recording.completed(), crate::measurement::INTERVAL);
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = interrupt.at_least(Urgency::Early) => {
                    self.progress.line("interrupted: healing, then judging what there is; once more to leave at once");
                    return Ok(());
                }
            }
            if let Some(failure) = self.recorder.failure() {
                return Err(Failure::target_or_disk(format!(
                    "{failure}; make room or choose another --runs-dir"
                )));
            }
            let (elapsed, completed) = (started.elapsed(), self.recording.completed());
            let per_s = (completed - last) as f64 / LOOK_EVERY.as_secs_f64();
            last = completed;
            let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.progress.update(elapsed, per_s, &in_force);
            let over = time.is_some_and(|time| elapsed >= time);
            if over || elapsed >= next_lines {
                next_lines += crate::measurement::INTERVAL;
                self.lines(started);
            }
            if over {
                return Ok(());
            }
        }
    }

    /// go-ycsb's lines so far.
    fn lines(&self, started: Instant) {
        for line in self.recording.measurement_lines(started.elapsed()) {
            self.progress.result_line(&line);
        }
    }
}

/// What the nemesis tells the run.
struct RunObserver {
    recording: Arc<Recording>,
    in_force: Arc<Mutex<Vec<String>>>,
    progress: Progress,
}

impl Observer for RunObserver {
    fn record(&self, what: What) -> u64 {
        self.recording.nemesis(what)
    }

    fn acknowledged_writes(&self) -> u64 {
        self.recording.acknowledged_writes()
    }

    fn in_force(&self, names: &[&'static str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.progress.faults(&names);
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}
