//! Writes counterexamples of invalid keys to files, and formats them as readable lines.
//!
//! In: a judgement. Out: a file `counterexample-<key>.jsonl` for each invalid key that is
//! explained, and lines with its drawing and the anomalies found. The file is itself a history that
//! `check` judges invalid. In its name all characters of the key but letters, digits, `-`, `_` and
//! `.` become `_`, so that no key leads out of the directory. The lines of an imported history also
//! give the places of the operations in its file.

use crate::{Judgement, Places};
use checker::{Counterexample, Finding, KeyVerdict};
use failure::Failure;
use histories::{Header, import::Place, jsonl};
use run_directory::plain_file::Fresh;
use serde_json::json;
use std::{
    collections::BTreeSet,
    io::{self, BufWriter},
    path::Path,
};

/// The number of counterexamples drawn; the others are only in their files.
const DRAWN_MAX: usize = 3;
/// The number of anomalies named for each counterexample.
const FINDINGS_MAX: usize = 3;

/// The first counterexamples as lines: each with its drawing, a sentence on the marked operation,
/// and the kinds of anomalies of the drawn operations.
pub fn lines(judgement: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    for key in judgement.checked.keys.iter().filter(|key| is_invalid(key)).take(DRAWN_MAX) {
        let Some(found) = &key.counterexample else { continue };
        lines.push(String::new());
        lines.push(format!("key {}:", key.key));
        lines.extend(found.drawing.iter().map(|line| format!("  {line}")));
        lines.extend(places(found, &judgement.places).map(|places| format!("  {places}")));
        lines.push(format!("  {}", found.sentence));
        // The last operation of a finding is the one that shows it.
        let is_drawn = |finding: &&Finding| match (found.about, finding.operations.as_slice()) {
            _ if finding.key != key.key => false,
            (Some(about), operations) => operations.last() == Some(&about),
            (None, operations) => operations.iter().all(|event| found.operations.contains(event)),
        };
        for finding in judgement.checked.findings.iter().filter(is_drawn).take(FINDINGS_MAX) {
            let faults = match finding.faults.as_slice() {
                [] => String::new(),
                faults => format!(" (in force: {})", faults.join(", ")),
            };
            lines.push(format!("  {}: {}{faults}", finding.kind, finding.sentence));
        }
    }
    lines
}

/// Writes all counterexamples into a directory, which is created if there are any.
pub fn write(judgement: &Judgement, directory: &Path) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    for (number, key) in
        judgement.checked.keys.iter().enumerate().filter(|(_, key)| is_invalid(key))
    {
        if names.is_empty() {
            std::fs::create_dir_all(directory).map_err(|error| cannot(directory, &error))?;
        }
        let mut name = format!("counterexample-{}.jsonl", file_name(&key.key.to_string()));
        if !names.insert(name.clone()) {
            name = format!("counterexample-{}-{number}.jsonl", file_name(&key.key.to_string()));
        }
        let path = directory.join(name);
        write_one(key, &judgement.places, &path).map_err(|error| cannot(&path, &error))?;
    }
    Ok(())
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::target_or_disk(format!("cannot write counterexamples to {}: {error}", path.display()))
}

fn is_invalid(key: &KeyVerdict) -> bool {
    key.counterexample.is_some()
}

/// Writes the counterexample of a key, if it has one, as a history.
pub fn write_one(key: &KeyVerdict, places: &Places, path: &Path) -> io::Result<()> {
    let Some(found) = &key.counterexample else { return Ok(()) };
    let mut header = Header::default();
    header.fields.insert("counterexample-of".to_owned(), json!(key.key));
    header.fields.insert("why".to_owned(), json!(found.sentence));
    header.fields.insert("original-events".to_owned(), json!(found.operations));
    let stands: Vec<_> = found.operations.iter().filter_map(|event| places.get(event)).collect();
    if !stands.is_empty() {
        header.fields.insert("original-places".to_owned(), json!(stands));
    }
    let mut writer = jsonl::Writer::new(BufWriter::new(Fresh::beside(path)?), &header)?;
    for event in &found.events {
        writer.write(event)?;
    }
    let written = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    written.keep(path)
}

/// The places of a counterexample's operations in the imported file, in words; `None` for our own
/// files.
pub fn places(found: &Counterexample, places: &Places) -> Option<String> {
    let place = |event: &u64| {
        let Place { file, line, index, .. } = places.get(event)?;
        let file = file.as_ref().map_or_else(String::new, |file| format!("{file} "));
        let index = index.as_ref().map_or_else(String::new, |index| format!(" (:index {index})"));
        Some(format!("{file}line {line}{index}"))
    };
    let stands: Vec<String> = found.operations.iter().filter_map(place).collect();
    (!stands.is_empty()).then(|| format!("invoked in the history on {}", stands.join(", ")))
}

/// A key as part of a file's name.
pub fn file_name(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = key.chars().map(|c| if plain(c) { c } else { '_' }).take(100).collect();
    if name.is_empty() { "empty".to_owned() } else { name }
}
