//! Counts the clients' operations by kind and outcome, and finds times without a success.
//!
//! In: the events of a history. Out: counts, and the longest time without a success inside a
//! window. "Unavailable" and "wrong" are different findings; this is the first of the two.

mod served;
mod successes;

pub use served::Served;

use histories::{EventRef, OutcomeRef, Process, WhatRef};
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};
use served::Service;
use std::collections::{BTreeMap, HashMap};
use successes::Successes;

/// The outcomes of operations of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Operations that took effect.
    pub ok: u64,
    /// Operations that certainly took no effect.
    pub fail: u64,
    /// Operations of unknown outcome, including those never completed.
    pub info: u64,
}

/// A window of time, in nanoseconds since the run's start, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The begin.
    pub begin_ns: u64,
    /// The end.
    pub end_ns: u64,
}

/// The clients' operations, counted.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// The few kinds, in the order of their first invocation.
    by_kind: Vec<(&'static str, Counts)>,
    successes: Successes,
    service: Service,
    open: HashMap<u64, Open, FxBuildHasher>,
}

/// A client's open operation: the kind's index, and the invocation time.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: usize,
    invoked_ns: u64,
}

impl Traffic {
    /// A counter whose memory does not grow with the operations. Only windows that begin and end
    /// with an event of the nemesis are answered exactly then.
    pub fn summed_up() -> Self {
        Self { successes: Successes::summed_up(), ..Self::default() }
    }

    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        let Process::Client(client) = event.process else {
            self.successes.mark(event.time_ns);
            return;
        };
        match event.what {
            WhatRef::Invoke(operation) => {
                let kind = self.kind(operation.name());
                self.by_kind[kind].1.info += 1;
                self.open.insert(client, Open { kind, invoked_ns: event.time_ns });
                self.service.asked(event.time_ns);
            }
            WhatRef::Complete(_, outcome) => {
                let Some(Open { kind, invoked_ns }) = self.open.remove(&client) else { return };
                self.service.answered(event.time_ns, matches!(outcome, OutcomeRef::Ok(_)));
                let counts = &mut self.by_kind[kind].1;
                match outcome {
                    OutcomeRef::Ok(_) => {
                        counts.info -= 1;
                        counts.ok += 1;
                        self.successes.push(invoked_ns, event.time_ns);
                    }
                    OutcomeRef::Fail => {
                        counts.info -= 1;
                        counts.fail += 1;
                    }
                    OutcomeRef::Info => {}
                }
            }
            WhatRef::FaultInvoke(..) | WhatRef::FaultComplete(..) => {}
        }
    }

    fn kind(&mut self, name: &'static str) -> usize {
        let known = self.by_kind.iter().position(|(kind, _)| *kind == name);
        known.unwrap_or_else(|| {
            self.by_kind.push((name, Counts::default()));
            self.by_kind.len() - 1
        })
    }

    /// Ends the input: completions are sorted by time, which recording need not have kept.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.successes.finish();
        self.open.clear();
        self
    }

    /// The outcomes of each kind of operation.
    pub fn by_kind(&self) -> BTreeMap<&'static str, Counts> {
        self.by_kind.iter().copied().collect()
    }

    /// The outcomes of all operations.
    pub fn total(&self) -> Counts {
        self.by_kind.iter().fold(Counts::default(), |sum, (_, counts)| Counts {
            ok: sum.ok + counts.ok,
            fail: sum.fail + counts.fail,
            info: sum.info + counts.info,
        })
    }

    /// The part of the time in which clients were served; none if there were no operations.
    pub fn served(&self) -> Option<Served> {
        self.service.served()
    }

    /// The number of successful operations of these kinds.
    pub fn ok_of(&self, kinds: &[&str]) -> u64 {
        self.by_kind
            .iter()
            .filter(|(kind, _)| kinds.contains(kind))
            .map(|(_, counts)| counts.ok)
            .sum()
    }

    /// The number of successful operations that were at least partly inside a window.
    pub fn ok_during(&self, window: Window) -> u64 {
        self.successes.during(window)
    }

    /// The number of operations that completed with success inside a window.
    pub fn completed_ok_in(&self, window: Window) -> usize {
        self.successes.completed_in(window)
    }

    /// The longest time between two successes that touches a window, in nanoseconds. It counts from
    /// the window's begin if nothing succeeded before it, and to its end if nothing did after it.
    pub fn longest_gap_ns(&self, window: Window) -> u64 {
        self.successes.longest_gap_ns(window)
    }

    /// The time when the first operation that was invoked after a moment succeeded.
    pub fn first_success_invoked_after(&self, moment_ns: u64) -> Option<u64> {
        self.successes.first_invoked_after(moment_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::{Answer, Event, Operation, Outcome, What};

    fn operation() -> Operation {
        Operation::Get { key: b"a".to_vec() }
    }

    fn event(client: u64, time_ns: u64, what: What) -> Event {
        let process = Process::Client(client);
        Event { index: 0, time_ns, process, what, error: None, attempts: vec![] }
    }

    /// One operation for each client: invocation time, completion time (0 = never), true if
    /// successful.
    fn traffic(operations: &[(u64, u64, bool)]) -> Traffic {
        let mut traffic = Traffic::default();
        for (client, (invoked, completed, ok)) in (0..).zip(operations) {
            traffic.observe(event(client, *invoked, What::Invoke(operation())).borrowed());
            let outcome = if *ok { Outcome::Ok(Answer::Got(None)) } else { Outcome::Fail };
            if *completed > 0 {
                let complete = What::Complete(operation(), outcome);
                traffic.observe(event(client, *completed, complete).borrowed());
            }
        }
        traffic.finish()
    }

    #[test]
    fn an_operation_that_never_completes_is_unknown() {
        let traffic = traffic(&[(1, 2, true), (1, 3, false), (1, 0, true)]);
        assert_eq!(traffic.total(), Counts { ok: 1, fail: 1, info: 1 });
        assert_eq!(traffic.ok_of(&["get"]), 1);
        assert_eq!(traffic.ok_of(&["put"]), 0);
    }

    #[test]
    fn the_gap_reaches_over_the_windows_edges() {
        let traffic = traffic(&[(0, 10, true), (0, 20, true), (0, 90, true), (0, 100, true)]);
        assert_eq!(traffic.longest_gap_ns(Window { begin_ns: 30, end_ns: 40 }), 70);
        assert_eq!(traffic.longest_gap_ns(Window { begin_ns: 12, end_ns: 15 }), 10);
        assert_eq!(traffic.longest_gap_ns(Window { begin_ns: 95, end_ns: 150 }), 50);
        assert_eq!(traffic.longest_gap_ns(Window { begin_ns: 0, end_ns: 10 }), 10);
    }

    #[test]
    fn an_operation_counts_as_during_a_window_if_it_touches_it() {
        let traffic = traffic(&[(0, 10, true), (5, 30, true), (41, 50, true)]);
        let window = Window { begin_ns: 20, end_ns: 40 };
        assert_eq!(traffic.ok_during(window), 1);
        assert_eq!(traffic.first_success_invoked_after(5), Some(30));
        assert_eq!(traffic.first_success_invoked_after(42), None);
    }
}
