//! The output for shells and manuals: `completions` and `man`, made from the flags themselves.
//!
//! In: a shell's name, or a folder. Out: a script on stdout; pages on stdout or in the folder.

use super::defaults;
use clap::Args;
use clap_complete::Shell;
use failure::{Exit, Failure};
use std::{io::Write, path::PathBuf};

/// The argument of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The flags of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for every command into this folder, instead of the first page to stdout
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl CompletionsArgs {
    /// Prints the script.
    pub fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut defaults::command(), "jepsen-tikv", &mut script);
        to_stdout(&script)
    }
}

impl ManArgs {
    /// Prints or writes the pages.
    pub fn run(&self) -> Result<Exit, Failure> {
        let Some(folder) = &self.out else {
            let mut page = Vec::new();
            clap_mangen::Man::new(defaults::command())
                .render(&mut page)
                .map_err(Failure::software)?;
            return to_stdout(&page);
        };
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(defaults::command(), folder));
        written.map_err(|error| {
            Failure::target_or_disk(format!("cannot write pages to {}: {error}", folder.display()))
        })?;
        terminal::result(format_args!("pages are in {}", folder.display()));
        Ok(Exit::Valid)
    }
}

/// Writes to stdout; a reader that went away early is not a failure.
fn to_stdout(text: &[u8]) -> Result<Exit, Failure> {
    match std::io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::target_or_disk(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(Exit::Valid),
    }
}
