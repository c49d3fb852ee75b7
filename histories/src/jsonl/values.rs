//! A history whose JSON no longer has one event a line: `jq .` has laid it out over several lines,
//! or `jq -s .` as an array.
//!
//! In: the whole text. Out: the header and the events, checked against the rules for a file of
//! lines. A refusal names the line on which an event begins.

use crate::error::ReadError;
use crate::event::{Event, Header};
use crate::json_values::json_values;
use crate::jsonl::line;
use crate::jsonl::read::{parse_header, refusal, says_nothing};
use crate::order::Order;

/// Reads a history of values, each over any number of lines.
pub(crate) fn read_values(
    text: &str,
) -> Result<(Header, Vec<Result<Event, ReadError>>), ReadError> {
    let (values, wrong) = json_values(text);
    let mut values = values.into_iter();
    let header = match (values.next(), wrong.as_ref()) {
        (Some(first), _) => parse_header(first.text.as_bytes())?,
        (None, Some(_)) => Header::default(),
        (None, None) => parse_header(b"")?,
    };
    let mut order = Order::new();
    let mut events = Vec::new();
    for value in values {
        // The header of a further segment counts as one even if it is laid out over several lines.
        let compact = compact(value.text);
        if says_nothing(compact.as_bytes()) {
            continue;
        }
        let event = line::event(value.text.as_bytes(), &mut order);
        let event = event.map_err(|error| refusal(value.line, true, error));
        let is_wrong = event.is_err();
        events.push(event);
        if is_wrong {
            return Ok((header, events));
        }
    }
    events.extend(wrong.map(Err));
    Ok((header, events))
}

/// The value without its layout, if it may be a header.
fn compact(value: &str) -> String {
    let is_header =
        value.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with("\"format\""));
    let parsed = is_header.then(|| serde_json::from_str::<serde_json::Value>(value).ok()).flatten();
    parsed.map_or_else(|| "{}".to_owned(), |value| value.to_string())
}
