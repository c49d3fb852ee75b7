//! The cluster under test as its nemesis sees it: stores that are paused, killed and started, and
//! requests to PD.
//!
//! In: stores by id. Out: the observed states of their processes. Blocking calls run off the
//! runtime.

use super::{ASK_AGAIN, StorePlace, UnderTest, lock};
use crate::cluster_processes::ClusterProcesses;
use client::pd_http::PdHttpError;
use failure::Failure;
use nemesis::{
    Capabilities, PausedProcesses, Pending, ProcessIdentity, Region, RegionId, SeenProcess,
    Signalled, Store, StoreId, Target, TargetError,
};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Requests to PD that it may refuse while it changes the region in another way.
const REFUSALS_MAX: u32 = 5;
impl UnderTest {
    /// The processes of stores; a chosen store without one is a bug.
    fn processes(&self, stores: &[StoreId]) -> Result<Vec<ProcessIdentity>, TargetError> {
        let places = lock(&self.places);
        let process = |store: &StoreId| {
            let place = places.get(store).ok_or(TargetError::NoSuchStore(*store))?;
            let no_process = || TargetError::Failed(format!("store-{store} does not run"));
            place.process.clone().ok_or_else(no_process)
        };
        stores.iter().map(process).collect()
    }

    /// Pauses or resumes processes, off the runtime: it waits for the disk and for the processes.
    async fn signal<E: std::error::Error + Send + 'static>(
        &self,
        stores: Vec<StoreId>,
        act: impl FnOnce(&PausedProcesses, &[ProcessIdentity]) -> Result<Vec<Signalled>, E>
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
        let seen = |((store, process), it): ((StoreId, ProcessIdentity), Signalled)| SeenProcess {
            store,
            pid: Some(process.pid),
            state: it.state,
            signalled: Some(it.at),
        };
        Ok(stores.into_iter().zip(processes).zip(states.map_err(failed)?).map(seen).collect())
    }

    /// Starts or ends processes, off the runtime, and notes the new ones.
    async fn change(
        &self,
        act: impl FnOnce(&mut dyn ClusterProcesses) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), TargetError> {
        let cluster = Arc::clone(&self.cluster);
        let (changed, now) = spawn_blocking(move || {
            let mut cluster = lock(&cluster);
            let changed = act(cluster.as_mut());
            (changed, cluster.stores())
        })
        .await
        .map_err(failed)?;
        *lock(&self.places) = now;
        changed.map_err(failed)
    }
}

impl Target for UnderTest {
    fn capabilities(&self) -> Capabilities {
        self.offers.faults
    }

    fn stores(&self) -> Pending<'_, Vec<Store>> {
        let store = |(id, place): (&StoreId, &StorePlace)| Store {
            id: *id,
            address: place.address.clone(),
            pid: place.process.as_ref().map(|process| process.pid),
        };
        let stores = lock(&self.places).iter().map(store).collect();
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
            self.change(move |cluster| cluster.kill_stores(&killed)).await?;
            let seen = |(store, process): (StoreId, ProcessIdentity)| SeenProcess {
                store,
                pid: Some(process.pid),
                state: process.state(),
                signalled: None,
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
                signalled: None,
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

    fn move_replica(&self, region: RegionId, from: StoreId, to: StoreId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut refusals = 0;
            loop {
                match self.pd.transfer_peer(region, from, to).await {
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

    fn split(&self, region: RegionId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut refusals = 0;
            loop {
                match self.pd.split_region_in_the_middle(region).await {
                    Err(PdHttpError::Refused { .. }) if refusals < REFUSALS_MAX => refusals += 1,
                    answer => return answer.map_err(failed),
                }
                tokio::time::sleep(ASK_AGAIN / 2).await;
            }
        })
    }

    fn resume_all_now(&self) {
        self.paused.resume_all();
    }
}

fn failed(error: impl std::fmt::Display) -> TargetError {
    TargetError::Failed(error.to_string())
}
