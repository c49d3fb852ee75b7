//! Jepsen histories in EDN: one vector (or list) of maps, or one map after another.
//!
//! In: text, and the user's word on the kind of values. Out: events. A map has `:process`, `:type`,
//! `:f`, `:value` and perhaps `:key`, `:error`, `:index` and `:time`; other fields are ignored.

use super::edn::{Edn, EdnError, EdnReader};
use super::raw::{self, RawEvent, Reading};
use super::{Imported, independent};
use crate::error::{MalformedReason, ReadError};

/// Reads a history in EDN. `independent` is true if values are `[key value]`, false if they are
/// not; `None` lets the file decide.
pub fn read_edn(text: &str, independent: Option<bool>) -> Imported {
    let reading = Reading { nil_is_absence: false, failed_cas_observes: false };
    let mut source = Source { reader: EdnReader::new(text), closing: None, begun: false };
    let mut raws = Vec::new();
    let wrong = loop {
        match source.next() {
            Ok(Some(raw)) => raws.push(raw),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    if let Err(error) = independent::settle(&mut raws, independent) {
        return Imported::refused(error);
    }
    raw::imported(raws, reading, wrong)
}

struct Source<'a> {
    reader: EdnReader<'a>,
    /// The bracket that ends the history, if one began it.
    closing: Option<char>,
    begun: bool,
}

impl Source<'_> {
    fn next(&mut self) -> Result<Option<RawEvent>, ReadError> {
        let next = self.peek()?;
        let next = if self.begun {
            next
        } else {
            self.begun = true;
            self.closing = match next {
                Some('[') => Some(']'),
                Some('(') => Some(')'),
                _ => None,
            };
            if self.closing.is_some() {
                self.reader.bracket();
                self.peek()?
            } else {
                next
            }
        };
        let line = self.reader.line();
        match next {
            None if self.closing.is_some() => Err(ReadError::TornTail { line }),
            None => Ok(None),
            Some(bracket) if Some(bracket) == self.closing => {
                self.reader.bracket();
                self.closing = None;
                match self.peek()? {
                    None => Ok(None),
                    Some(_) => Err(malformed(line, "something follows the end of the history")),
                }
            }
            Some(_) => {
                let value = self.reader.next().map_err(|error| at(line, error))?;
                raw_event(line, &value).map(Some)
            }
        }
    }

    fn peek(&mut self) -> Result<Option<char>, ReadError> {
        let line = self.reader.line();
        self.reader.peek().map_err(|error| at(line, error))
    }
}

fn raw_event(line: u64, value: &Edn) -> Result<RawEvent, ReadError> {
    let word = |name: &str| value.get(name).and_then(Edn::word).map(str::to_owned);
    let number = |name: &str| match value.get(name) {
        Some(Edn::Symbol(number)) => Some(number.clone()),
        _ => None,
    };
    let process = match value.get("process") {
        Some(Edn::Symbol(number)) => {
            let client = number.parse();
            Some(client.map_err(|_| malformed(line, &format!("{number} is no client's id")))?)
        }
        Some(_) => None,
        None => return Err(malformed(line, &format!("an event wants a :process: {value}"))),
    };
    let kind = word("type").ok_or_else(|| {
        malformed(line, &format!("an event wants a keyword as its :type: {value}"))
    })?;
    let f = match word("f") {
        Some(f) => f,
        // Only operations must have a name.
        None if process.is_none() || kind == "info" => String::new(),
        None => {
            return Err(malformed(line, &format!("an event wants a keyword as its :f: {value}")));
        }
    };
    Ok(RawEvent {
        line,
        process,
        kind,
        f,
        key: value.get("key").and_then(Edn::bytes),
        value: value.get("value").cloned().unwrap_or_default(),
        has_error: value.get("error").is_some_and(|error| *error != Edn::Nil),
        index: number("index"),
        time: number("time"),
    })
}

fn malformed(line: u64, reason: &str) -> ReadError {
    ReadError::Malformed { line, reason: MalformedReason::Shape(reason.to_owned()) }
}

fn at(line: u64, error: EdnError) -> ReadError {
    match error {
        EdnError::Torn => ReadError::TornTail { line },
        EdnError::TooDeep => malformed(line, "it is nested deeper than any event of a history"),
        EdnError::Unexpected(reason) => malformed(line, &reason),
    }
}
