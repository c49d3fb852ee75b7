//! What a person sees while a run goes: a bar on a terminal, plain lines elsewhere.
//!
//! In: the phase, counts, the faults in force. Out: stderr. Results go to stdout and are not made here.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Shows how far a run is.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: Option<ProgressBar>,
    phase: Arc<Mutex<Phase>>,
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
    pub fn new() -> Self {
        let phase = Phase { name: String::new(), since: Instant::now(), length: None };
        let phase = Arc::new(Mutex::new(phase));
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, phase };
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(5));
        bar.set_style(style());
        Self { bar: Some(bar), phase }
    }

    /// A new phase begins, so long if known.
    pub fn phase(&self, name: &str, length: Option<Duration>) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) =
            Phase { name: name.to_owned(), since: Instant::now(), length };
        match &self.bar {
            Some(bar) => {
                bar.set_length(length.map_or(1, |length| length.as_millis() as u64));
                bar.set_position(0);
                bar.set_prefix(name.to_owned());
                bar.set_message(String::new());
                bar.enable_steady_tick(Duration::from_millis(200));
            }
            None => crate::terminal::note(format_args!("{name}")),
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
            faults_in_force.join(", ")
        };
        bar.set_message(format!("{operations_per_s:.0} ops/s · {faults} · {left_s} s left"));
    }

    /// The faults in force changed. The bar shows them by itself.
    pub fn faults(&self, in_force: &[String]) {
        if self.bar.is_none() && !in_force.is_empty() {
            crate::terminal::note(format_args!("in force: {}", in_force.join(", ")));
        }
    }

    /// A line that stays.
    pub fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => crate::terminal::note(line),
        }
    }

    /// A line of the result, which goes to stdout, without tearing the bar.
    pub fn result_line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| crate::terminal::result(line)),
            None => crate::terminal::result(line),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    // The template is a constant of ours: if it were wrong, the plain bar would do.
    ProgressStyle::with_template("{prefix} [{bar:24}] {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
