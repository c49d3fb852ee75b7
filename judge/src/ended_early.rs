//! Detects from its history that a run ended early.
//!
//! In: the pair of events `ended-early`, whose value has the milliseconds worked and planned
//! (`after_ms`, `of_ms`: none if the run ends by itself) and `why`. Out: an [`EndedEarly`]. It
//! makes no verdict worse: the history up to then was judged.

use histories::{EventRef, Process, What, WhatRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// The event's name.
const EVENT: &str = "ended-early";

/// The reason why a run ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// An interrupt: Ctrl-C, or a signal.
    Interrupted,
    /// A violation was found, and the run should end then.
    BrokenPromise,
}

/// A run that ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndedEarly {
    /// The time that clients and faults worked, in milliseconds.
    pub after_ms: u64,
    /// The planned working time in milliseconds; none if the run ends by itself.
    pub of_ms: Option<u64>,
    /// The reason.
    pub why: Why,
}

impl EndedEarly {
    /// A run that ends now.
    pub fn now(after: Duration, of_ms: Option<u64>, why: Why) -> Self {
        Self { after_ms: after.as_millis() as u64, of_ms, why }
    }

    /// The pair of events for the history.
    pub fn events(self) -> [What; 2] {
        let (f, value) = (EVENT.to_owned(), self.to_json());
        [What::FaultInvoke { f: f.clone(), value: value.clone() }, What::FaultComplete { f, value }]
    }

    fn to_json(self) -> Value {
        json!({ "after_ms": self.after_ms, "of_ms": self.of_ms, "why": self.why })
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            after_ms: value["after_ms"].as_u64()?,
            of_ms: value["of_ms"].as_u64(),
            why: serde_json::from_value(value["why"].clone()).ok()?,
        })
    }
}

impl fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after_s = self.after_ms as f64 / 1e3;
        match self.of_ms {
            Some(of_ms) => write!(f, "ended early: {after_s:.0} of {:.0} s", of_ms as f64 / 1e3)?,
            None => write!(f, "ended early, after {after_s:.0} s")?,
        }
        match self.why {
            Why::Interrupted => Ok(()),
            Why::BrokenPromise => f.write_str(", at a broken promise"),
        }
    }
}

/// Finds the early end in a history.
#[derive(Debug, Clone, Default)]
pub struct EarlyFinder {
    found: Option<EndedEarly>,
}

impl EarlyFinder {
    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        if let (Process::Nemesis, WhatRef::FaultComplete(EVENT, value)) =
            (event.process, event.what)
        {
            self.found = EndedEarly::from_json(value);
        }
    }

    /// The early end, or None if there was none.
    pub fn finish(self) -> Option<EndedEarly> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_much_of_the_time_there_was() {
        let after = Duration::from_millis(17_200);
        let ended = EndedEarly::now(after, Some(30_000), Why::Interrupted);
        assert_eq!(ended.to_string(), "ended early: 17 of 30 s");
        assert_eq!(EndedEarly::from_json(&ended.to_json()), Some(ended));
        let scenario = EndedEarly::now(after, None, Why::BrokenPromise);
        assert_eq!(scenario.to_string(), "ended early, after 17 s, at a broken promise");
        assert_eq!(EndedEarly::from_json(&json!({ "after_ms": 1, "why": "bored" })), None);
    }
}
