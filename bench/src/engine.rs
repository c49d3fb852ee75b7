//! One measurement in a process of its own, so that it can be ended and its memory is its own.
//!
//! In: a history file and what to do with it. Out: one line of JSON on standard output: the verdict, the seconds, the
//! peak of memory.

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
    /// Seconds on all processors together, of the whole process, reading included.
    pub processor_seconds: f64,
    /// The most memory that the process ever had, bytes.
    pub peak_bytes: u64,
}

/// Reads a history, then judges it in memory so often.
pub fn in_memory(file: &Path, engine: Engine, repetitions: u32) -> Result<Measured, AnyError> {
    let mut collector = Collector::new();
    histories::source::open(file, None)?.hear(|event| {
        collector
            .hear(event)
            .map_err(|reason| ReadError::Malformed { line: event.index + 2, reason })
    })?;
    let history = collector.finish();
    let options = Options { engine, ..Options::default() };
    let mut seconds = Vec::new();
    let mut verdict = String::new();
    for _ in 0..repetitions {
        let begun = Instant::now();
        verdict = check(&history, &options).validity.to_string();
        seconds.push(begun.elapsed().as_secs_f64());
    }
    Ok(Measured {
        verdict,
        seconds,
        processor_seconds: processor_seconds(),
        peak_bytes: peak_bytes("self"),
    })
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
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold blanks; user and system time are the 12th and 13th field behind it.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}
