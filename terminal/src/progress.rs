//! What a person sees while a run goes: a bar on a terminal, plain lines elsewhere, or nothing where a screen shows all.
//!
//! In: the phase, counts, the faults in force. Out: stderr. Results go to stdout and are not made here; while a screen has
//! the terminal all lines are kept, and said when it is over.

use crate::escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Shows how far a run is.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: Option<ProgressBar>,
    phase: Arc<Mutex<Phase>>,
    /// What was said while a screen has the terminal.
    kept: Option<Arc<Mutex<Vec<Said>>>>,
}

/// A line that waits until the terminal is free.
#[derive(Debug)]
struct Said {
    at_ms: u64,
    line: String,
    is_result: bool,
}

/// What goes on, since when, and how long it takes if that is known.
#[derive(Debug)]
struct Phase {
    name: String,
    since: Instant,
    length: Option<Duration>,
}

impl Progress {
    /// A bar if stderr is a terminal, plain lines otherwise.
    #[expect(clippy::new_without_default, reason = "a bar appears as soon as it is made")]
    pub fn new() -> Self {
        let phase = Phase { name: String::new(), since: Instant::now(), length: None };
        let phase = Arc::new(Mutex::new(phase));
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, phase, kept: None };
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(5));
        bar.set_style(style());
        Self { bar: Some(bar), phase, kept: None }
    }

    /// A screen shows how far the run is: nothing is said until [`Progress::finish`].
    pub fn on_screen() -> Self {
        let phase = Phase { name: String::new(), since: Instant::now(), length: None };
        Self { bar: None, phase: Arc::new(Mutex::new(phase)), kept: Some(Arc::default()) }
    }

    /// What was said so far and is no result: milliseconds since 1970, and a line.
    pub fn said(&self) -> Vec<(u64, String)> {
        let Some(kept) = &self.kept else { return Vec::new() };
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = kept.iter().filter(|said| !said.is_result);
        notes.map(|said| (said.at_ms, said.line.clone())).collect()
    }

    fn note(&self, line: &str) {
        if !self.keep(line, false) {
            crate::note(line);
        }
    }

    /// Keeps a line if a screen has the terminal.
    fn keep(&self, line: &str, is_result: bool) -> bool {
        let Some(kept) = &self.kept else { return false };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at_ms = since.map_or(0, |since| since.as_millis() as u64);
        let said = Said { at_ms, line: line.to_owned(), is_result };
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        true
    }

    /// A new phase begins, so long if known.
    pub fn phase(&self, name: &str, length: Option<Duration>) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) =
            Phase { name: name.to_owned(), since: Instant::now(), length };
        match &self.bar {
            Some(bar) => {
                bar.set_length(length.map_or(1, |length| length.as_millis() as u64));
                bar.set_position(0);
                bar.set_prefix(escaped(name));
                bar.set_message(String::new());
                bar.enable_steady_tick(Duration::from_millis(200));
            }
            None => self.note(name),
        }
    }

    /// The phase, since how long, and how long it takes if that is known.
    pub fn current(&self) -> (String, Duration, Option<Duration>) {
        let phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        (phase.name.clone(), phase.since.elapsed(), phase.length)
    }

    /// How far the phase is, how fast operations go, and what hurts.
    pub fn update(&self, elapsed: Duration, operations_per_s: f64, faults_in_force: &[String]) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(elapsed.as_millis() as u64);
        let left_s = bar.length().unwrap_or(0).saturating_sub(elapsed.as_millis() as u64) / 1000;
        let faults = if faults_in_force.is_empty() {
            "no fault".to_owned()
        } else {
            escaped(faults_in_force.join(", "))
        };
        bar.set_message(format!("{operations_per_s:.0} ops/s · {faults} · {left_s} s left"));
    }

    /// The faults in force changed. The bar shows them by itself.
    pub fn faults(&self, in_force: &[String]) {
        if self.bar.is_none() && !in_force.is_empty() {
            self.note(&format!("in force: {}", in_force.join(", ")));
        }
    }

    /// A line that stays.
    pub fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(escaped(line)),
            None => self.note(line),
        }
    }

    /// A line of the result, which goes to stdout, without tearing the bar.
    pub fn result_line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| crate::result(line)),
            None if self.keep(line, true) => {}
            None => crate::result(line),
        }
    }

    /// Where something is served meanwhile: a result, and on a screen something to read at once.
    pub fn address(&self, line: &str) {
        if !self.keep(line, false) {
            self.result_line(line);
        }
    }

    /// Takes the bar away, and says what was kept.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let Some(kept) = &self.kept else { return };
        for said in kept.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if said.is_result {
                crate::result(said.line);
            } else {
                crate::note(said.line);
            }
        }
    }
}

fn style() -> ProgressStyle {
    // The template is a constant of ours: if it were wrong, the plain bar would do.
    ProgressStyle::with_template("{prefix} [{bar:24}] {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
