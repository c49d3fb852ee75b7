//! Reads from a history if the cluster recovered after the last healing. Only simulations ask.
//!
//! In: the nemesis's pair of events `recovery`. Its completion has three fields. `serves_after_ms`
//! is the time until every region had served a write and a read. `stuck` has the regions that had
//! not in time, in words, and `missing` the missing parts of the cluster at the end. Out: a
//! [`Recovery`], or nothing if nobody looked.

use histories::{EventRef, Process, WhatRef};
use serde::{Deserialize, Serialize};

/// The recovery of a cluster, successful or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recovery {
    /// Milliseconds until every region served, or until the wait was given up.
    pub serves_after_ms: u64,
    /// Milliseconds until every region had its replicas, or until the wait was given up.
    pub whole_after_ms: u64,
    /// The regions that did not serve in time, in words.
    pub stuck: Vec<String>,
    /// The missing parts at the end, in words.
    pub missing: Option<String>,
}

impl Recovery {
    /// The failures of the recovery, in sentences; empty = the cluster recovered.
    pub fn reasons(&self) -> Vec<String> {
        let after = |ms: u64| format!("{:.0} s of the cluster's time", ms as f64 / 1e3);
        let mut reasons: Vec<String> = self
            .stuck
            .iter()
            .map(|what| {
                let after = after(self.serves_after_ms);
                format!(
                    "liveness: {after} after the last healing no write and read succeeded in {what}"
                )
            })
            .collect();
        if let (true, Some(missing)) = (reasons.is_empty(), &self.missing) {
            let after = after(self.whole_after_ms);
            reasons.push(format!("liveness: {after} after the last healing {missing}"));
        }
        reasons
    }
}

/// Finds the recovery in a history.
#[derive(Debug, Clone, Default)]
pub struct RecoveryFinder {
    found: Option<Recovery>,
}

impl RecoveryFinder {
    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        let (Process::Nemesis, WhatRef::FaultComplete("recovery", value)) =
            (event.process, event.what)
        else {
            return;
        };
        let number = |name: &str| value[name].as_u64().unwrap_or_default();
        let stuck = value["stuck"].as_array().into_iter().flatten();
        self.found = Some(Recovery {
            serves_after_ms: number("serves_after_ms"),
            whole_after_ms: number("whole_after_ms"),
            stuck: stuck.filter_map(|what| what.as_str().map(str::to_owned)).collect(),
            missing: value["missing"].as_str().map(str::to_owned),
        });
    }

    /// The recovery, or None if nobody looked.
    pub fn finish(self) -> Option<Recovery> {
        self.found
    }
}
