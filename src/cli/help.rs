//! The help texts beside those of the flags: examples before each command's long help, and the
//! program's commands in groups.
//!
//! In: the command line as derived from the flags' types. Out: the same with texts added; what it
//! accepts stays as it was. clap has no groups of commands, so the program's help is a template.

use super::{examples, simulate};
use clap::Command;
use std::fmt::Write;

/// The groups of commands, in the order of the help.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Run", &["test", "scenario", "simulate", "replay", "fuzz"]),
    ("Look", &["report", "serve", "check", "shrink", "minimize", "export"]),
    ("Clusters", &["cluster", "load", "ycsb", "count", "target-check", "heal"]),
    ("Many runs", &["nightly", "self-test"]),
    ("Tools", &["nemeses", "defects", "plan", "doctor", "completions", "man"]),
];

/// Adds the examples and the groups to the whole command line.
pub fn added_to(command: Command) -> Command {
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}\n{}\n{{options}}\
         {{after-help}}",
        groups(&command),
        heading(&command, "Options")
    );
    with_examples(command, "")
        .mut_subcommand("simulate", simulate::hide_flags_of_real_runs)
        .help_template(template)
}

/// Returns the groups as text: a heading each, and a line for each command.
fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (name, commands) in GROUPS {
        let _ = writeln!(text, "{}", heading(command, name));
        for name in commands {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let style = command.get_styles().get_literal();
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {style}{name:12}{style:#}  {about}");
        }
    }
    text
}

/// Returns a heading in the style of clap's own.
fn heading(command: &Command, name: &str) -> String {
    let style = command.get_styles().get_header();
    format!("{style}{name}:{style:#}")
}

/// Adds the examples to a command and all below it.
fn with_examples(command: Command, words: &str) -> Command {
    let command = command.mut_subcommands(|below| {
        let words = format!("{words} {}", below.get_name());
        with_examples(below, words.trim())
    });
    let Some(examples) = examples::of(words) else { return command };
    let heading = heading(&command, "Examples");
    command.before_long_help(format!("{heading}\n  {}\n  {}", examples[0], examples[1]))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cli, parse_from},
        *,
    };
    use clap::CommandFactory;
    use failure::Exit;

    /// Every visible command, with its words after the program's name.
    fn visible(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
        found.push((words.to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            visible(below, format!("{words} {}", below.get_name()).trim(), found);
        }
    }

    fn all() -> Vec<(String, Command)> {
        let mut found = Vec::new();
        visible(&added_to(Cli::command()).term_width(100), "", &mut found);
        found
    }

    /// The short help in 100 columns.
    fn short(words: &[&str]) -> String {
        let mut command = added_to(Cli::command()).term_width(100);
        command.build();
        let found = words.iter().fold(&mut command, |command, name| {
            command.find_subcommand_mut(name).expect("a command")
        });
        found.render_help().to_string()
    }

    #[test]
    fn every_visible_command_is_in_exactly_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        grouped.sort_unstable();
        let command = Cli::command();
        let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
        let mut visible: Vec<&str> = visible.map(Command::get_name).collect();
        visible.sort_unstable();
        assert_eq!(grouped, visible);
    }

    #[test]
    fn every_command_has_two_examples_of_itself_that_parse() {
        for (words, mut command) in all() {
            let examples = examples::of(&words).unwrap_or_else(|| panic!("{words} has none"));
            let long = command.render_long_help().to_string();
            for example in &examples {
                assert!(example.starts_with(format!("jepsen-tikv {words}").trim()), "{example}");
                assert!(long.lines().take(3).any(|line| line.trim() == example), "{long}");
                let typed = example.split(['>', '|']).next().expect("a command");
                if let Err(refused) = parse_from(typed.split_whitespace()) {
                    panic!("{example}: {refused}");
                }
            }
            assert_ne!(examples[0], examples[1]);
        }
    }

    #[test]
    fn the_short_help_of_every_command_fits_a_screen() {
        let mut long = Vec::new();
        for (words, _) in all() {
            let text = short(&words.split_whitespace().collect::<Vec<_>>());
            let lines = text.lines().count();
            if lines > 40 {
                long.push(format!("{words} -h has {lines} lines:\n{text}"));
            }
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{words} -h: {line}");
            }
        }
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    #[test]
    fn the_short_help_of_test_is_grouped_by_what_people_change() {
        let text = short(&["test"]);
        let places = ["What to test:", "Faults:", "Workload:", "Time:", "Output:"]
            .map(|heading| text.find(heading).expect(heading));
        assert!(places.is_sorted(), "{text}");
        assert!(!text.contains("--pause-ms-min") && !text.contains("Exit codes"), "{text}");
    }

    #[test]
    fn a_mistyped_command_is_asked_about() {
        let refused = parse_from(["jepsen-tikv", "tset"]).expect_err("refused");
        assert_eq!(refused.exit, Exit::Usage);
        assert!(refused.sentence.contains("'test'"), "{refused}");
    }
}
