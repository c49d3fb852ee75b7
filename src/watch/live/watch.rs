//! Observes a cluster once a second, and keeps the observations for pages that are opened later.
//!
//! In: a [`Sampler`] and, in a run, a [`Tester`]. Out: updates as JSON, to every page that listens.

use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use targets::observe::{Sample, Sampler, changes};
use tokio::{
    sync::broadcast,
    time::{MissedTickBehavior, interval},
};

/// The interval of the observations.
const EVERY: Duration = Duration::from_secs(1);
/// The number of observations kept: a quarter of an hour.
const KEPT_MAX: usize = 900;
/// The number of updates that a page may be behind; then it starts anew.
const BEHIND_MAX: usize = 64;

/// An observer of a run's clients and faults.
pub trait Tester: Send + Sync {
    /// Returns the observations since the last call. Called once a second, by one page server only.
    fn look(&self) -> TesterSeen;
}

/// An observation of a run's clients.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TesterSeen {
    /// The run's present phase.
    pub phase: String,
    /// The time since the phase began, seconds.
    pub elapsed_s: f64,
    /// The length of the phase, if known, seconds.
    pub length_s: Option<f64>,
    /// The clients' operations since the last observation, by kind.
    pub operations: BTreeMap<String, OperationShown>,
    /// The names of the faults in force.
    pub in_force: Vec<String>,
    /// All faults so far.
    pub faults: Vec<FaultShown>,
}

/// The rate and latency of one kind of operation, as clients see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OperationShown {
    /// Successes a second.
    pub ok_per_s: f64,
    /// Failed and unknown operations a second.
    pub error_per_s: f64,
    /// The median latency of the successes, milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile of the successes' latency, milliseconds.
    pub p99_ms: f64,
}

/// A fault, shown as a band.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FaultShown {
    /// The fault's name.
    pub name: String,
    /// The time of its begin, milliseconds since 1970.
    pub begin_ms: u64,
    /// The time of its healing; absent while it is in force.
    pub end_ms: Option<u64>,
    /// The ids of its victims.
    pub stores: Vec<u64>,
}

/// An event.
#[derive(Debug, Serialize)]
pub struct Happened {
    /// The time of the event, milliseconds since 1970.
    pub at_ms: u64,
    /// A sentence about the event.
    pub text: String,
}

/// The update that a page gets once a second.
#[derive(Debug, Serialize)]
pub struct Update {
    /// The state of the cluster.
    #[serde(flatten)]
    pub sample: Sample,
    /// The state of the run, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tester: Option<TesterSeen>,
    /// The events since the last observation.
    pub events: Vec<Happened>,
}

/// An update, and its JSON for pages.
#[derive(Debug)]
struct Kept {
    update: Update,
    json: Arc<str>,
}

/// The observations so far, and the listeners for more.
#[derive(Debug, Clone)]
pub struct Past(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<VecDeque<Kept>>,
    listeners: broadcast::Sender<Arc<str>>,
}

impl Default for Past {
    fn default() -> Self {
        let kept = Mutex::default();
        Self(Arc::new(Shared { kept, listeners: broadcast::channel(BEHIND_MAX).0 }))
    }
}

impl Past {
    /// Returns everything kept, as one JSON array, and a receiver of later updates.
    pub fn listen(&self) -> (String, broadcast::Receiver<Arc<str>>) {
        // Done under the lock, so that no update is missed or sent twice.
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = self.0.listeners.subscribe();
        let updates: Vec<&str> = kept.iter().map(|kept| &*kept.json).collect();
        (format!("[{}]", updates.join(",")), listener)
    }

    /// Passes everything kept to `show`, the oldest first.
    pub fn with<T>(&self, show: impl FnOnce(&mut dyn Iterator<Item = &Update>) -> T) -> T {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        show(&mut kept.iter().map(|kept| &kept.update))
    }

    fn tell(&self, update: Update) {
        let json: Arc<str> = match serde_json::to_string(&update) {
            Ok(json) => json.into(),
            Err(error) => return tracing::error!(%error, "an update cannot be written"),
        };
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { update, json: Arc::clone(&json) });
        // An error means that nobody listens, which is fine.
        let _ = self.0.listeners.send(json);
    }
}

/// Observes until it is aborted.
pub async fn watch(mut sampler: Sampler, tester: Option<Arc<dyn Tester>>, past: Past) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Sample> = None;
    loop {
        ticks.tick().await;
        let sample = sampler.look().await;
        let texts = before.as_ref().map(|before| changes(before, &sample)).unwrap_or_default();
        let at_ms = sample.at_ms;
        let events = texts.into_iter().map(|text| Happened { at_ms, text }).collect();
        let tester = tester.as_ref().map(|tester| tester.look());
        before = Some(sample.clone());
        past.tell(Update { sample, tester, events });
    }
}
