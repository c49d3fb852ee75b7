//! The flags for reading a history, for every command that reads foreign histories.

use clap::{Args, ValueEnum};
use histories::{Format, ReadOptions};

/// How a history is read.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ReadArgs {
    /// The history's format; otherwise told from how it begins
    #[arg(long, value_enum)]
    pub format: Option<FormatName>,
    /// Values in EDN and text logs are [key value], as jepsen.independent writes them; =false if they are values of
    /// one register [default: the file tells]
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub independent: Option<bool>,
}

/// A history's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Our own history.jsonl
    Jsonl,
    /// Jepsen's and Knossos' EDN
    Edn,
    /// Text logs of Jepsen, Knossos and Porcupine, and Jepsen's history.txt
    Log,
    /// Lines of tipocket's register tests
    Tipocket,
    /// Operations of etcd's robustness tests (operations.json)
    Etcd,
}

impl ReadArgs {
    /// Returns the options of the reader.
    pub fn options(self) -> ReadOptions {
        let format = self.format.map(|format| match format {
            FormatName::Jsonl => Format::Jsonl,
            FormatName::Edn => Format::Edn,
            FormatName::Log => Format::Log,
            FormatName::Tipocket => Format::Tipocket,
            FormatName::Etcd => Format::Etcd,
        });
        ReadOptions { format, independent: self.independent }
    }
}
