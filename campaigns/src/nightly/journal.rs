//! A night's journal: the steps begun and their results, so that a night can continue after a
//! reboot.
//!
//! `journal.jsonl` in the night's directory, format version 1: a header line
//! `{"format":"jepsen-tikv night","version":1,"tool-version":…,"seed":…,"began":…,"settings":{…}}`,
//! then a line for each step: `{"begun":LABEL}`, `{"ended":ROW}` ([`super::outcome::Row`]), at last
//! `{"over":TIME}`. Every line is on disk before the next step. A torn last line is dropped with a
//! note; a journal of another version is refused, not continued.

use super::{
    outcome::{Kind, Row},
    settings::Settings,
};
use failure::{Exit, Failure};
use run_directory::plain_file::{self, SMALL_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const FORMAT: &str = "jepsen-tikv night";
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Header {
    format: String,
    version: u32,
    /// The version of the tool that wrote it.
    pub tool_version: String,
    /// The night's seed.
    pub seed: u64,
    /// The time of the beginning, UTC.
    pub began: String,
    /// The night's settings.
    pub settings: Settings,
}

impl Header {
    /// The header of a night that begins now.
    pub fn now(seed: u64, settings: Settings) -> Self {
        let began = now();
        let (format, tool_version) = (FORMAT.into(), env!("CARGO_PKG_VERSION").into());
        Self { format, version: VERSION, tool_version, seed, began, settings }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Begun(String),
    Ended(Box<Row>),
    Over(String),
}

/// The journal of one night.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// The first line.
    pub header: Header,
    /// The rows of the steps that have ended, in order.
    pub rows: Vec<Row>,
    /// The labels of steps that were begun and interrupted.
    pub interrupted: Vec<String>,
    /// The time of the end, once the night is over.
    pub over: Option<String>,
}

impl Journal {
    /// Creates the journal of a new night.
    pub fn create(path: &Path, header: Header) -> Result<Self, Failure> {
        let file = OpenOptions::new().create_new(true).append(true).open(path);
        let file = file.map_err(|error| cannot_write(path, &error))?;
        let mut journal = Self {
            file,
            path: path.to_owned(),
            header,
            rows: Vec::new(),
            interrupted: Vec::new(),
            over: None,
        };
        let header = serde_json::to_string(&journal.header).map_err(Failure::software)?;
        journal.append(&header)?;
        Ok(journal)
    }

    /// Opens the journal of an interrupted night to continue it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let text = plain_file::read_to_string(path, SMALL_BYTES_MAX).map_err(|error| {
            Failure::new(Exit::NoInput, format!("cannot read {}: {error}", path.display()))
        })?;
        let malformed = |line: usize, reason: &str| {
            let place = path.display();
            let sentence = format!("{place} line {line}: {reason}; --fresh begins another night");
            Failure::new(Exit::Malformed, sentence)
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = (1..).zip(text[..whole].lines());
        let (_, first) = lines.next().ok_or_else(|| malformed(1, "there is no header"))?;
        let header: Header =
            serde_json::from_str(first).map_err(|error| malformed(1, &error.to_string()))?;
        if header.format != FORMAT || header.version != VERSION {
            return Err(malformed(1, "this is no night of this version"));
        }
        let mut file = plain_file::open_with(path, OpenOptions::new().write(true))
            .map_err(|error| cannot_write(path, &error))?;
        if whole < text.len() {
            terminal::note(format_args!(
                "{}: the last line was torn by a crash; it is left out",
                path.display()
            ));
            file.set_len(whole as u64).map_err(|error| cannot_write(path, &error))?;
        }
        file.seek(SeekFrom::End(0)).map_err(|error| cannot_write(path, &error))?;
        let (rows, interrupted, over) = (Vec::new(), Vec::new(), None);
        let mut journal = Self { file, path: path.to_owned(), header, rows, interrupted, over };
        for (number, line) in lines {
            let line = serde_json::from_str(line)
                .map_err(|error| malformed(number, &error.to_string()))?;
            journal.take(line);
        }
        Ok(journal)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Begun(label) => self.interrupted.push(label),
            Line::Ended(row) => {
                self.interrupted.retain(|label| *label != row.label);
                self.rows.push(*row);
            }
            Line::Over(at) => self.over = Some(at),
        }
    }

    /// Records that a step begins.
    pub fn begun(&mut self, label: &str) -> Result<(), Failure> {
        self.note(Line::Begun(label.to_owned()))
    }

    /// Records the row of a step that ended.
    pub fn ended(&mut self, row: Row) -> Result<(), Failure> {
        self.note(Line::Ended(Box::new(row)))
    }

    /// Records that the night is over.
    pub fn is_over(&mut self) -> Result<(), Failure> {
        self.note(Line::Over(now()))
    }

    fn note(&mut self, line: Line) -> Result<(), Failure> {
        let text = serde_json::to_string(&line).map_err(Failure::software)?;
        self.append(&text)?;
        self.take(line);
        Ok(())
    }

    fn append(&mut self, line: &str) -> Result<(), Failure> {
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        written
            .and_then(|()| self.file.sync_data())
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// Returns the used part of the budget, milliseconds.
    pub fn used_ms(&self) -> u64 {
        (self.rows.iter().map(|row| row.seconds).sum::<f64>() * 1000.0) as u64
    }
}

