//! One measurement in a process of its own, so that it can be ended and its memory is its own.
//!
//! In: a history file and what to do with it. Out: one line of JSON on standard output: the
//! verdict, the seconds, the peak of memory.

use std::path::Path;
use std::time::Instant;

use checker::{Collector, Engine, Options, check};
use histories::ReadError;
use serde::{Deserialize, Serialize};

use crate::AnyError;

/// What a measurement says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// The verdict in a word.
    pub verdict: String,
    /// Wall-clock seconds of each repetition, reading excluded.
    pub seconds: Vec<f64>,
    /// Seconds on all processors together, likewise.
    pub processor_seconds: Vec<f64>,
    /// The most memory that the process ever had, bytes.
    pub peak_bytes: u64,
}

/// Reads a history, then judges it in memory so often.
pub fn in_memory(file: &Path, engine: Engine, repetitions: u32) -> Result<Measured, AnyError> {
    // In memory means all of it: the histories of the growth table are judged by `check`, which
    // settles.
    let mut collector = Collector::new();
    histories::source::open(file, histories::ReadOptions::default())?.visit(|event| {
        collector
            .observe(event)
            .map_err(|reason| ReadError::Malformed { line: event.index + 2, reason })
    })?;
    let history = collector.finish();
    let options = Options { engine, ..Options::default() };
    let (mut seconds, mut processor) = (Vec::new(), Vec::new());
    let mut verdict = String::new();
    for _ in 0..repetitions {
        let (begun, used) = (Instant::now(), processor_seconds());
        verdict = check(&history, &options).validity.to_string();
        seconds.push(begun.elapsed().as_secs_f64());
        processor.push(processor_seconds() - used);
    }
    let peak_bytes = peak_bytes("self");
    Ok(Measured { verdict, seconds, processor_seconds: processor, peak_bytes })
}

/// The most memory that a process ever had; 0 where the system does not tell.
pub fn peak_bytes(process: &str) -> u64 {
    status_kib(process, "VmHWM:") * 1024
}

/// The memory that a process has; 0 where the system does not tell.
pub fn resident_bytes(process: &str) -> u64 {
    status_kib(process, "VmRSS:") * 1024
}

fn status_kib(process: &str, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Seconds that this process used, on all processors together; 0 where the system does not tell.
pub fn processor_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// Seconds that a process used so far, or with `of_children` its ended children, in hundredths.
pub fn ticked_seconds(process: &str, of_children: bool) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold blanks. Behind it user and system time are the 12th and 13th
    // field, and those of children the next two.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(if of_children { 13 } else { 11 }).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}
