//! Detects a history's format by parsing its beginning.
//!
//! In: a source, and the format if the user named it. Out: the format and the layout of its JSON,
//! or the reason that it is no history. It reads on until the format is clear, however few bytes
//! arrive at once, and however many lines a log has before its first event.

use std::io::{self, BufRead};

use crate::error::ReadError;
use crate::import::{Edn, EdnError, EdnReader, is_event_line};
use crate::peeked::Peeked;
use crate::source::Format;

/// The number of bytes read first.
const FIRST_BYTES: usize = 64 << 10;
/// A log without a sign of a history in this many bytes is none.
const BYTES_MAX: usize = 256 << 20;

/// The format of a history, and its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) format: Format,
    /// True if every event is one line, in our own format. Otherwise the JSON is laid out in
    /// another way.
    pub(crate) is_lines: bool,
}

/// Examines the beginning of a source, and removes a byte order mark from it.
pub(crate) fn look(
    source: &mut Peeked<impl BufRead>,
    named: Option<Format>,
) -> Result<Beginning, ReadError> {
    let mut bytes = FIRST_BYTES;
    hold(source, bytes)?;
    if let Some(reason) = no_text(source.held()) {
        return Err(ReadError::Foreign { reason: reason.to_owned() });
    }
    if source.held().starts_with(b"\xef\xbb\xbf") {
        source.advance(3);
    }
    loop {
        let is_all = hold(source, bytes)?;
        let text = String::from_utf8_lossy(source.held());
        let text = text.trim_start();
        let told = match named {
            // Only the layout is unknown.
            Some(format) => match json(text, is_all) {
                _ if format != Format::Jsonl => Told::Is(format, true),
                Told::Is(Format::Jsonl, is_lines) => Told::Is(format, is_lines),
                Told::More => Told::More,
                _ => Told::Is(format, true),
            },
            None => guess(text, is_all),
        };
        match told {
            Told::Is(format, is_lines) => return Ok(Beginning { format, is_lines }),
            Told::Foreign(reason) => return Err(ReadError::Foreign { reason }),
            Told::No | Told::More if is_all || bytes >= BYTES_MAX => {
                return Err(ReadError::Foreign { reason: nothing_found(text) });
            }
            Told::No | Told::More => bytes *= 2,
        }
    }
}

/// Buffers this many bytes. A compressed file whose end is missing ends there.
fn hold(source: &mut Peeked<impl BufRead>, bytes: usize) -> io::Result<bool> {
    match source.hold(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !source.held().is_empty() => {
            Ok(true)
        }
        held => held,
    }
}

/// The result of examining a beginning.
enum Told {
    /// The format, and true if every event is one line.
    Is(Format, bool),
    /// The file is something else.
    Foreign(String),
    /// The file is not of the tried kind.
    No,
    /// The beginning is too short to tell.
    More,
}

/// The reason that bytes are no text; `None` if they are text.
fn no_text(beginning: &[u8]) -> Option<&'static str> {
    let utf_16 = "it is UTF-16 text: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)";
    match beginning {
        [] => Some("the file is empty"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(utf_16),
        [0, second, ..] if *second != 0 => Some(utf_16),
        [first, 0, ..] if *first != 0 => Some(utf_16),
        _ if beginning.contains(&0) => Some("it is binary data, not text"),
        _ => None,
    }
}

fn nothing_found(text: &str) -> String {
    if text.is_empty() {
        return "there is nothing but white space in the file".to_owned();
    }
    "no line of it is an event (as \"0 :invoke :read nil\" in a log of Jepsen), and it begins neither as history.jsonl \
     nor as EDN, nor as operations of etcd or tipocket"
        .to_owned()
}

fn guess(text: &str, is_all: bool) -> Told {
    if text.is_empty() {
        return Told::More;
    }
    match json(text, is_all) {
        Told::No => {}
        told => return told,
    }
    match edn(text, is_all) {
        Told::No => {}
        told => return told,
    }
    // The last line may be cut.
    let whole = if is_all { text.len() } else { text.rfind('\n').unwrap_or(0) };
    let found = text[..whole].lines().any(is_event_line);
    if found { Told::Is(Format::Log, true) } else { Told::More }
}

