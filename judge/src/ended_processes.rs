//! Finds in a history the cluster's processes that ended though no fault killed them.
//!
//! In: the pair of events `ended-by-itself`. Its value names the `process`, its `store` (the id
//! that PD gave it), its exit `status`, its `log` and the log's end (`last_words`). Out: one
//! [`EndedByItself`] each. A cluster that lost a process may not have kept its promises, so each
//! makes the verdict unknown at best.

use histories::{EventRef, Process, WhatRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The event's name.
pub const EVENT: &str = "ended-by-itself";
/// The number of ends kept; a process that ends after every start may end thousands of times.
const TOLD_MAX: usize = 100;
/// The number of characters quoted from the end of a text.
const QUOTED_MAX: usize = 800;

/// A process that ended though no fault killed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndedByItself {
    /// The time when the end was noticed, in nanoseconds since the run's start.
    pub at_ns: u64,
    /// The process's name.
    pub process: String,
    /// The id that PD gave the store, if the process is a store.
    pub store: Option<u64>,
    /// The exit status.
    pub status: String,
    /// The path of the process's log, below the run directory.
    pub log: Option<String>,
    /// The end of the process's log.
    pub last_words: String,
}

impl EndedByItself {
    /// The end of the process in a sentence, as a reason of the verdict.
    pub fn reason(&self) -> String {
        let Self { at_ns, process, status, log, last_words, .. } = self;
        let log = match (log, last_words.as_str()) {
            (None, _) => String::new(),
            (Some(log), "") => format!("; its log {log} is empty"),
            (Some(log), words) => format!("; its log {log} ends with: {words}"),
        };
        let seconds = *at_ns as f64 / 1e9;
        format!(
            "{process} ended by itself ({status}) after {seconds:.1} s, and no fault killed it{log}"
        )
    }
}

/// Finds ended processes in a history.
#[derive(Debug, Clone, Default)]
pub struct EndedFinder {
    found: Vec<EndedByItself>,
}

impl EndedFinder {
    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        let (Process::Nemesis, WhatRef::FaultComplete(EVENT, value)) = (event.process, event.what)
        else {
            return;
        };
        if self.found.len() == TOLD_MAX {
            return;
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(quoted);
        self.found.push(EndedByItself {
            at_ns: event.time_ns,
            process: text("process").unwrap_or_else(|| "a process".into()),
            store: value["store"].as_u64(),
            status: text("status").unwrap_or_else(|| "nobody saw how".into()),
            log: text("log"),
            last_words: text("last_words").unwrap_or_default(),
        });
    }

    /// The processes found.
    pub fn finish(self) -> Vec<EndedByItself> {
        self.found
    }
}

/// The end of a text as one line. Characters that a terminal obeys, or that change the reading
/// direction, are escaped.
fn quoted(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let line = lines.join(" | ");
    let length = line.chars().count();
    let mut quoted = String::new();
    if length > QUOTED_MAX {
        quoted.push('…');
    }
    for c in line.chars().skip(length.saturating_sub(QUOTED_MAX)) {
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            quoted.extend(c.escape_unicode());
        } else {
            quoted.push(c);
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::{Event, What};
    use serde_json::json;

    fn found(value: Value) -> Vec<EndedByItself> {
        let mut finder = EndedFinder::default();
        let what = What::FaultComplete { f: EVENT.into(), value };
        let process = Process::Nemesis;
        let event = Event {
            index: 0,
            time_ns: 3_200_000_000,
            process,
            what,
            error: None,
            attempts: vec![],
        };
        finder.observe(event.borrowed());
        finder.finish()
    }

    #[test]
    fn the_reason_quotes_the_end_of_the_log() {
        let ended =
            found(json!({ "process": "store-2", "store": 4, "status": "signal: 6 (SIGABRT)",
            "log": "logs/store-2.log", "last_words": "one\n\ntwo\n" }));
        assert_eq!(ended[0].store, Some(4));
        assert_eq!(
            ended[0].reason(),
            "store-2 ended by itself (signal: 6 (SIGABRT)) after 3.2 s, and no fault killed it; its log \
             logs/store-2.log ends with: one | two"
        );
    }

    #[test]
    fn what_a_file_says_is_bounded_and_cannot_forge_a_line() {
        let words = format!("{}\u{1b}[2K\rVALID: all is well\u{202e}", "x".repeat(5_000));
        let ended = found(json!({ "process": "pd1\nVALID", "log": "l", "last_words": words }));
        let reason = ended[0].reason();
        assert!(reason.chars().count() < 1_000, "{reason}");
        assert!(reason.starts_with("pd1 | VALID ended by itself"), "{reason}");
        assert!(!reason.chars().any(char::is_control) && !reason.contains('\u{202e}'), "{reason}");
        assert_eq!(found(json!(7))[0].process, "a process");
    }
}
