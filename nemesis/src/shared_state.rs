//! The state shared by all faults of a run: the stores that are down, the faults in force, and the
//! final healing.
//!
//! In: the stores that each fault takes and gives back. Out: choices that do not collide, and the
//! final healing. A store belongs to one fault at a time, so that no fault resumes a store that
//! another one paused.

use crate::{
    disturbance::{Disturbance, Place},
    process::ProcessState,
    record::FaultRecord,
    run::Observer,
    select::majority_runs,
    target::{Region, RegionId, StoreId, Target, TargetError},
};
use histories::What;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// The interval between two requests to PD.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// The number of tries of a healing step.
const HEAL_TRIES: u32 = 3;

/// The way in which a store is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    Stopped,
    Killed,
    /// The store's disk failed, which ended the store.
    DiskFailed,
}

impl Down {
    pub(crate) const ALL: [Self; 3] = [Self::Stopped, Self::Killed, Self::DiskFailed];

    /// The names of its steps in a history: the one that hurts, and the one that heals.
    pub(crate) fn steps(self) -> (&'static str, &'static str) {
        match self {
            Self::Stopped => ("pause", "resume"),
            Self::Killed => ("kill", "start"),
            Self::DiskFailed => ("disk-error", "start"),
        }
    }

    /// The state of a process that is down in this way.
    pub(crate) fn state(self) -> ProcessState {
        match self {
            Self::Stopped => ProcessState::Stopped,
            Self::Killed | Self::DiskFailed => ProcessState::Gone,
        }
    }
}

/// The state shared by all faults of a run.
pub(crate) struct SharedState {
    pub target: Arc<dyn Target>,
    pub observer: Arc<dyn Observer>,
    stop: watch::Receiver<bool>,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    down: BTreeMap<StoreId, Down>,
    /// The disturbance of each fault.
    disturbed: BTreeMap<usize, Disturbance>,
    in_force: BTreeMap<usize, InForce>,
    replicas: Option<Replicas>,
    leaders_hurt: LeadersHurt,
}

/// The leaders that choreographies have hurt so far, for the choice of the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeadersHurt {
    /// The number of times each store was hurt as a leader.
    pub times: BTreeMap<StoreId, u32>,
    /// A region whose membership has changed since, and its leader at that time.
    pub changed: Option<(RegionId, StoreId)>,
}

struct InForce {
    name: &'static str,
    majority_left: bool,
}

#[derive(Clone, Copy)]
struct Replicas {
    initial: u32,
    wanted: u32,
}

impl SharedState {
    pub(crate) fn new(
        target: Arc<dyn Target>,
        observer: Arc<dyn Observer>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { target, observer, stop, books: Mutex::default() }
    }

