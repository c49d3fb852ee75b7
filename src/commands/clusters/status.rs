//! The status of a cluster: processes from `cluster.json` and `/proc`; leaders, regions and states
//! from PD.
//!
//! In: a cluster's directory, or the PD of a cluster that somebody else started. Out: a
//! [`ClusterStatus`], whose JSON docs/cluster.md describes. Every question has a deadline. A fact
//! that cannot be had is absent, with the reason.

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

/// The time that PD may take to answer: `--watch` shows a frozen PD within two seconds.
const PD_PATIENCE: Duration = Duration::from_secs(2);

/// The status of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// Always `jepsen-tikv cluster status`.
    pub format: &'static str,
    /// The format's version.
    pub version: u32,
    /// The cluster's tag; absent if somebody else started it.
    pub tag: Option<String>,
    /// The cluster's life: running or not.
    pub life: Life,
    /// The PID of the parent of all its processes, while it runs.
    pub supervisor_pid: Option<u32>,
    /// PD's address.
    pub pd: Option<String>,
    /// The dashboard's address.
    pub dashboard: Option<String>,
    /// The reason why PD's view is absent.
    pub pd_error: Option<String>,
    /// PD and the stores.
    pub instances: Vec<Instance>,
    /// The regions by lower bound, as PD has them.
    pub regions: Vec<RegionStatus>,
}

/// A region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionStatus {
    /// The region's id.
    pub id: u64,
    /// The bounds, readable.
    pub range: String,
    /// The lower bound, inclusive, in hexadecimal.
    pub start_key: String,
    /// The upper bound, exclusive, in hexadecimal; empty = no bound.
    pub end_key: String,
    /// The name of the store that leads it.
    pub leader: Option<String>,
    /// The names of the stores that have a replica.
    pub replicas: Vec<String>,
    /// The approximate number of keys.
    pub keys: u64,
}

/// PD or a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// The instance's name.
    pub name: String,
    /// `pd` or `tikv`.
    pub component: &'static str,
    /// A store's id.
    pub store_id: Option<u64>,
    /// The address for clients.
    pub address: String,
    /// The address of a store's status pages.
    pub status_address: Option<String>,
    /// The PID of its process, while it has one that can be seen.
    pub pid: Option<u32>,
    /// The state of the process.
    pub process: InstanceState,
    /// The reason of its end: `killed` on purpose, or how it ended by itself.
    pub ended: Option<String>,
    /// The number of regions that a store leads, as PD has it.
    pub leaders: Option<u64>,
    /// The number of regions with a peer on a store, as PD has it.
    pub regions: Option<u64>,
    /// PD's own word: a store's state, a PD member's health.
    pub pd_state: Option<String>,
}

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// The process runs.
    Running,
    /// The process is paused by a signal (SIGSTOP).
    Stopped,
    /// The process was killed on purpose.
    Killed,
    /// The process ended by itself, or was ended from outside.
    Ended,
    /// The cluster was ended in order.
    Down,
    /// The process cannot be seen from here.
    Unknown,
}

impl InstanceState {
    /// Returns the word for this state.
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

    /// Reads the status of a cluster that `cluster up` started.
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
        // Sorted by name: names are numbered in the order in which the stores were asked for,
        // while PD gives arbitrary ids.
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

    /// Reads the status of a cluster that somebody else started, from the first of these PDs that
    /// answers.
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

    /// Adds PD's view, with stores and members that were not known before.
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
    /// Finds the process of an instance that we did not start, if it is visible on this machine.
    fn find_process(&mut self) {
        let Ok(addr) = self.address.parse::<SocketAddr>() else { return };
        // Only an address of this machine can be listened on.
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

/// PD's view of the cluster.
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
