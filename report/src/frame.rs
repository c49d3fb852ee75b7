//! The frame of an ending: a label for each row, words wrapped beside it, commands that can be
//! copied, drawn lines.
//!
//! In: rows and the form of the place where they are read. Out: lines, each ready to be printed:
//! what a terminal would obey is escaped, and colours are put in only where they are wanted. It
//! knows nothing of verdicts.

use std::io::IsTerminal;
use terminal::escaped;

/// Words begin in this column.
const MARGIN: usize = 9;
/// Narrower and wider terminals are treated as if they had this many columns.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=120;
/// The width where there is no terminal.
const WIDTH_OF_FILES: usize = 100;

/// Where lines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Columns.
    pub width: usize,
    /// Colours are shown.
    pub colour: bool,
}

impl Form {
    /// Standard output: its width if it is a terminal, and colours unless `NO_COLOR` is set.
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self { width: WIDTH_OF_FILES, colour: false };
        }
        let width = ratatui::crossterm::terminal::size().map(|(columns, _)| usize::from(columns));
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            // A terminal that does not know its width says 0.
            width: width.ok().filter(|width| *width > 0).unwrap_or(WIDTH_OF_FILES),
            colour: !is_set("NO_COLOR") && !is_dumb,
        }
    }

    /// Columns for the words beside a label.
    pub fn room(self) -> usize {
        self.width.clamp(*WIDTHS.start(), *WIDTHS.end()) - MARGIN
    }
}

/// The colour of a label or a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A label among others.
    Label,
    /// Green.
    Good,
    /// Red.
    Bad,
    /// Yellow.
    Unsure,
}

impl Tone {
    fn paint(self, text: &str, form: Form) -> String {
        let code = match self {
            _ if !form.colour || text.is_empty() => return text.to_owned(),
            Self::Label => "2",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Unsure => "1;33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A row of an ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    label: &'static str,
    tone: Tone,
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Wrapped.
    Words,
    /// Wrapped so that it can be copied into a shell.
    Command,
    /// Cut at the edge.
    Drawn,
}

/// The mark of the operation that clashes.
pub const MARK: char = '✗';
/// A space at which no line is broken.
pub const JOINT: char = '\u{a0}';

impl Row {
    /// A row of words. Without a label it goes on with the row before.
    pub fn words(label: &'static str, text: impl std::fmt::Display) -> Self {
        Self { label, tone: Tone::Label, text: escaped(text), kind: Kind::Words }
    }

    /// The first row: the verdict and its reason.
    pub fn verdict(label: &'static str, tone: Tone, text: impl std::fmt::Display) -> Self {
        Self { tone, ..Self::words(label, text) }
    }

    /// A command.
    pub fn command(label: &'static str, text: impl std::fmt::Display) -> Self {
        let mut row = Self { kind: Kind::Command, ..Self::words(label, text) };
        // A flag stays with its value.
        let mut joined = String::new();
        let mut before = "";
        for word in row.text.split(' ') {
            let is_value = before.starts_with("--") && !word.starts_with('-');
            joined.extend((!before.is_empty()).then_some(if is_value { JOINT } else { ' ' }));
            joined.push_str(word);
            before = word;
        }
        row.text = joined;
        row
    }

    /// A line of a drawing.
    pub fn drawn(text: impl std::fmt::Display) -> Self {
        Self { kind: Kind::Drawn, ..Self::words("", text) }
    }

    fn lines(&self, form: Form) -> Vec<String> {
        let room = form.room();
        let texts = match self.kind {
            Kind::Words => wrapped(&self.text, room),
            Kind::Command => {
                // Room for the backslash.
                let mut lines = wrapped(&self.text, room - 2);
                let last = lines.len() - 1;
                lines[..last].iter_mut().for_each(|line| line.push_str(" \\"));
                lines
            }
            Kind::Drawn => vec![cut(&self.text, room)],
        };
        let labels = std::iter::once(self.label).chain(std::iter::repeat(""));
        let line = |(label, text): (&str, String)| {
            let text = text.replace(JOINT, " ");
            let marked = match (self.kind, text.split_once(MARK)) {
                (Kind::Drawn, Some((before, after))) => {
                    format!("{before}{}{after}", Tone::Bad.paint(&MARK.to_string(), form))
                }
                _ => text,
            };
            let margin = " ".repeat(MARGIN - label.chars().count());
            format!("{}{margin}{marked}", self.tone.paint(label, form)).trim_end().to_owned()
        };
        labels.zip(texts).map(line).collect()
    }
}

/// The lines of these rows.
pub fn lines(rows: &[Row], form: Form) -> Vec<String> {
    rows.iter().flat_map(|row| row.lines(form)).collect()
}

/// A text in lines of at most so many characters. Words that are longer stand alone; spaces within
/// a line stay.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let (length, more) = (line.chars().count(), word.chars().count());
        if length > 0 && length + 1 + more > room {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        } else if !line.is_empty() || word.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A text of at most so many characters.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Form = Form { width: 60, colour: false };

    #[test]
    fn words_are_wrapped_beside_their_label() {
        let text = format!("{} 20{JOINT}s {}", "word ".repeat(9).trim(), "w".repeat(70));
        let shown = lines(&[Row::words("what", text)], PLAIN);
        let expected = [
            "what     word word word word word word word word word 20 s".to_owned(),
            format!("         {}", "w".repeat(70)),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_command_that_is_wrapped_can_be_copied() {
        let flags = "--flag value ".repeat(6);
        let shown = lines(&[Row::command("repeat", flags.trim())], PLAIN);
        assert!(shown[0].ends_with(" \\") && !shown[1].ends_with('\\'), "{shown:?}");
        assert!(shown.iter().all(|line| line.chars().count() <= 60), "{shown:?}");
    }

    #[test]
    fn nothing_of_a_run_reaches_the_terminal_as_a_command() {
        let row = Row::words("where", "k\u{1b}[2J\nVALID");
        let shown = lines(&[row], Form { width: 80, colour: true });
        assert_eq!(shown, ["\u{1b}[2mwhere\u{1b}[0m    k\\u{1b}[2J\\nVALID"]);
    }

    #[test]
    fn a_mark_is_coloured_and_a_drawing_is_cut() {
        let shown = lines(&[Row::drawn("├ get ┤ ✗")], Form { width: 80, colour: true });
        assert_eq!(shown, ["         ├ get ┤ \u{1b}[1;31m✗\u{1b}[0m"]);
        assert_eq!(lines(&[Row::drawn("─".repeat(99))], PLAIN)[0].chars().count(), 60);
    }
}
