//! Measures what the checker costs: engines side by side on the same histories, and whole commands from file to verdict.
//!
//! `cargo run --release -p benchmarks -- table` makes the tables of docs/benchmarks.md in one run.

mod generate;
mod yardstick;

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

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
    /// Parse a history with the JSON crates there are, on one thread
    Parse {
        /// The history
        file: PathBuf,
    },
}

fn main() -> Result<(), AnyError> {
    match Cli::parse().command {
        Command::Generate { file, shape } => write_history(&file, &shape),
        Command::Parse { file } => {
            let bytes = std::fs::read(file)?;
            for _ in 0..3 {
                for parser in yardstick::PARSERS {
                    let (seconds, lines) = yardstick::parse(&bytes, parser);
                    println!("{:45} {seconds:.3} s, {lines} lines", parser.0);
                }
            }
            Ok(())
        }
    }
}

fn write_history(file: &PathBuf, shape: &generate::Shape) -> Result<(), AnyError> {
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
