//! Judges an experiment from its history alone.
//!
//! In: the history's header and events. Out: [`Finding`]s, each with its weight. Only a broken
//! promise makes a run invalid: a forbidden gap in experiment 2 (`crate::experiment::gap`).
//! Missing observations are unknown; a slower cluster is a note. The checker judges keys and
//! values, not this file.

mod gap;

use crate::{
    key_count::CountFinder,
    traffic::{Traffic, Window},
};
use gap::{Gap, Held};
use histories::{EventRef, Header, WhatRef};
use plan::{
    key_range::CountedRange,
    scenario::{ScenarioConfig, ScenarioName},
};
use serde::Serialize;
use serde_json::Value;

/// The event that names a window without a fault, as long as the pause.
pub const QUIET: &str = "quiet";

/// The weight of a finding in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// The experiment's expectation was met.
    Good,
    /// An unexpected result that breaks no promise.
    Note,
    /// The result could not be decided.
    Unknown,
    /// A promise was broken.
    Invalid,
}

/// One result of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Finding {
    /// The weight in the verdict.
    pub weight: Weight,
    /// The result as a sentence.
    pub said: String,
}

/// A change of the number of replicas.
#[derive(Debug)]
struct Replicas {
    to: u64,
    waited: bool,
    error: Option<String>,
}

/// Collects the events of the script.
#[derive(Debug)]
pub struct ExperimentFinder {
    config: ScenarioConfig,
    keys: Option<u64>,
    /// Takes only events during the pause of stores.
    counts: Option<CountFinder>,
    stopped_at_ns: Option<u64>,
    resumed_at_ns: Option<u64>,
    /// The time of the last event of the run, which a kill may have cut off.
    last_ns: u64,
    stores: Vec<String>,
    confirmed: bool,
    moves: Vec<(u64, String)>,
    replicas: Vec<Replicas>,
    experiment: Value,
    quiet: Option<Window>,
}

