//! The progress of a run: a bar on a terminal, plain lines elsewhere, or nothing while the TUI
//! shows it.
//!
//! In: the phase, counts, the faults in force. Out: stderr. Results go to stdout and are not made
//! here. While the TUI has the terminal all lines are kept, and printed when it is over.

use crate::escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Shows the progress of a run.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: Option<ProgressBar>,
    phase: Arc<Mutex<Phase>>,
    /// The lines kept while the TUI has the terminal.
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
    /// Mean duration of successful operations; none if none succeeded.
    pub latency_ms: Option<f64>,
}

/// A phase, its start, and its length if that is known.
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

    /// A progress shown by the TUI: nothing is printed until [`Progress::finish`].
    pub fn on_screen() -> Self {
        let phase = Phase { name: String::new(), since: Instant::now(), length: None };
        Self { bar: None, phase: Arc::new(Mutex::new(phase)), kept: Some(Arc::default()) }
    }

    /// The kept lines that are no results: milliseconds since 1970, and the line.
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

    /// Keeps a line if the TUI has the terminal. Returns false otherwise.
    fn keep(&self, line: &str, is_result: bool) -> bool {
        let Some(kept) = &self.kept else { return false };
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at_ms = since.map_or(0, |since| since.as_millis() as u64);
        let said = Said { at_ms, line: line.to_owned(), is_result };
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        true
    }

    /// Begins a new phase, with its length if known.
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

    /// The phase, the time since its start, and its length if that is known.
    pub fn current(&self) -> (String, Duration, Option<Duration>) {
        let phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        (phase.name.clone(), phase.since.elapsed(), phase.length)
    }

    /// Shows the position in the phase, the pace of operations, and the faults in force.
    pub fn update(&self, elapsed: Duration, pace: Pace, faults_in_force: &[String]) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(elapsed.as_millis() as u64);
        bar.set_message(self.in_words(pace, faults_in_force));
    }

    /// Prints the pace as a line, if there is no bar. `at_ns` is the time since the run's start.
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

    /// Prints a line above the bar.
    pub fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(escaped(line)),
            None => self.note(line),
        }
    }

    /// Prints a line of the result on stdout, without tearing the bar. Leaves it out if only the
    /// ending is wanted.
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

    /// Prints the address of a service: as a result, and on a TUI at once.
    pub fn address(&self, line: &str) {
        if !self.keep(line, false) {
            self.said_always(line);
        }
    }

    /// Removes the bar, and prints the kept lines.
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

/// The style: a bar for phases with a length, a spinner for others.
fn style(has_length: bool) -> ProgressStyle {
    let template =
        if has_length { "{prefix} [{bar:16}] {wide_msg}" } else { "{prefix} {spinner} {wide_msg}" };
    // The templates are our constants: if they were wrong, the plain bar would do.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
