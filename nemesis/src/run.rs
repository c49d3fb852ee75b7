//! Carries out a schedule: begins each fault when it is due, ends all of them, heals what is left.
//!
//! In: planned faults, a [`Target`], an [`Observer`] (the run), and a switch that ends it early.
//! Out: a [`NemesisReport`]. Invariants:
//! - on return every store runs again and the number of replicas is the one found, or the report
//!   says what failed;
//! - if the future of [`run()`] is dropped or panics, every paused process is resumed at once;
//! - every wait also ends when the switch is thrown.

use crate::{
    action::{Action, PlannedFault},
    injection::inject,
    record::FaultRecord,
    shared_state::{CutShort, POLL, SharedState},
    target::{ResumeOnDrop, Target},
};
use histories::What;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::Instant,
};

/// The load without a fault between a fault that took longer than planned and the next one.
const BREATH: Duration = Duration::from_millis(500);
/// The time for which clients must have succeeded again before the next fault begins.
const SERVED_FOR: Duration = Duration::from_millis(500);
/// A gap of this length without a success restarts that time.
const STALLED: Duration = Duration::from_secs(1);
/// The longest wait for it: a cluster that does not serve again gets the other faults too.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// The reason that a fault was not begun.
const ENDED: &str = "the run ended before";

/// The run that a nemesis is part of.
pub trait Observer: Send + Sync {
    /// Notes an event of the nemesis now and returns its time: nanoseconds since the run's start.
    ///
    /// Every event is a pair of beginning and completion. `f` is `pause`, `resume`, `kill`,
    /// `start`, `transfer-leader`, `move-replica`, `split`, `max-replicas`, `disk-error`, or one of
    /// [`Disturbance::steps`](crate::Disturbance::steps); `value` names the `fault` (its place in
    /// the plan).
    ///
    /// Beginnings name the victims (`stores` by `id`, `address`, `pid` and `role`, or `region`,
    /// `from`, `to`) and the length (`length_ms`). The first one also names the region's leader at
    /// that time and the stores that could lead it (`leader`, `voters`). It has `leaders-stay` if
    /// leaders should have been moved and cannot be.
    ///
    /// Completions say what was seen. `stores` have the `state` of their processes and the time of
    /// the signal that led to it (`signalled_ns`; the completion's own time is that of the
    /// confirmation). `regions` have their leaders and numbers of voters before and after.
    /// `touched` is the effect of a disturbance; `error` is a failure. A `transfer-leader` that
    /// only prepares a fault names it as `for`. A `leader-moved` (`fault`, `region`, `regions`) may
    /// be recorded in between when a leader is seen to have moved.
    fn record(&self, what: What) -> u64;

    /// The number of clients' writes acknowledged so far. It never falls.
    fn acknowledged_writes(&self) -> u64;

    /// The number of clients' operations that have succeeded so far. It never falls. `None` = not
    /// counted, and nobody waits for it.
    fn successes(&self) -> Option<u64> {
        None
    }

    /// The number of clients' writes that have been open for at least this long.
    fn waiting_writes(&self, for_at_least: Duration) -> u64;

    /// Notes the names of the faults in force from now on; for progress lines.
    fn in_force(&self, names: &[&'static str]) {
        let _ = names;
    }
}

/// The result of a schedule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NemesisReport {
    /// The records, one per planned fault, in the plan's order.
    pub records: Vec<FaultRecord>,
    /// The failures of the final healing, in sentences.
    pub unhealed: Vec<String>,
}

