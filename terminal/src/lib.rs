//! Lines for a person: results on stdout, everything else on stderr.
//!
//! Everything that is printed goes through here, and foreign text is never printed unchanged. Keys,
//! values, names and errors may hold dangerous characters. Some move the cursor, change the reading
//! direction, are invisible, or begin a new line that looks like a verdict. Each is shown as an
//! escape (`\u{1b}`, `\n`).
//!
//! If the reader has gone (a closed pipe), the run goes on without a panic. Such lines are lost,
//! the files of the run directory are not.

pub mod progress;
pub mod reading_progress;

use failure::Failure;
use std::{
    fmt::{self, Display, Write as _},
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// True if notes are left out (`-q`).
static NOTES_ARE_SILENCED: AtomicBool = AtomicBool::new(false);

/// True if standard output is for data only (`--json`).
static RESULTS_GO_TO_STDERR: AtomicBool = AtomicBool::new(false);

/// Reserves standard output for data from now on: other results become notes.
pub fn results_to_stderr() {
    RESULTS_GO_TO_STDERR.store(true, Ordering::Relaxed);
}

/// Returns true if only the ending should be printed.
pub fn is_quiet() -> bool {
    NOTES_ARE_SILENCED.load(Ordering::Relaxed)
}

/// True if more than the pace is printed (`-v`).
static IS_VERBOSE: AtomicBool = AtomicBool::new(false);

/// Prints more from now on.
pub fn say_more() {
    IS_VERBOSE.store(true, Ordering::Relaxed);
}

/// Returns true if more than the pace should be printed.
pub fn is_verbose() -> bool {
    IS_VERBOSE.load(Ordering::Relaxed)
}

/// Leaves notes out from now on, or prints them again.
pub fn silence_notes(silenced: bool) {
    NOTES_ARE_SILENCED.store(silenced, Ordering::Relaxed);
}

/// Prints a line of the result.
pub fn result(line: impl Display) {
    if RESULTS_GO_TO_STDERR.load(Ordering::Relaxed) {
        return note(line);
    }
    let _ = writeln!(io::stdout().lock(), "{}", Escaped(line));
}

/// Prints a line of the result that is already escaped, and may have our own colours.
pub fn prepared(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints lines in a format whose strings support `\uXXXX`, like JSON and EDN. Returns false if
/// the reader has gone.
pub fn data(text: impl Display) -> bool {
    writeln!(io::stdout().lock(), "{}", EscapedData(text)).is_ok()
}

/// Prints a line about the progress.
pub fn note(line: impl Display) {
    if !NOTES_ARE_SILENCED.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr().lock(), "{}", Escaped(line));
    }
}

/// Prints the failure that ends the program, even if notes are left out.
pub fn failure(failure: &Failure) {
    let mut err = io::stderr().lock();
    let _ = if failure.has_lines {
        failure.sentence.lines().enumerate().try_for_each(|(number, line)| {
            let name = if number == 0 { "jepsen-tikv: " } else { "" };
            writeln!(err, "{name}{}", Escaped(line))
        })
    } else {
        writeln!(err, "jepsen-tikv: {}", Escaped(failure))
    };
}

/// Prints on stderr that a file beside the verdict could not be written.
pub fn complain<T>(written: Result<T, Failure>) -> Option<T> {
    written.map_err(|failure| self::failure(&failure)).ok()
}

/// A text on one line, with characters that must not reach a terminal as escapes.
pub fn escaped(text: impl Display) -> String {
    Escaped(text).to_string()
}

/// Returns true for characters that a terminal obeys instead of showing them, and for invisible
/// ones.
pub fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Soft hyphen, marks of direction, zero width.
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            // Separators of lines and paragraphs, embeddings, overrides and isolates.
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags: a hidden alphabet.
            | '\u{e0000}'..='\u{e007f}')
}

/// A text, shown on one line.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |character: char, out: &mut dyn fmt::Write| match character {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            other => write!(out, "\\u{{{:x}}}", u32::from(other)),
        };
        write!(Escaping { out: f, one }, "{}", self.0)
    }
}

/// Data, shown with its line breaks, so that it still parses to the same.
struct EscapedData<T>(T);

impl<T: Display> Display for EscapedData<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |character: char, out: &mut dyn fmt::Write| match character {
            '\n' => out.write_char('\n'),
            other => other
                .encode_utf16(&mut [0; 2])
                .iter()
                .try_for_each(|unit| write!(out, "\\u{unit:04x}")),
        };
        write!(Escaping { out: f, one }, "{}", self.0)
    }
}

/// Passes a text on with dangerous characters in another form.
struct Escaping<'a, W, F> {
    out: &'a mut W,
    one: F,
}

impl<W: fmt::Write, F: Fn(char, &mut dyn fmt::Write) -> fmt::Result> fmt::Write
    for Escaping<'_, W, F>
{
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in text.char_indices().filter(|(_, it)| is_dangerous(*it)) {
            self.out.write_str(&text[plain..at])?;
            (self.one)(character, self.out)?;
            plain = at + character.len_utf8();
        }
        self.out.write_str(&text[plain..])
    }
}

/// The log's output: stderr, one line per event.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// True if the events are JSON.
    pub json: bool,
}

impl Write for Log {
    /// An event arrives in one piece.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut err = io::stderr().lock();
        if self.json {
            writeln!(err, "{}", EscapedData(line))?;
        } else {
            writeln!(err, "{}", Escaped(line))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_the_rest_stays() {
        for (text, shown) in [
            ("k1 é 漢 👍 \\ \"", "k1 é 漢 👍 \\ \""),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
            ("k\nverdict: VALID\r", "k\\nverdict: VALID\\r"),
            ("\u{9b}31m\u{90}\u{7f}\0", "\\u{9b}31m\\u{90}\\u{7f}\\u{0}"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\\u{202e}b\\u{2066}c\\u{200f}"),
            ("\u{200b}\u{feff}\u{2028}\u{e0041}", "\\u{200b}\\u{feff}\\u{2028}\\u{e0041}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn data_says_the_same_as_before() {
        let value = serde_json::json!({ "k": "\u{202e}\u{9b}\u{e0041}\u{1b}\n", "é": 1 });
        let text = serde_json::to_string_pretty(&value).expect("JSON");
        let shown = EscapedData(&text).to_string();
        assert!(!shown.contains(|it| it != '\n' && is_dangerous(it)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
