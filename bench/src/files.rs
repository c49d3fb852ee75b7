//! The table of whole commands: from a file to the verdict, against a bare parse of the same file,
//! in one run.
//!
//! In: the program, sizes, repetitions. Out: Markdown tables on standard output. Times are medians,
//! on all processors together and (in parentheses) on the wall; memory is the peak of the whole
//! process.

use std::path::Path;
use std::process::Command;

use crate::AnyError;
use crate::child::{Whole, median, time, whole};
use crate::generate::Shape;
use crate::yardstick;

/// Prints what the program takes for one history, and what each JSON crate takes to parse it.
pub fn against_parsers(program: &Path, shape: &Shape, repetitions: u32) -> Result<(), AnyError> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("history.jsonl");
    crate::write_history(&file, shape)?;
    let bytes = std::fs::read(&file)?;
    let mut checks = Vec::new();
    let mut parses = [(); yardstick::PARSERS.len()].map(|()| (Vec::new(), Vec::new()));
    for _ in 0..repetitions {
        checks.push(check(program, &file, directory.path())?);
        for (parser, (wall, processor)) in yardstick::PARSERS.into_iter().zip(&mut parses) {
            let (seconds, used, _) = yardstick::parse(&bytes, parser);
            wall.push(seconds);
            processor.push(used);
        }
    }
    let (wall, processor, peak) = medians(&checks);
    println!("{} operations, {} bytes\n", shape.operations, bytes.len());
    println!("| from the file to | seconds | ratio |");
    println!("|---|---|---|");
    println!(
        "| the verdict: `jepsen-tikv check` | {} ({}), {:.0} MB | |",
        time(processor),
        time(wall),
        peak as f64 / 1e6
    );
    for ((name, _), (walls, processors)) in yardstick::PARSERS.into_iter().zip(parses) {
        let (seconds, used) = (median(walls).unwrap_or(0.0), median(processors).unwrap_or(0.0));
        let ratio = processor / used;
        println!("| parsed lines: {name} | {} ({}) | {ratio:.2} |", time(used), time(seconds));
    }
    println!();
    Ok(())
}

/// Prints how time and memory grow: what the program takes for histories of several sizes.
pub fn growth(
    program: &Path,
    directory: &Path,
    shape: &Shape,
    sizes: &[u64],
    repetitions: u32,
) -> Result<(), AnyError> {
    println!(
        "| operations | seconds | for a million | growth | peak memory | bytes an operation |"
    );
    println!("|---|---|---|---|---|---|");
    let mut first = None;
    for &operations in sizes {
        let file = directory.join(format!("growth-{operations}.jsonl"));
        crate::write_history(&file, &Shape { operations, ..shape.clone() })?;
        let checks: Result<Vec<Whole>, AnyError> =
            (0..repetitions).map(|_| check(program, &file, directory)).collect();
        std::fs::remove_file(&file)?;
        let (wall, processor, peak) = medians(&checks?);
        let for_a_million = processor / operations as f64 * 1e6;
        let growth = for_a_million / *first.get_or_insert(for_a_million);
        println!(
            "| {operations} | {} ({}) | {} | {growth:.2} | {:.0} MB | {:.0} |",
            time(processor),
            time(wall),
            time(for_a_million),
            peak as f64 / 1e6,
            peak as f64 / operations as f64
        );
    }
    println!();
    Ok(())
}

fn check(program: &Path, file: &Path, counterexamples: &Path) -> Result<Whole, AnyError> {
    let mut command = Command::new(program);
    command.arg("check").arg(file).arg("--counterexamples").arg(counterexamples);
    whole(&mut command)
}

fn medians(checks: &[Whole]) -> (f64, f64, u64) {
    let of = |what: fn(&Whole) -> f64| median(checks.iter().map(what).collect()).unwrap_or(0.0);
    let peak = checks.iter().map(|check| check.peak_bytes).max().unwrap_or(0);
    (of(|check| check.seconds), of(|check| check.processor_seconds), peak)
}
