//! Jepsen histories in EDN: one vector (or list) of maps, or one map after another.
//!
//! In: text. Out: events. A map has `:process`, `:type`, `:f`, `:value` and perhaps `:key`; other fields are ignored.

use super::edn::{Edn, EdnError, EdnReader};
use super::{Importer, RawEvent, Reading};
use crate::error::{MalformedReason, ReadError};
use crate::event::Event;

/// Reads a history in EDN.
pub fn read_edn(text: &str) -> impl Iterator<Item = Result<Event, ReadError>> {
    let reading = Reading { nil_is_absence: false, failed_cas_observes: false };
    let mut source =
        Source { reader: EdnReader::new(text), closing: None, begun: false, ended: false };
    let mut importer = Importer::new(reading);
    std::iter::from_fn(move || {
        if source.ended {
            return None;
        }
        let event = source.next().transpose()?.and_then(|raw| importer.event(raw));
        source.ended = event.is_err();
        Some(event)
    })
}

struct Source<'a> {
    reader: EdnReader<'a>,
    /// The bracket that ends the history, if one began it.
    closing: Option<char>,
    begun: bool,
    ended: bool,
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
    let word = |name: &str| match value.get(name) {
        Some(Edn::Keyword(word)) => Ok(word.clone()),
        _ => Err(malformed(line, &format!("an event wants a keyword as its :{name}: {value}"))),
    };
    Ok(RawEvent {
        line,
        client: match value.get("process") {
            Some(Edn::Symbol(number)) => {
                let client = number.parse();
                Some(client.map_err(|_| malformed(line, &format!("{number} is no client's id")))?)
            }
            Some(_) => None,
            None => return Err(malformed(line, &format!("an event wants a :process: {value}"))),
        },
        kind: word("type")?,
        f: word("f")?,
        key: value.get("key").and_then(Edn::bytes),
        value: value.get("value").cloned().unwrap_or(Edn::Nil),
    })
}

fn malformed(line: u64, reason: &str) -> ReadError {
    ReadError::Malformed { line, reason: MalformedReason::Shape(reason.to_owned()) }
}

fn at(line: u64, error: EdnError) -> ReadError {
    match error {
        EdnError::Torn => ReadError::TornTail { line },
        EdnError::Unexpected(reason) => malformed(line, &reason),
    }
}
