//! A counterexample as a history of its own, which can be written to a file and judged again.
//!
//! In: calls on one key. Out: events that obey the rules of every history. What was part of a batch
//! or a scan becomes an operation on the one key. Clients keep their ids; where the same client
//! would have two operations open, or come back after an unknown outcome, a fresh id stands in.

use std::collections::{BTreeMap, BTreeSet};

use histories::{Answer, ClientId, Event, Operation, Outcome, Process, What};

use super::Names;
use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, NEVER, NOTHING, PRESENT, UNLIKE};
use crate::history::{History, KeyHistory};

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The calls as events, in time.
pub(super) fn events(
    calls: &[Call],
    history: &History,
    key: &KeyHistory,
    names: &Names<'_>,
) -> Vec<Event> {
    // A first value stands before everything, so there everything is one nanosecond later.
    let has_initial = calls.iter().any(|call| call.finish == 0);
    let time_ns = |time: u64| if has_initial { time } else { time - 1 };
    let mut clients = Clients::new(calls, history);
    let mut events = Vec::new();
    for call in calls.iter().filter(|call| !is_expiry(call)) {
        let (operation, answer) = operation(call, calls, history, key, names);
        let process = Process::Client(clients.of(call, history));
        events.push((call.invoke, false, process, What::Invoke(operation.clone())));
        // A call of unknown outcome stays without a completion, which says the same as `info`.
        if !call.is_unknown() {
            let completion = What::Complete(operation, Outcome::Ok(answer));
            events.push((call.finish, true, process, completion));
        }
    }
    events.sort_by_key(|(time, is_return, ..)| (*time, *is_return));
    let numbered = events.into_iter().zip(0..);
    let event = |((time, _, process, what), index)| Event {
        index,
        time_ns: time_ns(time),
        process,
        what,
        error: None,
        attempts: Vec::new(),
    };
    numbered.map(event).collect()
}

/// The expiry of a value is part of the put that wrote it.
fn is_expiry(call: &Call) -> bool {
    call.writes == ABSENT && call.expects != ANYTHING && call.is_unknown()
}

fn operation(
    call: &Call,
    calls: &[Call],
    history: &History,
    key: &KeyHistory,
    names: &Names<'_>,
) -> (Operation, Answer) {
    let value = |value: u32| names.values[value as usize].to_vec();
    let optional = |id: u32| (id != ABSENT).then(|| value(id));
    let name = key.key.clone();
    match (call.expects, call.writes) {
        (IMPOSSIBLE, _) => history.impossible[&(key.number, call.event)].clone(),
        (PRESENT, _) => {
            let end = [&*name, &[0]].concat();
            let scan = Operation::Scan {
                start: name.clone(),
                end: Some(end),
                limit: 2,
                reverse: false,
                key_only: true,
            };
            (scan, Answer::ScannedKeys(vec![name]))
        }
        (expected, UNLIKE) => {
            let expected = optional(expected);
            (Operation::Cas { key: name, expected, new: b"-".to_vec() }, Answer::CasFailed)
        }
        (seen, NOTHING) => (Operation::Get { key: name }, Answer::Got(optional(seen))),
        (ANYTHING, ABSENT) => (Operation::Delete { key: name }, Answer::Done),
        (ANYTHING, written) => {
            // Its own expiry: the same value may be put again, with another TTL or none.
            let expiry = calls.iter().find(|other| {
                other.event == call.event && other.expects == written && is_expiry(other)
            });
            let ttl_s = expiry.map(|expiry| {
                expiry.invoke.saturating_sub(call.invoke) / NANOSECONDS_PER_SECOND + 1
            });
            (Operation::Put { key: name, value: value(written), ttl_s }, Answer::Done)
        }
        (expected, written) => {
            let previous = optional(expected);
            let cas = Operation::Cas { key: name, expected: previous.clone(), new: value(written) };
            (cas, Answer::Cas { swapped: true, previous })
        }
    }
}

/// Gives each call a client that is free for it.
struct Clients {
    free_from: BTreeMap<ClientId, u64>,
    /// The clients of the calls, and those that stand in.
    taken: BTreeSet<ClientId>,
    next: ClientId,
}

impl Clients {
    fn new(calls: &[Call], history: &History) -> Self {
        let own = calls.iter().filter_map(|call| history.clients.get(call.client as usize));
        let next = history.last_client.map_or(0, |last| last.saturating_add(1));
        Self { free_from: BTreeMap::new(), taken: own.copied().collect(), next }
    }

    fn of(&mut self, call: &Call, history: &History) -> ClientId {
        let own = history.clients.get(call.client as usize).copied();
        let is_free = |client: &ClientId| {
            call.finish != 0 && self.free_from.get(client).is_none_or(|from| *from <= call.invoke)
        };
        let client = own.filter(is_free).unwrap_or_else(|| {
            while self.taken.contains(&self.next) {
                self.next = self.next.wrapping_add(1);
            }
            self.taken.insert(self.next);
            self.next
        });
        let from = if call.finish == NEVER { NEVER } else { call.finish + 1 };
        self.free_from.insert(client, from);
        client
    }
}
