//! A counterexample told to somebody who has never seen one: who read what, when, what had replaced
//! it, and what had just happened to which store.
//!
//! In: a finding or a counterexample, and the facts of the history. Out: one paragraph. It says
//! only what the history says: what a store did is told as what preceded, not as the cause.

use super::{
    explanation::Step,
    facts::{Facts, ProcessChange, Wanted},
};
use checker::{Counterexample, Finding, FindingKind, OlderState};
use histories::cluster_sample::ProcessWord;
use judge::Judgement;
use std::{collections::BTreeMap, fmt::Write};

/// A store that was touched so long before is told of.
const BEFORE_NS: u64 = 5_000_000_000;
/// So many stores and faults are told of.
const TOLD_MAX: usize = 20;

fn s(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

/// What clashes in a key that is not linearizable.
pub struct Clash<'a> {
    /// What it is called.
    pub kind: String,
    /// The operations that cannot be explained together, by the event that invoked them.
    pub operations: Vec<u64>,
    finding: Option<&'a Finding>,
}

/// What is told of a key: the finding, if it is about the operations that are drawn, and otherwise
/// what the drawn ones show by themselves: the last write that has a place, and the read that has
/// none.
pub fn clash<'a>(
    facts: &Facts,
    finding: Option<&'a Finding>,
    found: &Counterexample,
    steps: &[Step],
) -> Clash<'a> {
    let is_drawn = |it: &&Finding| it.operations.iter().all(|op| found.operations.contains(op));
    if let Some(finding) = finding.filter(is_drawn) {
        let kind = finding.kind.to_string();
        return Clash { kind, operations: finding.operations.clone(), finding: Some(finding) };
    }
    let wanted = |index: &u64| facts.wanted.get(index);
    let is_placed = |index: &u64| steps.iter().any(|step| step.operation == *index);
    let read = found.operations.iter().rev().find(|index| !is_placed(index));
    let read = read.filter(|index| wanted(index).is_some_and(|it| it.is_read));
    let write = read.and_then(|read| {
        let begun_ns = wanted(read)?.invoked_ns;
        let replaced =
            |it: &Wanted| !it.is_read && it.completed_ns.is_some_and(|at| at <= begun_ns);
        let mut placed = steps.iter().rev().map(|step| step.operation);
        placed.find(|index| wanted(index).is_some_and(replaced))
    });
    if let (Some(write), Some(read)) = (write, read) {
        let operations = vec![write, *read];
        return Clash { kind: "stale read".to_owned(), operations, finding: None };
    }
    let kind = "not linearizable".to_owned();
    Clash { kind, operations: found.operations.clone(), finding: None }
}

/// The paragraph on a key that is not linearizable.
pub fn paragraph(
    facts: &Facts,
    judgement: &Judgement,
    found: &Counterexample,
    clash: &Clash<'_>,
) -> String {
    let read = clash.operations.last().and_then(|index| facts.wanted.get(index));
    let sentence = clash.finding.map_or(&found.sentence, |finding| &finding.sentence);
    let told = read.and_then(|read| stale(facts, clash, read));
    let mut told = told.unwrap_or_else(|| format!("{sentence}."));
    if let Some(read) = read {
        told.push_str(&stores(facts, read));
        let mut in_force = judgement
            .faults
            .iter()
            .filter(|it| {
                it.seen.begin_ns <= read.completed_ns.unwrap_or(facts.end_ns)
                    && it.seen.end_ns >= read.invoked_ns
            })
            .map(|it| it.seen.name.as_str());
        let named: Vec<&str> = in_force.by_ref().take(TOLD_MAX).collect();
        if !named.is_empty() {
            let more = in_force.count();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            // Writing into a string cannot fail.
            let _ = write!(told, " In force meanwhile: {}{more}.", named.join(", "));
        }
    }
    told
}

/// A read of a value that had been replaced.
fn stale(facts: &Facts, clash: &Clash<'_>, read: &Wanted) -> Option<String> {
    let fate = match clash.finding.map(|finding| finding.kind) {
        Some(FindingKind::StaleRead | FindingKind::LostWrite | FindingKind::Resurrected) => {
            let seen = clash.finding.and_then(|finding| finding.older_state);
            match seen.unwrap_or_default() {
                OlderState { newer_seen_afterwards: true, .. } => {
                    " was seen again afterwards, so the write had taken effect"
                }
                OlderState { newer_seen_before: true, stayed: true, .. } => {
                    " had been seen before and was gone from then on: the old value came back"
                }
                OlderState { newer_seen_before: true, .. } => {
                    " had been seen before, so the write had taken effect"
                }
                OlderState { stayed: true, .. } => " was never seen, and the old value stayed",
                _ => " was there by then",
            }
        }
        None => " was there by then",
        _ => return None,
    };
    let [write, _] = clash.operations.as_slice() else { return None };
    let write = facts.wanted.get(write)?;
    let acknowledged = write.completed_ns.map_or_else(
        || format!("client {}'s {} had been seen by others", write.client, write.words),
        |at| {
            format!(
                "{:.3} s after client {}'s {} had been acknowledged (at {})",
                read.invoked_ns.saturating_sub(at) as f64 / 1e9,
                write.client,
                write.words,
                s(at)
            )
        },
    );
    let again = match read.value.as_str() {
        "nothing" => "Nobody deleted the key.".to_owned(),
        value => format!("Nobody wrote {value} again."),
    };
    Some(format!(
        "Client {} asked at {} and was answered {} at {}: {acknowledged}. The newer value {}{fate}. {again}",
        read.client,
        s(read.invoked_ns),
        read.value,
        s(read.completed_ns.unwrap_or(facts.end_ns)),
        write.value,
    ))
}

