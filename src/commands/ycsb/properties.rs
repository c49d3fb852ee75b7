//! Properties in go-ycsb's forms: `-P file` in Java's format, `-p name=value`, names and values as
//! text.
//!
//! In: files, built-in workloads and single properties, later ones winning over earlier ones. Out:
//! [`Properties`], and typed values. A value that does not parse is a failure (go-ycsb silently
//! takes the default instead). The properties' meaning is defined in [`super::settings`].

use super::shipped;
use crate::cli::YcsbArgs;
use failure::{Exit, Failure};
use plan::config::bounds;
use run_directory::plain_file::SMALL_BYTES_MAX;
use run_directory::plain_file::read_named_to_string;
use std::path::Path;
use std::{collections::BTreeMap, io::ErrorKind, str::FromStr};

/// Names and values, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    values: BTreeMap<String, String>,
}

impl Properties {
    /// Reads the properties of files, pairs and flags; flags win.
    pub fn of(args: &YcsbArgs) -> Result<Self, Failure> {
        let mut properties = Self::gather(&args.property_files, &args.properties)?;
        let flags = [
            ("threadcount", args.threads),
            ("target", args.target),
            ("measurement.interval", args.interval),
        ];
        for (name, value) in flags {
            if let Some(value) = value {
                properties.set(name, &value.to_string());
            }
        }
        if let Some(table) = &args.table {
            properties.set("table", table);
        }
        Ok(properties)
    }

    /// Reads files and `name=value` pairs; a pair wins over a file, and a later one over an earlier
    /// one.
    pub(super) fn gather(files: &[String], pairs: &[String]) -> Result<Self, Failure> {
        let mut properties = Self::default();
        for file in files {
            properties.values.extend(parse(&contents(file)?).map_err(|reason| {
                Failure::new(Exit::Malformed, format!("the property file {file}: {reason}"))
            })?);
        }
        for pair in pairs {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Failure::usage(format!(
                    "bad property {pair:?}: give name=value, for example -p recordcount=10000"
                )));
            };
            properties.set(name.trim(), value);
        }
        Ok(properties)
    }

    /// Sets a property.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// Returns a property's value, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim())
    }

    /// Returns a text property, or a default.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    /// Returns a numeric property, or a default.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, Failure> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let refused = || {
            Failure::usage(format!("property {name}: {value:?} is not a number that fits there"))
        };
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
        bounds::property(name, number.ok_or_else(refused)? as u128)?;
        value.parse().map_err(|_| refused())
    }

    /// Returns a boolean property in Go's spellings of true and false, or a default.
    pub fn switch(&self, name: &str, default: bool) -> Result<bool, Failure> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("1" | "t" | "true" | "yes" | "on") => Ok(true),
            Some("0" | "f" | "false" | "no" | "off") => Ok(false),
            Some(value) => {
                Err(Failure::usage(format!("property {name}: {value:?} is neither true nor false")))
            }
        }
    }

    /// Returns all properties, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Returns a file's contents. A bare name without a file stands for a workload that go-ycsb ships.
/// A path with a folder is a file of the user's own, so its absence is an error.
fn contents(file: &str) -> Result<String, Failure> {
    read_named_to_string(Path::new(file), SMALL_BYTES_MAX).or_else(|error| {
        let name = file.strip_prefix("workloads/").unwrap_or(file);
        let shipped = (error.kind() == ErrorKind::NotFound).then(|| shipped::workload(name));
        shipped.flatten().map(str::to_owned).ok_or_else(|| {
            let sentence = format!(
                "cannot read the property file {file}: {error}; only workloada to workloadf and workloads/workloada to \
                 workloads/workloadf are known without a file"
            );
            Failure::new(Exit::NoInput, sentence)
        })
    })
}

/// Parses Java's format: `name=value`, `name: value` or `name value`, comments behind `#` and `!`,
/// lines continued by a backslash, and backslash escapes.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while ends_in_open_escape(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start());
        }
        let said = |reason| format!("line {}: {reason}", number + 1);
        pairs.push(pair(&logical).map_err(said)?);
    }
    Ok(pairs)
}

fn ends_in_open_escape(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn pair(line: &str) -> Result<(String, String), String> {
    let mut end = line.len();
    let mut escaped = false;
    for (index, c) in line.char_indices() {
        if !escaped && (c == '=' || c == ':' || c.is_whitespace()) {
            end = index;
            break;
        }
        escaped = c == '\\' && !escaped;
    }
    let rest = line[end..].trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    Ok((unescaped(&line[..end])?, unescaped(value)?))
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                plain.push(code.ok_or_else(|| format!("\\u{hex} is no character"))?);
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn javas_format_is_read() {
        let text = "# a comment\n! another\n\nrecordcount=1000\n  workload = core \nfieldlength: 100\n\
                    readallfields true\nlong=a,\\\n   b\ntab=\\t\\u0041\nempty=\nodd\\=name=1\n";
        let pairs = parse(text).expect("well formed");
        let expected = [
            ("recordcount", "1000"),
            ("workload", "core "),
            ("fieldlength", "100"),
            ("readallfields", "true"),
            ("long", "a,b"),
            ("tab", "\tA"),
            ("empty", ""),
            ("odd=name", "1"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(pairs, expected);
        assert!(parse("x=\\uZZZZ").expect_err("refused").contains("line 1"));
    }

    #[test]
    fn a_pair_wins_over_a_file_and_a_shipped_workload_needs_none() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "recordcount=5\nthreadcount=7\n").expect("written");
        let file = file.path().display().to_string();
        let properties = Properties::gather(
            &strings(&["workloads/workloada", &file]),
            &strings(&["threadcount=9", "tikv.pd=a=b"]),
        );
        let properties = properties.expect("usable");
        assert_eq!(properties.get("updateproportion"), Some("0.5"), "from workloada");
        assert_eq!(properties.get("recordcount"), Some("5"), "the later file wins");
        assert_eq!(properties.get("threadcount"), Some("9"));
        assert_eq!(properties.get("tikv.pd"), Some("a=b"));
    }

    #[test]
    fn what_cannot_be_used_is_one_sentence() {
        let none = Properties::gather(&strings(&["no/such/file"]), &[]).expect_err("refused");
        assert_eq!(none.exit, Exit::NoInput);
        assert!(none.sentence.contains("workloada"), "{none}");
        for shadowed in
            ["wl/workloada", "./workloada", "/workloads/workloadb", "workloads/x/workloada"]
        {
            let none = Properties::gather(&strings(&[shadowed]), &[]).expect_err(shadowed);
            assert_eq!(none.exit, Exit::NoInput, "{shadowed}");
            assert!(none.sentence.contains(shadowed), "{none}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().display().to_string();
        assert_eq!(Properties::gather(&[folder], &[]).expect_err("a folder").exit, Exit::NoInput);
        let bare = Properties::gather(&[], &strings(&["recordcount"])).expect_err("refused");
        assert_eq!(bare.exit, Exit::Usage);
        let properties = Properties::gather(&[], &strings(&["a=1x", "b=maybe"])).expect("usable");
        assert!(properties.number("a", 1_u64).is_err());
        assert!(properties.switch("b", true).is_err());
        assert_eq!(properties.number("c", 3_u64).ok(), Some(3));
    }
}
