//! Which faults were in force when, as the nemesis's events tell.
//!
//! In: events. Out: the names of the faults in force in an interval. A fault lasts from its first
//! event to its last; events that name a `fault` number belong together, others belong together by
//! their `f`. Nothing here changes a verdict: findings mention it.

use std::collections::BTreeMap;

use histories::{EventRef, WhatRef};

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    seen: BTreeMap<String, Fault>,
}

#[derive(Debug, Clone)]
struct Fault {
    name: String,
    begin_ns: u64,
    end_ns: u64,
}

impl Faults {
    /// Hears one event of the nemesis.
    pub(crate) fn observe(&mut self, event: EventRef<'_>) {
        let (WhatRef::FaultInvoke(f, value) | WhatRef::FaultComplete(f, value)) = event.what else {
            return;
        };
        let number = value["fault"].as_u64();
        let identity = number.map_or_else(|| f.to_owned(), |fault| fault.to_string());
        let fault = self.seen.entry(identity).or_insert_with(|| Fault {
            name: value["name"].as_str().unwrap_or(f).to_owned(),
            begin_ns: event.time_ns,
            end_ns: event.time_ns,
        });
        fault.end_ns = fault.end_ns.max(event.time_ns);
    }

    /// The faults in force at some moment of an interval, in nanoseconds since the run's start.
    pub(crate) fn in_force(&self, from_ns: u64, to_ns: u64) -> Vec<String> {
        let overlaps = |fault: &&Fault| fault.begin_ns <= to_ns && from_ns <= fault.end_ns;
        self.seen.values().filter(overlaps).map(|fault| fault.name.clone()).collect()
    }
}
