//! What went wrong for the clients, by kind, with the fate that each error was given.
//!
//! In: a run's history as text. Out: counts. Only the lines of failed and unknown operations are
//! parsed: they are few, and the reader of histories does not keep their texts. Numbers in a text
//! are no different kinds.

use run_directory::plain_file;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// So much of a text is compared and shown.
const SHOWN_MAX: usize = 160;

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// `fail` or `info`.
    pub fate: String,
    /// The operation.
    pub operation: String,
    /// The text, its numbers replaced.
    pub text: String,
}

/// How often each came, the most frequent first. Nothing if the file cannot be read or is not ours.
pub fn by_kind(history: &Path) -> Vec<(Kind, u64)> {
    let Ok(text) = histories::jsonl::text(history) else { return Vec::new() };
    let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
    plain_file::each_line(text, |line| {
        let line = String::from_utf8_lossy(line);
        if !line.contains("\"type\":\"fail\"") && !line.contains("\"type\":\"info\"") {
            return;
        }
        let Ok(event) = serde_json::from_str::<Value>(&line) else { return };
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        if event["process"].is_u64() && matches!(event["type"].as_str(), Some("fail" | "info")) {
            let kind = Kind {
                fate: text("type"),
                operation: text("f"),
                text: without_numbers(&text("error")),
            };
            *counts.entry(kind).or_default() += 1;
        }
    });
    let mut counts: Vec<(Kind, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// Every number is `#`.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            other => plain.push(other),
        }
    }
    let cut: String = plain.chars().take(SHOWN_MAX).collect();
    if cut.len() < plain.len() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_numbers_are_one_kind() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let line = |process: &str, kind: &str, error: &str| {
            format!(
                r#"{{"index":1,"time":2,"process":{process},"type":"{kind}","f":"put","key":"a","value":"\"type\":\"info\"","error":"{error}"}}"#
            )
        };
        let lines = [
            line("1", "fail", "not leader of region 12"),
            line("2", "fail", "not leader of region 7"),
            line("3", "info", "no answer in 2000 ms"),
            line("4", "ok", ""),
            line("\"nemesis\"", "info", ""),
        ];
        std::fs::write(file.path(), lines.join("\n")).expect("written");
        let found = by_kind(file.path());
        let told: Vec<_> = found.iter().map(|(kind, n)| (&*kind.fate, &*kind.text, *n)).collect();
        assert_eq!(told, [("fail", "not leader of region #", 2), ("info", "no answer in # ms", 1)]);
    }
}
