//! A counterexample: the smallest part of a key's history that is still not linearizable, as a
//! person reads it and as a history that can be judged again.
//!
//! In: a key that was judged invalid. Out: a [`Counterexample`]. It is *1-minimal*: taking away any
//! one operation (a write together with everything that observed its value) makes it linearizable.
//! It does not judge; it asks the engines.
//!
//! The remaining operations prove something of the whole key: none of them is unexplained only
//! because a write was left out.

mod core;
mod drawing;
mod events;
mod explained;
mod minimize;
mod sentence;
mod support;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use histories::Event;
use histories::jsonl::Text;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::engine::{self, Decision};
use crate::history::{History, KeyHistory};
use crate::options::{Budget, Engine};
use crate::verdict::DecidedBy;

/// Why a key is invalid, in as few operations as possible.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counterexample {
    /// One sentence that says why no order of the operations explains their answers.
    pub sentence: String,
    /// The event that invoked the operation that the sentence is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<u64>,
    /// The events of the judged history that invoked the operations, by index, in the order of
    /// invocation.
    pub operations: Vec<u64>,
    /// The operations as lanes over time, a line for each client; not to scale. The operation that
    /// the sentence is about is marked (✗).
    pub drawing: Vec<String>,
    /// The longest beginning that can be explained: these operations, in this order. What is not in
    /// it has no place after it. Empty if there is none, or if the counterexample is too large to
    /// look for it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub explained: Vec<Explained>,
    /// The operations as a history of their own, which is judged invalid as well. Not part of
    /// `verdict.json`.
    #[serde(skip)]
    pub events: Vec<Event>,
}

/// An operation of the beginning that can be explained.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The event that invoked it, by index.
    pub operation: u64,
    /// What was asked and answered, in a few words; of a value that expired, that it did.
    pub words: String,
    /// What the key is after it.
    pub state: String,
}

/// Finds a counterexample in a key that is not linearizable, which took so much work to find out.
/// A part that a search cannot decide within a few times that work counts as linearizable, so the
/// counterexample may be larger than it has to be.
pub(crate) fn find(
    history: &History,
    key: &KeyHistory,
    budget: &Budget,
    explored: u64,
) -> Counterexample {
    let share = |part: u64, times: u64| budget.configurations / part + times * explored;
    let left = Cell::new(share(5, 4));
    let is_invalid = |calls: &[Call]| {
        let configurations = left.get().min(share(64, 2));
        let budget = Budget { configurations, ..*budget };
        let judgement = engine::judge(calls, Engine::Auto, &budget);
        if judgement.decided_by == DecidedBy::Search {
            left.set(left.get().saturating_sub(judgement.explored));
        }
        judgement.decision == Decision::NotLinearizable
    };
    // What needs no search is asked first, often: a part that a look at the values refutes becomes
    // small by that alone.
    let is_invalid_at_once = |calls: &[Call]| {
        let nothing = Budget { configurations: 0, ..*budget };
        engine::judge(calls, Engine::Auto, &nothing).decision == Decision::NotLinearizable
    };
    let mut candidate = core::candidate(&key.calls, &is_invalid, &is_invalid_at_once);
    if is_invalid_at_once(&candidate) {
        candidate = minimize::minimize(candidate, &key.calls, &is_invalid_at_once);
    }
    let minimal = minimize::minimize(candidate, &key.calls, &is_invalid);
    let names = Names::new(history, key);
    let (sentence, about) = sentence::sentence(&minimal, key, &names);
    Counterexample {
        sentence,
        about: about.map(|index| u64::from(minimal[index].event)),
        operations: minimal.iter().map(|call| u64::from(call.event)).collect(),
        drawing: drawing::draw(&minimal, about, &names),
        explained: explained(&minimal, &names),
        events: events::events(&minimal, history, key, &names),
    }
}

/// The longest beginning that can be explained, in words.
fn explained(calls: &[Call], names: &Names<'_>) -> Vec<Explained> {
    let step = |(index, after): (usize, u32)| Explained {
        operation: u64::from(calls[index].event),
        words: drawing::words(&calls[index], names),
        state: names.value(after),
    };
    explained::longest(calls).into_iter().map(step).collect()
}

/// What clients and values are called.
pub(crate) struct Names<'a> {
    history: &'a History,
    values: Vec<&'a [u8]>,
}

/// Longer values are cut in what a person reads.
const SHOWN_CHARACTERS_MAX: usize = 40;

/// Fewer dots at a value's end are part of it.
const PADDING_MIN: usize = 4;

/// A value's text without the dots that pad it to its length.
fn unpadded(text: &str) -> &str {
    let told = text.trim_end_matches('.');
    if told.is_empty() || text.len() - told.len() < PADDING_MIN { text } else { told }
}

impl<'a> Names<'a> {
    pub(crate) fn new(history: &'a History, key: &KeyHistory) -> Self {
        Self { history, values: history.values_of(key) }
    }

    /// A call with its client and times.
    pub(crate) fn long(&self, call: &Call) -> String {
        sentence::long(call, self)
    }

    /// A value's bytes; empty for absence.
    pub(crate) fn bytes(&self, value: u32) -> &'a [u8] {
        self.values[value as usize]
    }

    /// A value as a person reads it.
    pub(crate) fn value(&self, value: u32) -> String {
        match value {
            crate::call::ABSENT => "nothing".to_owned(),
            value => {
                let text = Text(self.values[value as usize].to_vec()).to_string();
                let told = unpadded(&text);
                let cut: String = told.chars().take(SHOWN_CHARACTERS_MAX).collect();
                let more = if cut.len() < told.len() { "…" } else { "" };
                format!("\"{cut}{more}\"")
            }
        }
    }

    /// Who called: a client, or what the history began with.
    fn caller(&self, call: &Call) -> String {
        if call.finish == 0 {
            "at first".to_owned()
        } else {
            format!("client {}", self.history.client(call.client))
        }
    }
}
