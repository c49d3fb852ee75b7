//! A reader of the subset of EDN that histories use.
//!
//! In: text. Out: [`Edn`] values with the lines they begin at. Numbers, symbols and characters are
//! kept as they are written, without the suffixes of large integers: `5N` and `5M` are 5. Tags
//! (`#inst`, `#jepsen.history.Op`) are skipped, as are comments (`;`) and values after `#_`.
//! Nesting is bounded, of brackets, tags and `#_` together.

use std::fmt;

const DEPTH_MAX: usize = 64;

/// One EDN value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Edn {
    #[default]
    Nil,
    /// A keyword without its colon.
    Keyword(String),
    Text(String),
    /// A number in one spelling, or a symbol, boolean or character as it is written.
    Symbol(String),
    /// A vector, list or set.
    Sequence(Vec<Edn>),
    Map(Vec<(Edn, Edn)>),
}

impl Edn {
    /// The value as bytes of a register; `None` for nil.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Nil => None,
            Self::Text(text) => Some(text.clone().into_bytes()),
            other => Some(other.to_string().into_bytes()),
        }
    }

    /// A keyword's name, or a string or symbol in its place.
    pub(crate) fn word(&self) -> Option<&str> {
        match self {
            Self::Keyword(word) | Self::Text(word) | Self::Symbol(word) => Some(word),
            Self::Nil | Self::Sequence(_) | Self::Map(_) => None,
        }
    }

    /// The value of a keyword in a map.
    pub(crate) fn get(&self, keyword: &str) -> Option<&Self> {
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
                // Equal maps are shown alike, whatever order they were written in.
                let mut entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{key} {value}")).collect();
                entries.sort_unstable();
                write!(f, "{{{}}}", entries.join(", "))
            }
        }
    }
}

/// An error in the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EdnError {
    /// The text ends in the middle of a value.
    Torn,
    /// The text is nested deeper than any history.
    TooDeep,
    /// The text is no EDN.
    Unexpected(String),
}

/// Reads values one after another.
#[derive(Debug)]
pub(crate) struct EdnReader<'a> {
    rest: &'a str,
    line: u64,
}

