//! The faults of a run as its history describes them: the time in force and the observed effects.
//!
//! In: the nemesis's events. Out: one [`FaultSeen`] for each fault that began. There is no other
//! source, so a history sent by a colleague gives the same result as the run itself.

use crate::traffic::Window;
use histories::{EventRef, Process, WhatRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The number of effects, and of errors, shown for a fault.
const EFFECTS_SHOWN_MAX: usize = 5;
/// The number of stores named: more than a test cluster has.
const STORES_SHOWN_MAX: usize = 50;

/// One fault.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and a field of verdict.json"
)]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultSeen {
    /// The fault's index in the plan.
    pub fault: u64,
    /// The name by which the user asked for the fault.
    pub name: String,
    /// The time when the fault began, in nanoseconds since the run's start.
    pub begin_ns: u64,
    /// The time when everything was healed, or of the fault's last event.
    pub end_ns: u64,
    /// The time when a paused store was resumed while others stayed paused, in nanoseconds since
    /// the run's start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ran_alone_ns: Option<u64>,
    /// The time when the fault last resumed a store.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_resume_ns: Option<u64>,
    /// The stores that the fault paused or killed.
    pub stores: BTreeSet<u64>,
    /// True if all pauses, kills and requests to PD were observed to take effect.
    pub confirmed: bool,
    /// The observed changes of the cluster; empty = none.
    pub effects: Vec<String>,
    /// The errors of the fault's steps.
    pub errors: Vec<String>,
    /// The region that the fault was about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<u64>,
    /// The number of voters that region had when the fault began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub voters: Option<u64>,
    /// The number of regions of the workload.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workload_regions: Option<u64>,
    /// True if the fault paused or killed the store that led the region.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub hit_leader: bool,
    /// The fault's steps on stores, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub steps: Vec<Step>,
    /// Leaders that moved while the fault was in force, each move once.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub leader_moves: Vec<LeaderMove>,
    /// Regions whose number of voters the fault changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub voter_changes: Vec<VoterChange>,
    /// True if the fault changed the number of replicas, and nothing else.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub only_replicas: bool,
    /// The effects so far, each once; they become `effects` at the end.
    #[serde(skip)]
    seen: BTreeSet<String>,
    /// The stores paused now.
    #[serde(skip)]
    stopped: BTreeSet<u64>,
    /// True if some steps were not confirmed.
    #[serde(skip)]
    doubtful: bool,
}

impl FaultSeen {
    /// The readable names of the affected stores, limited to the first few of very many.
    pub fn store_names(&self) -> Vec<String> {
        let names = self.stores.iter().map(|store| format!("store-{store}"));
        some_of(names, self.stores.len(), STORES_SHOWN_MAX)
    }

    /// The readable effects, limited to the first few.
    pub fn effects_shown(&self) -> Vec<String> {
        some_of(self.effects.iter().cloned(), self.effects.len(), EFFECTS_SHOWN_MAX)
    }

    /// The readable errors, limited to the first few.
    pub fn errors_shown(&self) -> Vec<String> {
        some_of(self.errors.iter().cloned(), self.errors.len(), EFFECTS_SHOWN_MAX)
    }

    /// Returns true if the stores that the fault paused or killed in one instant left its region a
    /// majority of running voters. None if that is not known, as for faults of several steps.
    pub fn leaves_majority(&self) -> Option<bool> {
        let hurts = |step: &&Step| matches!(&*step.f, "pause" | "kill" | "disk-error");
        let voters = self.voters.filter(|_| self.steps.iter().filter(hurts).count() == 1)?;
        let left = voters.saturating_sub(self.stores.len() as u64);
        Some(left * 2 > voters)
    }

    /// The time in which the fault was in force.
    pub fn window(&self) -> Window {
        Window { begin_ns: self.begin_ns, end_ns: self.end_ns }
    }
}

/// The first `most` of `count` items, and the number of the others.
fn some_of(all: impl Iterator<Item = String>, count: usize, most: usize) -> Vec<String> {
    let mut shown: Vec<String> = all.take(most).collect();
    if count > most {
        shown.push(format!("and {} more, in verdict.json", count - most));
    }
    shown
}

/// A step of a fault on stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// The time of the signal, in nanoseconds since the run's start; without a signal, of the
    /// step's begin.
    pub at_ns: u64,
    /// `pause`, `resume`, `kill`, `start` or `disk-error`.
    pub f: String,
    /// The stores.
    pub stores: Vec<u64>,
    /// True if the step was about the store that led the region.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub leader: bool,
}

