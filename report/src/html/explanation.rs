//! How far a counterexample can be explained: the longest order of its operations that agrees with
//! the answers, and what has no place after it.
//!
//! In: a counterexample and the facts of the history. Out: steps for the picture, and a list in
//! words. What the order is the checker says; here each step only gets the earliest moment that it
//! can have had.

use super::facts::{Facts, Wanted};
use checker::Counterexample;
use pages::escaped;
use std::fmt::Write;

/// One operation of the order.
#[derive(Debug, Clone)]
pub struct Step {
    /// The event that invoked it.
    pub operation: u64,
    /// The earliest moment that it can have had in this order, nanoseconds.
    pub at_ns: u64,
    /// Who did what.
    pub words: String,
    /// What the key is after it.
    pub state: String,
}

/// The steps of a counterexample's longest order.
pub fn steps(facts: &Facts, found: &Counterexample) -> Vec<Step> {
    let mut at_ns = 0;
    let explained = found.explained.iter();
    explained
        .map(|step| {
            let wanted = facts.wanted.get(&step.operation);
            at_ns = wanted.map_or(at_ns, |it| it.invoked_ns.max(at_ns));
            let words = match wanted {
                Some(it) if !step.words.ends_with(" expires") => who(it),
                _ => neat(&step.words),
            };
            Step { operation: step.operation, at_ns, words, state: neat(&step.state) }
        })
        .collect()
}

/// The order as a list, and what has no place after it. Nothing, if no order was found.
pub fn html(facts: &Facts, found: &Counterexample, steps: &[Step]) -> String {
    let Some(last) = steps.last() else { return String::new() };
    let mut html = String::from("<h3>As far as it can be explained</h3>\n<ol>");
    for step in steps {
        // Writing into a string cannot fail, here and below.
        let _ = write!(
            html,
            "<li>{}: the key is <code>{}</code> after it</li>",
            escaped(&step.words),
            escaped(&step.state)
        );
    }
    let is_placed = |index: &u64| steps.iter().any(|step| step.operation == *index);
    let rest = found.operations.iter().filter(|index| !is_placed(index));
    let rest: Vec<String> = rest.filter_map(|index| facts.wanted.get(index)).map(who).collect();
    let _ = writeln!(
        html,
        "</ol>\n<p>No other order comes further. The key is <code>{}</code> then, and {} no place after that: {}.</p>",
        escaped(&last.state),
        if rest.len() == 1 { "this has" } else { "these have" },
        escaped(&rest.join("; "))
    );
    html
}

fn who(it: &Wanted) -> String {
    format!("{} by client {}", it.words, it.client)
}

/// Without what workloads pad their values with.
fn neat(text: &str) -> String {
    text.trim_end_matches(['"', '…']).trim_end_matches('.').trim_start_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::Explained;

    #[test]
    fn the_steps_are_numbered_in_time_and_the_rest_is_named() {
        let wanted = |client, words: &str, invoked_ns| Wanted {
            client,
            words: words.into(),
            value: String::new(),
            is_read: words.starts_with("get"),
            invoked_ns,
            completed_ns: Some(invoked_ns + 5),
        };
        let facts = Facts {
            wanted: [
                (1, wanted(3, "put v1", 10)),
                (4, wanted(7, "put v2", 8)),
                (6, wanted(12, "get → v1", 30)),
            ]
            .into(),
            ..Facts::default()
        };
        let step = |operation, words: &str, state: &str| Explained {
            operation,
            words: words.into(),
            state: state.into(),
        };
        let found = Counterexample {
            operations: vec![1, 4, 6],
            explained: vec![
                step(1, "put \"v1\"", "\"v1......…\""),
                step(4, "put \"v2\"", "\"v2\""),
            ],
            ..Counterexample::default()
        };
        let steps = steps(&facts, &found);
        assert_eq!(steps.iter().map(|step| step.at_ns).collect::<Vec<_>>(), [10, 10]);
        assert_eq!(steps[0].state, "v1");
        let html = html(&facts, &found, &steps);
        assert!(html.contains("get → v1 by client 12"), "{html}");
        assert!(html.contains("this has no place"), "{html}");
        assert!(html.contains("<li>put v2 by client 7"), "{html}");
    }
}
