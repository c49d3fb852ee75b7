//! Cuts a key's calls where none is open, and searches only the stretches that need it.
//!
//! In: calls on one key, a budget. Out: a judgement. Wherever no call of known outcome is open,
//! everything before stands before everything after, so all that a stretch hands to the next one is
//! the set of states in which it can leave the register, with the calls of unknown outcome that it
//! may have taken to get there. A stretch of unique values is asked once for every state at its
//! beginning and every state that it could end in, by the near-linear check; the others are
//! searched.

use std::ops::Range;

use super::search::{self, Meter, States, Stop, UnknownCalls};
use super::{Decision, Judgement, unique};
use crate::call::{ABSENT, ANYTHING, Call, NEVER, NOTHING, ValueId};
use crate::options::Budget;
use crate::verdict::{DecidedBy, Searched, Stretch};

/// Stretches of so few calls are searched at once: that is cheaper than asking for every state.
const SEARCHED_AT_ONCE_MAX: usize = 8;

/// Decides one key, stretch by stretch.
pub(crate) fn judge(calls: &[Call], budget: &Budget) -> Judgement {
    judge_with(calls, budget, SEARCHED_AT_ONCE_MAX)
}

/// The same with another number of calls that are searched at once.
pub(crate) fn judge_with(calls: &[Call], budget: &Budget, at_once_max: usize) -> Judgement {
    let unknown = UnknownCalls::of(calls);
    let known: Vec<Call> = calls.iter().copied().filter(|call| !call.is_unknown()).collect();
    let meter = Meter::new(budget);
    let mut judging = Judging { unknown, meter, at_once_max, checked: 0, searched: None };
    let decision = judging.judge(&known);
    let explored = judging.meter.explored() + judging.checked;
    let searched = judging.searched;
    Judgement { searched, ..Judgement::new(decision, DecidedBy::Search, explored) }
}

struct Judging {
    unknown: UnknownCalls,
    meter: Meter,
    at_once_max: usize,
    /// Calls that the near-linear check looked at.
    checked: u64,
    searched: Option<Searched>,
}

impl Judging {
    /// Goes on stretch by stretch. Where that takes long, one linearization of all the rest is
    /// looked for first.
    fn judge(&mut self, calls: &[Call]) -> Decision {
        let stretches = stretches(calls);
        let mut known = (0, search::at_first());
        let [mut to_know, mut to_find] = search::allowances(calls.len());
        loop {
            self.meter.pause_after(to_know);
            match self.judge_from(calls, &stretches, &mut known) {
                Ok(decision) => return decision,
                Err(Stop::Budget(reason)) => return Decision::Unknown(reason),
                Err(Stop::Pause) => {}
            }
            self.meter.pause_after(to_find);
            let rest = &calls[stretches[known.0].start..];
            match search::attempt(rest, known.1.clone(), &self.unknown, &mut self.meter) {
                Ok(true) => return Decision::Linearizable,
                Err(Stop::Budget(reason)) => return Decision::Unknown(reason),
                Ok(false) | Err(Stop::Pause) => {
                    to_know = to_know.saturating_mul(search::MORE[0]);
                    to_find = to_find.saturating_mul(search::MORE[1]);
                }
            }
        }
    }

    /// `known` are the states before a stretch.
    fn judge_from(
        &mut self,
        calls: &[Call],
        stretches: &[Range<usize>],
        known: &mut (usize, States),
    ) -> Result<Decision, Stop> {
        while let Some(stretch) = stretches.get(known.0) {
            let is_last = stretch.end == calls.len();
            let calls = &calls[stretch.clone()];
            let checked = if calls.len() > self.at_once_max {
                self.check(calls, &known.1, is_last)
            } else {
                None
            };
            let states = match checked {
                Some(states) => states,
                None => self.search(calls, known.1.clone())?,
            };
            if states.is_empty() {
                return Ok(Decision::NotLinearizable);
            }
            *known = (known.0 + 1, states);
        }
        Ok(Decision::Linearizable)
    }

