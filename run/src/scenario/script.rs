//! The steps of a scenario's script: pause and resume stores, change the number of replicas,
//! measure, count, wait.
//!
//! In: a target with clients at work on it. Out: events of the history, and a line for each step.
//! Every wait is bounded and ends when the run is to end. Faults in force are recorded and healed
//! at the end. If the script is dropped instead (a second Ctrl-C, a panic), it resumes the stores
//! and resets the number of replicas at once.

use super::throughput::ThroughputProbe;
use crate::{counting, recording::Recording};
use client::RawKv;
use histories::What;
use judge::{experiment::QUIET, key_count::KeyCounts};
use nemesis::{Asked, Observer, ProcessState, Region, Store, StoreId, Target, TargetError};
use plan::{key_range::CountedRange, scenario::ScenarioConfig};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use targets::under_test::UnderTest;
use terminal::progress::Progress;
use tokio::{sync::watch, time::Instant};

/// The time between two questions to PD.
const POLL: Duration = Duration::from_millis(100);
/// The number of tries of a healing step.
const HEAL_TRIES: u32 = 3;

/// The parts of a script.
pub struct ScriptParts {
    /// The cluster.
    pub target: Arc<UnderTest>,
    /// The history, and the display of faults in force.
    pub observer: Arc<dyn Observer>,
    /// The clients' counters and clock.
    pub recording: Arc<Recording>,
    /// The output for the steps.
    pub progress: Progress,
    /// Turns true when the run is to end.
    pub stopped: watch::Receiver<bool>,
    /// The range of keys to count.
    pub range: CountedRange,
    /// The client that counts.
    pub counter: Arc<dyn RawKv>,
    /// The deadline of one page of a count.
    pub op_timeout: Duration,
}

/// A cluster with clients at work, on which a script plays.
pub struct Script {
    /// The scenario to play.
    pub config: ScenarioConfig,
    /// The parts of the script.
    pub parts: ScriptParts,
    changes: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    steps: u32,
    down: Vec<StoreId>,
    /// The number of replicas to set back, and the one set now.
    replicas: Option<(u32, u32)>,
    /// True once the extra key was put and counted.
    counted: bool,
    /// Begin and end of each window of measured load, in nanoseconds since the run's start.
    windows: BTreeMap<&'static str, (u64, u64)>,
}

/// The reason why a script ended before its last step.
#[derive(Debug)]
pub enum Ended {
    /// The run ended.
    CutShort,
    /// A step failed, for this reason.
    Failed(String),
}

