//! The flags of `nightly`.

use super::{Command, parse_from, parse_ms};
use campaigns::nightly::{Nightly, Settings, Span};
use clap::Args;
use failure::{Exit, Failure};
use plan::config::Config;
use std::path::PathBuf;

/// The flags of `nightly`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct NightlyArgs {
    /// What to run (docs/nightly.md) [default: the built-in matrix on the embedded cluster]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How long the night may take, self-test included (seconds, or with a unit: 10m, 6h) [default: 1h]
    #[arg(long, value_parser = parse_ms)]
    pub budget: Option<u64>,
    /// Random seed of the order and of every run [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where nights are kept, a folder each; plans that failed are kept beside them and tried first
    #[arg(long, value_name = "DIR", default_value = "nights")]
    pub out: PathBuf,
    /// Begin another night, even if the last one was interrupted
    #[arg(long)]
    pub fresh: bool,
    /// Print what failed as annotations of GitHub's workflows as well
    #[arg(long)]
    pub github_annotations: bool,
}

impl NightlyArgs {
    /// Returns the night with checked settings.
    pub fn night(&self) -> Result<Nightly, Failure> {
        Ok(Nightly {
            settings: self.settings()?,
            has_chosen: self.config.is_some() || self.budget.is_some(),
            seed: self.seed,
            out: self.out.clone(),
            fresh: self.fresh,
            github_annotations: self.github_annotations,
            read_flags: read_test_flags,
        })
    }

    /// Returns the checked settings of the night.
    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        if let Some(ms) = self.budget {
            settings.budget = Span { ms };
        }
        settings.check()?;
        Ok(settings)
    }
}

/// Parses the words of a command line that begins with `test`, as a user would type them.
pub fn read_test_flags(words: &[String]) -> Result<Config, Failure> {
    let program = std::iter::once("jepsen-tikv".to_owned());
    let Command::Test(args) = parse_from(program.chain(words.iter().cloned()))?.command else {
        return Err(Failure::software("the matrix made another command than test"));
    };
    if args.rotate_keys.is_some() {
        return Err(Failure::usage(
            "--rotate-keys is for one long run, which is a command of its own",
        ));
    }
    args.config()
}