/// What had last happened to each store that was touched shortly before or during a read.
fn stores(facts: &Facts, read: &Wanted) -> String {
    let end = read.completed_ns.unwrap_or(facts.end_ns);
    let mut last: BTreeMap<u64, (&ProcessChange, &str)> = BTreeMap::new();
    let mut before = StatesBefore::default();
    for change in facts.processes.iter().take_while(|it| it.at_ns <= end) {
        let before = before.take(change);
        if change.at_ns + BEFORE_NS < read.invoked_ns {
            continue;
        }
        let what = match (change.state, change.confirmed_ns <= end) {
            (ProcessWord::Running, true) if before == Some(ProcessWord::Gone) => {
                "had been started again"
            }
            (ProcessWord::Running, false) if before == Some(ProcessWord::Gone) => {
                "was being started again from"
            }
            (ProcessWord::Running, true) => "had been resumed",
            (ProcessWord::Running, false) => "had been sent the signal to resume",
            (ProcessWord::Stopped, true) => "had been stopped, and still was,",
            (ProcessWord::Stopped, false) => "had been sent the signal to stop",
            (ProcessWord::Gone, true) => "had been killed, and still was gone,",
            (ProcessWord::Gone, false) => "had been sent the signal that kills",
        };
        last.insert(change.store, (change, what));
    }
    // The most recent first.
    let mut last: Vec<(&ProcessChange, &str)> = last.into_values().collect();
    last.sort_by_key(|(change, _)| std::cmp::Reverse(change.at_ns));
    let more = last.len().saturating_sub(TOLD_MAX);
    let sentences = last.iter().take(TOLD_MAX).map(|(change, what)| {
        let before_s = (end - change.at_ns) as f64 / 1e9;
        format!(
            " store-{} {what} {before_s:.3} s before that answer (at {}).",
            change.store,
            s(change.at_ns)
        )
    });
    let mut told: String = sentences.collect();
    if more > 0 {
        // Writing into a string cannot fail.
        let _ = write!(told, " Something had happened to {more} more stores.");
    }
    told
}

/// The state of each store's process before its last change.
#[derive(Default)]
struct StatesBefore(BTreeMap<u64, (u64, ProcessWord, Option<ProcessWord>)>);

impl StatesBefore {
    /// Takes the next change in time, and returns what that store's process did before that moment.
    fn take(&mut self, change: &ProcessChange) -> Option<ProcessWord> {
        let last = self.0.entry(change.store).or_insert((change.at_ns, change.state, None));
        let before = if last.0 < change.at_ns { Some(last.1) } else { last.2 };
        *last = (change.at_ns, change.state, before);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_that_was_just_resumed_is_named_first() {
        let change = |at_ns, store, state| {
            let confirmed_ns = at_ns + 1_000_000;
            ProcessChange { at_ns, confirmed_ns, store, state }
        };
        let facts = Facts {
            processes: vec![
                change(1_000_000_000, 4, ProcessWord::Stopped),
                change(4_000_000_000, 5, ProcessWord::Stopped),
                change(5_000_000_000, 4, ProcessWord::Running),
            ],
            ..Facts::default()
        };
        let read = Wanted {
            client: 12,
            words: "get → v41".into(),
            value: "v41".into(),
            is_read: true,
            invoked_ns: 4_900_000_000,
            completed_ns: Some(5_200_000_000),
        };
        assert_eq!(
            stores(&facts, &read),
            " store-4 had been resumed 0.200 s before that answer (at 5.000 s). store-5 had been stopped, and \
             still was, 1.200 s before that answer (at 4.000 s)."
        );
    }

    #[test]
    fn a_store_that_was_told_to_resume_is_not_said_to_be_stopped() {
        let change = |at_ms: u64, confirmed_ms: u64, state| ProcessChange {
            at_ns: at_ms * 1_000_000,
            confirmed_ns: confirmed_ms * 1_000_000,
            store: 1,
            state,
        };
        let processes = vec![
            change(7_000, 7_200, ProcessWord::Stopped),
            change(9_490, 9_600, ProcessWord::Running),
        ];
        let facts = Facts { processes, ..Facts::default() };
        let told = |answered_ms: u64| {
            let read = Wanted {
                client: 12,
                words: String::new(),
                value: String::new(),
                is_read: true,
                invoked_ns: 6_900_000_000,
                completed_ns: Some(answered_ms * 1_000_000),
            };
            stores(&facts, &read)
        };
        assert_eq!(told(6_999), "");
        assert!(told(7_100).contains("had been sent the signal to stop 0.100 s before"));
        assert!(told(9_489).contains("had been stopped, and still was, 2.489 s before"));
        assert!(told(9_500).contains("had been sent the signal to resume 0.010 s before"));
        assert!(told(9_600).contains("had been resumed 0.110 s before"));
    }
}
