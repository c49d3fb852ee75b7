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

/// The pace of operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Operations that completed in a second.
    pub operations_per_s: f64,
    /// Mean duration of those that succeeded; none if none did.
    pub latency_ms: Option<f64>,
}

/// What goes on, since when, and how long it takes if that is known.
#[derive(Debug)]
struct Phase {
    name: String,
    since: Instant,
    length: Option<Duration>,
}

impl Progress {
    /// A bar if stderr is a terminal, plain lines otherwise, and nothing if only the ending is
    /// wanted.
    #[expect(clippy::new_without_default, reason = "a bar appears as soon as it is made")]
    pub fn new() -> Self {
        let phase = Phase { name: String::new(), since: Instant::now(), length: None };
        let phase = Arc::new(Mutex::new(phase));
        if !std::io::stderr().is_terminal() || crate::is_quiet() {
            return Self { bar: None, phase, kept: None };
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(5));
        bar.set_style(style(false));
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
                bar.set_prefix(escaped(name));
                bar.set_message(String::new());
                bar.set_style(style(length.is_some()));
                bar.set_length(length.map_or(1, |length| length.as_millis() as u64));
                bar.set_position(0);
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
    pub fn update(&self, elapsed: Duration, pace: Pace, faults_in_force: &[String]) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(elapsed.as_millis() as u64);
        bar.set_message(self.in_words(pace, faults_in_force));
    }

    /// Says the pace in a line, where there is no bar. `at_ns` is the time since the run's start.
    pub fn update_line(&self, at_ns: u64, pace: Pace, faults_in_force: &[String]) {
        if self.bar.is_none() && self.kept.is_none() {
            let seconds = at_ns as f64 / 1e9;
            self.note(&format!("{seconds:.1} s  {}", self.in_words(pace, faults_in_force)));
        }
    }

    fn in_words(&self, pace: Pace, faults_in_force: &[String]) -> String {
        let (_, elapsed, length) = self.current();
        let mut parts = vec![format!("{:.0} ops/s", pace.operations_per_s)];
        parts.extend(pace.latency_ms.map(|latency_ms| format!("{latency_ms:.1} ms")));
        if let Some(length) = length {
            parts.push(if faults_in_force.is_empty() {
                "no fault".to_owned()
            } else {
                escaped(faults_in_force.join(", "))
            });
            parts.push(format!("{} s left", length.saturating_sub(elapsed).as_secs()));
        }
        parts.join(" · ")
    }

    /// A line that stays.
    pub fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(escaped(line)),
            None => self.note(line),
        }
    }

    /// A line of the result, which goes to stdout, without tearing the bar. It is left out where
    /// only the ending is wanted.
    pub fn result_line(&self, line: &str) {
        if !crate::is_quiet() {
            self.said_always(line);
        }
    }

    fn said_always(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| crate::result(line)),
            None if self.keep(line, true) => {}
            None => crate::result(line),
        }
    }

    /// Where something is served meanwhile: a result, and on a screen something to read at once.
    pub fn address(&self, line: &str) {
        if !self.keep(line, false) {
            self.said_always(line);
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

/// A bar for what has a length, a sign of life for the rest.
fn style(has_length: bool) -> ProgressStyle {
    let template =
        if has_length { "{prefix} [{bar:16}] {wide_msg}" } else { "{prefix} {spinner} {wide_msg}" };
    // The templates are constants of ours: if they were wrong, the plain bar would do.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
