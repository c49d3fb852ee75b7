//! A started target and the phases of its run: load, work under faults, heal, count.
//!
//! In: a plan and a target. Out: the history in the run directory, and the failures of healing.
//! Faults come from the plan's schedule, or from its scenario. Every wait on the target is bounded,
//! and ends when somebody asks for an end.

use super::{
    IDLE_BEYOND_PAUSE_MS, Options, Purpose,
    event_lines::EventLines,
    fail_fast::{self, FailFast},
    interrupted,
    leaders::LeadersWatched,
    watcher::{self, Ending, RunObserver, Watcher},
};
use crate::{
    audience::{Audience, Running},
    clock::Clock,
    cluster_samples, counting,
    interrupt::{Interrupt, Urgency},
    listener::RunEvent,
    recording::{Recording, not_recorded},
    recording_cost,
    scenario::{self, Script, ScriptParts},
    workers::Workers,
};
use client::{DirectClient, DirectOptions, RawKv, TikvClient, TikvClientOptions};
use failure::Failure;
use histories::{Event, Header, Recorder, RecorderOptions};
use judge::ended_early::{EndedEarly, Why};
use nemesis::{NemesisReport, Observer, Target};
use plan::{
    Plan,
    config::{AtomicMode, ClientName, TargetConfig},
    key_range::CountedRange,
    scenario::ScenarioConfig,
};
use run_directory::RunDirectory;
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc::Sender},
    time::Duration,
};
use targets::under_test::UnderTest;
use terminal::progress::Progress;
use tokio::{sync::watch, time::Instant};
use workload::Workload;

/// The time in which the cluster must become whole, at the start and after the faults, with the
/// profile `fast`.
const WHOLE_WITHIN: Duration = Duration::from_mins(1);
/// The profile `tikv` is slower by this factor.
const TIKV_SLOWER: u32 = 5;
/// With the crate's own retries, each of its tries may take an operation's time divided by this.
/// Otherwise the first try would use up all of it, and nothing would be retried.
const CALLS_TRIED: u32 = 4;
/// The time in which the keys must be counted.
const COUNT_WITHIN: Duration = Duration::from_mins(1);
/// The time for counting once a process of the cluster has ended by itself and stays down.
const COUNT_AFTER_LOSS_WITHIN: Duration = Duration::from_secs(10);

/// A started target and its run.
pub struct Stage<'a> {
    /// The plan, which determines the run.
    pub plan: &'a Plan,
    /// The plan's hash, for the history's header.
    pub plan_hash: &'a str,
    /// The directory of the run's files.
    pub run: &'a RunDirectory,
    /// Shows the progress.
    pub progress: &'a Progress,
    /// The operations of the clients.
    pub workload: Workload,
    /// The started target.
    pub target: Arc<UnderTest>,
    /// The settings of the run.
    pub options: Options,
    /// Supplies the listeners.
    pub audience: &'a dyn Audience,
}

/// The result of the working phase.
struct Worked {
    /// The failures of healing, in sentences.
    unhealed: Vec<String>,
    /// True once the extra key was put and counted.
    counted: bool,
    /// An interrupt ended the phase, so that only the next one quits.
    interrupted: bool,
}

