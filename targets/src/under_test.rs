//! The cluster under test, as seen by a run and its nemesis: PD's view of it, and its processes.
//!
//! In: a started cluster and the range of the workload's keys. Out: waiting until it is whole,
//! splitting it, and (in `faults`) [`nemesis::Target`]. Everything is bounded in time. It knows
//! nothing of workloads or verdicts. The kind of the cluster matters only for starting and ending
//! its processes ([`ClusterProcesses`]).

mod faults;

use super::{
    attached::AttachedCluster,
    cluster_processes::{ClusterProcesses, EndedProcess, StorePlace},
    embedded::EmbeddedCluster,
    playground::Playground,
    splitting,
    undo::Undo,
    wholeness,
};
use crate::{
    observe::{ProcessSeen, ProcessWord, Processes},
    state::OwnRecord,
};
use client::{
    Security,
    pd_http::{PdHttp, PdHttpError},
};
use failure::Failure;
use histories::Key;
use nemesis::{PausedProcesses, ProcessState, StoreId};
use plan::config::{AttachConfig, ClusterShape, Config, Offers, TargetConfig};
use run_directory::RunDirectory;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{task::spawn_blocking, time::Instant};

/// The deadline of an answer of PD.
const PD_PATIENCE: Duration = Duration::from_secs(5);
/// The time in which PD must answer at all when everything is put back.
const UNDO_PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks at PD.
const POLL: Duration = Duration::from_millis(50);
/// The time after which PD is asked again for something that it has not done yet.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The number of regions of a new TiKV cluster.
const NEW_CLUSTER_REGIONS: usize = 5;

/// A cluster under test.
#[derive(Debug)]
pub struct UnderTest {
    cluster: Arc<Mutex<Box<dyn ClusterProcesses>>>,
    offers: Offers,
    pd: PdHttp,
    pd_endpoints: Vec<String>,
    paused: Arc<PausedProcesses>,
    /// Kept beside the cluster, so that a pause never waits for the start of a store.
    places: Mutex<BTreeMap<StoreId, StorePlace>>,
    range: (Key, Key),
    splits: Mutex<usize>,
    security: Option<Security>,
    /// The processes that ended though nobody here killed them, as far as observed.
    ended: Mutex<Ended>,
    /// The changes to undo on a cluster that somebody else started, and the run that describes
    /// them.
    undo: Option<(RunDirectory, Undo)>,
    /// The record for `heal`. Dropped last, when nothing is paused or runs any more.
    record: Arc<OwnRecord>,
}

/// The processes that ended though nobody here killed them.
#[derive(Debug, Default)]
struct Ended {
    all: Vec<EndedProcess>,
    /// The number of them already returned.
    told: usize,
}

impl UnderTest {
    /// Starts the target of a configuration, or finds it. Its processes serve when this returns;
    /// [`UnderTest::await_whole`] waits for the rest. `range` holds the workload's keys.
    pub async fn start(
        config: &Config,
        run: &RunDirectory,
        range: (Key, Key),
    ) -> Result<Self, Failure> {
        let (shape, run_path) = (config.cluster.clone(), run.path().to_owned());
        let offers = config.target.offers();
        match &config.target {
            TargetConfig::Embedded => Self::start_embedded(&shape, run, range).await,
            TargetConfig::Simulated => Err(Failure::usage(
                "this plan is of a simulated cluster, which has no processes: use jepsen-tikv simulate",
            )),
            TargetConfig::Binaries(programs) => {
                let (programs, record) = (programs.clone(), OwnRecord::of_run(&run_path)?);
                let own = Arc::clone(&record);
                let start =
                    move || EmbeddedCluster::start_binaries(&programs, &shape, &run_path, own);
                Self::of(offers, record, range, start).await
            }
            TargetConfig::Playground(playground) => {
                let record = OwnRecord::of_run(&run_path)?;
                let own = Arc::clone(&record);
                let cluster = Playground::start(playground, &shape, &run_path, own).await?;
                Self::of(offers, record, range, || Ok(cluster)).await
            }
            TargetConfig::Attach(attach) => {
                Self::attach(attach, &config.workload.prefix, run, range).await
            }
        }
    }

