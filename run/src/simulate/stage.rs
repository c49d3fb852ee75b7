//! A simulated cluster and the phases of its run: load, work under faults, heal, recover, count.
//!
//! In: a plan and a simulation whose time passes beside this. Out: the history, and the failures of
//! healing. It waits in virtual time only.

use super::{
    asked,
    recovery::{Patience, Recovery},
    target::SimulatedTarget,
    wire::Simulated,
};
use crate::{
    HISTORY_SEGMENT_MIB, IDLE_BEYOND_PAUSE_MS,
    clock::Clock,
    counting,
    interrupt::{Interrupt, Urgency},
    recording::{Recording, not_recorded},
    workers::Workers,
};
use client::{DirectClient, DirectOptions, RawKv};
use cluster::{
    profile::Profile,
    simulation::{PD_ADDRESS, SimulatedRegion, Simulation},
};
use failure::Failure;
use histories::{Header, Recorder, RecorderOptions, What};
use judge::ended_early::{EndedEarly, Why};
use nemesis::{NemesisReport, Observer};
use plan::{Plan, config::AtomicMode, key_range::CountedRange};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use workload::Workload;

/// Virtual time in which every region must serve after the last healing, with the profile `fast`,
/// whose elections take two seconds.
const SERVES_WITHIN: Duration = Duration::from_mins(2);
/// Virtual time in which the cluster must become whole, with the profile `fast`.
const WHOLE_WITHIN: Duration = Duration::from_mins(10);
/// The time between two looks at the cluster.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Virtual time in which the keys must be counted.
const COUNT_WITHIN: Duration = Duration::from_mins(1);
/// The profile `tikv` is slower by this factor.
const TIKV_SLOWER: u32 = 10;

/// A simulated cluster and its run.
pub struct Stage<'a> {
    pub plan: &'a Plan,
    pub simulation: Simulation,
    pub workload: Workload,
    pub interrupt: &'a Interrupt,
}

