//! The sources of flags that the command line does not give: `JEPSEN_TIKV_*`, then a file
//! (`--config`), then the built-in defaults.
//!
//! In: this process' environment and perhaps `jepsen-tikv.toml`. Out: a [`clap::Command`] that has
//! them as environment variables and defaults, so that their values are checked like those of
//! flags. Every flag `--some-flag` of every command is `JEPSEN_TIKV_SOME_FLAG`. The file has a
//! table for each command:
//!
//! ```toml
//! [test]
//! stores = 3
//! nemesis = ["pause-leader", "kill-all"]
//! ```
//!
//! Only commands that a person starts are affected. Those that `nightly` and `self-test` start get
//! neither ([`without_settings`](campaigns::attempts::children::without_settings)), because their
//! results must not depend on a shell's settings.

use super::{Cli, help};
use campaigns::attempts::children::SETTINGS_PREFIX as PREFIX;
use clap::{Arg, CommandFactory};
use failure::{Exit, Failure};
use run_directory::plain_file::SMALL_BYTES_MAX;
use run_directory::plain_file::read_named_to_string;
use std::path::Path;
use terminal::escaped;

/// Returns the command line with the environment's values.
pub fn command() -> clap::Command {
    with_environment(help::added_to(Cli::command()))
}

/// Returns the values that the environment gives to flags.
pub fn of_environment() -> impl Iterator<Item = String> {
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX));
    ours.map(|(_, value)| value.to_string_lossy().into_owned())
}

fn with_environment(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| match arg.get_long() {
        // The file is named on the command line only: `nightly` has another file under that flag.
        Some(long) if is_settable(&arg) && long != "config" => {
            let name = format!("{PREFIX}{}", long.to_uppercase().replace(['-', '.'], "_"));
            arg.env(leaked(name)).hide_env(true)
        }
        _ => arg,
    });
    command.mut_subcommands(
        |command| {
            if command.is_hide_set() { command } else { with_environment(command) }
        },
    )
}

fn is_settable(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

/// Takes a file's values as defaults.
pub fn with_file(command: clap::Command, path: &Path) -> Result<clap::Command, Failure> {
    let text = read_named_to_string(path, SMALL_BYTES_MAX).map_err(|error| {
        Failure::new(Exit::NoInput, format!("cannot read --config {}: {error}", path.display()))
    })?;
    with_text(command, &text)
        .map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))
}

/// Takes the values of a file's text as defaults; the error says what is wrong with the text.
pub fn with_text(mut command: clap::Command, text: &str) -> Result<clap::Command, String> {
    let tables: toml::Table = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    for (name, table) in tables {
        let known = command.find_subcommand(&name).filter(|found| !found.is_hide_set());
        let (Some(found), toml::Value::Table(table)) = (known, table) else {
            return Err(format!(
                "[{name}] is no command: a table is named after a command, as in [test]"
            ));
        };
        let mut changed = found.clone();
        for (flag, value) in table {
            let arg = changed.get_arguments().find(|arg| arg.get_long() == Some(&flag));
            let Some(id) = arg.filter(|arg| is_settable(arg)).map(|arg| arg.get_id().clone())
            else {
                return Err(format!("{name} has no flag --{flag}"));
            };
            let values = words(value).filter(|it| it.iter().all(|it| escaped(it) == *it)).ok_or_else(|| {
                format!("{flag} in [{name}] wants a text without control characters, a number, true, false, or a list of them")
            })?;
            changed = changed.mut_arg(id, |arg| arg.default_values(values));
        }
        command = command.mut_subcommand(&name, |_| changed);
    }
    Ok(command)
}

/// Returns a value as a person would type it.
fn words(value: toml::Value) -> Option<Vec<&'static str>> {
    match value {
        toml::Value::String(text) => Some(vec![leaked(text)]),
        toml::Value::Integer(number) => Some(vec![leaked(number.to_string())]),
        toml::Value::Float(number) => Some(vec![leaked(number.to_string())]),
        toml::Value::Boolean(is) => Some(vec![leaked(is.to_string())]),
        toml::Value::Array(values) => {
            values.into_iter().map(words).collect::<Option<Vec<_>>>().map(|all| all.concat())
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Leaks a text, since the command line lives as long as the process and is made once or twice in
/// it.
pub(super) fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::{super::Command, *};
    use clap::FromArgMatches;

    fn parsed(text: &str, arguments: &[&str]) -> Result<Cli, Failure> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let command = with_file(Cli::command(), file.path())?;
        let matches = command
            .try_get_matches_from([&["jepsen-tikv"], arguments].concat())
            .map_err(Failure::usage)?;
        Cli::from_arg_matches(&matches).map_err(Failure::usage)
    }

    #[test]
    fn the_command_line_is_well_formed_with_its_variables() {
        command().debug_assert();
        let command = command();
        let test = command.find_subcommand("test").expect("test");
        let of = |flag| test.get_arguments().find(|arg| arg.get_long() == Some(flag));
        let name = of("pause-ms-min").and_then(Arg::get_env).expect("a variable");
        assert_eq!(name, "JEPSEN_TIKV_PAUSE_MS_MIN");
        let store = command.find_subcommand("internal-store").expect("there");
        assert!(store.get_arguments().all(|arg| arg.get_env().is_none()));
    }

    #[test]
    fn a_file_gives_defaults_and_the_command_line_wins() {
        let text = "[test]\nstores = 3\nnemesis = [\"pause-leader\", \"kill-all\"]\nkeys = 7\n\
                    [self-test]\nquick = true\n";
        let cli = parsed(text, &["test", "--keys", "9"]).expect("usable");
        let Command::Test(args) = cli.command else { panic!("not a test") };
        assert_eq!((args.shape.stores, args.keys), (3, Some(9)));
        assert_eq!(args.nemesis, ["pause-leader", "kill-all"]);
        let Command::SelfTest(args) = parsed(text, &["self-test"]).expect("usable").command else {
            panic!("not a self-test")
        };
        assert!(args.quick);
    }

    #[test]
    fn a_slip_in_the_file_is_named() {
        for (text, named) in [
            ("[tset]\nstores = 3", "[tset]"),
            ("stores = 3", "[stores]"),
            ("[test]\nstore = 3", "--store"),
            ("[test]\nstores = \"many\"", "--stores"),
            ("[internal-pd]\nname = \"x\"", "[internal-pd]"),
            ("[test", ""),
        ] {
            let refused = parsed(text, &["test"]).expect_err("refused");
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.sentence.contains(named), "{text}: {refused}");
        }
    }
}