/// A leader that moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeaderMove {
    /// The region.
    pub region: u64,
    /// The store that led it before.
    pub from: Option<u64>,
    /// The store that led it afterwards.
    pub to: Option<u64>,
    /// The time when the move was first observed, in nanoseconds since the run's start.
    pub seen_ns: u64,
}

/// A region whose number of voters changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VoterChange {
    /// The region.
    pub region: u64,
    /// The number of voters before.
    pub from: u64,
    /// The number of voters afterwards.
    pub to: u64,
}

/// Collects the faults of a history.
#[derive(Debug, Clone, Default)]
pub struct FaultFinder {
    faults: BTreeMap<u64, FaultSeen>,
}

impl FaultFinder {
    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        if event.process != Process::Nemesis {
            return;
        }
        let (WhatRef::FaultInvoke(f, value) | WhatRef::FaultComplete(f, value)) = event.what else {
            return;
        };
        let Some(number) = value["fault"].as_u64() else { return };
        let fault = self.faults.entry(number).or_insert_with(|| FaultSeen {
            fault: number,
            begin_ns: event.time_ns,
            ..FaultSeen::default()
        });
        fault.end_ns = fault.end_ns.max(event.time_ns);
        match event.what {
            WhatRef::FaultInvoke(..) => {
                fault.begun(f, value);
                fault.stops_or_resumes(f, value, event.time_ns);
                fault.note_step(f, value, event.time_ns);
            }
            _ => fault.completed(f, value, event.time_ns),
        }
    }

    /// The faults in the plan's order.
    pub fn finish(self) -> Vec<FaultSeen> {
        let finished = |mut fault: FaultSeen| {
            fault.effects = std::mem::take(&mut fault.seen).into_iter().collect();
            fault
        };
        self.faults.into_values().map(finished).collect()
    }
}

impl FaultSeen {
    fn begun(&mut self, f: &str, value: &Value) {
        if let Some(name) = value["name"].as_str() {
            name.clone_into(&mut self.name);
        }
        if matches!(f, "pause" | "kill" | "disk-error") || is_disturbance(f) {
            self.stores.extend(stores(value).filter_map(|store| store["id"].as_u64()));
        }
    }

    /// Notes a step on stores. Its time is that of its begin until a signal's time is known.
    fn note_step(&mut self, f: &str, value: &Value, at_ns: u64) {
        self.only_replicas = (self.steps.is_empty() && self.region.is_none())
            && (f == "max-replicas" || self.only_replicas && f == "leader-moved");
        if self.region.is_none() {
            self.region = value["region"].as_u64();
        }
        if self.voters.is_none() {
            let voters = value["voters"].as_array().map(|voters| voters.len() as u64);
            self.voters = voters.or(value["voter_count"].as_u64());
        }
        if !matches!(f, "pause" | "resume" | "kill" | "start" | "disk-error") {
            return;
        }
        let leader = stores(value).any(|store| store["role"] == "leader");
        self.hit_leader |= leader;
        let ids = stores(value).filter_map(|store| store["id"].as_u64()).collect();
        self.steps.push(Step { at_ns, f: f.to_owned(), stores: ids, leader });
    }

    /// Takes the first signal's time for the last step's, and notes the changes of regions.
    fn note_seen(&mut self, f: &str, value: &Value, at_ns: u64) {
        let signalled = stores(value).filter_map(|store| store["signalled_ns"].as_u64()).min();
        let step = self.steps.iter_mut().rev().find(|step| step.f == f);
        if let (Some(step), Some(signalled)) = (step, signalled) {
            step.at_ns = signalled;
        }
        if let Some(regions) = value["regions"].as_array().filter(|_| f != "leader-moved") {
            self.workload_regions = self.workload_regions.max(Some(regions.len() as u64));
        }
        for change in value["regions"].as_array().into_iter().flatten() {
            let Some(region) = change["region"].as_u64() else { continue };
            let (from, to) = (change["leader_before"].as_u64(), change["leader_after"].as_u64());
            let same = |it: &LeaderMove| (it.region, it.from, it.to) == (region, from, to);
            if from != to && !self.leader_moves.iter().any(same) {
                self.leader_moves.push(LeaderMove { region, from, to, seen_ns: at_ns });
            }
            let (from, to) = (change["voters_before"].as_u64(), change["voters_after"].as_u64());
            if self.region == Some(region) && self.voters.is_none() {
                self.voters = from;
            }
            if let (Some(from), Some(to)) = (from, to)
                && from != to
            {
                self.voter_changes.push(VoterChange { region, from, to });
            }
        }
    }

    fn stops_or_resumes(&mut self, f: &str, value: &Value, at_ns: u64) {
        let ids = stores(value).filter_map(|store| store["id"].as_u64());
        match f {
            "pause" => self.stopped.extend(ids),
            "resume" => {
                ids.for_each(|id| _ = self.stopped.remove(&id));
                self.last_resume_ns = Some(at_ns);
                if !self.stopped.is_empty() {
                    self.ran_alone_ns = Some(at_ns);
                }
            }
            _ => {}
        }
    }

