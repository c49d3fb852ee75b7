//! Readable lines for the begin, the effect and the healing of a fault.
//!
//! In: the nemesis's events as they are recorded. Out: lines with the time since the run's start,
//! as in its history: `16.1 s  paused store-4 (leader of region 13)`. It decides nothing.

use histories::What;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Formats the lines.
#[derive(Debug, Default)]
pub struct EventLines {
    /// Steps that began, by fault and step.
    begun: Mutex<BTreeMap<(Option<u64>, String), Begun>>,
}

/// A step that began: its time and its value.
type Begun = (u64, Value);

impl EventLines {
    /// Returns the line for an event, or None if the event has no line.
    pub fn observe(&self, at_ns: u64, what: &What) -> Option<String> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            What::FaultInvoke { f, value } => {
                begun.insert((value["fault"].as_u64(), f.clone()), (at_ns, value.clone()));
                None
            }
            What::FaultComplete { f, value } => {
                let (begun_ns, asked) = begun.remove(&(value["fault"].as_u64(), f.clone()))?;
                let signalled = stores(value).filter_map(|store| store["signalled_ns"].as_u64());
                let signal_ns = if is_step(f) { begun_ns } else { at_ns };
                let at_ns = signalled.min().unwrap_or(signal_ns);
                let line = sentence(f, &asked, value)?;
                Some(format!("{:.1} s  {line}", at_ns as f64 / 1e9))
            }
            _ => None,
        }
    }
}

/// Returns true for steps whose line has the time of their begin rather than of their end.
fn is_step(f: &str) -> bool {
    matches!(f, "pause" | "resume" | "kill" | "start" | "disk-error")
}

fn stores(value: &Value) -> impl Iterator<Item = &Value> {
    value["stores"].as_array().into_iter().flatten()
}

fn sentence(f: &str, asked: &Value, seen: &Value) -> Option<String> {
    let region = asked["region"].as_u64();
    let said = match f {
        "pause" => format!("paused {}", hurt(asked)),
        "kill" => format!("killed {}", hurt(asked)),
        "disk-error" => format!("let the disk fail of {}", hurt(asked)),
        "resume" => format!("resumed {}", names(asked)),
        "start" => format!("started {} again", names(asked)),
        "leader-moved" => {
            let change = seen["regions"].as_array()?.first()?;
            format!("store-{} leads region {}", change["leader_after"].as_u64()?, region?)
        }
        "transfer-leader" => {
            let change = seen["regions"].as_array().into_iter().flatten();
            let mut change = change.filter(|it| it["region"].as_u64() == region);
            let asked_of = (asked["to"].as_u64(), region);
            match (asked_of, change.next().and_then(|it| it["leader_after"].as_u64())) {
                ((Some(to), Some(region)), Some(after)) if after != to => {
                    format!(
                        "asked for store-{to} to lead region {region}: store-{after} still does"
                    )
                }
                ((Some(to), Some(region)), _) => {
                    format!("store-{to} leads region {region}, as asked")
                }
                _ => return None,
            }
        }
        "move-replica" => match seen["changed"].as_str() {
            Some(changed) => changed.to_owned(),
            None => format!("asked to move a replica of region {}: it stayed", region?),
        },
        "split" => {
            let (before, after) = (seen["count_before"].as_u64()?, seen["count_after"].as_u64()?);
            if after > before {
                format!("split region {}: {after} regions now", region?)
            } else {
                format!("asked to split region {}: it was not", region?)
            }
        }
        "max-replicas" => {
            let (from, to) = (asked["from"].as_u64()?, asked["to"].as_u64()?);
            format!("replicas of each region: {to} instead of {from}")
        }
        _ => return None,
    };
    let error = seen["error"].as_str();
    Some(error.map_or_else(|| said.clone(), |error| format!("{said}: failed: {error}")))
}

fn names(value: &Value) -> String {
    let ids = stores(value).filter_map(|store| store["id"].as_u64());
    let names: Vec<String> = ids.map(|id| format!("store-{id}")).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

/// The stores that a step affects, with their role in the step's region.
fn hurt(asked: &Value) -> String {
    let Some(region) = asked["region"].as_u64() else { return names(asked) };
    let number = stores(asked).count();
    let leads = |store: &&Value| store["role"] == "leader";
    let leader = stores(asked).find(leads).and_then(|store| store["id"].as_u64());
    match (leader, number) {
        (Some(_), 1) => format!("{} (leader of region {region})", names(asked)),
        (Some(leader), _) => {
            format!("{} (store-{leader} is the leader of region {region})", names(asked))
        }
        (None, 1) => format!("{} (follower of region {region})", names(asked)),
        (None, _) => format!("{} (followers of region {region})", names(asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(f: &str, asked: Value, seen: Value) -> Option<String> {
        let lines = EventLines::default();
        let (asked, seen) = (
            What::FaultInvoke { f: f.into(), value: asked },
            What::FaultComplete { f: f.into(), value: seen },
        );
        assert_eq!(lines.observe(16_080_000_000, &asked), None);
        lines.observe(16_250_000_000, &seen)
    }

    #[test]
    fn each_step_is_a_line() {
        let leader = json!({ "fault": 0, "region": 13, "stores": [{ "id": 4, "role": "leader" }] });
        let two = json!({ "fault": 0, "region": 13, "stores": [{ "id": 1, "role": "follower" },
            { "id": 2, "role": "follower" }] });
        let done =
            json!({ "fault": 0, "stores": [{ "id": 4, "signalled_ns": 16_120_000_000_u64 }] });
        let moved = json!({ "fault": 0, "regions": [{ "region": 13, "leader_before": 4,
            "leader_after": 7 }] });
        for (f, asked, seen, said) in [
            ("pause", &leader, &done, "16.1 s  paused store-4 (leader of region 13)"),
            ("resume", &leader, &done, "16.1 s  resumed store-4"),
            (
                "kill",
                &two,
                &json!({ "fault": 0 }),
                "16.1 s  killed store-1 and store-2 (followers of region 13)",
            ),
            ("leader-moved", &leader, &moved, "16.2 s  store-7 leads region 13"),
            (
                "start",
                &two,
                &json!({ "fault": 0, "error": "no" }),
                "16.1 s  started store-1 and store-2 again: failed: no",
            ),
        ] {
            assert_eq!(line(f, asked.clone(), seen.clone()).as_deref(), Some(said));
        }
        assert_eq!(line("quiet", json!({}), json!({})), None);
    }
}
