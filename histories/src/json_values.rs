//! A sequence of JSON values, on a line each or over several, or as one array.
//!
//! In: text. Out: each value's text and the line that it begins on. The meaning of the values is
//! left to the caller.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{MalformedReason, ReadError};

/// A value as it is written, and the line that it begins on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonValue<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: u64,
}

impl<'a> JsonValue<'a> {
    /// Parses the value; `what` names it in the refusal.
    pub(crate) fn parse<T: Deserialize<'a>>(self, what: &str) -> Result<T, ReadError> {
        serde_json::from_str(self.text).map_err(|error| refusal(self.line, what, &error))
    }
}

/// The values of a text, and the error that ends them, if any.
pub(crate) fn json_values(text: &str) -> (Vec<JsonValue<'_>>, Option<ReadError>) {
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut values = Vec::new();
    let mut push = |raw: &RawValue, lines: &mut Lines<'_>| {
        let begin = raw.get().as_ptr() as usize - text.as_ptr() as usize;
        let text = &text[begin..begin + raw.get().len()];
        values.push(JsonValue { text, line: lines.of(begin) });
    };
    if text.trim_start().starts_with('[') {
        return match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(array) => {
                for raw in array {
                    push(raw, &mut lines);
                }
                (values, None)
            }
            Err(error) => (values, Some(refusal(1, "no array of JSON objects", &error))),
        };
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    loop {
        let before = stream.byte_offset();
        match stream.next() {
            Some(Ok(raw)) => push(raw, &mut lines),
            Some(Err(error)) => {
                let begin = text.len() - text[before..].trim_start().len();
                let line = lines.of(begin);
                let refused = if error.is_eof() {
                    ReadError::TornTail { line }
                } else {
                    refusal(1, "no JSON", &error)
                };
                return (values, Some(refused));
            }
            None => return (values, None),
        }
    }
}

/// The refusal of a text that begins on this line.
fn refusal(line: u64, what: &str, error: &serde_json::Error) -> ReadError {
    let line = line + (error.line() as u64).saturating_sub(1);
    if error.is_eof() {
        return ReadError::TornTail { line };
    }
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    ReadError::Malformed { line, reason: MalformedReason::Shape(format!("{what}: {reason}")) }
}

/// Counts lines up to offsets that grow.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, offset: usize) -> u64 {
        let between = &self.text.as_bytes()[self.at..offset];
        self.line += memchr::memchr_iter(b'\n', between).count() as u64;
        self.at = offset;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, &str)> {
        let (values, wrong) = json_values(text);
        assert!(wrong.is_none(), "{wrong:?}");
        values.into_iter().map(|value| (value.line, value.text)).collect()
    }

    #[test]
    fn values_are_found_however_they_are_laid_out() {
        let expected = [(1, "{\"a\":1}"), (2, "{\"b\":2}")];
        assert_eq!(lines("{\"a\":1}\n{\"b\":2}\n\n"), expected);
        assert_eq!(lines("[{\"a\":1},\n{\"b\":2}]\n"), expected);
        assert_eq!(lines("{\"a\":1}{\"b\":2}").len(), 2);
        assert_eq!(lines("\n{\n\"a\":1\n}\n{}"), [(2, "{\n\"a\":1\n}"), (5, "{}")]);
        assert_eq!(lines(" [ ] "), []);
    }

    #[test]
    fn torn_and_wrong_texts_are_refused_with_their_line() {
        for torn in ["{}\n{\"a\":", "{}\n{", "[{},\n{}", "[{},\n"] {
            let (_, wrong) = json_values(torn);
            assert!(matches!(wrong, Some(ReadError::TornTail { line: 2 })), "{torn}: {wrong:?}");
        }
        for wrong in ["{}\n}", "[{}]\n{}", "{}\n{1}"] {
            let (_, refused) = json_values(wrong);
            assert!(
                matches!(refused, Some(ReadError::Malformed { line: 2, .. })),
                "{wrong}: {refused:?}"
            );
        }
        let deep = "[".repeat(1_000_000);
        assert!(json_values(&deep).1.is_some());
        let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
        assert!(json_values(&deep).1.is_some());
    }
}