    /// Finds a running cluster, and notes the changes to undo on it.
    async fn attach(
        attach: &AttachConfig,
        prefix: &str,
        run: &RunDirectory,
        range: (Key, Key),
    ) -> Result<Self, Failure> {
        let target = TargetConfig::Attach(attach.clone());
        let security = super::security(&target)?;
        let cluster = AttachedCluster::find(attach, security.as_ref()).await?;
        let record = OwnRecord::of_run(run.path())?;
        let mut found = Self::of(target.offers(), record, range, || Ok(cluster)).await?;
        found.pd = PdHttp::of_members(&found.pd_endpoints, PD_PATIENCE, security.as_ref())
            .map_err(Failure::target_or_disk)?;
        found.security = security;
        let pd = (&found.pd, found.pd_endpoints.as_slice());
        let undo = Undo::begin(attach, pd, prefix).await?;
        found.record.note_undo(Some(undo.clone()))?;
        undo.describe(run, &found.record.id(), false)?;
        found.undo = Some((run.clone(), undo));
        Ok(found)
    }

    /// The certificates of a cluster with TLS.
    pub fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// The faults and defects that the target supports.
    pub fn offers(&self) -> Offers {
        self.offers
    }

    /// PD's admin API.
    pub fn pd(&self) -> &PdHttp {
        &self.pd
    }

    /// Starts an embedded cluster.
    pub async fn start_embedded(
        shape: &ClusterShape,
        run: &RunDirectory,
        range: (Key, Key),
    ) -> Result<Self, Failure> {
        let (shape, run_path) = (shape.clone(), run.path().to_owned());
        let offers = TargetConfig::Embedded.offers();
        let record = OwnRecord::of_run(&run_path)?;
        let own = Arc::clone(&record);
        Self::of(offers, record, range, move || EmbeddedCluster::start(&shape, &run_path, own))
            .await
    }