impl Stage<'_> {
    /// Loads, works under faults, heals, counts. Returns the failures of healing, in sentences.
    pub async fn perform(
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

        let (looking, listener) = self.looks_for_violations()?;
        let options =
            RecorderOptions { segment_bytes_max: self.options.history_segment_bytes, listener };
        let recorder = Recorder::create(&self.run.history(), &self.header(), options)
            .map_err(Failure::target_or_disk)?;
        let clock = Clock::start();
        let recording = Recording::new(clock, recorder.handle());
        let workers = self.workers(&recording);
        if purpose == Purpose::RecordingCost {
            return Ok(recording_cost::measure(&workers).await);
        }
        let watched = cluster_samples::watch(
            &self.run.samples(),
            self.target.pd_endpoints(),
            self.target.security(),
            self.target.clone(),
            clock,
        );
        let running = Running {
            name: config.name.clone(),
            target: Arc::clone(&self.target),
            recording: Arc::clone(&recording),
            progress: self.progress.clone(),
        };
        let listeners = self.audience.join(running).await?;
        recording.heard_by(&listeners);
        let worked = self.work(&workers, &recorder, looking, interrupt).await?;

        let settled = self.settle(&recording, worked.counted);
        tokio::select! {
            () = settled => {}
            () = interrupt.at_least(Urgency::Early), if !worked.interrupted => {
                self.progress.line(watcher::INTERRUPTED);
            }
        }
        drop(watched);
        watcher::note_ended(&self.target, &recording, self.progress);
        recorder.finish().map_err(|error| not_recorded(&error))?;
        Ok(worked.unhealed)
    }

    /// Waits until the cluster is whole, and counts the keys.
    async fn settle(&self, recording: &Arc<Recording>, one_more_is_put: bool) {
        if let Err(failure) = self.target.await_whole(self.whole_within()).await {
            self.progress.line(&format!("after the faults {failure}"));
        }
        self.progress.phase("counting the keys", None);
        let direct = self.direct_library();
        let (mut client, op_timeout) = (recording.client(), self.op_timeout() * 5);
        let range = self.counted_range();
        // Without PD, or without most of the stores, waiting longer would not help.
        let within =
            if self.target.lost().is_empty() { COUNT_WITHIN } else { COUNT_AFTER_LOSS_WITHIN };
        if one_more_is_put {
            counting::count_again(&range, &direct, &mut client, op_timeout, within).await;
        } else {
            counting::count(&range, &direct, &mut client, op_timeout, within).await;
        }
    }

    /// Loads, and then lets clients and nemesis work until the time or the scenario is over.
    async fn work(
        &self,
        workers: &Workers,
        recorder: &Recorder,
        looking: Option<FailFast>,
        interrupt: &Interrupt,
    ) -> Result<Worked, Failure> {
        let (stop, stopped) = watch::channel(false);
        let watcher = Watcher {
            recording: &workers.recording,
            recorder,
            target: &self.target,
            run: self.run,
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

        // A scenario ends by itself.
        let time = Duration::from_millis(self.plan.config.time_ms);
        let time = Some(time).filter(|_| self.plan.scenario.is_none());
        self.progress.phase("clients and faults", time);
        workers.recording.take_measurement();
        let began = Instant::now();
        let run_observer = Arc::new(RunObserver {
            recording: Arc::clone(&workers.recording),
            in_force: Arc::clone(&watcher.in_force),
            progress: self.progress.clone(),
            lines: self.plan.scenario.is_none().then(EventLines::default),
            leaders: LeadersWatched::default(),
        });
        let observer: Arc<dyn Observer> = run_observer.clone();
        workers.recording.tell(RunEvent::Work(true));
        let (over, is_over) = tokio::sync::oneshot::channel();
        let hurt = async {
            let hurt = match &self.plan.scenario {
                None => {
                    let hurt = self.carry_out_schedule(observer, stopped.clone());
                    let moves = run_observer.leaders.watch(&*self.target, &*run_observer);
                    tokio::select! {
                        hurt = hurt => hurt,
                        () = moves => unreachable!("it looks until it is dropped"),
                    }
                }
                Some(scenario) => {
                    self.carry_out(scenario, observer, &workers.recording, stopped.clone()).await
                }
            };
            // The receiver may have ended before.
            let _ = over.send(());
            hurt
        };
        let until_over = async {
            let ended = tokio::select! {
                ended = watcher.watch(time, interrupt) => ended,
                said = fail_fast::broken(looking.as_ref()) => {
                    let seconds = began.elapsed().as_secs_f64();
                    self.progress.line(&format!(
                        "after {seconds:.1} s a promise is broken ({said}): ending the run early"
                    ));
                    watcher.lines(began);
                    Ok(Ending::Early(Why::BrokenPromise))
                }
                Ok(()) = is_over, if time.is_none() => {
                    watcher.lines(began);
                    Ok(Ending::InTime)
                }
            };
            let after = began.elapsed();
            // Both tasks wait for it; if both are gone, nobody needs it.
            let _ = stop.send(true);
            ended.map(|ending| (ending, after))
        };
        let (mut worked, (), ended) = tokio::join!(hurt, workers.work(&stopped), until_over);
        workers.recording.tell(RunEvent::Work(false));
        if let (Ending::Early(why), after) = ended? {
            worked.interrupted = why == Why::Interrupted;
            let of_ms = time.map(|time| time.as_millis() as u64);
            workers.recording.ended_early(EndedEarly::now(after, of_ms, why));
        }
        Ok(worked)
    }

    async fn carry_out_schedule(
        &self,
        observer: Arc<dyn Observer>,
        stopped: watch::Receiver<bool>,
    ) -> Worked {
        let target: Arc<dyn Target> = self.target.clone();
        let report = nemesis::run(&self.plan.schedule, target, observer, stopped).await;
        Worked { unhealed: self.unhealed(&report), counted: false, interrupted: false }
    }

    async fn carry_out(
        &self,
        scenario: &ScenarioConfig,
        observer: Arc<dyn Observer>,
        recording: &Arc<Recording>,
        stopped: watch::Receiver<bool>,
    ) -> Worked {
        let script = Script::new(
            scenario.clone(),
            ScriptParts {
                target: Arc::clone(&self.target),
                observer,
                recording: Arc::clone(recording),
                progress: self.progress.clone(),
                stopped,
                range: self.counted_range(),
                counter: Arc::new(self.direct_library()),
                op_timeout: self.op_timeout() * 5,
            },
        );
        let unhealed = scenario::carry_out(&script).await;
        Worked { unhealed, counted: script.counted(), interrupted: false }
    }

    /// Starts looking for violations if the options ask for it. Also returns the sender of its
    /// events.
    fn looks_for_violations(&self) -> Result<(Option<FailFast>, Option<Sender<Event>>), Failure> {
        if !self.options.fail_fast {
            return Ok((None, None));
        }
        let (looking, events) = FailFast::begin().map_err(Failure::software)?;
        Ok((Some(looking), Some(events)))
    }

    fn unhealed(&self, report: &NemesisReport) -> Vec<String> {
        let mut missed: BTreeMap<&str, u64> = BTreeMap::new();
        for record in &report.records {
            let Some(error) = record.error.as_deref() else { continue };
            if record.begun_ns.is_none() {
                *missed.entry(error).or_default() += 1;
            } else {
                self.progress.line(&format!("fault {} ({}): {error}", record.fault, record.name));
            }
        }
        for (error, times) in missed {
            let faults = if times == 1 { "planned fault" } else { "planned faults" };
            self.progress.line(&format!("{times} {faults} did not happen: {error}"));
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
                    atomic: workload.atomic == AtomicMode::On,
                    cas_beside_plain_writes: workload.atomic == AtomicMode::Mixed,
                    client_retries: workload.client_retries,
                    rpc_timeout: rpc_timeout
                        / if workload.client_retries { CALLS_TRIED } else { 1 },
                    security: self.target.security().cloned(),
                },
            )),
        }
    }

    fn direct_library(&self) -> DirectClient {
        let workload = &self.plan.config.workload;
        let options =
            DirectOptions { atomic: workload.atomic == AtomicMode::On, ..DirectOptions::default() };
        let options = options.with_security(self.target.security());
        DirectClient::new(self.target.pd_endpoints().to_vec(), options)
    }

    fn op_timeout(&self) -> Duration {
        Duration::from_millis(self.plan.config.workload.op_timeout_ms)
    }

    fn whole_within(&self) -> Duration {
        match (&self.plan.config.target, self.plan.config.cluster.profile.as_str()) {
            (TargetConfig::Embedded, "fast") => WHOLE_WITHIN,
            _ => WHOLE_WITHIN * TIKV_SLOWER,
        }
    }

    fn counted_range(&self) -> CountedRange {
        self.workload.counted_range()
    }

    /// The header of the history; judging needs nothing else.
    fn header(&self) -> Header {
        let shape = &self.plan.config.cluster;
        let target = format!(
            "{} of {} stores, {} replicas, profile {}{}{}",
            self.plan.config.target.described(),
            shape.stores,
            shape.replicas,
            shape.profile,
            shape.reads_in_words(),
            shape.defects_shown()
        );
        super::header(self.plan, self.plan_hash, &target, &self.counted_range())
    }
}
