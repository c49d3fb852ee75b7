//! Watches a run: shows the progress, and ends a phase that is over or no longer makes sense.

use super::{event_lines::EventLines, leaders::LeadersWatched};
use crate::{
    interrupt::{Interrupt, Urgency},
    listener::RunEvent,
    recording::{Recording, not_recorded},
};
use failure::Failure;
use histories::{Recorder, What};
use judge::{ended_early::Why, ended_processes};
use nemesis::Observer;
use run_directory::RunDirectory;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use targets::under_test::UnderTest;
use terminal::progress::{Pace, Progress};
use tokio::time::Instant;

/// The answer to the first interrupt.
pub const INTERRUPTED: &str =
    "interrupted: undoing faults, then checking what was recorded; Ctrl-C again quits at once";
/// The interval of showing the progress and of asking the recorder if it still records.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The number of looks over which the pace is averaged.
const LOOKS_AVERAGED: usize = 4;

/// The ending of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The phase came to its end.
    InTime,
    /// The phase ended early.
    Early(Why),
}

/// Watches a phase: shows the progress, and ends it when its time is over or it no longer makes
/// sense.
pub struct Watcher<'a> {
    pub recording: &'a Recording,
    pub recorder: &'a Recorder,
    pub target: &'a UnderTest,
    pub run: &'a RunDirectory,
    pub progress: &'a Progress,
    pub in_force: Arc<Mutex<Vec<String>>>,
}

impl Watcher<'_> {
    /// Waits until the time is over (`None`: never) or somebody asks for an early end. Returns
    /// which of the two; fails when recording failed.
    pub async fn watch(
        &self,
        time: Option<Duration>,
        interrupt: &Interrupt,
    ) -> Result<Ending, Failure> {
        let started = Instant::now();
        let mut next_lines = crate::measurement::INTERVAL;
        let mut looks = VecDeque::from([self.look()]);
        let mut last_line = self.look();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = interrupt.at_least(Urgency::Early) => {
                    self.progress.line(INTERRUPTED);
                    return Ok(Ending::Early(Why::Interrupted));
                }
            }
            if let Some(failure) = self.recorder.failure() {
                return Err(not_recorded(&failure));
            }
            if !self.run.path().is_dir() {
                // Further events would go to a file that nobody can find.
                return Err(judge::lost(self.run));
            }
            note_ended(self.target, self.recording, self.progress);
            let elapsed = started.elapsed();
            if looks.len() > LOOKS_AVERAGED {
                looks.pop_front();
            }
            let look = self.look();
            looks.push_back(look);
            let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.progress.update(elapsed, look.since(&looks[0]), &in_force);
            let over = time.is_some_and(|time| elapsed >= time);
            if over || elapsed >= next_lines {
                next_lines += crate::measurement::INTERVAL;
                if !over {
                    let at_ns = self.recording.now_ns();
                    self.progress.update_line(at_ns, look.since(&last_line), &in_force);
                    last_line = look;
                }
                self.lines(started);
            }
            if over {
                return Ok(Ending::InTime);
            }
        }
    }

    fn look(&self) -> Look {
        Look {
            at: Instant::now(),
            completed: self.recording.completed(),
            succeeded: self.recording.succeeded(),
            latency_us: self.recording.latency_us(),
        }
    }

    /// Prints go-ycsb's lines so far, if the output is verbose.
    pub fn lines(&self, started: Instant) {
        if !terminal::is_verbose() {
            return;
        }
        for line in self.recording.measurement_lines(started.elapsed()) {
            self.progress.result_line(&line);
        }
    }
}

/// The clients' counters at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    completed: u64,
    succeeded: u64,
    latency_us: u64,
}

impl Look {
    fn since(&self, before: &Self) -> Pace {
        let apart_s = self.at.duration_since(before.at).as_secs_f64().max(1e-3);
        let succeeded = self.succeeded - before.succeeded;
        let latency_us = (self.latency_us - before.latency_us) as f64 / succeeded.max(1) as f64;
        Pace {
            operations_per_s: (self.completed - before.completed) as f64 / apart_s,
            latency_ms: (succeeded > 0).then_some(latency_us / 1e3),
        }
    }
}

/// Records and prints the processes that ended though nobody here killed them.
pub fn note_ended(target: &UnderTest, recording: &Recording, progress: &Progress) {
    for ended in target.newly_ended() {
        progress.line(&ended.to_string());
        let (f, value) = (ended_processes::EVENT.to_owned(), ended.to_json());
        recording.nemesis(What::FaultInvoke { f: f.clone(), value: value.clone() });
        recording.nemesis(What::FaultComplete { f, value });
    }
}

/// Passes the nemesis's events to the run.
pub struct RunObserver {
    pub recording: Arc<Recording>,
    pub in_force: Arc<Mutex<Vec<String>>>,
    pub progress: Progress,
    /// Prints the faults' lines; a scenario prints its steps itself.
    pub lines: Option<EventLines>,
    pub leaders: LeadersWatched,
}

impl Observer for RunObserver {
    fn record(&self, what: What) -> u64 {
        let time_ns = self.recording.now_ns();
        self.recording.tell(RunEvent::Nemesis { time_ns, what: &what });
        self.leaders.observe(&what);
        let lines = self.lines.as_ref();
        let line = lines.and_then(|lines| lines.observe(time_ns, &what));
        let at_ns = self.recording.nemesis(what);
        if let Some(line) = line {
            self.progress.line(&line);
        }
        at_ns
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
        self.leaders.in_force(names);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        self.recording.tell(RunEvent::InForce { before: &in_force, now: &names });
        *in_force = names;
    }
}
