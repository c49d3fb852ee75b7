//! The table of small registers with repeated values and many lost answers, beside Porcupine.
//!
//! In: sizes, shares of unknown outcomes, numbers of clients, seeds. Out: a line for each history
//! on standard output, or a Markdown table with the sums of each shape. Every history is judged by
//! both in the same run.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use checker::{Collector, Options, check};
use clap::Args;
use histories::{Header, jsonl::Writer};

use crate::AnyError;
use crate::engine::processor_seconds;
use crate::table::build_porcupine;
use register::{Shape, Stale, simulated};

#[path = "../../checker/tests/simulated/mod.rs"]
mod register;

/// Which histories.
#[derive(Debug, Clone, Args)]
pub struct Shapes {
    /// Operations
    #[arg(long, value_delimiter = ',', default_value = "140,300,1000,3000")]
    operations: Vec<u64>,
    /// The percentage of operations that are writes or CAS of unknown outcome
    #[arg(long, value_delimiter = ',', default_value = "0,10,20,30")]
    unknown: Vec<u64>,
    /// Clients
    #[arg(long, value_delimiter = ',', default_value = "4,16,64")]
    clients: Vec<u64>,
    /// Values
    #[arg(long, value_delimiter = ',', default_value = "5")]
    values: Vec<u64>,
    /// Seeds of each shape
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds that Porcupine may take for one history
    #[arg(long, default_value_t = 10)]
    seconds_max: u64,
    /// A line for every history
    #[arg(long)]
    each: bool,
    /// Without Porcupine
    #[arg(long)]
    alone: bool,
}

/// Judges every history, and prints what that took.
pub fn print(shapes: &Shapes) -> Result<(), AnyError> {
    let directory = tempfile::tempdir()?;
    let porcupine = if shapes.alone { None } else { Some(build_porcupine(directory.path())?) };
    println!(
        "| operations | unknown | clients | | ours, all | slowest | Porcupine, all | slowest | not ended | slower than it |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for &operations in &shapes.operations {
        for &unknown in &shapes.unknown {
            for &clients in &shapes.clients {
                for stale in [Stale::None, Stale::Middle, Stale::End] {
                    let mut sums = Sums::default();
                    for &values in &shapes.values {
                        for seed in shapes.seed..shapes.seed + shapes.seeds {
                            let shape = Shape { operations, clients, unknown, values, stale, seed };
                            let one = judge(
                                &shape,
                                porcupine.as_deref(),
                                directory.path(),
                                shapes.seconds_max,
                            )?;
                            if shapes.each {
                                println!(
                                    "{shape:?}: {}, {} s, Porcupine {:?}",
                                    one.verdict, one.ours, one.porcupine
                                );
                            }
                            sums.add(&one);
                        }
                    }
                    let stale = match stale {
                        Stale::None => "",
                        Stale::Middle => "one stale read",
                        Stale::End => "a stale read at the end",
                    };
                    println!("| {operations} | {unknown} % | {clients} | {stale} {sums}");
                }
            }
        }
    }
    Ok(())
}

struct One {
    verdict: String,
    ours: f64,
    porcupine: Option<(String, f64)>,
}

#[derive(Debug, serde::Deserialize)]
struct Theirs {
    verdict: String,
    seconds: Vec<f64>,
    processor_seconds: Vec<f64>,
}

fn judge(
    shape: &Shape,
    porcupine: Option<&Path>,
    directory: &Path,
    seconds_max: u64,
) -> Result<One, AnyError> {
    let events = simulated(shape);
    let mut collector = Collector::new();
    for event in events.clone() {
        collector.push(event)?;
    }
    let history = collector.finish();
    let (begun, used) = (Instant::now(), processor_seconds());
    let verdict = check(&history, &Options::default());
    let ours = begun.elapsed().as_secs_f64().min(processor_seconds() - used);
    let theirs = porcupine.map(|program| -> Result<_, AnyError> {
        let file = directory.join("history.jsonl");
        let mut writer = Writer::new(std::fs::File::create(&file)?, &Header::default())?;
        for event in &events {
            writer.write(event)?;
        }
        writer.finish()?;
        let output = Command::new(program).arg(&file).arg(seconds_max.to_string()).output()?;
        let theirs: Theirs = serde_json::from_slice(&output.stdout)?;
        Ok((theirs.verdict, theirs.seconds[0].min(theirs.processor_seconds[0])))
    });
    let porcupine = theirs.transpose()?;
    let ours_said = verdict.validity.to_string();
    if let Some((said, _)) = &porcupine
        && said != "unknown"
        && ours_said != "unknown"
        && *said != ours_said
    {
        return Err(format!("{shape:?}: {ours_said} here, {said} there").into());
    }
    Ok(One { verdict: ours_said, ours, porcupine })
}

/// The total cost of the histories of one shape.
#[derive(Debug, Default)]
struct Sums {
    valid: u64,
    invalid: u64,
    unknown: u64,
    ours: f64,
    ours_max: f64,
    theirs: f64,
    theirs_max: f64,
    theirs_unknown: u64,
    slower: u64,
}

impl Sums {
    fn add(&mut self, one: &One) {
        match one.verdict.as_str() {
            "valid" => self.valid += 1,
            "invalid" => self.invalid += 1,
            _ => self.unknown += 1,
        }
        self.ours += one.ours;
        self.ours_max = self.ours_max.max(one.ours);
        if let Some((said, seconds)) = &one.porcupine {
            self.theirs += seconds;
            self.theirs_max = self.theirs_max.max(*seconds);
            self.theirs_unknown += u64::from(said == "unknown");
            self.slower += u64::from(one.ours > *seconds);
        }
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = crate::child::time;
        write!(
            f,
            "({} valid, {} invalid, {} unknown) | {} | {} | {} | {} | {} | {} |",
            self.valid,
            self.invalid,
            self.unknown,
            time(self.ours),
            time(self.ours_max),
            time(self.theirs),
            time(self.theirs_max),
            self.theirs_unknown,
            self.slower,
        )
    }
}
