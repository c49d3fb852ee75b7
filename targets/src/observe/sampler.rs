//! Samples a cluster: PD's stores and regions, every store's `/metrics`, every process's state.
//!
//! In: PD's addresses, and an observer of the processes. Out: a [`Sample`] for each request. Every
//! wait is bounded: a paused store still accepts connections, so only a deadline detects it. Parts
//! that do not answer keep their last known values, and are marked so.

use super::{prometheus, rates::Rates};
use client::{
    Security,
    pd_http::{PdHttp, PdHttpError},
};
use histories::cluster_sample::{ProcessSeen, RegionSeen, Sample, StoreSeen};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::task::JoinSet;

/// The deadline of PD and of a store's status port.
const PATIENCE: Duration = Duration::from_millis(800);
/// A cluster with more regions is asked for all of them only at the longer interval below.
const REGIONS_MANY: usize = 1_000;
const MANY_REGIONS_EVERY: Duration = Duration::from_secs(10);

/// An observer of the stores' processes.
pub trait Processes: Send + Sync {
    /// The current state of each process. Stores without a known process are left out.
    fn look(&self) -> Vec<ProcessSeen>;
}

impl<F: Fn() -> Vec<ProcessSeen> + Send + Sync> Processes for F {
    fn look(&self) -> Vec<ProcessSeen> {
        self()
    }
}

/// Samples one cluster.
pub struct Sampler {
    pds: Vec<PdHttp>,
    http: reqwest::Client,
    /// The scheme of the status ports: with TLS, TiKV serves them over TLS too.
    scheme: &'static str,
    processes: Option<Arc<dyn Processes>>,
    rates: Rates,
    last: Sample,
    regions_at: Option<Instant>,
}

impl Sampler {
    /// A sampler of the cluster with these PD members (`host:port` each). Does not connect yet.
    pub fn new(
        pd_endpoints: &[String],
        security: Option<&Security>,
        processes: Option<Arc<dyn Processes>>,
    ) -> Result<Self, PdHttpError> {
        let one = |pd: &String| PdHttp::of_members(std::slice::from_ref(pd), PATIENCE, security);
        client::use_ring();
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        if let Some(security) = security {
            builder = security.http(builder);
        }
        let http = builder.build().map_err(|error| PdHttpError::Unreachable {
            url: pd_endpoints.join(","),
            reason: error.to_string(),
        })?;
        Ok(Self {
            pds: pd_endpoints.iter().map(one).collect::<Result<_, _>>()?,
            http,
            scheme: if security.is_some() { "https" } else { "http" },
            processes,
            rates: Rates::default(),
            last: Sample::default(),
            regions_at: None,
        })
    }

    /// Takes one sample, within about two seconds.
    pub async fn look(&mut self) -> Sample {
        let mut sample = Sample { at_ms: unix_ms(), ..Sample::default() };
        match self.ask_pd().await {
            Ok((stores, regions)) => (sample.stores, sample.regions) = (stores, regions),
            Err(error) => {
                sample.pd_error = Some(error.to_string());
                sample.stores.clone_from(&self.last.stores);
                sample.regions.clone_from(&self.last.regions);
                for store in &mut sample.stores {
                    "unknown".clone_into(&mut store.state);
                }
            }
        }
        let pages = self.ask_stores(&sample.stores).await;
        for store in &mut sample.stores {
            store.answers = pages.iter().any(|(id, ..)| *id == store.id);
        }
        let histograms = pages.into_iter();
        let histograms =
            histograms.map(|(id, at, page)| (id, at, prometheus::grpc_durations(&page))).collect();
        sample.operations = self.rates.since_last(histograms);
        let processes = self.processes.as_ref().map(|processes| processes.look());
        for process in processes.into_iter().flatten() {
            if let Some(store) = sample.stores.iter_mut().find(|store| store.id == process.store) {
                (store.process, store.pid) = (Some(process.state), process.pid);
            }
        }
        self.last = sample.clone();
        sample
    }

    /// The answer of the first PD member that gives one.
    async fn ask_pd(&mut self) -> Result<(Vec<StoreSeen>, Vec<RegionSeen>), PdHttpError> {
        let mut last_error =
            PdHttpError::Unreachable { url: String::new(), reason: "no PD is named".to_owned() };
        for number in 0..self.pds.len() {
            // The member that answered last is asked first next time.
            let pd = self.pds[0].clone();
            match self.ask_one(&pd).await {
                Ok(answer) => return Ok(answer),
                Err(error) if number == 0 => last_error = error,
                Err(_) => {}
            }
            self.pds.rotate_left(1);
        }
        Err(last_error)
    }

    async fn ask_one(
        &mut self,
        pd: &PdHttp,
    ) -> Result<(Vec<StoreSeen>, Vec<RegionSeen>), PdHttpError> {
        let stores = pd.stores().await?.into_iter().map(store_seen).collect();
        let known = &self.last.regions;
        let recent = self.regions_at.is_some_and(|at| at.elapsed() < MANY_REGIONS_EVERY);
        if known.len() > REGIONS_MANY && recent {
            return Ok((stores, known.clone()));
        }
        let regions = pd.regions().await?.into_iter().map(|region| region_seen(&region)).collect();
        self.regions_at = Some(Instant::now());
        Ok((stores, regions))
    }

    /// The `/metrics` of every store that answers; all are asked at once.
    async fn ask_stores(&self, stores: &[StoreSeen]) -> Vec<(u64, Instant, String)> {
        let mut asked = JoinSet::new();
        for store in stores.iter().filter(|store| !store.status_address.is_empty()) {
            let request =
                self.http.get(format!("{}://{}/metrics", self.scheme, store.status_address));
            let id = store.id;
            asked.spawn(async move {
                let page = request.send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
                Some((id, Instant::now(), page))
            });
        }
        asked.join_all().await.into_iter().flatten().collect()
    }
}

fn store_seen(store: client::pd_http::Store) -> StoreSeen {
    StoreSeen {
        id: store.id,
        address: store.address,
        status_address: store.status_address,
        state: store.state,
        leaders: store.leaders,
        regions: store.regions,
        answers: false,
        process: None,
        pid: None,
    }
}

fn region_seen(region: &client::pd_http::Region) -> RegionSeen {
    RegionSeen {
        id: region.id,
        leader: region.leader_store(),
        voters: region.voter_stores(),
        learners: region.learner_stores(),
        range: super::range(&region.start_key, region.end_key.as_deref()),
        keys: Some(region.keys),
    }
}

/// The time now, in milliseconds since 1970.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
