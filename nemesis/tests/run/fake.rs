//! A cluster of one region that lives in virtual time, and a run that writes down what it is told.
//!
//! Its leader moves 1.5 s after it was stopped or killed if a majority runs, and its replicas
//! change 1 s after they were told to. It panics when a fault breaks a rule: a store is hurt only
//! while it runs.

use histories::What;
use nemesis::{
    Capabilities, Disturbance, Observer, Pending, ProcessState, Region, RegionId, SeenProcess,
    Store, StoreId, Target, TargetError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

pub const ELECTION: Duration = Duration::from_millis(1_500);
/// From here on an election goes on though the old leader returns.
pub const ELECTION_BEGINS: Duration = Duration::from_millis(1_300);
pub const REPLICA_CHANGE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Cluster {
    pub leader: StoreId,
    pub voters: Vec<StoreId>,
    pub max_replicas: u32,
    pub down: BTreeSet<StoreId>,
    pub disturbed: BTreeMap<usize, Disturbance>,
    pub regions: u64,
    /// Regions have too few keys to be split.
    pub indivisible: bool,
    pub calls: Vec<String>,
    /// Calls of this name fail.
    pub broken: Option<&'static str>,
    /// The stops of this store are not obeyed.
    pub unstoppable: Option<StoreId>,
    /// Leaders cannot be moved on request.
    pub cannot_schedule: bool,
    leader_lost: Option<Instant>,
    election_runs: bool,
    replicas_told: Option<Instant>,
}

pub struct Fake {
    cluster: Mutex<Cluster>,
}

impl Fake {
    pub fn of_six() -> Self {
        let cluster = Cluster {
            leader: 1,
            voters: vec![1, 2, 3],
            max_replicas: 3,
            down: BTreeSet::new(),
            disturbed: BTreeMap::new(),
            regions: 1,
            indivisible: false,
            calls: Vec::new(),
            broken: None,
            unstoppable: None,
            cannot_schedule: false,
            leader_lost: None,
            election_runs: false,
            replicas_told: None,
        };
        Self { cluster: Mutex::new(cluster) }
    }

    /// The cluster as it is by now.
    pub fn now(&self) -> MutexGuard<'_, Cluster> {
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.settle();
        cluster
    }

    pub fn calls(&self) -> Vec<String> {
        self.now().calls.clone()
    }

    fn change(&self, f: &'static str, stores: &[StoreId]) -> Result<Vec<SeenProcess>, TargetError> {
        let mut cluster = self.now();
        cluster.call(f, format!("{f} {stores:?}"))?;
        for store in stores {
            if matches!(f, "pause" | "kill" | "fail-disks") {
                assert!(cluster.down.insert(*store), "{f} of {store}, which was down already");
            } else {
                cluster.down.remove(store);
            }
        }
        cluster.settle();
        let state = match f {
            "pause" => ProcessState::Stopped,
            "kill" | "fail-disks" => ProcessState::Gone,
            _ => ProcessState::Running,
        };
        let stubborn = cluster.unstoppable;
        let seen = |&store| SeenProcess {
            store,
            pid: Some(store as u32 + 100),
            state: if Some(store) == stubborn { ProcessState::Running } else { state },
            signalled: None,
        };
        Ok(stores.iter().map(seen).collect())
    }
}

impl Cluster {
    fn call(&mut self, f: &'static str, call: String) -> Result<(), TargetError> {
        if self.broken == Some(f) {
            return Err(TargetError::Failed(format!("{f} is broken")));
        }
        self.calls.push(call);
        Ok(())
    }

    pub fn serves(&self) -> bool {
        let running = self.voters.iter().filter(|store| !self.down.contains(store)).count();
        !self.down.contains(&self.leader) && running > self.voters.len() / 2
    }

    fn settle(&mut self) {
        let now = Instant::now();
        if self.replicas_told.is_some_and(|told| now >= told + REPLICA_CHANGE) {
            self.replicas_told = None;
            let wanted = self.max_replicas as usize;
            let mut spare: Vec<_> = (1..=6).filter(|id| !self.voters.contains(id)).collect();
            while self.voters.len() < wanted {
                self.voters.push(spare.remove(0));
            }
            while self.voters.len() > wanted {
                let surplus = self.voters.iter().rposition(|store| *store != self.leader);
                self.voters.remove(surplus.expect("another voter"));
            }
        }
        if !self.down.contains(&self.leader) && !self.election_runs {
            self.leader_lost = None;
            return;
        }
        let lost = *self.leader_lost.get_or_insert(now);
        self.election_runs = now >= lost + ELECTION_BEGINS;
        let running: Vec<_> =
            self.voters.iter().copied().filter(|store| !self.down.contains(store)).collect();
        if now >= lost + ELECTION && running.len() > self.voters.len() / 2 {
            let old = self.leader;
            self.leader = *running.iter().find(|store| **store != old).expect("a majority");
            self.election_runs = false;
            self.leader_lost = None;
        }
    }
}

