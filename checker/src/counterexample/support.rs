//! Which parts of a key's calls prove something of the whole: those in which every observer has all
//! the writes that could explain what it saw.
//!
//! In: a part of a key's calls, and all of them. Out: the part without observers that lack a write.
//! Taking a delete away from put, delete, read of absence leaves something invalid, but only
//! because the delete is missing.
//!
//! Why it proves something: take a linearization of the whole and leave out what is not in the
//! part. The write that an observer saw is the last one before it. If that is in the part, it still
//! is the last one. If it is not, it is one of those that the rule below excludes. So the part has
//! a linearization too; if it has none, neither has the whole.
//!
//! A write that the part lacks cannot be what an observer saw if it was invoked after the observer
//! had returned, or if some write of known outcome in the part lies between the two: invoked after
//! it, and ended before the observer.

use std::collections::{BTreeMap, BTreeSet};

use crate::call::{ABSENT, ANYTHING, Call, PRESENT, UNLIKE, ValueId};
use crate::presence::Latest;

/// The calls of the part that have what they need. Both are in the order of invocation.
pub(super) fn supported(mut part: Vec<Call>, whole: &[Call]) -> Vec<Call> {
    loop {
        let lacking = Lacking::of(&part, whole);
        let between = Latest::of(
            part.iter()
                .filter(|call| !call.is_read() && !call.is_unknown())
                .map(|call| (call.finish, call.invoke)),
        );
        let length = part.len();
        let written = written(&part);
        part.retain(|call| {
            let is_orphan = lacking.has_writer(call) && !written.contains(&call.expects);
            let last_between = between.among(|finish| finish < call.invoke).unwrap_or(0);
            !is_orphan && lacking.last(call).is_none_or(|finish| finish < last_between)
        });
        if part.len() == length {
            return part;
        }
    }
}

fn written(part: &[Call]) -> BTreeSet<ValueId> {
    part.iter().filter(|call| !call.is_read()).map(|call| call.writes).collect()
}

/// The writes that a part lacks: their returns by their invocations.
struct Lacking {
    of_value: BTreeMap<ValueId, Latest>,
    of_any: Latest,
}

impl Lacking {
    fn of(part: &[Call], whole: &[Call]) -> Self {
        let mut of_value: BTreeMap<ValueId, Vec<(u64, u64)>> = BTreeMap::new();
        let mut of_any = Vec::new();
        let mut kept = part.iter().peekable();
        for call in whole {
            if kept.next_if(|next| *next == call).is_some() || call.is_read() {
                continue;
            }
            of_value.entry(call.writes).or_default().push((call.invoke, call.finish));
            of_any.push((call.invoke, call.finish));
        }
        let latest = |(value, times): (_, Vec<_>)| (value, Latest::of(times.into_iter()));
        Self {
            of_value: of_value.into_iter().map(latest).collect(),
            of_any: Latest::of(of_any.into_iter()),
        }
    }

    /// Whether it lacks a writer of the value that an observer saw.
    fn has_writer(&self, observer: &Call) -> bool {
        let is_value = observer.expects != ABSENT && observer.writes != UNLIKE;
        is_value && self.of_value.contains_key(&observer.expects)
    }

    /// When the last of those returned that an observer could have seen.
    fn last(&self, observer: &Call) -> Option<u64> {
        let lacking = match (observer.expects, observer.writes) {
            (ANYTHING, _) => return None,
            (PRESENT, _) | (_, UNLIKE) => &self.of_any,
            (value, _) => self.of_value.get(&value)?,
        };
        lacking.among(|invoke| invoke <= observer.finish)
    }
}