impl ExperimentFinder {
    /// The finder for a history whose header names a scenario; None for others.
    pub fn of(header: &Header) -> Option<Self> {
        let field = |name: &str| header.fields.get(name).cloned();
        let config: ScenarioConfig = serde_json::from_value(field("scenario")?).ok()?;
        let range =
            field("key-count").and_then(|it| serde_json::from_value::<CountedRange>(it).ok());
        Some(Self {
            config,
            keys: field("keys").and_then(|keys| keys.as_u64()),
            counts: range.map(CountFinder::new),
            stopped_at_ns: None,
            resumed_at_ns: None,
            last_ns: 0,
            stores: Vec::new(),
            confirmed: false,
            moves: Vec::new(),
            replicas: Vec::new(),
            experiment: Value::Null,
            quiet: None,
        })
    }

    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        if self.stopped_at_ns.is_some()
            && self.resumed_at_ns.is_none()
            && let Some(counts) = &mut self.counts
        {
            counts.observe(event);
        }
        let at_ns = event.time_ns;
        self.last_ns = self.last_ns.max(at_ns);
        match event.what {
            WhatRef::FaultInvoke("pause", value) => {
                self.stopped_at_ns = Some(at_ns);
                self.stores = stores(value).map(named).collect();
            }
            WhatRef::FaultComplete("pause", value) => {
                let stopped = |store: &Value| store["state"] == "stopped";
                self.confirmed = stores(value).count() > 0 && stores(value).all(stopped);
            }
            WhatRef::FaultInvoke("resume", value) => {
                self.resumed_at_ns.get_or_insert(at_ns);
                if !value["scene"].is_null() {
                    self.experiment = value["scene"].clone();
                }
            }
            WhatRef::FaultComplete(QUIET, value) => self.quiet = window(&value["window-ns"]),
            WhatRef::FaultComplete("leader-moved", value) => {
                for change in value["regions"].as_array().into_iter().flatten() {
                    let said = format!(
                        "the leader of region {} moved from store-{} to store-{}",
                        change["region"], change["leader_before"], change["leader_after"]
                    );
                    self.moves.push((at_ns, said));
                }
            }
            WhatRef::FaultComplete("max-replicas", value) => {
                self.replicas.push(Replicas {
                    to: value["to"].as_u64().unwrap_or_default(),
                    waited: value["waited"] == true,
                    error: value["error"].as_str().map(str::to_owned),
                });
            }
            _ => {}
        }
    }

    /// The findings.
    pub fn finish(self, traffic: &Traffic) -> Vec<Finding> {
        let Some(begin_ns) = self.stopped_at_ns else {
            let mut findings = self.before_the_stop();
            findings.push(finding(Weight::Unknown, "no store was stopped"));
            return findings;
        };
        let end_ns = self.resumed_at_ns.unwrap_or(self.last_ns).max(begin_ns);
        let during = Window { begin_ns, end_ns };
        let mut findings = self.before_the_stop();
        findings.push(self.stopped(during));
        match self.config.name {
            ScenarioName::OneStore => {
                findings.extend(self.moved(begin_ns));
                let gap_s = seconds(traffic.longest_gap_ns(during));
                let said =
                    format!("longest time without a success while it was stopped: {gap_s:.1} s");
                findings.push(finding(Weight::Good, said));
                findings.push(self.speed(traffic));
            }
            ScenarioName::TwoStores => {
                findings.push(self.gap(during, traffic));
                findings.push(self.counted());
                findings.push(self.restored());
            }
        }
        findings
    }

    fn before_the_stop(&self) -> Vec<Finding> {
        if self.config.name == ScenarioName::OneStore {
            return Vec::new();
        }
        vec![match self.replicas.first() {
            None => finding(Weight::Unknown, "the number of replicas was not raised"),
            Some(Replicas { error: Some(error), .. }) => {
                finding(Weight::Unknown, format!("the number of replicas was not raised: {error}"))
            }
            Some(Replicas { waited: true, to, .. }) => finding(
                Weight::Good,
                format!("every region had {to} voters, caught up, before a store was stopped"),
            ),
            Some(Replicas { waited: false, .. }) => finding(
                Weight::Note,
                "the stop raced with the new replicas on purpose: a region may have lost its majority",
            ),
        }]
    }

    fn stopped(&self, during: Window) -> Finding {
        let stores = self.stores.join(" and ");
        if !self.confirmed || self.resumed_at_ns.is_none() {
            return finding(Weight::Unknown, format!("{stores}: not seen stopped and resumed"));
        }
        let for_s = seconds(during.end_ns - during.begin_ns);
        finding(Weight::Good, format!("{stores} seen stopped, resumed after {for_s:.1} s"))
    }

    fn moved(&self, stopped_at_ns: u64) -> Vec<Finding> {
        if self.moves.is_empty() {
            let waited_s = self.config.patience_ms / 1000;
            let said =
                format!("no other leader was seen before it was resumed (patience {waited_s} s)");
            return vec![finding(Weight::Unknown, said)];
        }
        let said = |(at_ns, said): &(u64, String)| {
            let after_s = seconds(at_ns.saturating_sub(stopped_at_ns));
            finding(Weight::Good, format!("{said}, {after_s:.1} s after it was stopped"))
        };
        self.moves.iter().map(said).collect()
    }

    /// Judges if the load is back while the store is still paused.
    fn speed(&self, traffic: &Traffic) -> Finding {
        let per_s = |name: &str| {
            let window = window(&self.experiment["windows-ns"][name])?;
            let length_s = seconds(window.end_ns.checked_sub(window.begin_ns)?);
            Some(traffic.completed_ok_in(window) as f64 / length_s)
        };
        let (Some(before), Some(moved)) = (per_s("before"), per_s("moved")) else {
            return finding(
                Weight::Unknown,
                "the load was not measured before the stop and after it",
            );
        };
        let percent = moved / before.max(f64::MIN_POSITIVE) * 100.0;
        let wanted = self.config.ops_back_percent;
        let said = format!(
            "{before:.0} operations a second before, {moved:.0} with the store stopped: {percent:.0} % ({wanted} % wanted)"
        );
        if percent >= wanted as f64 {
            finding(Weight::Good, said)
        } else {
            finding(Weight::Note, format!("slower: {said}"))
        }
    }

    fn gap(&self, during: Window, traffic: &Traffic) -> Finding {
        let gap_ms = |window| traffic.longest_gap_ns(window) / 1_000_000;
        let before = window(&self.experiment["windows-ns"]["before"]);
        // A window shorter than the pause says nothing.
        let quiet_ms = self.quiet.filter(|quiet| length_ns(*quiet) >= length_ns(during));
        let quiet_ms = quiet_ms.map(|quiet| gap_ms(quiet).max(before.map_or(0, gap_ms)));
        let late_ms = self.experiment["tester-late-ns"].as_u64().unwrap_or_default() / 1_000_000;
        let bound_ms = self.config.gap_max_ms;
        let gap = Gap { gap_ms: gap_ms(during), bound_ms, quiet_ms, late_ms };
        let gap_ms = gap.gap_ms;
        let beside = match quiet_ms {
            Some(quiet_ms) => format!("; {quiet_ms} ms in as long a time without a fault"),
            None => String::new(),
        };
        let said = format!(
            "longest time without a success while both were stopped: {gap_ms} ms (bound {bound_ms} ms, --gap-max{beside})"
        );
        match gap.held() {
            Held::Within => finding(Weight::Good, said),
            _ if !self.config.wait => finding(
                Weight::Note,
                format!("{said}: not held against it, since it raced on purpose"),
            ),
            Held::TesterSlept => finding(
                Weight::Unknown,
                format!("{said}; but this program itself stood still for {late_ms} ms"),
            ),
            Held::NothingToCompare => finding(
                Weight::Unknown,
                format!(
                    "{said}; but as long a time without a fault was not watched, so it may be the machine"
                ),
            ),
            Held::LikeTheMachine => finding(
                Weight::Unknown,
                format!(
                    "{said}: beyond the bound, but not far beyond what is seen without a fault here"
                ),
            ),
            Held::Broken => {
                finding(Weight::Invalid, format!("{said}, though three of five voters ran"))
            }
        }
    }

    fn counted(&self) -> Finding {
        let counts = self.counts.as_ref().map(CountFinder::counts).unwrap_or_default();
        match (counts.before, counts.after) {
            (Some(before), Some(after))
                if after == before + 1 && self.keys.is_none_or(|keys| keys == before) =>
            {
                finding(
                    Weight::Good,
                    format!("{before} keys, one put, {after} keys while both were stopped"),
                )
            }
            (Some(before), Some(after)) => {
                let loaded =
                    self.keys.map_or_else(String::new, |keys| format!(", {keys} were loaded"));
                finding(Weight::Unknown, format!("{before} keys, one put, {after} keys{loaded}"))
            }
            _ => {
                let weight = if self.config.wait { Weight::Unknown } else { Weight::Note };
                finding(
                    weight,
                    "the keys were not counted before and after a put while both were stopped",
                )
            }
        }
    }

    fn restored(&self) -> Finding {
        match self.replicas.get(1) {
            Some(Replicas { error: None, to, .. }) => {
                finding(Weight::Good, format!("replicas in sync again, max-replicas back at {to}"))
            }
            Some(Replicas { error: Some(error), to, .. }) => {
                finding(Weight::Unknown, format!("max-replicas set back to {to}, but {error}"))
            }
            None => finding(Weight::Unknown, "max-replicas was not set back in order"),
        }
    }
}

fn finding(weight: Weight, said: impl Into<String>) -> Finding {
    Finding { weight, said: said.into() }
}

fn stores(value: &Value) -> impl Iterator<Item = &Value> {
    value["stores"].as_array().into_iter().flatten()
}

fn named(store: &Value) -> String {
    let role = store["role"].as_str().unwrap_or("store");
    format!("store-{} ({role})", store["id"])
}

/// Reads a window from two times in nanoseconds.
fn window(bounds: &Value) -> Option<Window> {
    Some(Window { begin_ns: bounds[0].as_u64()?, end_ns: bounds[1].as_u64()? })
}

fn length_ns(window: Window) -> u64 {
    window.end_ns.saturating_sub(window.begin_ns)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests;