/// Detects a format of JSON objects by the fields of the first object.
fn json(text: &str, is_all: bool) -> Told {
    let more = if is_all { Told::No } else { Told::More };
    let in_array = text.strip_prefix('[');
    let object = in_array.unwrap_or(text).trim_start();
    let Some(inner) = object.strip_prefix('{') else {
        return if object.is_empty() { more } else { Told::No };
    };
    match inner.trim_start().chars().next() {
        Some('"') => {}
        None => return more,
        Some(_) => return Told::No,
    }
    let first = Object::of(object);
    let known = first.fields.iter().find_map(|field| match *field {
        "format" | "index" => Some(Format::Jsonl),
        "action" => Some(Format::Tipocket),
        "ClientId" | "ClientID" | "Input" | "Call" | "Output" | "Return" => Some(Format::Etcd),
        _ => None,
    });
    match (known, first.end) {
        (Some(Format::Jsonl), Some(end)) => {
            let rest = &object[end..];
            let line = rest.find('\n').map_or(rest, |newline| &rest[..newline]);
            if line.len() == rest.len() && line.trim().is_empty() && !is_all {
                return Told::More;
            }
            let is_lines =
                in_array.is_none() && line.trim().is_empty() && !object[..end].contains('\n');
            Told::Is(Format::Jsonl, is_lines)
        }
        (Some(Format::Jsonl), None) if !is_all => Told::More,
        (Some(format), _) => Told::Is(format, true),
        (None, Some(_)) if first.fields.is_empty() => Told::No,
        (None, Some(_)) if first.fields.contains(&"Responses") => {
            Told::Foreign("it holds etcd's watches: its operations.json is the history".to_owned())
        }
        (None, Some(_)) => Told::Foreign(format!(
            "its JSON has the fields {}: neither history.jsonl nor operations of etcd or tipocket",
            first.fields.join(", ")
        )),
        (None, None) => more,
    }
}

/// The fields of a JSON object's beginning.
struct Object<'a> {
    fields: Vec<&'a str>,
    /// The offset of the object's end, if it is there.
    end: Option<usize>,
}

impl<'a> Object<'a> {
    fn of(text: &'a str) -> Self {
        let mut object = Self { fields: Vec::new(), end: None };
        let (mut depth, mut string_from, mut is_escaped) = (0_u64, None, false);
        let mut last_string = "";
        for (at, byte) in text.bytes().enumerate() {
            if let Some(from) = string_from {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' => is_escaped = true,
                    b'"' => {
                        last_string = &text[from..at];
                        string_from = None;
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => string_from = Some(at + 1),
                b':' if depth == 1 => object.fields.push(last_string),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        object.end = Some(at + 1);
                        break;
                    }
                }
                _ => {}
            }
        }
        object
    }
}

/// Detects EDN: a map, or a vector or list of maps.
fn edn(text: &str, is_all: bool) -> Told {
    if !text.starts_with(['[', '(', '{', '#', ';']) {
        return Told::No;
    }
    let mut reader = EdnReader::new(text);
    let mut is_map = text.starts_with("{:");
    let first = reader.peek().and_then(|next| match next {
        Some('[' | '(') => {
            reader.bracket();
            match reader.peek()? {
                None => Err(EdnError::Torn),
                // An empty history.
                Some(']' | ')') => Ok(None),
                Some(next) => {
                    is_map |= next == '{';
                    reader.next().map(Some)
                }
            }
        }
        Some(_) => reader.next().map(Some),
        // Comments only.
        None => Err(EdnError::Torn),
    });
    match first {
        Err(EdnError::Torn) if !is_all => Told::More,
        // The reader of EDN reports these errors with their line.
        Ok(None | Some(Edn::Map(_))) | Err(EdnError::TooDeep | EdnError::Torn) => {
            Told::Is(Format::Edn, true)
        }
        Err(EdnError::Unexpected(_)) if is_map => Told::Is(Format::Edn, true),
        Ok(Some(_)) | Err(EdnError::Unexpected(_)) => Told::No,
    }
}
