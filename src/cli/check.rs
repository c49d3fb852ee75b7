//! The flags of `check`, and the options of its judge.

use crate::cli::reading::ReadArgs;
use clap::{Args, ValueEnum};
use failure::Exit;
use judge::Judging;
use std::path::PathBuf;

/// The flags of `check`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct CheckArgs {
    /// Run directories, history files (- = standard input; plain or compressed with zstd or gzip), or folders of Jepsen
    /// (history.edn in it) and etcd's robustness tests (client-*/operations.json)
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// How the histories are read
    #[command(flatten)]
    pub reading: ReadArgs,
    /// What the histories are held to
    #[arg(long, value_enum, default_value = "kv")]
    pub model: ModelName,
    /// The value that every key has at first [default: absent]
    #[arg(long)]
    pub initial: Option<String>,
    /// Who decides: the near-linear check and the search where it cannot, one of them, or porcupine-rs
    #[arg(long, value_enum, default_value = "auto")]
    pub engine: EngineName,
    /// Work (configurations explored, and comparisons of them) for one key before a search says unknown
    #[arg(long, default_value_t = checker::Budget::default().configurations)]
    #[arg(hide_short_help = true)]
    pub budget: u64,
    /// Bytes that a search may hold configurations in for one key before it says unknown
    #[arg(long, default_value_t = checker::Budget::default().bytes)]
    #[arg(hide_short_help = true)]
    pub budget_bytes: u64,
    /// Print the judgements as JSON
    #[arg(long)]
    pub json: bool,
    /// Print everything that is judged before the ending, if it is one history
    #[arg(long, conflicts_with = "json")]
    pub details: bool,
    /// Threads that read and judge [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    #[arg(hide_short_help = true)]
    pub threads: Option<u16>,
    /// The folder where counterexamples go; of several histories each gets a folder in it [default: the run directory;
    /// nowhere for a file]
    #[arg(long, value_name = "FOLDER")]
    #[arg(hide_short_help = true)]
    pub counterexamples: Option<PathBuf>,
    /// Number of invalid keys that get a counterexample, at most
    #[arg(long, value_name = "N", default_value_t = checker::Options::default().counterexamples_max)]
    #[arg(hide_short_help = true)]
    pub counterexamples_max: u32,
}

/// The model that a history is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelName {
    /// Registers with get, put and delete
    Register,
    /// Registers that can be compared and swapped as well
    CasRegister,
    /// Every operation
    Kv,
}

/// The engine that decides a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// The fastest that can
    Auto,
    /// The near-linear check of unique values
    NearLinear,
    /// The general search
    Search,
    /// The crate porcupine-rs
    Porcupine,
}

impl CheckArgs {
    /// Returns the options of the judge.
    pub fn judging(&self) -> Judging {
        Judging {
            options: checker::Options {
                engine: match self.engine {
                    EngineName::Auto => checker::Engine::Auto,
                    EngineName::NearLinear => checker::Engine::NearLinear,
                    EngineName::Search => checker::Engine::Search,
                    EngineName::Porcupine => checker::Engine::Porcupine,
                },
                budget: checker::Budget { configurations: self.budget, bytes: self.budget_bytes },
                counterexamples_max: self.counterexamples_max,
            },
            model: match self.model {
                ModelName::Register => checker::Model::Register,
                ModelName::CasRegister => checker::Model::CasRegister,
                ModelName::Kv => checker::Model::Kv,
            },
            reading: self.reading.options(),
            named: false,
            initial: self.initial.clone().map(String::into_bytes),
        }
    }
}