    fn search(&mut self, calls: &[Call], states: States) -> Result<States, Stop> {
        let before = self.meter.explored();
        let reached = search::sweep(calls, states, &self.unknown, &mut self.meter);
        let ns = |time: u64| time.saturating_sub(1);
        let stretch = Stretch {
            from_ns: ns(calls[0].invoke),
            to_ns: ns(calls.iter().map(|call| call.finish).max().unwrap_or(0)),
            calls: calls.len() as u64,
            explored: self.meter.explored() - before,
        };
        let (stretches, calls, hardest) = match self.searched.take() {
            None => (0, 0, stretch.clone()),
            Some(searched) => (searched.stretches, searched.calls, searched.hardest),
        };
        let is_hardest = reached.is_err() || stretch.explored > hardest.explored;
        self.searched = Some(Searched {
            stretches: stretches + 1,
            calls: calls + stretch.calls,
            hardest: if is_hardest { stretch } else { hardest },
        });
        reached
    }

    /// The states after a stretch by the near-linear check; `None` where it does not apply.
    fn check(&mut self, calls: &[Call], states: &States, is_last: bool) -> Option<States> {
        let end = calls.iter().map(|call| call.finish).max()?;
        if self.unknown.first_invoke() <= end && !is_last {
            return None;
        }
        let mut reached = States::new();
        for (state, spents) in states {
            for spent in spents {
                let mut begun = after(*state, calls);
                if is_last {
                    begun.extend(self.unknown.left(spent));
                }
                if !self.is_linearizable(&begun)? {
                    continue;
                }
                if is_last {
                    return Some(vec![(*state, vec![search::nothing()])]);
                }
                for last in last_states(calls, *state) {
                    let read = Call { invoke: NEVER - 1, finish: NEVER - 1, ..read(last) };
                    let ended: Vec<Call> = begun.iter().copied().chain([read]).collect();
                    let known = reached.iter().any(|(state, _)| *state == last);
                    if !known && self.is_linearizable(&ended)? {
                        reached.push((last, vec![search::nothing()]));
                    }
                }
            }
        }
        reached.sort_unstable();
        Some(reached)
    }

    fn is_linearizable(&mut self, calls: &[Call]) -> Option<bool> {
        let judgement = unique::judge(calls)?;
        self.checked += judgement.explored;
        Some(judgement.decision == Decision::Linearizable)
    }
}

/// A stretch that begins in a state.
fn after(state: ValueId, calls: &[Call]) -> Vec<Call> {
    let write = Call { expects: ANYTHING, writes: state, ..read(state) };
    let first = (state != ABSENT).then_some(write);
    first.into_iter().chain(calls.iter().copied()).collect()
}

/// A read before everything.
fn read(value: ValueId) -> Call {
    Call { invoke: 0, finish: 0, expects: value, writes: NOTHING, event: 0, client: 0 }
}

/// The states in which calls could leave the register: what is written, unless another write begins
/// later.
fn last_states(calls: &[Call], begin: ValueId) -> Vec<ValueId> {
    let writes = || calls.iter().filter(|call| !call.is_read());
    let Some(last_invoke) = writes().map(|call| call.invoke).max() else { return vec![begin] };
    let last = writes().filter(|call| call.finish >= last_invoke).map(|call| call.writes);
    let mut states: Vec<ValueId> = last.collect();
    states.sort_unstable();
    states.dedup();
    states
}

/// Where calls can be cut: before each that is invoked when all earlier ones have returned.
fn stretches(calls: &[Call]) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let (mut begin, mut ended) = (0, 0);
    for (index, call) in calls.iter().enumerate() {
        if index > begin && ended < call.invoke {
            stretches.push(begin..index);
            begin = index;
        }
        ended = ended.max(call.finish);
    }
    if begin < calls.len() {
        stretches.push(begin..calls.len());
    }
    stretches
}
