//! Text logs of Jepsen and its history.txt: process, type, f and value, one event a line.
//!
//! ```text
//! INFO  jepsen.util - 3 <tab> :invoke <tab> :cas <tab> [1 2]
//! INFO [2018-02-04 22:14:17,146] jepsen worker 4 - jepsen.util 4 <tab> :fail <tab> :cas <tab> [1 2] <tab> :timeout
//! 2021-02-26 23:39:01,300{GMT} <tab> INFO <tab> [jepsen worker 1] jepsen.util: 1 <tab> :ok <tab> :write <tab> 2
//! :nemesis <tab> :info <tab> :start <tab> nil
//! ```
//!
//! In: text, and the user's word on the kind of values. Out: events. An event is recognised by its
//! columns: a process, then its type. Columns are separated by tabs, or by blanks if the logger's
//! name or the beginning of the line precedes them. Other lines of a log are skipped. A file whose
//! first event begins its line is a history.txt: only the continuation of an error may stand
//! between its events.

use super::edn::{Edn, EdnError, EdnReader};
use super::raw::{self, RawEvent, Reading};
use super::{Imported, independent};
use crate::error::{MalformedReason, ReadError};

const KINDS: [&str; 4] = [":invoke", ":ok", ":fail", ":info"];
/// Jepsen's namespaces that log operations, the newer one last.
const LOGGERS: [&str; 2] = ["jepsen.util", "jepsen.print"];

/// Reads a text log. `independent` is true if values are `[key value]`, false if they are not;
/// `None` lets the file decide.
pub fn read_text_log(text: &str, independent: Option<bool>) -> Imported {
    let reading = Reading { nil_is_absence: true, failed_cas_observes: true };
    let (mut raws, mut wrong) = raw_events(text);
    let last_line = text.lines().count() as u64;
    if wrong.is_none()
        && !text.ends_with('\n')
        && raws.last().is_some_and(|it| it.line == last_line)
    {
        wrong = cut_value(&raws);
        // The column of an error may be missing.
        if let Some(last) = raws.last_mut() {
            last.has_error |= last.kind == "fail";
        }
    }
    if let Err(error) = independent::settle(&mut raws, independent) {
        return Imported::refused(error);
    }
    raw::imported(raws, reading, wrong)
}

/// Returns true if this line of a text is an event.
pub(crate) fn is_event_line(line: &str) -> bool {
    Columns::of(line).is_some()
}

fn raw_events(text: &str) -> (Vec<RawEvent>, Option<ReadError>) {
    let mut raws: Vec<RawEvent> = Vec::new();
    let mut is_bare = false;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let is_whole = line.ends_with('\n');
        let wrong = |reason: MalformedReason| {
            Some(if is_whole {
                ReadError::Malformed { line: number, reason }
            } else {
                ReadError::TornTail { line: number }
            })
        };
        match Columns::of(line) {
            Some(columns) => {
                is_bare |= raws.is_empty() && columns.is_bare;
                match columns.event(number) {
                    Ok(raw) => raws.push(raw),
                    Err(reason) => return (raws, wrong(MalformedReason::Shape(reason))),
                }
            }
            None if line.trim().is_empty() => {}
            None if is_bare && raws.last().is_some_and(|raw| !raw.has_error) => {
                let reason =
                    format!("no event, which is process, type, f and value: {}", line.trim());
                return (raws, wrong(MalformedReason::Shape(reason)));
            }
            None => {
                if let Some(kind) = unknown_kind(line) {
                    return (raws, wrong(MalformedReason::UnknownType(kind.to_owned())));
                }
            }
        }
    }
    (raws, None)
}