impl Target for Fake {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pause: true,
            kill: true,
            schedule: !self.now().cannot_schedule,
            max_replicas: true,
            simulated: true,
        }
    }

    fn stores(&self) -> Pending<'_, Vec<Store>> {
        let pid = |id| (!self.now().down.contains(&id)).then_some(id as u32 + 100);
        let store = |id| Store { id, address: format!("127.0.0.1:{}", 20_160 + id), pid: pid(id) };
        let stores = (1..=6).map(store).collect();
        Box::pin(async { Ok(stores) })
    }

    fn regions(&self) -> Pending<'_, Vec<Region>> {
        let cluster = self.now();
        let region = |number| Region {
            id: 2 + number,
            leader: Some(cluster.leader),
            voters: cluster.voters.clone(),
            learners: Vec::new(),
        };
        let regions = (0..cluster.regions).map(region).collect();
        Box::pin(async { Ok(regions) })
    }

    fn pause(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move { self.change("pause", &stores) })
    }

    fn resume(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move { self.change("resume", &stores) })
    }

    fn kill(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        assert_ne!(self.now().broken, Some("kill"), "a bug on purpose");
        Box::pin(async move { self.change("kill", &stores) })
    }

    fn start(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move { self.change("start", &stores) })
    }

    fn transfer_leader(&self, region: RegionId, to: StoreId) -> Pending<'_, ()> {
        assert!(region >= 2);
        Box::pin(async move {
            let mut cluster = self.now();
            cluster.call("transfer-leader", format!("transfer-leader {to}"))?;
            assert!(cluster.voters.contains(&to));
            cluster.leader = to;
            Ok(())
        })
    }

    fn move_replica(&self, region: RegionId, from: StoreId, to: StoreId) -> Pending<'_, ()> {
        assert!(region >= 2);
        Box::pin(async move {
            let mut cluster = self.now();
            cluster.call("move-replica", format!("move-replica {from} to {to}"))?;
            assert!(from != cluster.leader && !cluster.voters.contains(&to));
            cluster.voters.retain(|store| *store != from);
            cluster.voters.push(to);
            Ok(())
        })
    }

    fn max_replicas(&self) -> Pending<'_, u32> {
        Box::pin(async { Ok(self.now().max_replicas) })
    }

    fn set_max_replicas(&self, replicas: u32) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut cluster = self.now();
            cluster.call("max-replicas", format!("max-replicas {replicas}"))?;
            cluster.max_replicas = replicas;
            cluster.replicas_told = Some(Instant::now());
            Ok(())
        })
    }

    fn split(&self, region: RegionId) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut cluster = self.now();
            cluster.call("split", format!("split {region}"))?;
            cluster.regions += u64::from(!cluster.indivisible);
            Ok(())
        })
    }

    fn fail_disks(&self, stores: Vec<StoreId>) -> Pending<'_, Vec<SeenProcess>> {
        Box::pin(async move { self.change("fail-disks", &stores) })
    }

    fn disturb(&self, fault: usize, what: Disturbance) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut cluster = self.now();
            cluster.call("disturb", what.steps().0.to_owned())?;
            assert!(cluster.disturbed.insert(fault, what).is_none(), "disturbed twice");
            Ok(())
        })
    }

    fn calm(&self, fault: usize) -> Pending<'_, Option<String>> {
        Box::pin(async move {
            let mut cluster = self.now();
            let what = cluster.disturbed.get(&fault).cloned();
            cluster.call("calm", what.as_ref().map_or("nothing", |it| it.steps().1).to_owned())?;
            cluster.disturbed.remove(&fault);
            Ok(what.map(|_| "it was met".to_owned()))
        })
    }

    fn resume_all_now(&self) {
        let mut cluster = self.now();
        cluster.calls.push("resume-all-now".into());
        cluster.down.clear();
    }
}

/// A run: writes go on while nothing asks, one each millisecond.
pub struct Notes {
    start: Instant,
    pub events: Mutex<Vec<What>>,
    /// From then on operations succeed; `None` = nobody counts them.
    pub serves_after: Option<Duration>,
    /// Nobody writes.
    silent: bool,
}

impl Notes {
    pub fn new() -> Self {
        Self { start: Instant::now(), events: Mutex::default(), serves_after: None, silent: false }
    }

    /// A run in which nobody writes.
    pub fn silent() -> Self {
        Self { silent: true, ..Self::new() }
    }

    /// The events, shortly: `pause`, `pause.` for its completion.
    pub fn told(&self) -> Vec<String> {
        let events = self.events.lock().expect("events");
        let shortly = |event: &What| match event {
            What::FaultInvoke { f, .. } => f.clone(),
            What::FaultComplete { f, .. } => format!("{f}."),
            other => format!("{other:?}"),
        };
        events.iter().map(shortly).collect()
    }
}

impl Observer for Notes {
    fn record(&self, what: What) -> u64 {
        self.events.lock().expect("events").push(what);
        self.start.elapsed().as_nanos() as u64
    }

    fn acknowledged_writes(&self) -> u64 {
        if self.silent { 0 } else { self.start.elapsed().as_millis() as u64 }
    }

    fn waiting_writes(&self, _: Duration) -> u64 {
        if self.silent { 0 } else { 3 }
    }

    fn successes(&self) -> Option<u64> {
        let served = self.start.elapsed().saturating_sub(self.serves_after?);
        Some(served.as_millis() as u64 / 20)
    }
}