    /// Waits until the run ends.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Every sender of the switch is gone, and with it the run.
            tracing::debug!("the nemesis's switch is gone");
        }
    }

    /// Waits for this long, or until the run ends. Returns true if the wait was cut short.
    pub(crate) async fn hold(&self, length: Duration) -> bool {
        tokio::select! {
            biased;
            () = tokio::time::sleep(length) => false,
            () = self.stopped() => true,
        }
    }

    /// Repeats a request until it has an answer, the time is over (`Ok(None)`) or the run ends
    /// (`Err`).
    pub(crate) async fn until<T, A: Future<Output = Option<T>>>(
        &self,
        patience: Duration,
        mut ask: impl FnMut() -> A,
    ) -> Result<Option<T>, CutShort> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(answer) = ask().await {
                return Ok(Some(answer));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            if self.hold(POLL).await {
                return Err(CutShort);
            }
        }
    }

    /// Takes stores for a fault, if `choose` finds some among the stores that are not down.
    pub(crate) fn take<T>(
        &self,
        down: Down,
        choose: impl FnOnce(&BTreeSet<StoreId>) -> Option<(T, Vec<StoreId>)>,
    ) -> Option<(T, Vec<StoreId>)> {
        let mut books = self.books();
        let (choice, stores) = choose(&books.down.keys().copied().collect())?;
        books.down.extend(stores.iter().map(|store| (*store, down)));
        Some((choice, stores))
    }

    /// The stores that are down now.
    pub(crate) fn down(&self) -> BTreeSet<StoreId> {
        self.books().down.keys().copied().collect()
    }

    /// Gives stores back; they run again.
    pub(crate) fn give_back(&self, stores: &[StoreId]) {
        self.books().down.retain(|store, _| !stores.contains(store));
    }

    /// Notes that a fault is in force from now on, or has just taken more stores. If that leaves a
    /// region without a majority, every fault in force is marked.
    pub(crate) fn in_force(&self, record: &FaultRecord, regions: &[Region]) {
        let mut books = self.books();
        let fresh = InForce { name: record.name, majority_left: true };
        books.in_force.entry(record.fault).or_insert(fresh);
        let cuts = books.disturbed.values().flat_map(Disturbance::cuts).copied();
        let cuts: BTreeSet<(Place, Place)> = cuts.collect();
        if !majority_runs(regions, &books.down.keys().copied().collect(), &cuts) {
            books.in_force.values_mut().for_each(|fault| fault.majority_left = false);
        }
        self.tell(&books);
    }

    /// Notes that a fault is over. Returns true if it left a majority all the time.
    pub(crate) fn over(&self, record: &FaultRecord) -> bool {
        let mut books = self.books();
        let ended = books.in_force.remove(&record.fault);
        self.tell(&books);
        ended.is_none_or(|fault| fault.majority_left)
    }

    fn tell(&self, books: &Books) {
        let names: Vec<_> = books.in_force.values().map(|fault| fault.name).collect();
        self.observer.in_force(&names);
    }

    /// Notes that a choreography has hurt a store as a leader.
    pub(crate) fn note_led(&self, leader: StoreId) {
        let mut books = self.books();
        *books.leaders_hurt.times.entry(leader).or_default() += 1;
        books.leaders_hurt.changed = None;
    }

    /// Notes that a region's membership was changed by its leader.
    pub(crate) fn note_changed(&self, region: RegionId, leader: StoreId) {
        self.books().leaders_hurt.changed = Some((region, leader));
    }

    /// The leaders that choreographies have hurt so far.
    pub(crate) fn leaders_hurt(&self) -> LeadersHurt {
        self.books().leaders_hurt.clone()
    }

    /// Notes the disturbance that a fault is about to begin.
    pub(crate) fn note_disturbed(&self, fault: usize, disturbance: &Disturbance) {
        self.books().disturbed.insert(fault, disturbance.clone());
    }

    /// Notes that a fault's disturbance is over.
    pub(crate) fn note_calm(&self, fault: usize) {
        self.books().disturbed.remove(&fault);
    }

    /// Notes the number of replicas to restore at the end of the run.
    pub(crate) async fn note_initial_replicas(&self) {
        match self.target.max_replicas().await {
            Ok(initial) => {
                self.books().replicas = Some(Replicas { initial, wanted: initial });
            }
            Err(error) => tracing::warn!(%error, "the number of replicas is not known"),
        }
    }

    /// Notes the number of replicas wanted from now on. Returns the number before; `None` = the
    /// number to restore is unknown.
    pub(crate) fn want_replicas(&self, replicas: u32) -> Option<u32> {
        let mut books = self.books();
        let noted = books.replicas.as_mut()?;
        Some(std::mem::replace(&mut noted.wanted, replicas))
    }

    /// The number of replicas wanted now.
    pub(crate) fn wanted_replicas(&self) -> Option<u32> {
        self.books().replicas.map(|replicas| replicas.wanted)
    }

    /// Heals everything that the faults left, which is nothing if each ended in order. Returns the
    /// failures in sentences.
    pub(crate) async fn heal(&self) -> Vec<String> {
        let of = |wanted| {
            let books = self.books();
            let down = books.down.iter().filter(|(_, down)| **down == wanted);
            down.map(|(store, _)| *store).collect::<Vec<_>>()
        };
        let mut unhealed = Vec::new();
        unhealed.extend(self.calm_all().await);
        for (how, stores) in Down::ALL.map(|how| (how, of(how))) {
            let (_, f) = how.steps();
            for store in stores {
                let healed = self
                    .heal_step(f, json!({ "stores": [{ "id": store }] }), || async move {
                        let heal = match how {
                            Down::Stopped => self.target.resume(vec![store]),
                            _ => self.target.start(vec![store]),
                        };
                        heal.await.map(|_| ())
                    })
                    .await;
                match healed {
                    Ok(()) => self.give_back(&[store]),
                    Err(error) => {
                        unhealed.push(format!("store-{store} could not be healed: {error}"));
                    }
                }
            }
        }
        let replicas = self.books().replicas;
        if let Some(Replicas { initial, wanted }) = replicas
            && initial != wanted
        {
            let healed = self
                .heal_step("max-replicas", json!({ "from": wanted, "to": initial }), || {
                    self.target.set_max_replicas(initial)
                })
                .await;
            match healed {
                Ok(()) => _ = self.want_replicas(initial),
                Err(error) => unhealed
                    .push(format!("max-replicas is {wanted} and could not be set back: {error}")),
            }
        }
        unhealed
    }

    /// Ends every disturbance that is left. Returns the failures in sentences.
    async fn calm_all(&self) -> Vec<String> {
        let left = self.books().disturbed.clone();
        let mut unhealed = Vec::new();
        for (fault, disturbance) in left {
            let (_, f) = disturbance.steps();
            let calm = || async { self.target.calm(fault).await.map(|_| ()) };
            match self.heal_step(f, json!({}), calm).await {
                Ok(()) => self.note_calm(fault),
                Err(error) => unhealed.push(format!("{f} failed: {error}")),
            }
        }
        unhealed
    }

    /// Carries out one step of healing, with a few tries, and records it in the history.
    async fn heal_step<A: Future<Output = Result<(), TargetError>>>(
        &self,
        f: &str,
        value: Value,
        step: impl Fn() -> A,
    ) -> Result<(), TargetError> {
        self.observer.record(What::FaultInvoke { f: f.into(), value: value.clone() });
        let mut tries = 1;
        let healed = loop {
            match step().await {
                Err(_) if tries < HEAL_TRIES => tokio::time::sleep(POLL * 5).await,
                healed => break healed,
            }
            tries += 1;
        };
        let mut value = value;
        if let Err(error) = &healed {
            value["error"] = error.to_string().into();
        }
        self.observer.record(What::FaultComplete { f: f.into(), value });
        healed
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The run ended while a fault was waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CutShort;