    fn completed(&mut self, f: &str, value: &Value, at_ns: u64) {
        self.note_seen(f, value, at_ns);
        if let Some(error) = value["error"].as_str() {
            self.errors.push(format!("{f}: {error}"));
            self.doubtful = true;
        }
        for change in value["regions"].as_array().into_iter().flatten() {
            self.seen.extend(changes(change));
        }
        self.seen.extend(value["changed"].as_str().map(str::to_owned));
        match f {
            "pause" | "kill" | "disk-error" => {
                let down =
                    |store: &Value| matches!(store["state"].as_str(), Some("stopped" | "gone"));
                self.doubtful |= !stores(value).all(down);
                self.confirmed = !self.doubtful && !self.stores.is_empty();
            }
            "move-replica" => {
                self.confirmed = !self.doubtful && value["changed"].is_string();
            }
            "transfer-leader" | "max-replicas" => {
                self.confirmed = !self.doubtful && !self.seen.is_empty();
            }
            "split" => {
                let count = |name: &str| value[name].as_u64().unwrap_or_default();
                let (before, after) = (count("count_before"), count("count_after"));
                self.confirmed = !self.doubtful && after > before;
                if self.confirmed {
                    let region = &value["region"];
                    self.seen.insert(format!(
                        "region {region} was split, regions: {before} before, {after} after"
                    ));
                }
            }
            // A disturbance without an effect was no fault.
            _ if is_disturbance(f) => {
                let touched = value["touched"].as_str();
                self.seen.extend(touched.map(str::to_owned));
                self.confirmed |= !self.doubtful && touched.is_some();
            }
            _ => {}
        }
    }
}

/// Returns true for steps of disturbances, which only a simulated cluster can suffer.
fn is_disturbance(f: &str) -> bool {
    let whats = ["partition", "delay", "loss", "slow-disk", "clock-skew"];
    let what = f.strip_prefix("start-").or_else(|| f.strip_prefix("stop-"));
    what.is_some_and(|what| whats.contains(&what))
        || matches!(f, "pause-pd" | "resume-pd" | "kill-pd" | "start-pd")
}

fn stores(value: &Value) -> impl Iterator<Item = &Value> {
    value["stores"].as_array().into_iter().flatten()
}

