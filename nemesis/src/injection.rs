//! One fault from its beginning to its healing: the steps that every kind of fault shares.
//!
//! In: a planned fault and the [`SharedState`]. Out: its [`FaultRecord`], and events for the
//! observer. The stores that this fault took are healed before it ends, also after an error. The
//! steps that differ between kinds are in [`crate::actions`].

use crate::{
    action::PlannedFault,
    disturbance::Disturbance,
    record::{FaultRecord, Hurt, Role},
    shared_state::{CutShort, Down, POLL, SharedState},
    target::{Region, SeenProcess, StoreId, TargetError},
};
use histories::What;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The longest wait for a region with stores of the wanted roles.
const CHOICE_PATIENCE: Duration = Duration::from_secs(15);

/// The time after a fault in which a leader's move still counts as its effect.
const AFTERMATH: Duration = Duration::from_millis(300);

/// Carries one fault out.
pub(crate) async fn inject(
    shared: Arc<SharedState>,
    fault: usize,
    planned: PlannedFault,
) -> FaultRecord {
    let mut injection = Injection {
        record: FaultRecord::new(fault, planned.kind.name()),
        random: ChaCha8Rng::seed_from_u64(planned.draw.into()),
        taken: Vec::new(),
        disturbance: None,
        before: Vec::new(),
        leaders_stay: false,
        shared,
    };
    let carried_out = injection.act(planned.what).await;
    injection.end(carried_out).await
}

pub(crate) struct Injection {
    pub(crate) shared: Arc<SharedState>,
    pub(crate) record: FaultRecord,
    random: ChaCha8Rng,
    /// The stores that this fault has down now.
    pub(crate) taken: Vec<(StoreId, Down)>,
    /// The current disturbance of this fault.
    pub(crate) disturbance: Option<Disturbance>,
    /// The workload's regions when the fault began.
    pub(crate) before: Vec<Region>,
    /// True if the fault would move leaders and the target cannot.
    pub(crate) leaders_stay: bool,
}

/// The reason for a fault's early end.
pub(crate) enum Ended {
    CutShort,
    Error(String),
}

impl From<CutShort> for Ended {
    fn from(CutShort: CutShort) -> Self {
        Self::CutShort
    }
}

impl From<TargetError> for Ended {
    fn from(error: TargetError) -> Self {
        Self::Error(error.to_string())
    }
}

impl Injection {
    /// Polls the regions until `pick` finds a match among them.
    pub(crate) async fn find<T>(
        &mut self,
        mut pick: impl FnMut(&SharedState, &[Region], &mut ChaCha8Rng) -> Option<T>,
    ) -> Result<T, Ended> {
        let deadline = Instant::now() + CHOICE_PATIENCE;
        loop {
            let regions = self.shared.target.regions().await;
            if let Ok(regions) = &regions
                && let Some(found) = pick(&self.shared, regions, &mut self.random)
            {
                self.before.clone_from(regions);
                return Ok(found);
            }
            if Instant::now() >= deadline {
                return Err(match regions {
                    Ok(_) => Ended::Error("no region had such stores up, and a leader".into()),
                    Err(error) => error.into(),
                });
            }
            if self.shared.hold(POLL).await {
                return Err(Ended::CutShort);
            }
        }
    }

    /// Hurts stores that were taken, and notes the observed effect on their processes.
    pub(crate) async fn hurt(
        &mut self,
        how: Down,
        region: &Region,
        stores: &[StoreId],
        length_ms: u64,
    ) -> Result<(), Ended> {
        let known = self.shared.target.stores().await?;
        let role = |store| if region.leader == Some(store) { Role::Leader } else { Role::Follower };
        let place = self.record.hurt.len();
        self.record.hurt.extend(stores.iter().map(|&store| {
            let known = known.iter().find(|known| known.id == store);
            Hurt {
                store,
                address: known.map_or_else(String::new, |known| known.address.clone()),
                pid: known.and_then(|known| known.pid),
                role: role(store),
                state: None,
            }
        }));
        let whom = self.record.hurt[place..].iter().map(Hurt::to_whom).collect::<Value>();
        let (f, _) = how.steps();
        let value = json!({ "region": region.id, "stores": whom, "length_ms": length_ms });
        let asked = Asked { at_ns: self.begin(f, value), at: Instant::now() };
        let done = match how {
            Down::Stopped => self.shared.target.pause(stores.to_vec()).await,
            Down::Killed => self.shared.target.kill(stores.to_vec()).await,
            Down::DiskFailed => self.shared.target.fail_disks(stores.to_vec()).await,
        };
        for (hurt, seen) in self.record.hurt[place..].iter_mut().zip(done.iter().flatten()) {
            hurt.state = Some(seen.state);
        }
        self.complete(f, asked.seen(&done));
        let wanted = how.state();
        match done?.into_iter().find(|seen| seen.state != wanted) {
            None => Ok(()),
            Some(SeenProcess { store, state, .. }) => {
                let (state, wanted) = (state.name(), wanted.name());
                Err(Ended::Error(format!("store-{store} is {state}, not {wanted}, after {f}")))
            }
        }
    }

