//! A reader of EDN, as much of it as histories use.
//!
//! In: text. Out: [`Edn`] values with the lines they begin at. Numbers, symbols and characters are kept as they are
//! written. Tags (`#inst`, `#jepsen.history.Op`) are skipped, `#_` and `;` drop what they say. Nesting is bounded.

use std::fmt;

const DEPTH_MAX: usize = 64;

/// One EDN value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edn {
    Nil,
    /// A keyword without its colon.
    Keyword(String),
    Text(String),
    /// A number, symbol, boolean or character, as it is written.
    Symbol(String),
    /// A vector, list or set.
    Sequence(Vec<Edn>),
    Map(Vec<(Edn, Edn)>),
}

impl Edn {
    /// The value as bytes of a register; `None` for nil.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Nil => None,
            Self::Text(text) => Some(text.clone().into_bytes()),
            other => Some(other.to_string().into_bytes()),
        }
    }

    /// What a map holds under a keyword.
    pub(super) fn get(&self, keyword: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let is_it =
            |(key, _): &&(Self, Self)| matches!(key, Self::Keyword(name) if name == keyword);
        entries.iter().find(is_it).map(|(_, value)| value)
    }
}

impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Keyword(name) => write!(f, ":{name}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Symbol(symbol) => f.write_str(symbol),
            Self::Sequence(values) => {
                let values: Vec<String> = values.iter().map(Self::to_string).collect();
                write!(f, "[{}]", values.join(" "))
            }
            Self::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{key} {value}")).collect();
                write!(f, "{{{}}}", entries.join(", "))
            }
        }
    }
}

/// What is wrong with the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EdnError {
    /// It ends in the middle of a value.
    Torn,
    /// It is no EDN.
    Unexpected(String),
}

/// Reads values one after another.
#[derive(Debug)]
pub(super) struct EdnReader<'a> {
    rest: &'a str,
    line: u64,
}

impl<'a> EdnReader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The line of what comes next, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next character that means something; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<char>, EdnError> {
        loop {
            let space = |c: char| c.is_whitespace() || c == ',';
            let skipped = self.rest.len() - self.rest.trim_start_matches(space).len();
            self.advance(skipped);
            if self.rest.starts_with(';') {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("#_") {
                self.advance(2);
                self.value(0)?;
            } else {
                return Ok(self.rest.chars().next());
            }
        }
    }

    /// Steps over one bracket.
    pub(super) fn bracket(&mut self) {
        self.advance(1);
    }

    /// The next value.
    pub(super) fn next(&mut self) -> Result<Edn, EdnError> {
        self.value(0)
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count() as u64;
        self.rest = &self.rest[bytes..];
    }

    fn value(&mut self, depth: usize) -> Result<Edn, EdnError> {
        if depth > DEPTH_MAX {
            return Err(EdnError::Unexpected(format!("more than {DEPTH_MAX} brackets deep")));
        }
        match self.peek()?.ok_or(EdnError::Torn)? {
            '[' => self.sequence(']', depth).map(Edn::Sequence),
            '(' => self.sequence(')', depth).map(Edn::Sequence),
            '{' => self.map(depth),
            '"' => self.text(),
            '#' if self.rest.starts_with("#{") => {
                self.advance(1);
                self.sequence('}', depth).map(Edn::Sequence)
            }
            '#' => {
                let tag = self.token_length();
                self.advance(tag);
                self.value(depth + 1)
            }
            closing @ (']' | ')' | '}') => {
                Err(EdnError::Unexpected(format!("unexpected {closing}")))
            }
            _ => Ok(self.token()),
        }
    }

    fn sequence(&mut self, closing: char, depth: usize) -> Result<Vec<Edn>, EdnError> {
        self.advance(1);
        let mut values = Vec::new();
        loop {
            if self.peek()?.ok_or(EdnError::Torn)? == closing {
                self.advance(1);
                return Ok(values);
            }
            values.push(self.value(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Edn, EdnError> {
        let mut values = self.sequence('}', depth)?.into_iter();
        let mut entries = Vec::new();
        while let Some(key) = values.next() {
            let value = values.next().ok_or_else(|| {
                EdnError::Unexpected(format!("a map with the key {key} and no value for it"))
            })?;
            entries.push((key, value));
        }
        Ok(Edn::Map(entries))
    }

    fn text(&mut self) -> Result<Edn, EdnError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.advance(at + 1);
                    return Ok(Edn::Text(text));
                }
                '\\' => text.push(match characters.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, 't')) => '\t',
                    Some((_, 'r')) => '\r',
                    Some((_, other)) => other,
                    None => return Err(EdnError::Torn),
                }),
                other => text.push(other),
            }
        }
        Err(EdnError::Torn)
    }

    fn token_length(&self) -> usize {
        let ends = |c: char| c.is_whitespace() || ",;[](){}\"".contains(c);
        self.rest.find(ends).unwrap_or(self.rest.len())
    }

    fn token(&mut self) -> Edn {
        let token = &self.rest[..self.token_length().max(1)];
        self.advance(token.len());
        match token.strip_prefix(':') {
            Some(name) => Edn::Keyword(name.to_owned()),
            None if token == "nil" => Edn::Nil,
            None => Edn::Symbol(token.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_kind_are_read_and_shown() {
        let text =
            "{:a [1 -2.5 nil], :b \"x\\\"y\" ; comment\n :c #{:k} #_(dropped) :d #inst \"2026\"}";
        let value = EdnReader::new(text).next().expect("EDN");
        assert_eq!(value.to_string(), "{:a [1 -2.5 nil], :b \"x\\\"y\", :c [:k], :d \"2026\"}");
        assert_eq!(value.get("c"), Some(&Edn::Sequence(vec![Edn::Keyword("k".to_owned())])));
    }

    #[test]
    fn torn_and_wrong_texts_are_told_apart() {
        for torn in ["{:a 1", "[", "\"a", "\"a\\", "", "#inst"] {
            assert_eq!(EdnReader::new(torn).next(), Err(EdnError::Torn), "{torn}");
        }
        for wrong in ["]", "{:a}", "[)"] {
            assert!(
                matches!(EdnReader::new(wrong).next(), Err(EdnError::Unexpected(_))),
                "{wrong}"
            );
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(EdnReader::new(&deep).next(), Err(EdnError::Unexpected(_))));
    }
}
