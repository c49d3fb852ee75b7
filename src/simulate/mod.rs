//! A plan carried out in virtual time: the ordinary clients, workload, nemesis and recorder against a simulated cluster,
//! in one thread, with every delay and loss from the seed.
//!
//! In: a plan. Out: an ordinary run directory. The same plan and the same binary give the same history, byte for byte, on
//! any machine. It runs as fast as the processor goes: what the plan calls a second takes a few milliseconds.

mod disturbances;
mod recovery;
mod target;
mod wire;

use crate::{
    clock::Clock,
    config::{AtomicMode, defects_named},
    exit::{Exit, Failure},
    interrupt::{Interrupt, Listener, Urgency},
    key_count::CountedRange,
    plan::{self, Plan},
    recording::Recording,
    run::{self, IDLE_BEYOND_PAUSE_MS},
    run_directory::{RunDirectory, write_whole},
    workers::Workers,
    workload::Workload,
};
use client::{DirectClient, DirectOptions, RawKv};
use cluster::{
    profile::Profile,
    read_mode::ReadMode,
    simulation::{PD_ADDRESS, SimulatedRegion, Simulation, SimulationConfig},
};
use histories::{Header, Recorder, What};
use nemesis::{NemesisReport, Observer};
use recovery::{Patience, Recovery};
use std::{path::Path, sync::Arc, task::Poll, time::Duration};
use target::SimulatedTarget;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use wire::Simulated;

/// How long every region may take after the last healing until it serves, virtual time. An election takes seconds with
/// the profile `fast`, ten times as long with `tikv`.
const SERVES_WITHIN: Duration = Duration::from_mins(2);
/// How long the cluster may take until it is whole, virtual time; the profile `tikv` is slower.
const WHOLE_WITHIN: Duration = Duration::from_mins(10);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the counting of the keys may take, virtual time.
const COUNT_WITHIN: Duration = Duration::from_mins(1);
/// Applied entries that stay in a log: fewer than real stores keep, so that snapshots are needed.
const LOG_ENTRIES_KEPT: u64 = 64;

/// Carries a plan out in virtual time and judges it. An interrupt ends it early: what there is is judged.
pub fn command(plan: &Plan, runs_dir: &Path) -> Result<Exit, Failure> {
    let run = RunDirectory::create(runs_dir, &format!("simulated-{}", plan.config.name))?;
    write_whole(&run.plan(), &plan.to_json()?)?;
    crate::terminal::result(format_args!(
        "seed {}, run directory {}",
        plan.config.seed,
        run.path().display()
    ));
    let listener = Listener::start()?;
    let unhealed = record(plan, &run.history(), &listener.interrupt())?;
    run::conclude(&run, &unhealed, &plan.repeated_by(&run.plan())?)
}

/// Carries a plan out in virtual time and writes its history. What could not be healed, in sentences.
pub fn record(plan: &Plan, history: &Path, interrupt: &Interrupt) -> Result<Vec<String>, Failure> {
    let plan_hash = plan::hash(&plan.to_json()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(Failure::software)?;
    runtime.block_on(async {
        let simulation = Simulation::new(config(plan)?);
        let stage =
            Stage { plan, simulation: simulation.clone(), workload: workload(plan), interrupt };
        tokio::select! {
            // In this order always: a draw would make two runs differ.
            biased;
            () = asked(interrupt, Urgency::Now) => Err(run::interrupted()),
            result = stage.perform(&plan_hash, history) => result,
            () = simulation.run() => Err(Failure::software("the simulation's time has ended")),
        }
    })
}

fn config(plan: &Plan) -> Result<SimulationConfig, Failure> {
    let shape = &plan.config.cluster;
    let profile = Profile::from_name(&shape.profile)
        .ok_or_else(|| Failure::usage(format!("there is no profile {:?}", shape.profile)))?;
    let read = ReadMode::from_name(&shape.read)
        .ok_or_else(|| Failure::usage(format!("--read {:?} is unknown", shape.read)))?;
    // A simulated store's id is its number.
    let defects = (1..=shape.stores)
        .map(|number| Ok((u64::from(number), defects_named(&shape.defects_of(number)?)?)))
        .collect::<Result<_, Failure>>()?;
    Ok(SimulationConfig {
        stores: shape.stores,
        replicas: shape.replicas,
        profile,
        read,
        defects,
        seed: plan.config.seed,
        log_entries_kept: LOG_ENTRIES_KEPT,
        region_max_keys: shape.region_max_keys,
    })
}

fn workload(plan: &Plan) -> Workload {
    Workload::new(&plan.config.workload, plan.config.seed)
}

/// A simulated cluster and what shall be done with it.
struct Stage<'a> {
    plan: &'a Plan,
    simulation: Simulation,
    workload: Workload,
    interrupt: &'a Interrupt,
}

