//! What is known of a cluster: the processes from `cluster.json` and `/proc`, leaders, regions and states from PD.
//!
//! In: a cluster's directory, or the PD of a cluster that somebody else started. Out: a [`ClusterStatus`], whose JSON
//! docs/cluster.md describes. Every question is bounded in time; what cannot be had is absent, and why is said.

use super::{
    directory::ClusterDirectory,
    spec::{Life, Spec},
};
use client::pd_http::{MemberHealth, PdHttp, PdHttpError, Region, Store};
use failure::Failure;
use nemesis::ProcessState;
use serde::Serialize;
use std::{
    fmt::Write,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use targets::{
    embedded::{ClusterFile, ProcessEntry},
    listening, observe,
};

/// How long PD may take to answer: `--watch` shows a frozen one within two seconds.
const PD_PATIENCE: Duration = Duration::from_secs(2);

/// What is known of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// Always `jepsen-tikv cluster status`.
    pub format: &'static str,
    /// The format's version.
    pub version: u32,
    /// The cluster's tag; absent if somebody else started it.
    pub tag: Option<String>,
    /// Whether it runs.
    pub life: Life,
    /// The PID of the parent of all its processes, while it runs.
    pub supervisor_pid: Option<u32>,
    /// PD's address.
    pub pd: Option<String>,
    /// The dashboard's address.
    pub dashboard: Option<String>,
    /// Why PD's view is absent.
    pub pd_error: Option<String>,
    /// PD and the stores.
    pub instances: Vec<Instance>,
    /// The regions by lower bound, as PD has them.
    pub regions: Vec<RegionStatus>,
}

/// A region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionStatus {
    /// Its id.
    pub id: u64,
    /// Its bounds, readable.
    pub range: String,
    /// The lower bound, inclusive, in hexadecimal.
    pub start_key: String,
    /// The upper bound, exclusive, in hexadecimal; empty = no bound.
    pub end_key: String,
    /// The name of the store that leads it.
    pub leader: Option<String>,
    /// The names of the stores that have a replica.
    pub replicas: Vec<String>,
    /// About how many keys it has.
    pub keys: u64,
}

/// PD or a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// `pd` or `tikv`.
    pub component: &'static str,
    /// A store's id.
    pub store_id: Option<u64>,
    /// Where it serves clients.
    pub address: String,
    /// Where a store serves its status.
    pub status_address: Option<String>,
    /// Its process, while it has one that can be seen.
    pub pid: Option<u32>,
    /// What the process does.
    pub process: InstanceState,
    /// Why it ended: `killed` on purpose, or how it ended by itself.
    pub ended: Option<String>,
    /// How many regions a store leads, as PD has it.
    pub leaders: Option<u64>,
    /// Of how many regions a store has a peer, as PD has it.
    pub regions: Option<u64>,
    /// What PD says: a store's state, a PD member's health.
    pub pd_state: Option<String>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// It runs.
    Running,
    /// It is stopped by a signal (SIGSTOP).
    Stopped,
    /// It was killed on purpose.
    Killed,
    /// It ended by itself, or something else ended it.
    Ended,
    /// Its cluster was ended in order.
    Down,
    /// It is not to be seen from here.
    Unknown,
}

impl InstanceState {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Ended => "ended",
            Self::Down => "down",
            Self::Unknown => "-",
        }
    }

    fn of(entry: &ProcessEntry) -> Self {
        match (&entry.process, entry.ended.as_deref()) {
            (Some(process), _) => match process.state() {
                ProcessState::Running => Self::Running,
                ProcessState::Stopped => Self::Stopped,
                ProcessState::Gone => Self::Ended,
            },
            (None, Some("killed")) => Self::Killed,
            (None, Some(_)) => Self::Ended,
            (None, None) => Self::Down,
        }
    }
}

impl ClusterStatus {
    fn new(tag: Option<String>, life: Life) -> Self {
        Self {
            format: "jepsen-tikv cluster status",
            version: 1,
            tag,
            life,
            supervisor_pid: None,
            pd: None,
            dashboard: None,
            pd_error: None,
            instances: Vec::new(),
            regions: Vec::new(),
        }
    }

    /// Of a cluster that `cluster up` started.
    pub async fn of_cluster(directory: &ClusterDirectory) -> Result<Self, Failure> {
        let spec = Spec::read(directory)?;
        let (life, record) = Life::of(directory);
        let mut status = Self::new(Some(directory.tag().name().to_owned()), life);
        let started = record.as_ref().map_or(&[][..], |left| &left.record.started);
        let file = ClusterFile::read(&directory.cluster()).map(|file| file.with_processes(started));
        status.instances.extend(file.iter().flat_map(ClusterFile::processes).map(Instance::of));
        if life == Life::Foreign {
            status.instances.iter_mut().for_each(|it| it.process = InstanceState::Unknown);
        }
        // By name, which counts as the stores were asked for; ids come as PD gives them.
        status.instances.sort_by_key(|it| (it.component == "tikv", it.name.len(), it.name.clone()));
        status.pd = file.map(|file| file.pd.addr.to_string());
        if life != Life::Up {
            return Ok(status);
        }
        if let Some(spec) = spec {
            status.supervisor_pid = record.map(|left| left.record.tester.pid);
            status.dashboard = spec.dashboard;
        }
        match &status.pd {
            None => status.pd_error = Some("the cluster is being started".into()),
            Some(endpoint) => match PdView::ask(endpoint).await {
                Ok(view) => status.add(view),
                Err(error) => status.pd_error = Some(error.to_string()),
            },
        }
        Ok(status)
    }

