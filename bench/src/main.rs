//! Measures what the checker costs: engines side by side on the same histories, and whole commands
//! from file to verdict.
//!
//! `bench/run` makes the tables of docs/benchmarks.md in one run. This program makes histories from
//! a seed, runs each measurement in a process of its own, and prints Markdown.

mod child;
mod engine;
mod files;
mod generate;
mod simulated;
mod table;
mod yardstick;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use checker::Engine;
use clap::{Parser, Subcommand};
use histories::{Header, jsonl::Writer};

type AnyError = Box<dyn std::error::Error>;

/// Measures what the checker costs.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a history made from a seed
    Generate {
        /// Where to; - = standard output
        file: PathBuf,
        /// What it is like
        #[command(flatten)]
        shape: generate::Shape,
    },
    /// The default engine, porcupine-rs and Porcupine on the same histories in memory
    Engines {
        /// Seconds on all processors together that one measurement may take
        #[arg(long, default_value_t = 60)]
        seconds_max: u64,
        /// Gigabytes that one measurement may take
        #[arg(long, default_value_t = 8)]
        gigabytes_max: u64,
        /// Only rows whose name has this in it
        #[arg(long)]
        only: Option<String>,
    },
    /// `jepsen-tikv check` from file to verdict, against a bare parse of the same file
    File {
        /// The program [default: jepsen-tikv beside this one]
        #[arg(long)]
        program: Option<PathBuf>,
        /// How often
        #[arg(long, default_value_t = 5)]
        repetitions: u32,
        /// The history
        #[command(flatten)]
        shape: generate::Shape,
    },
    /// `jepsen-tikv check` from file to verdict, on histories of growing size
    Growth {
        /// The program [default: jepsen-tikv beside this one]
        #[arg(long)]
        program: Option<PathBuf>,
        /// Sizes in operations; a hundred million take 22 GB of disk
        #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
        sizes: Vec<u64>,
        /// Where the files are while they are needed
        #[arg(long, default_value_os_t = std::env::temp_dir())]
        directory: PathBuf,
        /// How often
        #[arg(long, default_value_t = 3)]
        repetitions: u32,
        /// The histories
        #[command(flatten)]
        shape: generate::Shape,
    },
    /// Small registers whose values repeat and many of whose answers are lost, beside Porcupine
    Simulated {
        /// Which histories
        #[command(flatten)]
        shapes: simulated::Shapes,
    },
    /// One measurement, in the process that `engines` starts for it
    #[command(hide = true)]
    Engine {
        /// The history
        file: PathBuf,
        /// auto or porcupine
        #[arg(long)]
        engine: String,
        /// How often
        #[arg(long)]
        repetitions: u32,
    },
}

fn main() -> Result<(), AnyError> {
    match Cli::parse().command {
        Command::Generate { file, shape } => write_history(&file, &shape),
        Command::Engines { seconds_max, gigabytes_max, only } => {
            let bounds = child::Bounds { seconds_max, gigabytes_max };
            table::print(bounds, only.as_deref())
        }
        Command::File { program, repetitions, shape } => {
            files::against_parsers(&beside(program)?, &shape, repetitions)
        }
        Command::Growth { program, sizes, directory, repetitions, shape } => {
            files::growth(&beside(program)?, &directory, &shape, &sizes, repetitions)
        }
        Command::Simulated { shapes } => simulated::print(&shapes),
        Command::Engine { file, engine, repetitions } => {
            let engine = match engine.as_str() {
                "porcupine" => Engine::Porcupine,
                _ => Engine::Auto,
            };
            let measured = engine::in_memory(&file, engine, repetitions)?;
            println!("{}", serde_json::to_string(&measured)?);
            Ok(())
        }
    }
}

/// The program that is measured.
fn beside(program: Option<PathBuf>) -> Result<PathBuf, AnyError> {
    let program = match program {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("jepsen-tikv"),
    };
    if !program.is_file() {
        let path = program.display();
        return Err(format!("{path} is not there: build it with cargo build --release").into());
    }
    Ok(program)
}

fn write_history(file: &Path, shape: &generate::Shape) -> Result<(), AnyError> {
    let sink: Box<dyn std::io::Write> = if file.as_os_str() == "-" {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(File::create(file)?)
    };
    let mut header = Header::default();
    header.fields.insert("seed".to_owned(), shape.seed.into());
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, sink), &header)?;
    generate::generate(shape, |event| writer.write(&event))?;
    writer.finish()?;
    Ok(())
}