/// Carries out a schedule against a target. Returns when its last fault is healed, or soon after
/// `stop` turns true.
pub async fn run(
    schedule: &[PlannedFault],
    target: Arc<dyn Target>,
    observer: Arc<dyn Observer>,
    stop: watch::Receiver<bool>,
) -> NemesisReport {
    // Declared first, thus dropped last: after the tasks that could still hurt a store.
    let guard = ResumeOnDrop::new(Arc::clone(&target));
    let changes_replicas =
        schedule.iter().any(|fault| matches!(fault.what, Action::MaxReplicas { .. }));
    let shared = Arc::new(SharedState::new(target, observer, stop));
    if changes_replicas {
        shared.note_initial_replicas().await;
    }
    let mut faults = Faults::new(Arc::clone(&shared));
    let refused = faults.carry_out(schedule).await;
    faults.finish_all().await;
    let mut records = faults.records;
    for (fault, planned) in schedule.iter().enumerate() {
        records.entry(fault).or_insert_with(|| {
            FaultRecord::not_injected(fault, planned.kind.name(), refused.clone())
        });
    }
    let unhealed = shared.heal().await;
    guard.disarm();
    NemesisReport { records: records.into_values().collect(), unhealed }
}

/// The faults in force, and the records of those that are over.
struct Faults {
    shared: Arc<SharedState>,
    tasks: JoinSet<FaultRecord>,
    places: BTreeMap<Id, (usize, &'static str)>,
    records: BTreeMap<usize, FaultRecord>,
}

impl Faults {
    fn new(shared: Arc<SharedState>) -> Self {
        Self { shared, tasks: JoinSet::new(), places: BTreeMap::new(), records: BTreeMap::new() }
    }

    /// Begins fault after fault. Returns the reason that the remaining faults were not begun.
    async fn carry_out(&mut self, schedule: &[PlannedFault]) -> String {
        let mut origin = Instant::now();
        for (fault, planned) in schedule.iter().enumerate() {
            let mut breath = BREATH;
            if !planned.overlaps {
                self.finish_all().await;
                match self.await_service().await {
                    Ok(true) => breath = Duration::ZERO,
                    Ok(false) => {}
                    Err(CutShort) => return ENDED.into(),
                }
            }
            let begin = Duration::from_millis(planned.begin_ms);
            if !planned.overlaps {
                // A fault that took longer than planned moves all later ones; the gaps between them
                // stay.
                let late = Instant::now().saturating_duration_since(origin + begin);
                if !late.is_zero() {
                    origin += late + breath;
                }
            }
            tokio::select! {
            biased;
                () = tokio::time::sleep_until(origin + begin) => {}
                () = self.shared.stopped() => return ENDED.into(),
            }
            let task = self.tasks.spawn(inject(Arc::clone(&self.shared), fault, *planned));
            self.places.insert(task.id(), (fault, planned.kind.name()));
            if planned.required {
                self.finish_all().await;
                let record = self.records.get(&fault);
                if record.is_none_or(|record| record.error.is_some()) {
                    return format!("{} before it failed", planned.kind.name());
                }
            }
        }
        String::new()
    }

    /// Waits until clients have succeeded again for a while after a fault, up to a limit. Returns
    /// true if they have.
    async fn await_service(&self) -> Result<bool, CutShort> {
        let count = || self.shared.observer.successes();
        let (Some(mut last), false) = (count(), self.records.is_empty()) else { return Ok(false) };
        let begun = Instant::now();
        // The beginning of the current successes, and the time of the last one seen.
        let (mut since, mut seen) = (None, begun);
        while begun.elapsed() < SERVED_WITHIN {
            if self.shared.hold(POLL).await {
                return Err(CutShort);
            }
            let (now, successes) = (Instant::now(), count().unwrap_or_default());
            if successes != last {
                (last, seen) = (successes, now);
                if now - *since.get_or_insert(now) >= SERVED_FOR {
                    return Ok(true);
                }
            } else if now - seen > STALLED {
                since = None;
            }
        }
        Ok(false)
    }

    async fn finish_all(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            match ended {
                Ok((_, record)) => {
                    self.records.insert(record.fault, record);
                }
                // A bug of ours in one fault; the shared field still has its victims and heals
                // them.
                Err(error) => {
                    if let Some(&(fault, name)) = self.places.get(&error.id()) {
                        let reason = format!("the nemesis itself failed: {error}");
                        let record = FaultRecord::not_injected(fault, name, reason);
                        self.shared.over(&record);
                        self.records.insert(fault, record);
                    }
                }
            }
        }
    }
}
