//! The flags of the output at the end, which all commands that judge one run share.

use clap::Args;
use report::Output;

/// The flags.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub struct EndingArgs {
    /// Print everything that is judged before the ending
    ///
    /// That is each fault, each reason, and the counterexamples.
    #[arg(long)]
    pub details: bool,
    /// Print the head of verdict.json on stdout, and nothing else there
    #[arg(long, conflicts_with = "details")]
    pub json: bool,
    /// List every key in verdict.json, also those that are plainly valid
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub per_key: bool,
}

impl EndingArgs {
    /// Returns the choice as a value. With JSON every other line goes to stderr from now on.
    pub fn told(self) -> Output {
        let Self { details, json, per_key } = self;
        if json {
            terminal::results_to_stderr();
        }
        Output { details, json, per_key }
    }
}
