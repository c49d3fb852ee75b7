//! Text logs of Jepsen: `INFO  jepsen.util - 3 <tab> :invoke <tab> :cas <tab> [1 2]`, one event a line.
//!
//! In: text. Out: events. Lines without `jepsen.util - ` are other log lines and are skipped.

use super::edn::{Edn, EdnError, EdnReader};
use super::{Importer, RawEvent, Reading};
use crate::error::{MalformedReason, ReadError};
use crate::event::Event;

const MARK: &str = "jepsen.util - ";

/// Reads a text log.
pub fn read_text_log(text: &str) -> impl Iterator<Item = Result<Event, ReadError>> {
    let reading = Reading { nil_is_absence: true, failed_cas_observes: true };
    let mut importer = Importer::new(reading);
    let mut lines = (1..).zip(text.split_inclusive('\n'));
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let (number, line, event) =
            lines.find_map(|(number, line)| Some((number, line, line.split_once(MARK)?.1)))?;
        let parsed = raw_event(number, event, line.ends_with('\n'));
        let event = parsed.and_then(|raw| importer.event(raw));
        ended = event.is_err();
        Some(event)
    })
}

fn raw_event(line: u64, text: &str, is_whole: bool) -> Result<RawEvent, ReadError> {
    let wrong = |reason: String| {
        if is_whole {
            ReadError::Malformed { line, reason: MalformedReason::Shape(reason) }
        } else {
            ReadError::TornTail { line }
        }
    };
    let mut reader = EdnReader::new(text);
    let mut field = || match reader.next() {
        Ok(value) => Ok(value),
        Err(EdnError::Torn) => Err(wrong("the line lacks a field".to_owned())),
        Err(EdnError::Unexpected(reason)) => Err(wrong(reason)),
    };
    let client = match field()? {
        Edn::Symbol(number) => number.parse().ok(),
        _ => None,
    };
    let mut word = || match field()? {
        Edn::Keyword(word) => Ok(word),
        other => Err(wrong(format!("{other} where a keyword is due"))),
    };
    let (kind, f) = (word()?, word()?);
    Ok(RawEvent { line, client, kind, f, key: None, value: field()? })
}