    /// Heals stores that this fault took.
    pub(crate) async fn heal(&mut self, how: Down, stores: &[StoreId]) -> Result<(), Ended> {
        let (_, f) = how.steps();
        let whom: Value = stores.iter().map(|store| json!({ "id": store })).collect();
        let value = json!({ "fault": self.record.fault, "stores": whom });
        let at_ns = self.shared.observer.record(What::FaultInvoke { f: f.into(), value });
        let asked = Asked { at_ns, at: Instant::now() };
        let done = match how {
            Down::Stopped => self.shared.target.resume(stores.to_vec()).await,
            Down::Killed | Down::DiskFailed => self.shared.target.start(stores.to_vec()).await,
        };
        let mut value = asked.seen(&done);
        if !self.record.regions.is_empty() {
            value["regions"] = json!(self.record.regions);
        }
        self.complete(f, value);
        done?;
        self.shared.give_back(stores);
        self.taken.retain(|(store, _)| !stores.contains(store));
        Ok(())
    }

    /// Waits for this long, or until the run ends.
    pub(crate) async fn hold(&self, length_ms: u64) -> Result<(), Ended> {
        let cut_short = self.shared.hold(Duration::from_millis(length_ms)).await;
        if cut_short { Err(Ended::CutShort) } else { Ok(()) }
    }

    /// Records an action that is about to be done, and returns the time of that. The fault is in
    /// force from the first such record on.
    pub(crate) fn begin(&mut self, f: &str, mut value: Value) -> u64 {
        value["fault"] = self.record.fault.into();
        value["name"] = self.record.name.into();
        let region = self.before.iter().find(|region| value["region"].as_u64() == Some(region.id));
        if let Some(region) = region.filter(|_| self.record.begun_ns.is_none()) {
            value["leader"] = region.leader.into();
            value["voters"] = region.voters.clone().into();
            if self.leaders_stay {
                value["leaders-stay"] = true.into();
            }
        }
        let at_ns = self.shared.observer.record(What::FaultInvoke { f: f.into(), value });
        self.record.begun_ns.get_or_insert(at_ns);
        self.shared.in_force(&self.record, &self.before);
        at_ns
    }

    /// Records the observed effect of an action.
    pub(crate) fn complete(&mut self, f: &str, mut value: Value) {
        value["fault"] = self.record.fault.into();
        let at_ns = self.shared.observer.record(What::FaultComplete { f: f.into(), value });
        self.record.ended_ns = Some(at_ns);
    }

    /// Notes how the regions changed since the fault began.
    pub(crate) async fn compare(&mut self) {
        match self.shared.target.regions().await {
            Ok(after) => self.record.compare(&self.before, &after),
            Err(error) => {
                let error = format!("its effect could not be seen: {error}");
                self.record.error.get_or_insert(error);
            }
        }
    }

    /// Notes the state of the cluster, heals, and closes the record.
    async fn end(mut self, carried_out: Result<(), Ended>) -> FaultRecord {
        match carried_out {
            Ok(()) => {}
            Err(Ended::CutShort) => self.record.cut_short = true,
            Err(Ended::Error(error)) => self.record.error = Some(error),
        }
        if self.record.begun_ns.is_some() && self.record.regions.is_empty() {
            self.compare().await;
        }
        if let Err(Ended::Error(error)) = self.calm().await {
            // The disturbance stays in the shared field, which tries again at the end.
            self.record.error.get_or_insert(error);
        }
        for how in Down::ALL {
            let of = self.taken.iter().filter(|(_, down)| *down == how);
            let stores: Vec<_> = of.map(|(store, _)| *store).collect();
            if self.record.begun_ns.is_none() {
                self.shared.give_back(&stores);
            } else if !stores.is_empty()
                && let Err(Ended::Error(error)) = self.heal(how, &stores).await
            {
                // The stores stay in the shared field, which tries again at the end.
                self.record.error.get_or_insert(error);
            }
        }
        self.record.majority_left = self.shared.over(&self.record);
        if !self.record.hurt.is_empty() && !self.record.leader_moved() {
            // An election that is under way during the healing ends a moment later.
            self.shared.hold(AFTERMATH).await;
            if let Ok(after) = self.shared.target.regions().await {
                self.record.compare_leaders(&after);
            }
        }
        if !self.record.majority_left {
            self.record.effects.push("a region had no majority".into());
        }
        self.record
    }
}

/// The time of a request to processes, by this process's clock and by the run's.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The time by this process's clock.
    pub at: Instant,
    /// The time in nanoseconds since the run's start.
    pub at_ns: u64,
}

impl Asked {
    /// The observed states of the processes, for a history. `signalled_ns` is the time at which a
    /// signal was sent. The event itself comes when the signal was seen to have acted.
    pub fn seen(&self, done: &Result<Vec<SeenProcess>, TargetError>) -> Value {
        match done {
            Ok(seen) => {
                let of = |seen: &SeenProcess| {
                    let mut value =
                        json!({ "id": seen.store, "pid": seen.pid, "state": seen.state.name() });
                    if let Some(signalled) = seen.signalled {
                        let later = signalled.saturating_duration_since(self.at.into_std());
                        value["signalled_ns"] = (self.at_ns + later.as_nanos() as u64).into();
                    }
                    value
                };
                json!({ "stores": seen.iter().map(of).collect::<Value>() })
            }
            Err(error) => json!({ "error": error.to_string() }),
        }
    }
}
