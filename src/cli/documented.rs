//! A test that every command in documents and workflows exists, with its flags.
//!
//! In: README, the book, the workflows, the container and the timer. Each line of code that begins
//! with `jepsen-tikv` is parsed. An abbreviation with `…` is left out; a shell's variables are
//! replaced by their values.

use super::parse_from;
use campaigns::nightly::Settings;
use std::path::{Path, PathBuf};
use yaml_rust2::{Yaml, YamlLoader};

/// Variables of workflows, and the values that the runner gives them.
const VARIABLES: [(&str, &str); 3] = [
    ("${{ matrix.settings }}", ".github/nightly/embedded.toml"),
    ("\"$BUDGET\"", "3h"),
    ("${SEED:+--seed \"$SEED\"}", "--seed 7"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    files
}

/// Returns the command in a line of code, if it is one of ours: without prompt, explanation and
/// comment.
fn command(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.strip_prefix("ExecStart=/usr/local/bin/").unwrap_or(line);
    let rest = line.strip_prefix("jepsen-tikv ")?;
    let rest = rest.split("  ").next()?.split(" # ").next()?;
    let rest = rest.split([';', '|', '>', '&']).next()?;
    Some(format!("jepsen-tikv {rest}"))
}

/// Returns the commands in a document: in indented and fenced blocks, and between backticks.
fn in_markdown(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut fenced = false;
    for line in text.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            commands.extend(command(line));
        } else {
            commands.extend(line.split('`').skip(1).step_by(2).filter_map(command));
        }
    }
    commands
}

/// Asserts that a command parses. A word in capitals stands for a path, which fits where a path
/// does.
fn assert_parses(line: &str, place: &Path) {
    let line = without_brackets(&line.replace('…', ""));
    // N stands for a number.
    let number = |word: String| if word == "N" { "1".to_owned() } else { word };
    let words: Vec<String> = shell_words(&line).into_iter().map(number).collect();
    // Help and version end the program during parsing.
    if words.iter().any(|word| matches!(word.as_str(), "help" | "--help" | "--version")) {
        return;
    }
    // A command that is only named, without its required arguments, is not a command line.
    let is_named_only = words.len() == 2 || words.len() == 3 && words[1] == "cluster";
    if let Err(failure) = parse_from(words)
        && !(is_named_only && failure.sentence.contains("required"))
        && !(is_named_only && failure.sentence.contains("<COMMAND>"))
    {
        panic!("{}: {line}: {failure}", place.display());
    }
}

/// Removes the optional parts in brackets.
fn without_brackets(line: &str) -> String {
    let mut depth = 0_u32;
    let keep = |character: char| {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => return (depth == 0).then_some(character),
        }
        None
    };
    line.chars().filter_map(keep).collect()
}

/// Splits a line into words; single quotes keep a word together.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(|word| word.trim_matches('"').to_owned()));
        }
    }
    words
}

#[test]
fn every_command_of_the_documents_parses() {
    let mut count = 0;
    let readme = root().join("README.md");
    for path in files("docs", "md").into_iter().chain([readme]) {
        for line in in_markdown(&read(&path)) {
            assert_parses(&line, &path);
            count += 1;
        }
    }
    assert!(count > 100, "only {count} commands were found");
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    let caught = |line: &str| {
        let line = line.to_owned();
        std::panic::catch_unwind(move || assert_parses(&line, Path::new("a page"))).is_err()
    };
    assert!(caught("jepsen-tikv tset --time 5") && caught("jepsen-tikv test --tmie 5"));
    assert!(!caught("jepsen-tikv serve [FOLDER] [--port 1]"));
    assert!(!caught("jepsen-tikv test --time 5 …") && !caught("jepsen-tikv replay"));
    let page = "text `jepsen-tikv heal` text\n\n    jepsen-tikv check runs/latest    judge\n";
    assert_eq!(in_markdown(page), ["jepsen-tikv heal", "jepsen-tikv check runs/latest"]);
}

/// Collects the texts of `run:` at any depth.
fn scripts(yaml: &Yaml, found: &mut Vec<String>) {
    match yaml {
        Yaml::Hash(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value.as_str()) {
                    (Some("run"), Some(script)) => found.push(script.to_owned()),
                    _ => scripts(value, found),
                }
            }
        }
        Yaml::Array(values) => values.iter().for_each(|value| scripts(value, found)),
        _ => {}
    }
}

#[test]
fn every_command_of_the_workflows_parses() {
    let mut count = 0;
    for path in files(".github/workflows", "yml") {
        let text = read(&path);
        let documents = YamlLoader::load_from_str(&text).expect("YAML");
        let mut found = Vec::new();
        for document in &documents {
            scripts(document, &mut found);
        }
        assert!(!found.is_empty(), "{} runs nothing", path.display());
        let replaced = |script: &String| {
            VARIABLES
                .iter()
                .fold(script.clone(), |script, (name, value)| script.replace(name, value))
        };
        for script in found.iter().map(replaced) {
            for line in script.lines().filter_map(command) {
                assert!(!line.contains('$'), "{}: {line}: what does it hold?", path.display());
                assert_parses(&line, &path);
                count += 1;
            }
        }
    }
    assert!(count >= 2, "only {count} commands were found");
    assert!(root().join(".ci/run").is_file(), "ci.yml calls it");
}

#[test]
fn the_settings_of_the_workflows_are_usable() {
    let settings = files(".github/nightly", "toml");
    assert_eq!(settings.len(), 3);
    for path in settings {
        let settings = Settings::read(&path).expect("readable");
        settings.check().expect("usable");
        let workflow = read(&root().join(".github/workflows/nightly.yml"));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(workflow.contains(&name), "nobody uses {name}");
        for (flag, values) in settings.axes() {
            for value in values {
                assert_parses(&format!("jepsen-tikv test --{flag} {value}"), &path);
            }
        }
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary_and_links_lead_somewhere() {
    let docs = root().join("docs");
    let summary = read(&docs.join("SUMMARY.md"));
    for path in files("docs", "md") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is lost");
        let text = read(&path);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let is_ours = !target.is_empty() && !target.contains("://");
            assert!(!is_ours || docs.join(target).exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn the_container_and_the_timer_call_what_exists() {
    let timer = root().join("packaging/jepsen-tikv-nightly.service");
    let commands: Vec<String> = read(&timer).lines().filter_map(command).collect();
    assert_eq!(commands.len(), 1);
    assert_parses(&commands[0], &timer);
    let dockerfile = read(&root().join("Dockerfile"));
    assert!(dockerfile.contains("ENTRYPOINT [\"jepsen-tikv\"]"), "{dockerfile}");
}