impl<'a> EdnReader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The line of the next value, counted from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The rest of the text.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// The next significant character; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<char>, EdnError> {
        self.peek_at(0)
    }

    fn peek_at(&mut self, depth: usize) -> Result<Option<char>, EdnError> {
        loop {
            let space = |c: char| c.is_whitespace() || c == ',';
            let skipped = self.rest.len() - self.rest.trim_start_matches(space).len();
            self.advance(skipped);
            if self.rest.starts_with(';') {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("#_") {
                self.advance(2);
                self.value(depth + 1)?;
            } else {
                return Ok(self.rest.chars().next());
            }
        }
    }

    /// Skips one bracket.
    pub(crate) fn bracket(&mut self) {
        self.advance(1);
    }

    /// Reads the next value.
    pub(crate) fn next(&mut self) -> Result<Edn, EdnError> {
        self.value(0)
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count() as u64;
        self.rest = &self.rest[bytes..];
    }

    fn value(&mut self, depth: usize) -> Result<Edn, EdnError> {
        if depth > DEPTH_MAX {
            return Err(EdnError::TooDeep);
        }
        match self.peek_at(depth)?.ok_or(EdnError::Torn)? {
            '[' => self.sequence(']', depth).map(Edn::Sequence),
            '(' => self.sequence(')', depth).map(Edn::Sequence),
            '{' => self.map(depth),
            '"' => self.text(),
            '#' if self.rest.starts_with("#{") => {
                self.advance(1);
                let mut members = self.sequence('}', depth)?;
                // Equal sets are alike, whatever order they were written in.
                members.sort_by_cached_key(Edn::to_string);
                Ok(Edn::Sequence(members))
            }
            '#' if self.rest.starts_with("##") => Ok(self.token()),
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
            if self.peek_at(depth)?.ok_or(EdnError::Torn)? == closing {
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
                    Some((_, 'u')) => unicode(&mut characters)?,
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
        // A character literal may be one that ends other tokens.
        let character = self.rest.strip_prefix('\\').and_then(|rest| rest.chars().next());
        let least = 1 + character.map_or(0, char::len_utf8);
        let token = &self.rest[..self.token_length().max(least)];
        self.advance(token.len());
        match token.strip_prefix(':') {
            Some(name) => Edn::Keyword(name.to_owned()),
            None if token == "nil" => Edn::Nil,
            None => Edn::Symbol(plain_number(token).unwrap_or_else(|| token.to_owned())),
        }
    }
}

/// A number in one spelling, whichever of Clojure's it has; `None` for anything else. `0x10`, `020`
/// and `2r10000` are 16, `1.50` and `15e-1` are 1.5. An integer and a floating-point number are
/// different values, as in Clojure.
fn plain_number(token: &str) -> Option<String> {
    let number = token.strip_prefix('+').unwrap_or(token);
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let decimal = digits.strip_suffix(['N', 'M']).unwrap_or(digits);
    if decimal.bytes().all(|byte| byte.is_ascii_digit())
        && (decimal == "0" || !decimal.starts_with('0'))
    {
        return Some(if decimal == "0" { "0".to_owned() } else { format!("{sign}{decimal}") });
    }
    let whole = digits.strip_suffix('N').unwrap_or(digits);
    let (radix, of_radix) =
        if let Some(digits) = whole.strip_prefix("0x").or(whole.strip_prefix("0X")) {
            (16, digits)
        } else if let Some((radix, digits)) = whole.split_once(['r', 'R']) {
            (radix.parse().ok().filter(|radix| (2..=36).contains(radix))?, digits)
        } else {
            (8, whole)
        };
    if let Ok(number) = u128::from_str_radix(of_radix, radix) {
        return Some(if number == 0 { "0".to_owned() } else { format!("{sign}{number}") });
    }
    let is_float = digits.contains(['.', 'e', 'E']);
    let number = number.parse::<f64>().ok().filter(|number| is_float && number.is_finite())?;
    Some(format!("{number:?}"))
}

/// The character of four hexadecimal digits; half a pair of surrogates is kept alone.
fn unicode(characters: &mut impl Iterator<Item = (usize, char)>) -> Result<char, EdnError> {
    let digits: String = characters.take(4).map(|(_, digit)| digit).collect();
    if digits.len() < 4 {
        return Err(EdnError::Torn);
    }
    let code = u32::from_str_radix(&digits, 16)
        .map_err(|_| EdnError::Unexpected(format!("no character: \\u{digits}")))?;
    Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
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
    }

    #[test]
    fn nesting_is_bounded_whatever_is_nested() {
        for opening in ["[", "(", "{", "#{", "#_", "#_[", "#a ", "#_#a [", "{[#_(", "#_ ", "[#_"] {
            for times in [DEPTH_MAX + 2, 10_000, 1_000_000] {
                let deep = opening.repeat(times);
                assert_eq!(EdnReader::new(&deep).next(), Err(EdnError::TooDeep), "{opening}");
                assert_eq!(EdnReader::new(&format!("[{deep}")).next(), Err(EdnError::TooDeep));
            }
        }
        let dropped = "#_".repeat(DEPTH_MAX - 1) + &"1 ".repeat(DEPTH_MAX - 1) + "2";
        assert_eq!(EdnReader::new(&dropped).next(), Ok(Edn::Symbol("2".to_owned())));
    }

    #[test]
    fn numbers_and_characters_are_read_as_clojure_writes_them() {
        let text =
            "[5N 5M +5 -0 -7N 5.0 1/2 N ##Inf \\[ \\newline \"\\u00e9\" 12345678901234567890N]";
        let value = EdnReader::new(text).next().expect("EDN");
        let shown = "[5 5 5 0 -7 5.0 1/2 N ##Inf \\[ \\newline \"é\" 12345678901234567890]";
        assert_eq!(value.to_string(), shown);
    }

    #[test]
    fn one_number_has_one_spelling() {
        for (written, plain) in [
            ("0x10", "16"),
            ("010", "8"),
            ("2r101", "5"),
            ("-0x0", "0"),
            ("1.50", "1.5"),
            ("1e3", "1000.0"),
            ("15E-1", "1.5"),
            ("5.0", "5.0"),
            // A decimal of exact precision is another value; these are no numbers.
            ("1.5M", "1.5M"),
            ("08", "08"),
            ("1/2", "1/2"),
            ("0x", "0x"),
            ("99r1", "99r1"),
        ] {
            let value = EdnReader::new(written).next().expect("EDN");
            assert_eq!(value, Edn::Symbol(plain.to_owned()), "{written}");
        }
    }
}
