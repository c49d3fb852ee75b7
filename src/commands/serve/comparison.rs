//! Compares two runs side by side, as text.
//!
//! In: the rows, verdicts and plans of two runs. Out: lines with a value for each run, and whether
//! the values differ. Settings that are the same in both plans are left out.

use super::{
    row::{self, Row},
    runs::Runs,
    verdict_head::{self, VerdictHead},
};
use run_directory::{
    RunDirectory,
    plain_file::{self, PLAN_BYTES_MAX},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// One line of the comparison.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The name of the thing compared.
    pub what: String,
    /// The value of each run.
    pub values: [String; 2],
}

impl Line {
    /// Returns true if the values differ.
    pub fn differs(&self) -> bool {
        self.values[0] != self.values[1]
    }
}

/// Returns all lines; `None` if one of the ids is not a run's.
pub fn lines(runs: &Runs, ids: [&str; 2]) -> Option<Vec<Line>> {
    let [a, b] = ids.map(|id| Some(told(&runs.find(id)?, id)));
    Some(joined(&a?, &b?))
}

/// Returns the facts about one run, in the order of the page.
fn told(run: &RunDirectory, id: &str) -> Vec<(String, String)> {
    let row = row::read(run, id);
    let head = verdict_head::read(&run.verdict());
    let mut told = facts(&row);
    let mut tell = |what: &str, value: String| told.push((what.to_owned(), value));
    for (kind, count) in head.iter().flat_map(|head| &head.operations) {
        let value = format!("{} ok, {} failed, {} unknown", count.ok, count.fail, count.info);
        tell(&format!("Operations: {kind}"), value);
    }
    if let (Some(head), Some(seconds)) = (&head, row.duration_s) {
        tell(
            "Successes a second, the load among them",
            format!("{:.0}", succeeded(head) as f64 / seconds.max(1e-3)),
        );
    }
    if let Some(judgement) = judge::read_verdict(run) {
        let counted = judgement.key_counts;
        if let (Some(before), Some(after)) = (counted.before, counted.after) {
            tell("Keys counted, and after one more put", format!("{before}, {after}"));
        }
        let keys = judgement.keys_judged();
        tell("Keys that cannot be explained", format!("{} of {}", keys.invalid, keys.total));
    }
    let plan: Value = plain_file::json(&run.plan(), PLAN_BYTES_MAX).unwrap_or_default();
    told.extend(
        flags("", &plan["config"])
            .into_iter()
            .map(|(flag, value)| (format!("Plan: {flag}"), value)),
    );
    told
}

fn facts(row: &Row) -> Vec<(String, String)> {
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let state = serde_json::to_value(row.state).unwrap_or_default();
    let facts = [
        ("Verdict", row::words(&state)),
        ("Why", row.says.clone()),
        ("Began (UTC)", row.began.clone()),
        ("Target", row.target.clone()),
        ("Workload", row.workload.clone()),
        ("Faults asked for", row.nemesis.clone()),
        ("Seed", number(row.seed)),
        ("Length, s", row.duration_s.map_or_else(String::new, |s| format!("{s:.1}"))),
        (
            "Faults seen in force",
            row.faults.map_or_else(String::new, |[seen, all]| format!("{seen} of {all}")),
        ),
        ("Longest time without a success in a fault, ms", number(row.longest_gap_ms)),
        ("Operations", number(row.operations)),
    ];
    facts.into_iter().map(|(what, value)| (what.to_owned(), value)).collect()
}

fn succeeded(head: &VerdictHead) -> u64 {
    head.operations.values().map(|count| count.ok).sum()
}

/// Returns a plan's settings, each by its path.
fn flags(path: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flags(&path, value)
            })
            .collect(),
        Value::Null => Vec::new(),
        other => vec![(path.to_owned(), row::words(other))],
    }
}

fn joined(a: &[(String, String)], b: &[(String, String)]) -> Vec<Line> {
    let of_b: BTreeMap<&str, &str> = b.iter().map(|(what, value)| (&**what, &**value)).collect();
    let mut lines: Vec<Line> = a
        .iter()
        .map(|(what, value)| Line {
            what: what.clone(),
            values: [value.clone(), of_b.get(&**what).copied().unwrap_or_default().to_owned()],
        })
        .collect();
    let only_b = b.iter().filter(|(what, _)| a.iter().all(|(other, _)| other != what));
    lines.extend(
        only_b.map(|(what, value)| Line {
            what: what.clone(),
            values: [String::new(), value.clone()],
        }),
    );
    lines.retain(|line| {
        let is_empty = line.values.iter().all(String::is_empty);
        !is_empty && (line.differs() || !line.what.starts_with("Plan: "))
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_plans_only_the_differences_are_told() {
        let of = |stores: u32, more: Value| {
            let plan =
                serde_json::json!({ "cluster": { "stores": stores, "replicas": 3 }, "more": more });
            flags("", &plan)
                .into_iter()
                .map(|(flag, value)| (format!("Plan: {flag}"), value))
                .collect::<Vec<_>>()
        };
        let lines = joined(&of(6, Value::Null), &of(4, serde_json::json!(["x", "y"])));
        let line =
            |what: &str, a: &str, b: &str| Line { what: what.into(), values: [a.into(), b.into()] };
        assert_eq!(lines, [line("Plan: cluster.stores", "6", "4"), line("Plan: more", "", "x, y")]);
    }
}