impl From<TargetError> for Ended {
    fn from(error: TargetError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Script {
    /// A script before its first step.
    pub fn new(config: ScenarioConfig, parts: ScriptParts) -> Self {
        Self { config, parts, changes: Mutex::default() }
    }

    /// Prints the next step.
    pub fn step(&self, what: impl std::fmt::Display) {
        let mut changes = self.changes();
        changes.steps += 1;
        let line = format!("step {}  {what}", changes.steps);
        drop(changes);
        self.parts.progress.result_line(&line);
    }

    /// Prints an observation.
    pub fn say(&self, what: impl std::fmt::Display) {
        self.parts.progress.result_line(&format!("        {what}"));
    }

    /// The time that the cluster may take for a step.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.config.patience_ms)
    }

    /// Awaits `something` unless the run is to end first.
    pub async fn unless_over<T>(&self, something: impl Future<Output = T>) -> Result<T, Ended> {
        let mut stopped = self.parts.stopped.clone();
        tokio::select! {
            done = something => Ok(done),
            _ = stopped.wait_for(|stopped| *stopped) => Err(Ended::CutShort),
        }
    }

    /// The stores, and the regions that hold the workload's keys.
    pub async fn look(&self) -> Result<(Vec<Store>, Vec<Region>), Ended> {
        let stores = self.parts.target.stores().await?;
        Ok((stores, self.parts.target.regions().await?))
    }

    /// Measures the load for one window. Returns successful operations per second.
    pub async fn measure(&self, window: &'static str) -> Result<f64, Ended> {
        let (begin_ns, before) = (self.parts.recording.now_ns(), self.parts.recording.succeeded());
        let begun = Instant::now();
        self.unless_over(tokio::time::sleep(Duration::from_millis(self.config.window_ms))).await?;
        let succeeded = self.parts.recording.succeeded() - before;
        self.changes().windows.insert(window, (begin_ns, self.parts.recording.now_ns()));
        Ok(succeeded as f64 / begun.elapsed().as_secs_f64())
    }

    /// Watches the clients for `length` without a fault. Returns the longest time without a
    /// success.
    pub async fn watch_quiet(&self, length: Duration) -> Result<Duration, Ended> {
        let (recording, observer) = (&self.parts.recording, &self.parts.observer);
        let (begin_ns, probe) =
            (recording.now_ns(), ThroughputProbe::measure(Arc::clone(recording)));
        self.unless_over(tokio::time::sleep(length)).await?;
        let value = json!({ "window-ns": [begin_ns, recording.now_ns()] });
        observer.record(What::FaultInvoke { f: QUIET.into(), value: value.clone() });
        observer.record(What::FaultComplete { f: QUIET.into(), value });
        Ok(probe.beat().gap)
    }

    /// Pauses stores in one instant. Prints and records the observed effect.
    pub async fn stop(
        &self,
        fault: u32,
        region: &Region,
        stores: &[Store],
    ) -> Result<ThroughputProbe, Ended> {
        let ids: Vec<StoreId> = stores.iter().map(|store| store.id).collect();
        let role = |id| if region.leader == Some(id) { "leader" } else { "follower" };
        let whom = stores.iter().map(|store| {
            json!({ "id": store.id, "address": store.address, "pid": store.pid, "role": role(store.id) })
        });
        self.changes().down.clone_from(&ids);
        let voters = region.voters.len();
        let value = json!({ "region": region.id, "voter_count": voters, "stores": whom.collect::<Value>() });
        let asked = Asked { at_ns: self.begin(fault, "pause", value), at: Instant::now() };
        let probe = ThroughputProbe::measure(Arc::clone(&self.parts.recording));
        let seen = self.parts.target.pause(ids).await;
        self.complete(fault, "pause", asked.seen(&seen));
        for seen in seen? {
            self.say(format_args!("store-{} seen {}", seen.store, seen.state.name()));
            if seen.state != ProcessState::Stopped {
                let state = seen.state.name();
                return Err(Ended::Failed(format!("store-{} is {state}, not stopped", seen.store)));
            }
        }
        Ok(probe)
    }

    /// Resumes the paused stores. Records the measurements of the clients since the pause.
    pub async fn resume(&self, fault: u32, probe: &ThroughputProbe) -> Result<(), Ended> {
        let down = self.changes().down.clone();
        let whom: Value = down.iter().map(|id| json!({ "id": id })).collect();
        let script = json!({
            "windows-ns": self.changes().windows,
            "tester-late-ns": probe.beat().late.as_nanos() as u64,
        });
        let value = json!({ "stores": whom, "scene": script });
        let asked = Asked { at_ns: self.begin(fault, "resume", value), at: Instant::now() };
        let seen = self.parts.target.resume(down).await;
        self.complete(fault, "resume", asked.seen(&seen));
        for seen in seen? {
            self.say(format_args!("store-{} seen {}", seen.store, seen.state.name()));
        }
        self.changes().down.clear();
        self.parts.observer.in_force(&[]);
        Ok(())
    }

    /// Waits until other stores lead these regions, and records each move. Returns the time it
    /// took, or `None` if too late.
    pub async fn await_new_leaders(
        &self,
        fault: u32,
        old: StoreId,
        led: &[Region],
    ) -> Result<Option<Duration>, Ended> {
        let begun = Instant::now();
        let mut waiting: Vec<&Region> = led.iter().collect();
        while begun.elapsed() < self.patience() {
            if let Ok(now) = self.unless_over(self.parts.target.regions()).await? {
                waiting.retain(|region| {
                    let new = now.iter().find(|it| it.id == region.id);
                    let moved = new.filter(|it| it.leader.is_some_and(|leader| leader != old));
                    if let Some(new) = moved {
                        self.note_move(fault, region, new, begun.elapsed());
                    }
                    moved.is_none()
                });
            }
            if waiting.is_empty() {
                return Ok(Some(begun.elapsed()));
            }
            self.unless_over(tokio::time::sleep(POLL)).await?;
        }
        Ok(None)
    }

    fn note_move(&self, fault: u32, old: &Region, new: &Region, after: Duration) {
        let leader = |region: &Region| region.leader.unwrap_or_default();
        self.say(format_args!(
            "PD: region {} is led by store-{} instead of store-{} after {:.1} s",
            old.id,
            leader(new),
            leader(old),
            after.as_secs_f64()
        ));
        let change = json!([{ "region": old.id, "leader_before": old.leader, "leader_after": new.leader,
            "voters_before": old.voters.len(), "voters_after": new.voters.len() }]);
        self.begin(fault, "leader-moved", json!({ "region": old.id }));
        self.complete(fault, "leader-moved", json!({ "regions": change }));
    }

    /// Sets the number of replicas. If `wait` is true, waits until every region has them, caught
    /// up.
    pub async fn set_replicas(&self, fault: u32, to: u32, wait: bool) -> Result<Duration, Ended> {
        let target = &self.parts.target;
        let (from, before) = (target.max_replicas().await?, target.regions().await?);
        let initial = self.changes().replicas.map_or(from, |(initial, _)| initial);
        self.changes().replicas = Some((initial, to));
        self.begin(fault, "max-replicas", json!({ "from": from, "to": to }));
        let begun = Instant::now();
        let set = target.set_max_replicas(to).await;
        let settled = match (&set, wait) {
            (Ok(()), true) => self.unless_over(target.await_whole(self.patience())).await,
            _ => Ok(Ok(())),
        };
        let took = begun.elapsed();
        let mut value = json!({ "to": to, "waited": wait });
        match (target.regions().await, &set, &settled) {
            (Ok(after), Ok(()), Ok(Ok(()))) => value["regions"] = changes(&before, &after),
            (_, Err(error), _) => value["error"] = error.to_string().into(),
            (_, _, Ok(Err(failure))) => value["error"] = failure.to_string().into(),
            _ => value["error"] = "its effect was not seen".into(),
        }
        self.complete(fault, "max-replicas", value);
        self.parts.observer.in_force(&[]);
        set?;
        settled?.map_err(|failure| Ended::Failed(failure.to_string()))?;
        Ok(took)
    }

    /// Waits until every store is up and every region has its replicas, caught up. Returns the time
    /// it took.
    pub async fn await_whole(&self) -> Result<Duration, Ended> {
        let begun = Instant::now();
        let whole = self.unless_over(self.parts.target.await_whole(self.patience())).await?;
        whole.map_err(|failure| Ended::Failed(failure.to_string()))?;
        Ok(begun.elapsed())
    }

    /// Counts the keys, puts one more and counts again.
    pub async fn count(&self) -> Result<KeyCounts, Ended> {
        let ScriptParts { range, counter, op_timeout, recording, .. } = &self.parts;
        let mut client = recording.client();
        // Enough for an election; the stores should not stay paused for longer than it needs.
        let counting =
            counting::count(range, counter.as_ref(), &mut client, *op_timeout, self.patience() / 2);
        let counts = self.unless_over(counting).await?;
        self.changes().counted = counts.after.is_some();
        Ok(counts)
    }

    /// Returns true once the extra key was put and counted.
    pub fn counted(&self) -> bool {
        self.changes().counted
    }

    /// Heals the faults that the script left; none, if it reached its end. Returns the failures.
    pub async fn heal(&self) -> Vec<String> {
        let mut unhealed = Vec::new();
        let down = self.changes().down.clone();
        for store in down {
            let resume = || self.parts.target.resume(vec![store]);
            match self.tried("resume", json!({ "stores": [{ "id": store }] }), resume).await {
                Ok(_) => self.changes().down.retain(|it| *it != store),
                Err(error) => unhealed.push(format!("store-{store} could not be resumed: {error}")),
            }
        }
        let replicas = self.changes().replicas;
        if let Some((initial, now)) = replicas.filter(|(initial, now)| initial != now) {
            let set = || self.parts.target.set_max_replicas(initial);
            match self.tried("max-replicas", json!({ "from": now, "to": initial }), set).await {
                Ok(()) => self.changes().replicas = None,
                Err(error) => unhealed
                    .push(format!("max-replicas is {now} and could not be set back: {error}")),
            }
        }
        self.parts.observer.in_force(&[]);
        unhealed
    }

    async fn tried<T, A: Future<Output = Result<T, TargetError>>>(
        &self,
        f: &str,
        value: Value,
        act: impl Fn() -> A,
    ) -> Result<T, TargetError> {
        self.parts.observer.record(What::FaultInvoke { f: f.into(), value: value.clone() });
        let mut tries = 1;
        let done = loop {
            match act().await {
                Err(_) if tries < HEAL_TRIES => tokio::time::sleep(POLL * 5).await,
                done => break done,
            }
            tries += 1;
        };
        let mut value = value;
        if let Err(error) = &done {
            value["error"] = error.to_string().into();
        }
        self.parts.observer.record(What::FaultComplete { f: f.into(), value });
        done
    }

    fn begin(&self, fault: u32, f: &str, mut value: Value) -> u64 {
        value["fault"] = fault.into();
        value["name"] = self.config.name.name().into();
        let at_ns = self.parts.observer.record(What::FaultInvoke { f: f.into(), value });
        // The observations that follow belong to a fault already in force.
        if matches!(f, "pause" | "max-replicas") {
            self.parts.observer.in_force(&[self.config.name.name()]);
        }
        at_ns
    }

    fn complete(&self, fault: u32, f: &str, mut value: Value) {
        value["fault"] = fault.into();
        self.parts.observer.record(What::FaultComplete { f: f.into(), value });
    }

    fn changes(&self) -> MutexGuard<'_, Books> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let (down, replicas) = {
            let changes = self.changes();
            (!changes.down.is_empty(), changes.replicas.filter(|(initial, now)| initial != now))
        };
        if down {
            self.parts.target.resume_all_now();
        }
        if let Some((initial, _)) = replicas {
            let target = Arc::clone(&self.parts.target);
            let set_back = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map(|runtime| runtime.block_on(target.set_max_replicas(initial)))
            };
            // A script may be dropped inside a runtime, so this needs its own thread.
            if !matches!(std::thread::spawn(set_back).join(), Ok(Ok(Ok(())))) {
                self.say(format_args!("max-replicas could not be set back to {initial}"));
            }
        }
    }
}

/// The changes of the workload's regions, for a history.
fn changes(before: &[Region], after: &[Region]) -> Value {
    let change = |new: &Region| {
        let old = before.iter().find(|old| old.id == new.id)?;
        Some(json!({ "region": new.id, "leader_before": old.leader, "leader_after": new.leader,
            "voters_before": old.voters.len(), "voters_after": new.voters.len() }))
    };
    after.iter().filter_map(change).collect()
}
