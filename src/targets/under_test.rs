//! The cluster under test, as a run and its nemesis see it: PD's view of it, and the processes behind it.
//!
//! In: a started cluster and the range of the workload's keys. Out: waiting until it is whole, splitting it, and
//! [`nemesis::Target`]. Everything is bounded in time. It knows nothing of workloads or verdicts; which kind of cluster
//! it is shows only in who starts and ends its processes.

use super::{embedded::EmbeddedCluster, wholeness};
use crate::{config::ClusterShape, exit::Failure, run_directory::RunDirectory};
use client::pd_http::{PdHttp, PdHttpError};
use histories::Key;
use nemesis::{
    Capabilities, PausedProcesses, Pending, ProcessIdentity, ProcessState, Region, RegionId,
    SeenProcess, Store, StoreId, Target, TargetError,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{task::spawn_blocking, time::Instant};

/// How long PD may take to answer.
const PD_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at PD.
const POLL: Duration = Duration::from_millis(50);
/// Before PD is asked again for what it has not done yet.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often PD is asked for something that it refuses while it does something else with that region.
const REFUSALS_MAX: u32 = 5;
/// A new cluster has TiKV's five regions.
const NEW_CLUSTER_REGIONS: usize = 5;

/// A cluster under test.
#[derive(Debug)]
pub struct UnderTest {
    cluster: Arc<Mutex<EmbeddedCluster>>,
    pd: PdHttp,
    pd_endpoint: String,
    paused: Arc<PausedProcesses>,
    known: Mutex<BTreeMap<StoreId, Known>>,
    range: (Key, Key),
    splits: Mutex<usize>,
}

/// A store's place. It is kept beside the cluster, so that a pause never waits for a store that is being started.
#[derive(Debug, Clone)]
struct Known {
    address: String,
    process: Option<ProcessIdentity>,
}

impl UnderTest {
    /// Starts an embedded cluster. Its processes serve when this returns; [`UnderTest::await_whole`] waits for the
    /// rest. `range` is where the workload's keys lie.
    pub async fn start_embedded(
        shape: &ClusterShape,
        run: &RunDirectory,
        range: (Key, Key),
    ) -> Result<Self, Failure> {
        let journal = run.journal();
        let paused = PausedProcesses::create(&journal).map_err(Failure::target_or_disk)?;
        let (shape, run_path) = (shape.clone(), run.path().to_owned());
        let cluster = spawn_blocking(move || EmbeddedCluster::start(&shape, &run_path))
            .await
            .map_err(Failure::software)??;
        let pd_endpoint = cluster.pd_addr().to_string();
        let pd = PdHttp::new(&pd_endpoint, PD_PATIENCE).map_err(Failure::target_or_disk)?;
        let known = Mutex::new(known(&cluster));
        Ok(Self {
            cluster: Arc::new(Mutex::new(cluster)),
            pd,
            pd_endpoint,
            paused: Arc::new(paused),
            known,
            range,
            splits: Mutex::new(0),
        })
    }

    /// PD's address, `host:port`.
    pub fn pd_endpoint(&self) -> &str {
        &self.pd_endpoint
    }

    /// The processes that ended though nobody killed them, in words.
    pub fn ended_by_themselves(&self) -> Vec<String> {
        lock(&self.cluster).ended_by_themselves()
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
            // One that is being started holds the lock, and cannot have ended by itself.
            if let Ok(mut cluster) = self.cluster.try_lock()
                && let Some(ended) = cluster.ended_by_themselves().first()
            {
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
        let regions = self.pd.regions().await?;
        let replicas = self.pd.max_replicas().await?;
        let regions_min = NEW_CLUSTER_REGIONS + *lock(&self.splits);
        let stores_wanted = lock(&self.known).len();
        Ok(wholeness::missing(&stores, &regions, stores_wanted, regions_min, replicas))
    }

    /// Splits the cluster's regions at these keys, and waits until PD knows the new ones.
    pub async fn split(&self, keys: &[Key], patience: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + patience;
        let mut asked = None;
        loop {
            let regions = self.pd.regions().await.map_err(Failure::target_or_disk)?;
            let is_bound = |key: &Key| regions.iter().any(|region| region.start_key == *key);
            let open: Vec<&Key> = keys.iter().filter(|key| !is_bound(key)).collect();
            if open.is_empty() {
                *lock(&self.splits) = keys.len();
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Failure::target_or_disk(format!(
                    "{} of {} splits were not made within {} s",
                    open.len(),
                    keys.len(),
                    patience.as_secs()
                )));
            }
            if asked.is_none_or(|asked| Instant::now() >= asked + ASK_AGAIN) {
                asked = Some(Instant::now());
                for region in &regions {
                    let inside: Vec<Key> = open
                        .iter()
                        .filter(|key| {
                            region.start_key < ***key
                                && region.end_key.as_ref().is_none_or(|end| **key < end)
                        })
                        .map(|key| (*key).clone())
                        .collect();
                    // PD refuses while it does something else with the region: it is asked again.
                    if !inside.is_empty()
                        && let Err(error) = self.pd.split_region(region.id, &inside).await
                    {
                        tracing::debug!(region = region.id, %error, "not split yet");
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends every process in order, stopped ones too.
    pub async fn stop(&self) {
        let (cluster, paused) = (Arc::clone(&self.cluster), Arc::clone(&self.paused));
        let stopped = spawn_blocking(move || {
            paused.resume_all();
            lock(&cluster).stop();
        });
        if let Err(error) = stopped.await {
            tracing::error!(%error, "the cluster was not stopped in order");
        }
    }

    /// The processes of stores; a store without one is a bug of whoever chose it.
    fn processes(&self, stores: &[StoreId]) -> Result<Vec<ProcessIdentity>, TargetError> {
        let known = lock(&self.known);
        let process = |store: &StoreId| {
            let known = known.get(store).ok_or(TargetError::NoSuchStore(*store))?;
            let no_process = || TargetError::Failed(format!("store {store} does not run"));
            known.process.clone().ok_or_else(no_process)
        };
        stores.iter().map(process).collect()
    }

    /// Stops or resumes processes, off the runtime: it waits for the disk and for the processes.
    async fn signal<E: std::error::Error + Send + 'static>(
        &self,
        stores: Vec<StoreId>,
        act: impl FnOnce(&PausedProcesses, &[ProcessIdentity]) -> Result<Vec<ProcessState>, E>
        + Send
        + 'static,
    ) -> Result<Vec<SeenProcess>, TargetError> {
        let processes = self.processes(&stores)?;
        let paused = Arc::clone(&self.paused);
        let (processes, states) = spawn_blocking(move || {
            let states = act(&paused, &processes);
            (processes, states)
        })
        .await
        .map_err(failed)?;
        let seen = |((store, process), state): ((StoreId, ProcessIdentity), ProcessState)| {
            SeenProcess { store, pid: Some(process.pid), state }
        };
        Ok(stores.into_iter().zip(processes).zip(states.map_err(failed)?).map(seen).collect())
    }

    /// Changes which processes there are, off the runtime, and notes them.
    async fn change(
        &self,
        act: impl FnOnce(&mut EmbeddedCluster) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), TargetError> {
        let cluster = Arc::clone(&self.cluster);
        let (changed, now) = spawn_blocking(move || {
            let mut cluster = lock(&cluster);
            let changed = act(&mut cluster);
            (changed, known(&cluster))
        })
        .await
        .map_err(failed)?;
        *lock(&self.known) = now;
        changed.map_err(failed)
    }
}

impl Target for UnderTest {
    fn capabilities(&self) -> Capabilities {
        Capabilities { pause: true, kill: true, schedule: true }
    }

    fn stores(&self) -> Pending<'_, Vec<Store>> {
        let store = |(id, known): (&StoreId, &Known)| Store {
            id: *id,
            address: known.address.clone(),
            pid: known.process.as_ref().map(|process| process.pid),
        };
        let stores = lock(&self.known).iter().map(store).collect();
        Box::pin(async { Ok(stores) })
    }

    fn regions(&self) -> Pending<'_, Vec<Region>> {
        Box::pin(async {
            let (start, end) = &self.range;
            let regions = self.pd.regions_of_range(start, Some(end)).await.map_err(failed)?;
            let region = |region: client::pd_http::Region| Region {
                id: region.id,
                leader: region.leader_store(),
                voters: region.voter_stores(),
                learners: region.learner_stores(),
            };
            Ok(regions.into_iter().map(region).collect())
        })
    }

    fn pause(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(self.signal(stores, PausedProcesses::pause))
    }

    fn resume(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(self.signal(stores, PausedProcesses::resume))
    }

    fn kill(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move {
            let before = self.processes(&stores)?;
            let killed = stores.clone();
            self.change(move |cluster| cluster.kill(&killed, false)).await?;
            let seen = |(store, process): (StoreId, ProcessIdentity)| SeenProcess {
                store,
                pid: Some(process.pid),
                state: process.state(),
            };
            Ok(stores.into_iter().zip(before).map(seen).collect())
        })
    }

    fn start(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move {
            let started = stores.clone();
            self.change(move |cluster| cluster.start_killed_stores(&started)).await?;
            let processes = self.processes(&stores)?;
            let seen = |(store, process): (StoreId, ProcessIdentity)| SeenProcess {
                store,
                pid: Some(process.pid),
                state: process.state(),
            };
            Ok(stores.into_iter().zip(processes).map(seen).collect())
        })
    }

    fn transfer_leader(&self, region: RegionId, to: StoreId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut refusals = 0;
            loop {
                match self.pd.transfer_leader(region, to).await {
                    Err(PdHttpError::Refused { .. }) if refusals < REFUSALS_MAX => refusals += 1,
                    answer => return answer.map_err(failed),
                }
                tokio::time::sleep(ASK_AGAIN / 2).await;
            }
        })
    }

    fn max_replicas(&self) -> Pending<'_, u32> {
        Box::pin(async { Ok(self.pd.max_replicas().await.map_err(failed)? as u32) })
    }

    fn set_max_replicas(&self, replicas: u32) -> Pending<'_, ()> {
        Box::pin(async move { self.pd.set_max_replicas(replicas.into()).await.map_err(failed) })
    }

    fn resume_all_now(&self) {
        self.paused.resume_all();
    }
}

fn known(cluster: &EmbeddedCluster) -> BTreeMap<StoreId, Known> {
    let stores = cluster.describe().stores.into_iter();
    stores
        .filter_map(|entry| {
            Some((
                entry.store_id?,
                Known { address: entry.addr.to_string(), process: entry.process },
            ))
        })
        .collect()
}

fn failed(error: impl std::fmt::Display) -> TargetError {
    TargetError::Failed(error.to_string())
}

/// What is behind these locks is right after every step, so a panic elsewhere is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
