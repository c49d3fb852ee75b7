//! The output for shells and manuals: `completions` and `man`, made from the flags themselves.
//!
//! In: a shell's name, or a folder. Out: a script on stdout; pages on stdout or in the folder.

use super::defaults::{self, leaked};
use clap::{Args, Command};
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
        let mut offered = offered(&defaults::command());
        clap_complete::generate(self.shell, &mut offered, "jepsen-tikv", &mut script);
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

/// Returns the part of a command line that shells offer: no hidden command, and no hidden flag.
fn offered(command: &Command) -> Command {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    Command::new(leaked(command.get_name().to_owned()))
        .about(command.get_about().cloned().unwrap_or_default())
        .version(command.get_version().map(|version| leaked(version.to_owned())))
        .args(args.cloned())
        .subcommands(shown.map(offered))
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn completions_know_the_names_and_no_hidden_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            let mut command = offered(&defaults::command());
            clap_complete::generate(*shell, &mut command, "jepsen-tikv", &mut script);
            let script = String::from_utf8(script).expect("text");
            for hidden in ["internal-", "bench-recording", "tiflash"] {
                assert!(!script.contains(hidden), "{shell} offers {hidden}");
            }
            assert!(script.contains("nemesis-interval") && script.contains("pause-ms-min"));
            // These two shells complete no values of flags.
            if !matches!(shell, Shell::Elvish | Shell::PowerShell) {
                for name in ["partition-ring", "stale-read", "ycsb-a", "two-stores"] {
                    assert!(script.contains(name), "{shell} does not know {name}");
                }
            }
        }
    }
}
