//! Watches a run while it goes: shows how far it is, and ends a phase that is over or makes no sense any more.

use crate::{
    interrupt::{Interrupt, Urgency},
    listener::RunEvent,
    lost,
    recording::{Recording, not_recorded},
};
use failure::Failure;
use histories::{Recorder, What};
use judge::{ended_early::Why, ended_processes};
use nemesis::Observer;
use run_directory::RunDirectory;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use targets::under_test::UnderTest;
use terminal::progress::Progress;
use tokio::time::Instant;

/// How often the progress is shown, and the recorder asked whether it still records.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of it was done.
    InTime,
    /// Before its time.
    Early(Why),
}

/// Watches a phase: shows how far it is, and ends it when its time is over or it makes no sense any more.
pub struct Watcher<'a> {
    pub recording: &'a Recording,
    pub recorder: &'a Recorder,
    pub target: &'a UnderTest,
    pub run: &'a RunDirectory,
    pub progress: &'a Progress,
    pub in_force: Arc<Mutex<Vec<String>>>,
}

impl Watcher<'_> {
    /// Returns when the time is over (`None`: never), or when somebody asks for an early end, and
    /// says which; fails when recording failed.
    pub async fn watch(
        &self,
        time: Option<Duration>,
        interrupt: &Interrupt,
    ) -> Result<Ending, Failure> {
        let started = Instant::now();
        let (mut last, mut next_lines) = (self.recording.completed(), crate::measurement::INTERVAL);
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = interrupt.at_least(Urgency::Early) => {
                    self.progress.line("interrupted: healing, then judging what there is; once more to leave at once");
                    return Ok(Ending::Early(Why::Interrupted));
                }
            }
            if let Some(failure) = self.recorder.failure() {
                return Err(not_recorded(&failure));
            }
            if !self.run.path().is_dir() {
                // What is recorded from now on would be in no file that anybody finds.
                return Err(lost(self.run));
            }
            note_ended(self.target, self.recording, self.progress);
            let (elapsed, completed) = (started.elapsed(), self.recording.completed());
            let per_s = (completed - last) as f64 / LOOK_EVERY.as_secs_f64();
            last = completed;
            let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.progress.update(elapsed, per_s, &in_force);
            let over = time.is_some_and(|time| elapsed >= time);
            if over || elapsed >= next_lines {
                next_lines += crate::measurement::INTERVAL;
                self.lines(started);
            }
            if over {
                return Ok(Ending::InTime);
            }
        }
    }

    /// go-ycsb's lines so far.
    pub fn lines(&self, started: Instant) {
        for line in self.recording.measurement_lines(started.elapsed()) {
            self.progress.result_line(&line);
        }
    }
}

/// Tells the history, and who looks, of processes that ended though nobody here killed them.
pub fn note_ended(target: &UnderTest, recording: &Recording, progress: &Progress) {
    for ended in target.newly_ended() {
        progress.line(&ended.to_string());
        let (f, value) = (ended_processes::EVENT.to_owned(), ended.to_json());
        recording.nemesis(What::FaultInvoke { f: f.clone(), value: value.clone() });
        recording.nemesis(What::FaultComplete { f, value });
    }
}

/// What the nemesis tells the run.
pub struct RunObserver {
    pub recording: Arc<Recording>,
    pub in_force: Arc<Mutex<Vec<String>>>,
    pub progress: Progress,
}

impl Observer for RunObserver {
    fn record(&self, what: What) -> u64 {
        let time_ns = self.recording.now_ns();
        self.recording.tell(RunEvent::Nemesis { time_ns, what: &what });
        self.recording.nemesis(what)
    }

    fn acknowledged_writes(&self) -> u64 {
        self.recording.acknowledged_writes()
    }

    fn successes(&self) -> Option<u64> {
        Some(self.recording.succeeded())
    }

    fn waiting_writes(&self, for_at_least: Duration) -> u64 {
        self.recording.waiting_writes(for_at_least)
    }

    fn in_force(&self, names: &[&'static str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.progress.faults(&names);
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        self.recording.tell(RunEvent::InForce { before: &in_force, now: &names });
        *in_force = names;
    }
}
