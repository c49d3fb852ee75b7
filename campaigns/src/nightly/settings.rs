//! The settings of a night: `nightly.toml`, read and checked.
//!
//! In: a file, or nothing. Out: [`Settings`], every field of which has a default. A value of an
//! axis is what a user would type after the axis' flag: a name, and perhaps further flags of `test`
//! that belong to it (`"playground --version nightly"`). Knows nothing of their use:
//! [`super::matrix`] does.

use failure::{Exit, Failure};
use plan::times::parse_ms;
use run_directory::plain_file::SMALL_BYTES_MAX;
use run_directory::plain_file::read_named_to_string;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The shortest budget that has room for the whole self-test; a shorter night runs only its quick
/// half.
const WHOLE_SELF_TEST_FROM_MS: u64 = 2 * 3_600_000;

/// A duration, as flags take it: `90`, `90s`, `10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    /// Milliseconds.
    pub ms: u64,
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_ms(&text).map(|ms| Self { ms })
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        if span.ms.is_multiple_of(1000) {
            (span.ms / 1000).to_string()
        } else {
            format!("{}ms", span.ms)
        }
    }
}

/// The part of the self-test that is run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfTestExtent {
    /// The quick half, or the whole if the night is two hours long or longer.
    Auto,
    /// The quick half.
    Quick,
    /// The whole self-test.
    Whole,
}

/// The runs whose histories, logs and reports are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Runs that were not valid; of the others only plan and verdict.
    Failing,
    /// All runs.
    All,
}

/// The settings of a night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// The time that the night may take, self-test included.
    pub budget: Span,
    /// The time that clients and faults run side by side, unless an axis sets it with `--time`.
    pub time: Span,
    /// The part of the self-test that is run first.
    pub self_test: SelfTestExtent,
    /// The runs whose files are kept.
    pub keep: Keep,
    /// `--workload …`
    pub workloads: Vec<String>,
    /// `--nemesis …`
    pub nemeses: Vec<String>,
    /// `--target …`
    pub targets: Vec<String>,
    /// `--profile …`
    pub profiles: Vec<String>,
    /// `--client …`
    pub clients: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Self {
            budget: Span { ms: 3_600_000 },
            time: Span { ms: 20_000 },
            self_test: SelfTestExtent::Auto,
            keep: Keep::Failing,
            workloads: owned(&["ycsb-a --keys 1000", "register"]),
            nemeses: owned(&[
                "none",
                "pause-one",
                "pause-two",
                "pause-leader",
                "pause-overlap",
                "kill-one",
                "kill-two",
                "kill-all",
                "transfer-leader",
                "replicas",
                "move-replica",
                "split",
                "mix",
            ]),
            targets: owned(&["embedded", "embedded --read lease"]),
            profiles: owned(&["fast", "tikv --time 90"]),
            clients: owned(&["tikv-client", "direct"]),
        }
    }
}

impl Settings {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_named_to_string(path, SMALL_BYTES_MAX).map_err(|error| {
            let sentence = format!("cannot read the settings {}: {error}", path.display());
            Failure::new(Exit::NoInput, sentence)
        })?;
        Self::parse(&text).map_err(|reason| {
            let place = path.display();
            Failure::usage(format!("{place}{reason}; docs/nightly.md lists the settings"))
        })
    }

    /// Parses the settings; the error says where the text is wrong, and how.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or_else(String::new, |span| {
                format!(" line {}", text[..span.start].matches('\n').count() + 1)
            });
            format!("{line}: {}", error.message())
        })
    }

    /// Refuses settings that leave nothing to do.
    pub fn check(&self) -> Result<(), Failure> {
        if self.budget.ms == 0 || self.time.ms == 0 {
            return Err(Failure::usage("budget and time of a night must be longer than nothing"));
        }
        match self.axes().iter().find(|(_, values)| values.is_empty()) {
            Some((axis, _)) => Err(Failure::usage(format!(
                "the settings leave no {axis}: name one at least, or leave the line out for the default"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the axes of the matrix: the flag of each, and its values.
    pub fn axes(&self) -> [(&'static str, &[String]); 5] {
        [
            ("workload", &self.workloads),
            ("nemesis", &self.nemeses),
            ("target", &self.targets),
            ("profile", &self.profiles),
            ("client", &self.clients),
        ]
    }

    /// Returns true if only the quick half of the self-test is run.
    pub fn quick_self_test(&self) -> bool {
        match self.self_test {
            SelfTestExtent::Auto => self.budget.ms < WHOLE_SELF_TEST_FROM_MS,
            SelfTestExtent::Quick => true,
            SelfTestExtent::Whole => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Failure> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Settings::read(file.path())
    }

    #[test]
    fn what_a_file_does_not_say_is_as_without_it() {
        let settings = read("budget = \"10m\"\nclients = [\"direct\"]\n").expect("readable");
        let expected = Settings {
            budget: Span { ms: 600_000 },
            clients: vec!["direct".into()],
            ..Settings::default()
        };
        assert_eq!(settings, expected);
        let again = toml::to_string(&settings).expect("written");
        assert_eq!(read(&again).expect("readable"), settings);
    }

    #[test]
    fn a_slip_is_named_with_its_line() {
        for (text, named) in [
            ("\nbudgets = \"10m\"", "line 2: unknown field `budgets`"),
            ("budget = \"soon\"", "line 1: give whole seconds"),
            ("self-test = \"none\"", "line 1"),
        ] {
            let refused = read(text).expect_err("refused");
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.sentence.contains(named), "{refused}");
        }
        let nothing = Settings { nemeses: Vec::new(), ..Settings::default() };
        assert!(nothing.check().expect_err("refused").sentence.contains("nemesis"));
        assert_eq!(read("").expect("readable").check().map_err(|it| it.sentence), Ok(()));
    }
}