/// The changes of one region, in words.
fn changes(change: &Value) -> Vec<String> {
    let region = &change["region"];
    let mut changes = Vec::new();
    let (before, after) = (&change["leader_before"], &change["leader_after"]);
    if before != after {
        let place = |store: &Value| match store.as_u64() {
            Some(store) => format!("store-{store}"),
            None => "nowhere".into(),
        };
        changes.push(format!(
            "leader of region {region} moved from {} to {}",
            place(before),
            place(after)
        ));
    }
    let (before, after) = (&change["voters_before"], &change["voters_after"]);
    if before != after {
        changes.push(format!("region {region} went from {before} to {after} voters"));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::{Event, What};
    use serde_json::json;

    fn seen(events: Vec<(u64, What)>) -> Vec<FaultSeen> {
        let mut finder = FaultFinder::default();
        for (time_ns, what) in events {
            let process = Process::Nemesis;
            let event = Event { index: 0, time_ns, process, what, error: None, attempts: vec![] };
            finder.observe(event.borrowed());
        }
        finder.finish()
    }

    fn invoke(f: &str, value: Value) -> What {
        What::FaultInvoke { f: f.into(), value }
    }

    fn complete(f: &str, value: Value) -> What {
        What::FaultComplete { f: f.into(), value }
    }

    #[test]
    fn a_pause_is_in_force_from_its_beginning_until_it_is_healed() {
        let change = json!([{ "region": 15, "leader_before": 1, "leader_after": 2,
            "voters_before": 3, "voters_after": 3 }]);
        let begun = json!({ "fault": 0, "name": "pause-leader", "stores": [{ "id": 1 }] });
        let stopped = json!({ "fault": 0, "stores": [{ "id": 1, "state": "stopped" }] });
        let resumed = json!({ "fault": 0, "stores": [{ "id": 1, "state": "running" }],
            "regions": change });
        let faults = seen(vec![
            (5, invoke("pause", begun)),
            (6, complete("pause", stopped)),
            (90, invoke("resume", json!({ "fault": 0, "stores": [{ "id": 1 }] }))),
            (91, complete("resume", resumed)),
        ]);
        let [fault] = &faults[..] else { panic!("one fault: {faults:?}") };
        assert_eq!(fault.window(), Window { begin_ns: 5, end_ns: 91 });
        assert_eq!((fault.last_resume_ns, fault.ran_alone_ns), (Some(90), None));
        assert!(fault.confirmed);
        assert_eq!(fault.name, "pause-leader");
        assert_eq!(fault.effects, ["leader of region 15 moved from store-1 to store-2"]);
    }

    #[test]
    fn a_store_runs_alone_from_its_resume_while_others_are_stopped() {
        let some = |ids: &[u64]| {
            let stores: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
            json!({ "fault": 0, "name": "pause-overlap", "stores": stores })
        };
        let faults = seen(vec![
            (5, invoke("pause", some(&[1]))),
            (6, invoke("resume", some(&[1]))),
            (7, invoke("pause", some(&[1]))),
            (8, invoke("pause", some(&[2, 3]))),
            (9, invoke("resume", some(&[1]))),
            (10, invoke("resume", some(&[2, 3]))),
        ]);
        assert_eq!((faults[0].ran_alone_ns, faults[0].last_resume_ns), (Some(9), Some(10)));
    }

    #[test]
    fn of_many_effects_the_first_are_shown_and_the_others_counted() {
        let effects: Vec<String> = (0..1000).map(|region| format!("leader of {region}")).collect();
        let few = FaultSeen { effects: effects[..5].to_vec(), ..FaultSeen::default() };
        assert_eq!(few.effects_shown(), effects[..5]);
        let shown = FaultSeen { effects, ..FaultSeen::default() }.effects_shown();
        assert_eq!((shown.len(), shown[5].as_str()), (6, "and 995 more, in verdict.json"));
    }

    #[test]
    fn what_was_not_seen_is_not_confirmed() {
        let begun =
            json!({ "fault": 1, "name": "pause-two", "stores": [{ "id": 1 }, { "id": 2 }] });
        let half = json!({ "fault": 1, "stores": [{ "id": 1, "state": "stopped" },
            { "id": 2, "state": "running" }] });
        let half = seen(vec![(5, invoke("pause", begun.clone())), (6, complete("pause", half))]);
        assert!(!half[0].confirmed);
        let failed = json!({ "fault": 1, "error": "no such process" });
        let failed = seen(vec![(5, invoke("pause", begun)), (6, complete("pause", failed))]);
        assert!(!failed[0].confirmed);
        assert_eq!(failed[0].errors, ["pause: no such process"]);
    }

    #[test]
    fn a_move_is_confirmed_by_what_was_seen_of_it() {
        let begun = json!({ "fault": 2, "name": "move-replica", "region": 3 });
        let faults = seen(vec![
            (5, invoke("move-replica", begun.clone())),
            (
                6,
                complete(
                    "move-replica",
                    json!({ "fault": 2, "changed": "region 3 moved from store-1 to store-4" }),
                ),
            ),
        ]);
        assert!(faults[0].confirmed);
        assert_eq!(faults[0].effects, ["region 3 moved from store-1 to store-4"]);
        let nothing = (6, complete("move-replica", json!({ "fault": 2 })));
        assert!(!seen(vec![(5, invoke("move-replica", begun)), nothing])[0].confirmed);
    }

    #[test]
    fn a_partition_is_confirmed_by_what_it_cut_off() {
        let begun = json!({ "fault": 3, "name": "partition-one", "stores": [{ "id": 2 }] });
        let faults = |ended: Value| {
            seen(vec![
                (5, invoke("start-partition", begun.clone())),
                (6, complete("start-partition", json!({ "fault": 3 }))),
                (90, invoke("stop-partition", json!({ "fault": 3 }))),
                (91, complete("stop-partition", ended)),
            ])
        };
        let met = faults(json!({ "fault": 3, "touched": "12 messages were cut off" }));
        assert!(met[0].confirmed);
        assert_eq!(met[0].window(), Window { begin_ns: 5, end_ns: 91 });
        assert_eq!(met[0].effects, ["12 messages were cut off"]);
        assert_eq!(met[0].stores, BTreeSet::from([2]));
        assert!(!faults(json!({ "fault": 3 }))[0].confirmed);
    }

    #[test]
    fn a_request_to_pd_is_confirmed_by_its_effect() {
        let begun = json!({ "fault": 2, "name": "transfer-leader", "region": 3 });
        let still = json!({ "fault": 2, "regions": [{ "region": 3, "leader_before": 1,
            "leader_after": 1, "voters_before": 3, "voters_after": 3 }] });
        let faults = seen(vec![
            (5, invoke("transfer-leader", begun)),
            (6, complete("transfer-leader", still)),
        ]);
        assert!(!faults[0].confirmed);
        assert!(faults[0].effects.is_empty());
    }
}