    /// Builds the target from the cluster that `start` makes or finds, which may block.
    async fn of<C: ClusterProcesses + 'static>(
        offers: Offers,
        record: Arc<OwnRecord>,
        range: (Key, Key),
        start: impl FnOnce() -> Result<C, Failure> + Send + 'static,
    ) -> Result<Self, Failure> {
        let paused = PausedProcesses::create(&record.journal()).map_err(Failure::target_or_disk)?;
        let cluster = spawn_blocking(start).await.map_err(Failure::software)??;
        let pd_endpoints = cluster.pd_endpoints();
        let pd = PdHttp::of_members(&pd_endpoints, PD_PATIENCE, None);
        let pd = pd.map_err(Failure::target_or_disk)?;
        let places = Mutex::new(cluster.stores());
        Ok(Self {
            cluster: Arc::new(Mutex::new(Box::new(cluster))),
            offers,
            pd,
            pd_endpoints,
            paused: Arc::new(paused),
            places,
            range,
            splits: Mutex::new(0),
            security: None,
            ended: Mutex::default(),
            undo: None,
            record,
        })
    }

    /// The addresses of PD's members, `host:port`.
    pub fn pd_endpoints(&self) -> &[String] {
        &self.pd_endpoints
    }

    /// The processes that ended though nobody here killed them; each is returned once.
    pub fn newly_ended(&self) -> Vec<EndedProcess> {
        self.look_for_ended();
        let mut ended = lock(&self.ended);
        let newly = ended.all[ended.told..].to_vec();
        ended.told = ended.all.len();
        newly
    }

    /// The processes that ended by themselves since the start and do not run again.
    pub fn lost(&self) -> Vec<EndedProcess> {
        self.look_for_ended();
        let places = lock(&self.places);
        let runs = |ended: &&EndedProcess| {
            let place = ended.store.and_then(|store| places.get(&store));
            let process = place.and_then(|place| place.process.as_ref());
            process.is_some_and(|process| process.state() != ProcessState::Gone)
        };
        lock(&self.ended).all.iter().filter(|ended| !runs(ended)).cloned().collect()
    }

    fn look_for_ended(&self) {
        // Starting or killing holds the lock, perhaps for long. The next look will do.
        if let Ok(mut cluster) = self.cluster.try_lock() {
            let ended = cluster.ended_by_themselves();
            lock(&self.ended).all.extend(ended);
        }
    }

    /// Waits until every store is up and every region has its replicas, caught up, and a leader.
    pub async fn await_whole(&self, patience: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + patience;
        loop {
            let missing = match self.missing().await {
                Ok(None) => return Ok(()),
                Ok(Some(missing)) => missing,
                Err(error) => error.to_string(),
            };
            if let Some(ended) = self.lost().first() {
                return Err(Failure::target_or_disk(ended));
            }
            if Instant::now() >= deadline {
                return Err(Failure::target_or_disk(format!(
                    "the cluster is not whole after {} s: {missing}",
                    patience.as_secs()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn missing(&self) -> Result<Option<String>, PdHttpError> {
        let stores = self.pd.stores().await?;
        if self.undo.is_some() {
            // The other regions of a shared cluster are not ours to judge, and may be many.
            let (start, end) = &self.range;
            let regions = self.pd.regions_of_range(start, Some(end)).await?;
            let replicas = self.pd.max_replicas().await?;
            let stores_wanted = lock(&self.places).len();
            return Ok(wholeness::missing_of_some(&stores, &regions, stores_wanted, replicas));
        }
        let regions = self.pd.regions().await?;
        let replicas = self.pd.max_replicas().await?;
        let regions_min = NEW_CLUSTER_REGIONS + *lock(&self.splits);
        let stores_wanted = lock(&self.places).len();
        Ok(wholeness::missing(&stores, &regions, stores_wanted, regions_min, replicas))
    }

    /// Splits the cluster's regions at these keys, and waits until PD knows the new ones.
    pub async fn split(&self, keys: &[Key], patience: Duration) -> Result<(), Failure> {
        splitting::split(&self.pd, keys, patience).await?;
        *lock(&self.splits) = keys.len();
        Ok(())
    }

    /// Terminates every process in order, paused ones too.
    pub async fn stop(&self) {
        let (cluster, paused) = (Arc::clone(&self.cluster), Arc::clone(&self.paused));
        let stopped = spawn_blocking(move || {
            paused.resume_all();
            lock(&cluster).stop();
        });
        if let Err(error) = stopped.await {
            tracing::error!(%error, "not every process of the cluster was left in order");
        }
        if let Some((run, undo)) = &self.undo {
            let carried_out = async {
                let done = undo.carry_out(UNDO_PATIENCE).await?;
                self.record.note_undo(None)?;
                undo.describe(run, &self.record.id(), true)?;
                Ok::<_, Failure>(done)
            };
            match carried_out.await {
                Ok(done) => done.iter().for_each(terminal::note),
                Err(failure) => terminal::note(format_args!(
                    "{failure}; `jepsen-tikv heal` tries again once this has ended"
                )),
            }
        }
    }
}

impl Processes for UnderTest {
    fn look(&self) -> Vec<ProcessSeen> {
        let places = lock(&self.places);
        let seen = |(store, place): (&StoreId, &StorePlace)| ProcessSeen {
            store: *store,
            pid: place.process.as_ref().map(|process| process.pid),
            state: place.process.as_ref().map_or(ProcessWord::Gone, |it| it.state().into()),
        };
        places.iter().map(seen).collect()
    }
}

/// Locks a mutex even after a panic elsewhere, since its content is right after every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