/// Returns the labels of the matrix's cells that ended, from the journal of an earlier night. The
/// file is only read: lines of other versions and torn ones count as nothing.
pub fn cells_that_ended(path: &Path) -> Vec<String> {
    let Ok(text) = plain_file::read_to_string(path, SMALL_BYTES_MAX) else { return Vec::new() };
    let cell = |line: &str| match serde_json::from_str(line) {
        Ok(Line::Ended(row)) if row.kind == Kind::Matrix => Some(row.label),
        _ => None,
    };
    text.lines().filter_map(cell).collect()
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::target_or_disk(format!(
        "cannot write {}: {error}; make room or choose another --out",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::outcome::Outcome, *};

    fn row(label: &str) -> Row {
        Row {
            label: label.into(),
            kind: Kind::Matrix,
            command: "jepsen-tikv test".into(),
            seed: Some(1),
            outcome: Outcome::Valid,
            exit_code: Some(0),
            reasons: Vec::new(),
            seconds: 1.5,
            measured: None,
            run: None,
            archive: None,
        }
    }

    #[test]
    fn a_journal_is_continued_where_a_crash_tore_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal.jsonl");
        let header = Header::now(7, Settings::default());
        let mut journal = Journal::create(&path, header.clone()).expect("created");
        for label in ["a", "b"] {
            journal.begun(label).expect("noted");
        }
        journal.ended(row("a")).expect("noted");
        drop(journal);
        let mut torn = OpenOptions::new().append(true).open(&path).expect("open");
        torn.write_all(b"{\"ended\":{\"lab").expect("torn");

        let mut journal = Journal::open(&path).expect("continued");
        assert_eq!((journal.header.clone(), journal.rows.clone()), (header, vec![row("a")]));
        assert_eq!(
            (journal.interrupted.as_slice(), journal.used_ms()),
            (&["b".to_owned()][..], 1_500)
        );
        journal.ended(row("b")).expect("noted");
        journal.is_over().expect("noted");
        let again = Journal::open(&path).expect("readable");
        assert_eq!(again.rows.len(), 2);
        assert!(again.interrupted.is_empty() && again.over.is_some());
        assert_eq!(cells_that_ended(&path), ["a", "b"]);
    }

    #[test]
    fn another_version_is_refused_and_left_as_it_is() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for text in ["", "{}\n", "{\"format\":\"jepsen-tikv night\",\"version\":2}\n"] {
            std::fs::write(file.path(), text).expect("written");
            let refused = Journal::open(file.path()).expect_err("refused");
            assert_eq!(refused.exit, Exit::Malformed);
            assert_eq!(std::fs::read_to_string(file.path()).expect("there"), text);
        }
    }
}
