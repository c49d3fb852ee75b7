//! A counterexample told to somebody who has never seen one: who read what, when, what had replaced it, and what had
//! just happened to which store.
//!
//! In: a finding or a counterexample, and the facts of the history. Out: one paragraph. It says only what the history
//! says: what a store did is told as what preceded, not as the cause.

use super::facts::{Facts, ProcessChange, Wanted};
use crate::{judge::Judgement, observe::ProcessWord};
use checker::{Finding, FindingKind, KeyVerdict};
use std::fmt::Write;

/// A store that was touched so long before is told of.
const BEFORE_NS: u64 = 5_000_000_000;

fn s(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

/// The paragraph on a key that is not linearizable.
pub fn paragraph(facts: &Facts, judgement: &Judgement, key: &KeyVerdict) -> String {
    let finding = judgement.checked.findings.iter().find(|finding| finding.key == key.key);
    let sentence =
        key.counterexample.as_ref().map(|found| found.sentence.clone()).unwrap_or_default();
    let operations =
        finding.map(|it| &it.operations).or(key.counterexample.as_ref().map(|it| &it.operations));
    let read = operations.and_then(|it| it.last()).and_then(|index| facts.wanted.get(index));
    let mut told = match (finding, read) {
        (Some(finding), Some(read)) => {
            stale(facts, finding, read).unwrap_or_else(|| format!("{}.", finding.sentence))
        }
        (Some(finding), None) => format!("{}.", finding.sentence),
        (None, _) => format!("{sentence}."),
    };
    if let Some(read) = read {
        told.push_str(&stores(facts, read));
        let in_force: Vec<&str> = judgement
            .faults
            .iter()
            .filter(|it| {
                it.seen.begin_ns <= read.completed_ns.unwrap_or(facts.end_ns)
                    && it.seen.end_ns >= read.invoked_ns
            })
            .map(|it| it.seen.name.as_str())
            .collect();
        if !in_force.is_empty() {
            // Writing into a string cannot fail.
            let _ = write!(told, " In force meanwhile: {}.", in_force.join(", "));
        }
    }
    told
}

/// A read of a value that had been replaced.
fn stale(facts: &Facts, finding: &Finding, read: &Wanted) -> Option<String> {
    let fate = match finding.kind {
        FindingKind::StaleRead => "was read again afterwards, so the write had taken effect",
        FindingKind::LostWrite => "was never read by anybody",
        FindingKind::Resurrected => {
            "had been read before and was not afterwards: the old value came back"
        }
        _ => return None,
    };
    let [write, _] = finding.operations.as_slice() else { return None };
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
        "Client {} asked at {} and was answered {} at {}: {acknowledged}. The newer value {} {fate}. {again}",
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
    let recent = facts
        .processes
        .iter()
        .filter(|it| it.at_ns <= end && it.at_ns + BEFORE_NS >= read.invoked_ns);
    let mut last: Vec<(&ProcessChange, &str)> = Vec::new();
    for change in recent {
        let before = facts.processes.iter().filter(|it| it.store == change.store);
        let before = before.take_while(|it| it.at_ns < change.at_ns).last().map(|it| it.state);
        let what = match (change.state, before) {
            (ProcessWord::Running, Some(ProcessWord::Gone)) => "had been started again",
            (ProcessWord::Running, _) => "had been resumed",
            (ProcessWord::Stopped, _) => "had been stopped, and still was,",
            (ProcessWord::Gone, _) => "had been killed, and still was gone,",
        };
        last.retain(|(other, _)| other.store != change.store);
        last.push((change, what));
    }
    // The most recent first.
    last.sort_by_key(|(change, _)| std::cmp::Reverse(change.at_ns));
    let sentences = last.iter().map(|(change, what)| {
        let before_s = (end - change.at_ns) as f64 / 1e9;
        format!(
            " Store {} {what} {before_s:.3} s before that answer (at {}).",
            change.store,
            s(change.at_ns)
        )
    });
    sentences.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_that_was_just_resumed_is_named_first() {
        let change = |at_ns, store, state| ProcessChange { at_ns, store, state };
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
            " Store 4 had been resumed 0.200 s before that answer (at 5.000 s). Store 5 had been stopped, and \
             still was, 1.200 s before that answer (at 4.000 s)."
        );
    }
}
