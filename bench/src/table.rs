//! The table of the engines: the same histories for the default engine, porcupine-rs and Porcupine,
//! in one run.
//!
//! In: bounds for each measurement. Out: a Markdown table on standard output. Each cell is the
//! median of the seconds that judging takes once the history is in memory, on all processors
//! together and (in parentheses) on the wall, and the peak of memory of the whole process, the read
//! history included. Ratios are of time on processors: it depends least on who else works on the
//! machine. Each engine judges in a process of its own. Without Go, Porcupine's column is skipped,
//! and the reason is printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::AnyError;
use crate::child::{Bounds, Ended, run};
use crate::generate::Shape;

/// A row: its name, its history, and how often the fast engine repeats.
struct Row {
    name: &'static str,
    shape: Shape,
}

fn shape(operations: u64, keys: u32, clients: u32) -> Shape {
    Shape {
        operations,
        keys,
        clients,
        zipf: 0.99,
        cas: 0,
        deletes: 0,
        unknown: 0,
        crashed: 0,
        stale: false,
        seed: 1,
    }
}

fn rows() -> Vec<Row> {
    let ycsb = shape(1_000_000, 10_000, 16);
    let one = |operations, clients| shape(operations, 1, clients);
    let row = |name, shape| Row { name, shape };
    vec![
        row("YCSB A, 1 M operations, 10,000 keys, zipf 0.99, 16 clients", ycsb.clone()),
        row(
            "the same with 10 % CAS and 10 % deletes",
            Shape { cas: 10, deletes: 10, ..ycsb.clone() },
        ),
        row("the same with 0.05 % unknown writes", Shape { unknown: 5, ..ycsb }),
        row("one key, 1,000 operations, 16 clients", one(1_000, 16)),
        row(
            "one key, 1,000 operations, 16 clients, one stale read",
            Shape { stale: true, ..one(1_000, 16) },
        ),
        row("one key, 1,000 operations, 64 clients", one(1_000, 64)),
        row("one key, 10,000 operations, 16 clients", one(10_000, 16)),
        row("one key, 1 M operations, 4 clients", one(1_000_000, 4)),
        row(
            "one key, 1,000 operations, 4 clients, 20 crashed writes, one stale read",
            Shape { crashed: 20, stale: true, ..one(1_000, 4) },
        ),
        row(
            "one key, 1 M operations, 256 clients, 10 % CAS and 10 % deletes",
            Shape { cas: 10, deletes: 10, ..one(1_000_000, 256) },
        ),
    ]
}

/// Prints the table.
pub fn print(bounds: Bounds, only: Option<&str>) -> Result<(), AnyError> {
    let directory = tempfile::tempdir()?;
    let porcupine = match build_porcupine(directory.path()) {
        Ok(program) => Some(program),
        Err(reason) => {
            println!("Porcupine is skipped: {reason}\n");
            None
        }
    };
    println!(
        "| history | default engine | porcupine-rs | Porcupine | ratio to porcupine-rs | ratio to Porcupine |"
    );
    println!("|---|---|---|---|---|---|");
    for Row { name, shape } in rows() {
        if only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let file = directory.path().join("history.jsonl");
        crate::write_history(&file, &shape)?;
        let program = std::env::current_exe()?;
        let engine = |name: &str, repetitions: &str| {
            let mut command = Command::new(&program);
            command.args(["engine", "--engine", name, "--repetitions", repetitions]).arg(&file);
            run(&mut command, bounds)
        };
        let ours = engine("auto", "7")?;
        let crate_rs = engine("porcupine", "1")?;
        let go = porcupine
            .as_ref()
            .map(|program| run(Command::new(program).arg(&file), bounds))
            .transpose()?;
        agree(&ours, [Some(&crate_rs), go.as_ref()])?;
        println!(
            "| {name} | {ours} | {crate_rs} | {} | {} | {} |",
            go.as_ref().map_or("skipped".to_owned(), Ended::to_string),
            ratio(&ours, Some(&crate_rs)),
            ratio(&ours, go.as_ref()),
        );
        std::fs::remove_file(&file)?;
    }
    Ok(())
}

/// Engines that end must say the same.
fn agree(ours: &Ended, others: [Option<&Ended>; 2]) -> Result<(), AnyError> {
    let Ended::Well(ours) = ours else { return Err("the default engine did not end".into()) };
    for other in others.into_iter().flatten() {
        if let Ended::Well(other) = other
            && other.verdict != "unknown"
            && other.verdict != ours.verdict
        {
            return Err(format!("{} here, {} there", ours.verdict, other.verdict).into());
        }
    }
    Ok(())
}

fn ratio(ours: &Ended, other: Option<&Ended>) -> String {
    let (Some(ours), Some(other)) = (ours.at_least(), other) else {
        return String::new();
    };
    let ends = matches!(other, Ended::Well(measured) if measured.verdict != "unknown");
    let more = if ends { "" } else { "> " };
    other.at_least().map_or(String::new(), |other| format!("{more}{:.0}", other / ours))
}

/// Builds the program in bench/porcupine; the reason if that cannot be done.
pub fn build_porcupine(directory: &Path) -> Result<PathBuf, String> {
    let program = directory.join("porcupine");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/porcupine");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(source);
    match build.output() {
        Err(error) => Err(format!("Go is not here ({error})")),
        Ok(output) if !output.status.success() => {
            Err(format!("go build: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Ok(_) => Ok(program),
    }
}