/// The error of a last line without an end, which may be cut in the middle of a value that a read
/// returned. The line counts as whole unless a longer value with the same beginning was written.
fn cut_value(raws: &[RawEvent]) -> Option<ReadError> {
    let last = raws.last().filter(|raw| raw.kind == "ok" && !raw.has_error)?;
    if matches!(last.value, Edn::Sequence(_) | Edn::Map(_) | Edn::Text(_) | Edn::Nil) {
        return None;
    }
    let seen = last.value.to_string();
    let is_longer = |value: &Edn| {
        let value = value.to_string();
        value.len() > seen.len() && value.starts_with(&seen)
    };
    let is_cut = raws.iter().filter(|raw| raw.kind == "invoke").any(|raw| match &raw.value {
        Edn::Sequence(pair) if raw.f == "cas" => pair.iter().any(is_longer),
        value => is_longer(value),
    });
    is_cut.then_some(ReadError::TornTail { line: last.line })
}

/// The columns of an event.
#[derive(Debug)]
struct Columns<'a> {
    process: &'a str,
    kind: &'a str,
    /// The text after the columns.
    rest: &'a str,
    /// True if nothing precedes the columns.
    is_bare: bool,
}

impl<'a> Columns<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let ends_word = |rest: &str| rest.chars().next().is_none_or(char::is_whitespace);
        let (at, kind) = line.match_indices(':').find_map(|(at, _)| {
            let kind = KINDS.into_iter().find(|kind| line[at..].starts_with(kind))?;
            ends_word(&line[at + kind.len()..]).then_some((at, kind))
        })?;
        let before = line[..at].trim_end();
        let is_tabbed = line[before.len()..at].contains('\t');
        let is_parted = before.len() < at;
        let begin = before.rfind(char::is_whitespace).map_or(0, |space| space + 1);
        let begin = begin + (before[begin..].len() - before[begin..].trim_start().len());
        let process = &before[begin..];
        let is_process = process.parse::<i128>().is_ok()
            || process.len() > 1 && process.starts_with(':')
            || process == "nemesis";
        let logger = line[..begin].trim();
        let is_bare = logger.is_empty();
        let is_event = is_parted && is_process && (is_tabbed || is_bare || is_logger(logger));
        let rest = &line[at + kind.len()..];
        is_event.then(|| Self { process, kind: &kind[1..], rest, is_bare })
    }

    /// Parses the event of the columns. A failed or unknown operation may have anything as its
    /// value.
    fn event(&self, line: u64) -> Result<RawEvent, String> {
        let process = self.process.parse().ok();
        let mut reader = EdnReader::new(self.rest.trim_end());
        let mut field = || match reader.next() {
            Ok(value) => Ok(value),
            Err(EdnError::Torn) => Err("the line lacks a field".to_owned()),
            Err(EdnError::TooDeep) => Err("a value is nested too deep".to_owned()),
            Err(EdnError::Unexpected(reason)) => Err(reason),
        };
        let mut raw = RawEvent { line, process, kind: self.kind.to_owned(), ..RawEvent::default() };
        if process.is_none() {
            // The text of a fault may go on on the next lines.
            raw.f = field().ok().and_then(|f| f.word().map(str::to_owned)).unwrap_or_default();
            raw.has_error = true;
            return Ok(raw);
        }
        raw.f = match field()? {
            Edn::Keyword(f) | Edn::Symbol(f) => f,
            other => return Err(format!("{other} where a keyword is due")),
        };
        match field() {
            Ok(value) => raw.value = value,
            Err(reason) if matches!(self.kind, "invoke" | "ok") => return Err(reason),
            Err(_) => raw.has_error = true,
        }
        raw.has_error |= !reader.rest().trim().is_empty();
        Ok(raw)
    }
}

fn is_logger(before: &str) -> bool {
    let name = before.trim_end_matches(|c: char| c == '-' || c == ':' || c.is_whitespace());
    LOGGERS.iter().any(|logger| name.ends_with(logger))
}

/// The type of a line that is logged as an event and has an unknown type.
fn unknown_kind(line: &str) -> Option<&str> {
    let (process, rest) = line.split_once("\t:")?;
    let begin = process.rfind(char::is_whitespace)?;
    let is_number = process[begin..].trim().parse::<i128>().is_ok();
    (is_number && is_logger(&process[..begin])).then(|| rest.split_whitespace().next())?
}