    /// Of a cluster that somebody else started: the first of these PDs that answers tells.
    pub async fn of_pd(endpoints: &[String]) -> Result<Self, Failure> {
        let mut last = String::from("no address was given");
        for endpoint in endpoints {
            match PdView::ask(endpoint).await {
                Ok(view) => {
                    let mut status = Self::new(None, Life::Foreign);
                    status.pd = Some(endpoint.clone());
                    status.add(view);
                    status.instances.iter_mut().for_each(Instance::find_process);
                    return Ok(status);
                }
                Err(error) => last = error.to_string(),
            }
        }
        Err(Failure::target_or_disk(format!(
            "PD at {} tells nothing: {last}; give the address that clients use, e.g. --pd 127.0.0.1:2379",
            endpoints.join(", ")
        )))
    }

    /// Adds what PD says, also of stores and members that we did not know of.
    fn add(&mut self, view: PdView) {
        for member in view.members {
            let health = if member.health { "healthy" } else { "unhealthy" };
            let known = self.instances.iter().position(|instance| instance.name == member.name);
            let index = known.unwrap_or_else(|| {
                self.instances.push(Instance::foreign(member.name.clone(), "pd", self.pd.clone()));
                self.instances.len() - 1
            });
            self.instances[index].pd_state = Some(health.into());
        }
        for store in view.stores {
            let known = self.instances.iter().position(|it| it.store_id == Some(store.id));
            let index = known.unwrap_or_else(|| {
                let name = format!("store-{}", store.id);
                let mut instance = Instance::foreign(name, "tikv", Some(store.address.clone()));
                instance.store_id = Some(store.id);
                instance.status_address = Some(store.status_address.clone());
                self.instances.push(instance);
                self.instances.len() - 1
            });
            let instance = &mut self.instances[index];
            instance.leaders = Some(store.leaders);
            instance.regions = Some(store.regions);
            instance.pd_state = Some(store.state);
        }
        self.regions = view.regions.iter().map(RegionStatus::of).collect();
    }
}

impl RegionStatus {
    fn of(region: &Region) -> Self {
        let name = |store: u64| format!("store-{store}");
        let end = region.end_key.as_deref();
        Self {
            id: region.id,
            range: observe::range(&region.start_key, end),
            start_key: hexadecimal(&region.start_key),
            end_key: hexadecimal(end.unwrap_or_default()),
            leader: region.leader_store().map(name),
            replicas: region.peers.iter().map(|peer| name(peer.store_id)).collect(),
            keys: region.keys,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

impl Instance {
    fn of(entry: &ProcessEntry) -> Self {
        let process = InstanceState::of(entry);
        let lives = matches!(process, InstanceState::Running | InstanceState::Stopped);
        Self {
            name: entry.name.clone(),
            component: if entry.store_id.is_some() { "tikv" } else { "pd" },
            store_id: entry.store_id,
            address: entry.addr.to_string(),
            status_address: entry.status_addr.as_ref().map(SocketAddr::to_string),
            pid: entry.process.as_ref().filter(|_| lives).map(|process| process.pid),
            process,
            ended: entry.ended.clone(),
            leaders: None,
            regions: None,
            pd_state: None,
        }
    }

    fn foreign(name: String, component: &'static str, address: Option<String>) -> Self {
        Self {
            name,
            component,
            store_id: None,
            address: address.unwrap_or_default(),
            status_address: None,
            pid: None,
            process: InstanceState::Unknown,
            ended: None,
            leaders: None,
            regions: None,
            pd_state: None,
        }
    }
}

impl Instance {
    /// Finds the process of an instance that we did not start, if it is on this machine and may be seen.
    fn find_process(&mut self) {
        let Ok(addr) = self.address.parse::<SocketAddr>() else { return };
        // Only an address of this machine's own can be listened on.
        let is_local = TcpListener::bind((addr.ip(), 0)).is_ok();
        if !is_local {
            return;
        }
        let Ok(process) = listening::process(addr.port()) else { return };
        self.process = match process.state() {
            ProcessState::Running => InstanceState::Running,
            ProcessState::Stopped => InstanceState::Stopped,
            ProcessState::Gone => return,
        };
        self.pid = Some(process.pid);
    }
}

/// What PD says.
struct PdView {
    members: Vec<MemberHealth>,
    stores: Vec<Store>,
    regions: Vec<Region>,
}

impl PdView {
    async fn ask(endpoint: &str) -> Result<Self, PdHttpError> {
        let pd = PdHttp::new(endpoint, PD_PATIENCE)?;
        let (members, stores, regions) = tokio::join!(pd.health(), pd.stores(), pd.regions());
        Ok(Self { members: members?, stores: stores?, regions: regions? })
    }
}
