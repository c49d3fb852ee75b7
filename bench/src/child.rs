//! Runs one measurement as a process of its own, within bounds of time and memory. Time is that on
//! all processors together, so that whoever else works on the machine does not end it.
//!
//! In: a command that prints one line of JSON. Out: what it measured, or the bound that it broke.

use std::fmt;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::AnyError;
use crate::engine::{Measured, peak_bytes, resident_bytes, ticked_seconds};

/// How a measurement ended.
#[derive(Debug)]
pub enum Ended {
    /// It measured.
    Well(Measured),
    /// It took longer than the bound, seconds.
    TooSlow(u64),
    /// It took more memory than the bound, gigabytes.
    TooBig(u64),
}

/// What a measurement may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Seconds.
    pub seconds_max: u64,
    /// Gigabytes.
    pub gigabytes_max: u64,
}

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs a command, and ends it when it breaks a bound.
pub fn run(command: &mut Command, bounds: Bounds) -> Result<Ended, AnyError> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().ok_or("no standard output")?;
    let id = child.id().to_string();
    let broken = loop {
        if child.try_wait()?.is_some() {
            break None;
        }
        if ticked_seconds(&id, false) >= bounds.seconds_max as f64 {
            break Some(Ended::TooSlow(bounds.seconds_max));
        }
        if resident_bytes(&id) > bounds.gigabytes_max << 30 {
            break Some(Ended::TooBig(bounds.gigabytes_max));
        }
        thread::sleep(LOOK_EVERY);
    };
    if let Some(broken) = broken {
        child.kill()?;
        child.wait()?;
        return Ok(broken);
    }
    let status = child.wait()?;
    let mut text = String::new();
    output.read_to_string(&mut text)?;
    if !status.success() {
        return Err(format!("{} ended with {status}", command.get_program().display()).into());
    }
    Ok(Ended::Well(serde_json::from_str(&text)?))
}

/// What a whole command took.
#[derive(Debug, Clone, Copy)]
pub struct Whole {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Seconds on all processors together.
    pub processor_seconds: f64,
    /// The most memory that it had, bytes, looked at now and then.
    pub peak_bytes: u64,
}

/// Runs a command to its end. Its output is thrown away.
pub fn whole(command: &mut Command) -> Result<Whole, AnyError> {
    let used = ticked_seconds("self", true);
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let id = child.id().to_string();
    let mut peak = 0;
    let status = loop {
        peak = peak_bytes(&id).max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(LOOK_EVERY);
    };
    let seconds = begun.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{} ended with {status}", command.get_program().display()).into());
    }
    let processor_seconds = ticked_seconds("self", true) - used;
    Ok(Whole { seconds, processor_seconds, peak_bytes: peak })
}

/// The one in the middle.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

impl Measured {
    /// The median of its seconds: on all processors together, or on the wall if that is so little
    /// that the system does not count it well.
    fn least_disturbed(&self) -> f64 {
        const COUNTED_WELL: f64 = 0.005;
        let processor = median(self.processor_seconds.clone()).unwrap_or_default();
        let wall = median(self.seconds.clone()).unwrap_or_default();
        if processor < COUNTED_WELL { wall } else { processor }
    }
}

impl Ended {
    /// The least time that it takes, whether it ended or not.
    pub fn at_least(&self) -> Option<f64> {
        match self {
            Self::Well(measured) => Some(measured.least_disturbed()),
            Self::TooSlow(seconds) => Some(*seconds as f64),
            Self::TooBig(_) => None,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well(measured) => {
                let wall = median(measured.seconds.clone()).unwrap_or_default();
                let megabytes = measured.peak_bytes as f64 / 1e6;
                let gave_up = if measured.verdict == "unknown" { "gives up after " } else { "" };
                let least = format!("{gave_up}{}", time(measured.least_disturbed()));
                write!(f, "{least} ({}), {megabytes:.0} MB", time(wall))
            }
            Self::TooSlow(seconds) => write!(f, "> {seconds} s"),
            Self::TooBig(gigabytes) => write!(f, "> {gigabytes} GB"),
        }
    }
}

/// Seconds with a unit that suits them.
pub fn time(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}
