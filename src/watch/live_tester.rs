//! The live page's view of a run: its clients, its progress, and its faults.
//!
//! In: the state that the run shares with its progress bar, and every event of the nemesis. Out:
//! [`TesterSeen`] once a second. It gets the same events as the history, and decides nothing.

use crate::watch::live::{FaultShown, OperationShown, Tester, TesterSeen};
use histories::{Event, Process, What};
use judge::faults_seen::FaultFinder;
use run::recording::Recording;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use terminal::progress::Progress;

/// The observer of a run.
#[derive(Debug)]
pub struct LiveTester {
    recording: Arc<Recording>,
    progress: Progress,
    faults: Mutex<Faults>,
    looked: Mutex<Instant>,
}

#[derive(Debug, Default)]
struct Faults {
    finder: FaultFinder,
    in_force: Vec<String>,
}

impl LiveTester {
    /// An observer of this run from now on.
    pub fn new(recording: Arc<Recording>, progress: Progress) -> Self {
        recording.measure_between_looks();
        let looked = Mutex::new(Instant::now());
        Self { recording, progress, faults: Mutex::default(), looked }
    }

    /// Takes in an event of the nemesis.
    pub fn observe(&self, time_ns: u64, what: &What) {
        let process = Process::Nemesis;
        let what = what.clone();
        let event = Event { index: 0, time_ns, process, what, error: None, attempts: vec![] };
        self.faults().finder.observe(event.borrowed());
    }

    /// Sets the faults in force now.
    pub fn in_force(&self, names: &[String]) {
        names.clone_into(&mut self.faults().in_force);
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tester for LiveTester {
    fn look(&self) -> TesterSeen {
        let apart_s = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let apart = looked.elapsed();
            *looked = Instant::now();
            apart.as_secs_f64().max(1e-3)
        };
        let mut operations: BTreeMap<String, OperationShown> = BTreeMap::new();
        for (kind, speed) in self.recording.take_since_look().speeds() {
            let (kind, failed) = match kind.strip_suffix("_ERROR") {
                Some(kind) => (kind, true),
                None => (kind, false),
            };
            let shown = operations.entry(kind.to_owned()).or_default();
            if failed {
                shown.error_per_s = speed.count as f64 / apart_s;
            } else {
                shown.ok_per_s = speed.count as f64 / apart_s;
                (shown.p50_ms, shown.p99_ms) =
                    (speed.p50_us as f64 / 1e3, speed.p99_us as f64 / 1e3);
            }
        }
        let (phase, elapsed, length) = self.progress.current();
        let faults = self.faults();
        // The start of the run's clock, in the page's time.
        let zero_ms = unix_ms().saturating_sub(self.recording.now_ns() / 1_000_000);
        let shown = faults.finder.clone().finish().into_iter().map(|seen| FaultShown {
            begin_ms: zero_ms + seen.begin_ns / 1_000_000,
            end_ms: (!faults.in_force.contains(&seen.name))
                .then(|| zero_ms + seen.end_ns / 1_000_000),
            stores: seen.stores.into_iter().collect(),
            name: seen.name,
        });
        TesterSeen {
            phase,
            elapsed_s: elapsed.as_secs_f64(),
            length_s: length.map(|length| length.as_secs_f64()),
            operations,
            in_force: faults.in_force.clone(),
            faults: shown.collect(),
        }
    }
}

/// Returns the present time, milliseconds since 1970.
fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
