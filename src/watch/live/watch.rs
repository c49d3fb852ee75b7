//! Looks once a second, and keeps what was seen for pages that are opened later.
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

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// So many looks are kept: a quarter of an hour.
const KEPT_MAX: usize = 900;
/// A page that is so many updates behind starts anew.
const BEHIND_MAX: usize = 64;

/// Who sees the clients and the faults of a run.
pub trait Tester: Send + Sync {
    /// What is to be said since the last look. It is asked once a second, by one page server only.
    fn look(&self) -> TesterSeen;
}

/// How the clients of a run fare.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TesterSeen {
    /// What the run does at the moment.
    pub phase: String,
    /// For how long, seconds.
    pub elapsed_s: f64,
    /// How long that takes, if known, seconds.
    pub length_s: Option<f64>,
    /// What clients did since the last look, by kind.
    pub operations: BTreeMap<String, OperationShown>,
    /// Names of the faults in force.
    pub in_force: Vec<String>,
    /// All faults so far.
    pub faults: Vec<FaultShown>,
}

/// How one kind of operation fares, as clients see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OperationShown {
    /// Successes a second.
    pub ok_per_s: f64,
    /// Failed and unknown ones a second.
    pub error_per_s: f64,
    /// Half of the successes took at most so long, milliseconds.
    pub p50_ms: f64,
    /// 99 in a hundred of the successes took at most so long, milliseconds.
    pub p99_ms: f64,
}

/// A fault, as a band.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FaultShown {
    /// Its name.
    pub name: String,
    /// When it began, milliseconds since 1970.
    pub begin_ms: u64,
    /// When it was healed; absent while it is in force.
    pub end_ms: Option<u64>,
    /// Whom it hurt.
    pub stores: Vec<u64>,
}

/// Something that happened.
#[derive(Debug, Serialize)]
pub struct Happened {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// What, in a sentence.
    pub text: String,
}

/// What a page is told once a second.
#[derive(Debug, Serialize)]
pub struct Update {
    /// What the cluster looks like.
    #[serde(flatten)]
    pub sample: Sample,
    /// How the run fares, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tester: Option<TesterSeen>,
    /// What happened since the look before.
    pub events: Vec<Happened>,
}

/// An update, and how pages read it.
#[derive(Debug)]
struct Kept {
    update: Update,
    json: Arc<str>,
}

/// What was seen so far, and who wants to hear more.
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
    /// Everything kept, as one JSON array, and what comes after it.
    pub fn listen(&self) -> (String, broadcast::Receiver<Arc<str>>) {
        // Under the lock, so that no update is missed or told twice.
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = self.0.listeners.subscribe();
        let updates: Vec<&str> = kept.iter().map(|kept| &*kept.json).collect();
        (format!("[{}]", updates.join(",")), listener)
    }

    /// Shows everything kept, the oldest first.
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
        // Nobody listens: that is all right.
        let _ = self.0.listeners.send(json);
    }
}

/// Looks until it is aborted.
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
