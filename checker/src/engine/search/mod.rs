//! The general search, for what the near-linear check cannot decide: values that repeat, key-only reads, expiries,
//! CAS failures that do not say what they saw.
//!
//! In: calls on one key, a budget. Out: a judgement, or for a stretch of calls the states in which it can leave the
//! register. It never looks at a clock: the budget is in configurations explored and in bytes of configurations
//! held, so that *unknown* is the same on every machine.
//!
//! # How
//!
//! A sweep over time holds the set of *configurations* that can be reached: the register's state, and which of the
//! calls that are open now have taken effect. Calls take effect just in time: only when a call returns, every
//! configuration in which it has not taken effect yet is continued by open calls until it has (or dropped). If no
//! configuration is left, there is no linearization: every linearization can be reordered into just-in-time form
//! by putting each call off until the next return that needs it, which keeps the order of calls and their
//! intervals. (The search of Wing and Gong, with Lowe's just-in-time variant of it, breadth first.)
//!
//! What keeps the set small:
//! - A configuration mentions open calls only: as many bits as calls overlap, not as the history is long; and
//!   wherever no call is open, the set collapses to one configuration per state.
//! - An open read that the state satisfies takes effect at once: it changes nothing, so having it done dominates.
//! - Calls of unknown outcome ([`unknown`]) are never required, and happen only directly before what needs them.
//!
//! Configurations are continued in the order of their states and bits, never in that of a hash table, so that the
//! number explored is the same on every machine.

mod configurations;
mod meter;
mod unknown;

use crate::call::{ABSENT, ANYTHING, Call, ValueId};
use crate::engine::{Decision, Judgement};
use crate::options::Budget;
use crate::verdict::DecidedBy;
use configurations::{Frontier, Open, Reached};
pub(crate) use meter::Meter;
pub(crate) use unknown::{Spent, UnknownCalls};

/// So many calls of known outcome may be open at the same time.
const OVERLAP_MAX: usize = 1024;

/// States of the register, ascending, each with the calls of unknown outcome that it may have taken to get there.
pub(crate) type States = Vec<(ValueId, Vec<Spent>)>;

/// The state in which every key begins.
pub(crate) fn at_first() -> States {
    vec![(ABSENT, vec![Spent::new()])]
}

/// Decides one key, all of it by search.
pub(crate) fn judge(calls: &[Call], budget: &Budget) -> Judgement {
    let unknown = UnknownCalls::of(calls);
    let mut meter = Meter::new(budget);
    let decision = match sweep(calls, at_first(), &unknown, &mut meter) {
        Ok(states) if states.is_empty() => Decision::NotLinearizable,
        Ok(_) => Decision::Linearizable,
        Err(reason) => Decision::Unknown(reason),
    };
    Judgement::new(decision, DecidedBy::Search, meter.explored())
}

/// The states in which these calls can leave the register: none if they are not linearizable. Those of unknown
/// outcome among them are passed over, for `unknown` has them.
pub(crate) fn sweep(
    calls: &[Call],
    begin: States,
    unknown: &UnknownCalls,
    meter: &mut Meter,
) -> Result<States, String> {
    let moments = moments(calls);
    match overlap_max(&moments) {
        0..=64 => Sweep::<1>::run(calls, &moments, begin, unknown, meter),
        65..=256 => Sweep::<4>::run(calls, &moments, begin, unknown, meter),
        257..=OVERLAP_MAX => Sweep::<16>::run(calls, &moments, begin, unknown, meter),
        overlap => {
            Err(format!("{overlap} calls overlap, more than a search can hold ({OVERLAP_MAX})"))
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Invoke(u32),
    Return(u32),
}

/// Invocations and returns of the calls of known outcome, in time; at the same time invocations come first, since
/// intervals are closed.
fn moments(calls: &[Call]) -> Vec<Moment> {
    let mut moments: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * calls.len());
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| !call.is_unknown()) {
        moments.push((call.invoke, false, index as u32));
        moments.push((call.finish, true, index as u32));
    }
    moments.sort_unstable();
    let moment = |(_, is_return, index)| {
        if is_return { Moment::Return(index) } else { Moment::Invoke(index) }
    };
    moments.into_iter().map(moment).collect()
}

/// How many calls are open at the same time.
fn overlap_max(moments: &[Moment]) -> usize {
    let mut open = 0;
    let mut most = 0;
    for moment in moments {
        match moment {
            Moment::Invoke(_) => open += 1,
            Moment::Return(_) => open -= 1,
        }
        most = most.max(open);
    }
    most
}

struct Sweep<'a, const WORDS: usize> {
    calls: &'a [Call],
    unknown: &'a UnknownCalls,
    open: Open<WORDS>,
}

impl<'a, const WORDS: usize> Sweep<'a, WORDS> {
    fn run(
        calls: &'a [Call],
        moments: &[Moment],
        begin: States,
        unknown: &'a UnknownCalls,
        meter: &mut Meter,
    ) -> Result<States, String> {
        let mut sweep = Self { calls, unknown, open: Open::new() };
        let mut frontier = Frontier::beginning(begin);
        for moment in moments {
            match *moment {
                Moment::Invoke(number) => sweep.open.add(number, calls[number as usize]),
                Moment::Return(number) => {
                    frontier = sweep.complete(frontier, number, meter)?;
                    sweep.open.remove(number);
                    if frontier.is_empty() {
                        break;
                    }
                }
            }
        }
        Ok(frontier.states())
    }

    /// Every configuration in which this call has taken effect, without its bit.
    fn complete(
        &self,
        frontier: Frontier<WORDS>,
        number: u32,
        meter: &mut Meter,
    ) -> Result<Frontier<WORDS>, String> {
        let now = self.calls[number as usize].finish;
        let mut reached = Reached::new(&self.open, self.open.slot(number), meter);
        for (state, done, spent) in frontier.in_order() {
            reached.add(state, done, spent)?;
        }
        while let Some((state, done, spent)) = reached.next() {
            for (slot, call) in self.open.undone(&done) {
                if !call.is_read()
                    && let Some(next) = call.step(state)
                {
                    reached.add(next, done.with(slot), spent.clone())?;
                }
            }
            let needed = |value| {
                let asks = |call: &Call| call.expects != ANYTHING && call.step(value).is_some();
                self.open.undone(&done).any(|(_, call)| asks(call))
            };
            for (kind, next) in self.unknown.possible(state, &spent, now, needed) {
                reached.add(next, done, unknown::with(&spent, kind))?;
            }
        }
        Ok(reached.completed())
    }
}