impl Stage<'_> {
    /// Loads, works under faults, heals, recovers, counts. Returns the failures of healing, in
    /// sentences.
    pub async fn perform(&self, plan_hash: &str, history: &Path) -> Result<Vec<String>, Failure> {
        let shape = &self.plan.config.cluster;
        self.await_whole(0).await?;
        if shape.regions > 1 {
            let splits = self.workload.split_keys(shape.regions);
            self.split(&splits).await?;
            self.await_whole(splits.len()).await?;
        }
        let options = RecorderOptions {
            segment_bytes_max: Some(HISTORY_SEGMENT_MIB << 20),
            ..RecorderOptions::default()
        };
        let recorder = Recorder::create(history, &self.header(plan_hash), options)
            .map_err(Failure::target_or_disk)?;
        let recording = Recording::new(Clock::start(), recorder.handle());
        let report = self.work(&self.workers(&recording)).await?;
        // Faults that could not be healed are not checked for recovery.
        if report.unhealed.is_empty() {
            self.recovery(&recording, &self.client()).watch(|| self.missing(0)).await;
        }
        let (mut client, op_timeout) = (recording.client(), self.op_timeout() * 5);
        let direct = self.client();
        counting::count(&self.counted_range(), &direct, &mut client, op_timeout, COUNT_WITHIN)
            .await;
        recorder.finish().map_err(|error| not_recorded(&error))?;
        Ok(report.unhealed)
    }

    async fn work(&self, workers: &Workers) -> Result<NemesisReport, Failure> {
        let (stop, stopped) = watch::channel(false);
        if self.workload.loads()
            && let Some(key) = workers.load(&stopped).await.first()
        {
            let key = String::from_utf8_lossy(key);
            return Err(Failure::target_or_disk(format!("the key {key} could not be loaded")));
        }
        let observer = Arc::new(SimulationObserver(Arc::clone(&workers.recording)));
        let target = Arc::new(SimulatedTarget::new(self.simulation.clone(), &self.workload));
        let nemesis = nemesis::run(&self.plan.schedule, target, observer, stopped.clone());
        let (began, time_ms) = (Instant::now(), self.plan.config.time_ms);
        let until_over = async {
            tokio::select! {
                biased;
                () = asked(self.interrupt, Urgency::Early) => {
                    let early = EndedEarly::now(began.elapsed(), Some(time_ms), Why::Interrupted);
                    workers.recording.ended_early(early);
                }
                () = sleep(Duration::from_millis(time_ms)) => {}
            }
            // Both tasks wait for it; if both are gone, nobody needs it.
            let _ = stop.send(true);
        };
        let (report, (), ()) = tokio::join!(nemesis, workers.work(&stopped), until_over);
        Ok(report)
    }

    fn recovery<'a>(
        &'a self,
        recording: &'a Arc<Recording>,
        library: &'a DirectClient,
    ) -> Recovery<'a> {
        Recovery {
            simulation: &self.simulation,
            library,
            recording,
            keys: self.workload.keys(),
            op_timeout: self.op_timeout(),
            patience: self.patience(),
        }
    }

    fn patience(&self) -> Patience {
        let slower = match Profile::from_name(&self.plan.config.cluster.profile) {
            Some(Profile::Tikv) => TIKV_SLOWER,
            _ => 1,
        };
        Patience { serves: SERVES_WITHIN * slower, whole: WHOLE_WITHIN * slower }
    }

    /// Waits until every region has its replicas, caught up, and a leader.
    async fn await_whole(&self, splits: usize) -> Result<(), Failure> {
        let within = self.patience().whole;
        let until = Instant::now() + within;
        while let Some(missing) = self.missing(splits) {
            if Instant::now() >= until {
                let seconds = within.as_secs();
                return Err(Failure::target_or_disk(format!(
                    "the simulated cluster is not whole after {seconds} s of its time: {missing}"
                )));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The part that the cluster lacks to be whole, in words: a region, replica, leader or store.
    fn missing(&self, splits: usize) -> Option<String> {
        const NEW_CLUSTER_REGIONS: usize = 5;
        let replicas = self.simulation.max_replicas() as usize;
        let regions = self.simulation.regions();
        if regions.len() < NEW_CLUSTER_REGIONS + splits {
            let wanted = NEW_CLUSTER_REGIONS + splits;
            return Some(format!("PD knows {} regions of {wanted}", regions.len()));
        }
        let missing = |known: &SimulatedRegion| {
            let (id, peers) = (known.region.id, &known.region.peers);
            let voters = peers.iter().filter(|peer| peer.role == 0).count();
            if voters != replicas || peers.len() != replicas {
                let (peers, wanted) = (peers.len(), replicas);
                return Some(format!(
                    "region {id} has {peers} replicas, {voters} of them voters, instead of {wanted}"
                ));
            }
            if known.leader.is_none() {
                return Some(format!("region {id} has no leader"));
            }
            known.pending.then(|| format!("region {id} has a replica that lags"))
        };
        regions.iter().find_map(missing).or_else(|| {
            let conditions = self.simulation.store_conditions();
            let down = conditions.iter().find(|(_, condition)| *condition != "Up")?;
            Some(format!("store-{} is {}", down.0, down.1))
        })
    }

    async fn split(&self, keys: &[Vec<u8>]) -> Result<(), Failure> {
        let until = Instant::now() + self.patience().whole;
        loop {
            let regions = self.simulation.regions();
            let is_bound = |key: &Vec<u8>| regions.iter().any(|it| it.region.start_key == *key);
            let open: Vec<&Vec<u8>> = keys.iter().filter(|key| !is_bound(key)).collect();
            if open.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Failure::target_or_disk("the simulated cluster does not split"));
            }
            for region in &regions {
                let (start, end) = (&region.region.start_key, &region.region.end_key);
                let inside = |key: &&&Vec<u8>| start < **key && (end.is_empty() || **key < end);
                let inside: Vec<Vec<u8>> =
                    open.iter().filter(inside).map(|key| (*key).clone()).collect();
                if !inside.is_empty() {
                    // PD refuses while it changes the region in another way; it is asked again.
                    let _ = self.simulation.split(region.region.id, inside);
                }
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn workers(&self, recording: &Arc<Recording>) -> Workers {
        let workload = &self.plan.config.workload;
        let beyond_pause_ms = self.plan.config.nemesis.pause_ms_max + IDLE_BEYOND_PAUSE_MS;
        let idle_op_timeout = Duration::from_millis(workload.op_timeout_ms.max(beyond_pause_ms));
        let library = || Arc::new(self.client()) as Arc<dyn RawKv>;
        Workers {
            workload: self.workload.clone(),
            recording: Arc::clone(recording),
            busy_library: library(),
            idle_libraries: (0..workload.idle_clients).map(|_| library()).collect(),
            busy_clients: workload.concurrency - workload.idle_clients,
            op_timeout: self.op_timeout(),
            idle_op_timeout,
            rate: workload.rate,
        }
    }

    /// A client library with a region cache of its own.
    fn client(&self) -> DirectClient {
        let connector = Arc::new(Simulated(self.simulation.clone()));
        let atomic = self.plan.config.workload.atomic == AtomicMode::On;
        let options = DirectOptions { atomic, connector, ..DirectOptions::default() };
        DirectClient::new(vec![PD_ADDRESS.to_owned()], options)
    }

    fn op_timeout(&self) -> Duration {
        Duration::from_millis(self.plan.config.workload.op_timeout_ms)
    }

    fn counted_range(&self) -> CountedRange {
        self.workload.counted_range()
    }

    fn header(&self, plan_hash: &str) -> Header {
        let shape = &self.plan.config.cluster;
        let target = format!(
            "simulated cluster of {} stores, {} replicas, profile {}{}{}",
            shape.stores,
            shape.replicas,
            shape.profile,
            shape.reads_in_words(),
            shape.defects_shown()
        );
        crate::header(self.plan, plan_hash, &target, &self.counted_range())
    }
}

/// Records the nemesis's events in the history.
struct SimulationObserver(Arc<Recording>);

impl Observer for SimulationObserver {
    fn record(&self, what: What) -> u64 {
        self.0.nemesis(what)
    }

    fn acknowledged_writes(&self) -> u64 {
        self.0.acknowledged_writes()
    }

    fn successes(&self) -> Option<u64> {
        Some(self.0.succeeded())
    }

    fn waiting_writes(&self, for_at_least: Duration) -> u64 {
        self.0.waiting_writes(for_at_least)
    }
}