/// Ready once somebody asked for an end. It is looked at whenever anything happens, and wakes nobody: in virtual time
/// something always happens, and a timer of its own would take part in it.
async fn asked(interrupt: &Interrupt, urgency: Urgency) {
    std::future::poll_fn(|_| {
        if interrupt.urgency() >= urgency { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Stage<'_> {
    async fn perform(&self, plan_hash: &str, history: &Path) -> Result<Vec<String>, Failure> {
        let shape = &self.plan.config.cluster;
        self.await_whole(0).await?;
        if shape.regions > 1 {
            let splits = self.workload.split_keys(shape.regions);
            self.split(&splits).await?;
            self.await_whole(splits.len()).await?;
        }
        let recorder =
            Recorder::create(history, &self.header(plan_hash)).map_err(Failure::target_or_disk)?;
        let recording = Recording::new(Clock::start(), recorder.handle());
        let report = self.work(&self.workers(&recording)).await?;
        // Of what could not be healed nothing is demanded.
        if report.unhealed.is_empty() {
            self.recovery(&recording, &self.client()).watch(|| self.missing(0)).await;
        }
        let (mut client, op_timeout) = (recording.client(), self.op_timeout() * 5);
        let direct = self.client();
        self.counted_range().count(&direct, &mut client, op_timeout, COUNT_WITHIN).await;
        recorder.finish().map_err(Failure::target_or_disk)?;
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
        let until_over = async {
            tokio::select! {
                biased;
                () = asked(self.interrupt, Urgency::Early) => {}
                () = sleep(Duration::from_millis(self.plan.config.time_ms)) => {}
            }
            // Both wait for it; if neither is there any more there is nobody to tell.
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
            patience: Patience { serves: SERVES_WITHIN, whole: WHOLE_WITHIN },
        }
    }

    /// Waits until every region has its replicas, caught up, and a leader.
    async fn await_whole(&self, splits: usize) -> Result<(), Failure> {
        let until = Instant::now() + WHOLE_WITHIN;
        while let Some(missing) = self.missing(splits) {
            if Instant::now() >= until {
                let seconds = WHOLE_WITHIN.as_secs();
                return Err(Failure::target_or_disk(format!(
                    "the simulated cluster is not whole after {seconds} s of its time: {missing}"
                )));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// What the cluster lacks to be whole, in words: a region, a replica, a leader, a store.
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
            Some(format!("store {} is {}", down.0, down.1))
        })
    }

    async fn split(&self, keys: &[Vec<u8>]) -> Result<(), Failure> {
        let until = Instant::now() + WHOLE_WITHIN;
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
                    // PD refuses while it does something else with the region: it is asked again.
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
        CountedRange::of(&self.workload)
    }

    fn header(&self, plan_hash: &str) -> Header {
        let shape = &self.plan.config.cluster;
        let target = format!(
            "simulated cluster of {} stores, {} replicas, profile {}{}{}",
            shape.stores,
            shape.replicas,
            shape.profile,
            shape.reads_in_words(),
            shape.wrong_on_purpose()
        );
        crate::run::header(self.plan, plan_hash, &target, &self.counted_range())
    }
}

/// Tells the history what the nemesis does.
struct SimulationObserver(Arc<Recording>);

impl Observer for SimulationObserver {
    fn record(&self, what: What) -> u64 {
        self.0.nemesis(what)
    }

    fn acknowledged_writes(&self) -> u64 {
        self.0.acknowledged_writes()
    }
}
