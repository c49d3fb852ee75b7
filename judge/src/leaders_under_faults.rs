//! Stores that led while a fault was in force, and stores that never did: a store that never led
//! was not tested as a leader.
//!
//! In: the nemesis's events, which name the leader and the voters of each fault's region when the
//! fault began. Out: [`LeadersUnderFaults`], part of verdict.json, and a readable sentence. It
//! decides nothing.

use histories::{EventRef, Process, WhatRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Stores as leaders of the workload's regions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeadersUnderFaults {
    /// Stores that led a fault's region when the fault began.
    pub led: BTreeSet<u64>,
    /// Stores with a voter of such a region that led none when its fault began.
    pub never_led: BTreeSet<u64>,
    /// True if a fault should have moved leaders, but the target cannot.
    pub could_not_be_moved: bool,
}

impl LeadersUnderFaults {
    /// Collects the stores from one event of the history.
    pub fn observe(&mut self, event: EventRef<'_>) {
        let (Process::Nemesis, WhatRef::FaultInvoke(_, value)) = (event.process, event.what) else {
            return;
        };
        let voters = value["voters"].as_array().into_iter().flatten();
        self.never_led.extend(voters.filter_map(serde_json::Value::as_u64));
        self.led.extend(value["leader"].as_u64());
        self.never_led.retain(|store| !self.led.contains(store));
        self.could_not_be_moved |= value["leaders-stay"] == true;
    }

    /// Adds the stores of another part of the run.
    pub fn merge(&mut self, other: &Self) {
        self.led.extend(&other.led);
        self.never_led.extend(&other.never_led);
        self.never_led.retain(|store| !self.led.contains(store));
        self.could_not_be_moved |= other.could_not_be_moved;
    }

    /// Returns true if no fault was about a region.
    pub fn is_empty(&self) -> bool {
        self.led.is_empty() && self.never_led.is_empty()
    }

    /// The stores that never led under a fault, in words; none if there are none.
    pub fn in_words(&self) -> Option<String> {
        if self.never_led.is_empty() {
            return None;
        }
        let stores: Vec<String> = self.never_led.iter().map(|id| format!("store-{id}")).collect();
        let why = if self.could_not_be_moved { " (this target cannot move leaders)" } else { "" };
        Some(format!("{}{why}", stores.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::{Event, What};
    use serde_json::json;

    fn seen(values: &[serde_json::Value]) -> LeadersUnderFaults {
        let mut leaders = LeadersUnderFaults::default();
        for value in values {
            let what = What::FaultInvoke { f: "pause".into(), value: value.clone() };
            let (process, attempts) = (Process::Nemesis, vec![]);
            let event = Event { index: 0, time_ns: 0, process, what, error: None, attempts };
            leaders.observe(event.borrowed());
        }
        leaders
    }

    #[test]
    fn who_could_lead_and_never_did_is_said() {
        let first = json!({ "fault": 0, "region": 2, "leader": 1, "voters": [1, 2, 3] });
        let of_nobody = json!({ "fault": 1 });
        let leaders = seen(&[first.clone(), of_nobody]);
        assert_eq!(leaders.in_words().as_deref(), Some("store-2, store-3"));
        let second = json!({ "fault": 2, "region": 2, "leader": 3, "voters": [1, 2, 3],
            "leaders-stay": true });
        let leaders = seen(&[first.clone(), second]);
        let said = "store-2 (this target cannot move leaders)";
        assert_eq!(leaders.in_words().as_deref(), Some(said));
        let other = seen(&[json!({ "leader": 2, "voters": [2] })]);
        let mut all = leaders.clone();
        all.merge(&other);
        assert_eq!((all.in_words(), all.led.len()), (None, 3));
        assert!(seen(&[]).is_empty() && !seen(&[first]).is_empty());
    }
}
