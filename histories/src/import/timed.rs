//! Operations with the times of their beginnings and ends, turned into events in order.
//!
//! In: operations in any order, from formats that keep a whole operation in one place. Out: events
//! in our form: a client has one open operation at most, and its times never run backwards. An
//! operation that overlaps the last one of its client gets a client of its own. That demands less
//! of the order and so accuses nobody.

use super::{Imported, Place};
use crate::event::{Event, Outcome, Process, What};
use crate::operation::{Answer, Operation};
use std::collections::HashMap;

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Done {
    /// The operation was answered.
    Ok(Answer),
    /// The outcome is unknown.
    Unknown,
}

/// One operation.
#[derive(Debug, Clone)]
pub(super) struct TimedOperation {
    /// The client, if its number is usable.
    pub(super) client: Option<u64>,
    /// The time of its beginning, nanoseconds from any origin.
    pub(super) call: i64,
    /// The time of its end, from the same origin.
    pub(super) finish: i64,
    pub(super) operation: Operation,
    pub(super) done: Done,
    /// The operation's place in the file.
    pub(super) place: Place,
}

/// The events of the operations, in order of time; at the same time beginnings come first, as
/// intervals are closed.
pub(super) fn events(mut operations: Vec<TimedOperation>) -> Imported {
    operations.sort_by_key(|it| (it.call, it.finish));
    let first = operations.first().map_or(0, |it| it.call);
    let mut next = operations.iter().filter_map(|it| it.client).max().map_or(0, |max| max + 1);
    // A client with an unknown outcome is not used again.
    let mut free_after: HashMap<u64, Option<i64>, rustc_hash::FxBuildHasher> = HashMap::default();
    let mut halves = Vec::with_capacity(operations.len() * 2);
    for TimedOperation { client, call, finish, operation, done, place } in operations {
        let finish = finish.max(call);
        let is_free = |client: &u64| match free_after.get(client) {
            None => true,
            Some(last) => last.is_some_and(|last| last < call),
        };
        let client = client.filter(is_free).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        let after = matches!(done, Done::Ok(_)).then_some(finish);
        free_after.insert(client, after);
        halves.push((call, false, client, What::Invoke(operation.clone()), place.clone()));
        if let Done::Ok(answer) = done {
            let end = What::Complete(operation, Outcome::Ok(answer));
            halves.push((finish, true, client, end, place));
        }
    }
    halves.sort_by_key(|(time, is_end, ..)| (*time, *is_end));
    let mut imported = Imported::default();
    for (index, (time, _, client, what, place)) in (0..).zip(halves) {
        imported.places.push(place);
        imported.events.push(Ok(Event {
            index,
            time_ns: time.abs_diff(first),
            process: Process::Client(client),
            what,
            error: None,
            attempts: Vec::new(),
        }));
    }
    imported
}
