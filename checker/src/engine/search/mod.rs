//! The general search, for what the near-linear check cannot decide: values that repeat, key-only
//! reads, expiries, CAS failures that do not say what they saw.
//!
//! In: calls on one key, a budget. Out: a judgement, or for a stretch of calls the states in which
//! it can leave the register. It never looks at a clock: the budget is in work (configurations
//! explored, and comparisons of them) and in bytes of configurations held, so that *unknown* is the
//! same on every machine.
//!
//! # How
//!
//! A sweep over time holds the set of *configurations* that can be reached ([`configurations`]):
//! the register's state, which open calls are still *owed*, which open writes are still *usable*,
//! and which calls of unknown outcome were spent. Calls take effect just in time: when a call
//! returns, every configuration is continued by open calls until that call has taken effect (or is
//! dropped). If no configuration is left, there is no linearization: every linearization can be
//! reordered into just-in-time form by putting each call off until the next return that needs it,
//! which keeps the order of calls and their intervals. (The search of Wing and Gong, with Lowe's
//! just-in-time variant of it, breadth first.)
//!
//! # What keeps the set small, and why nothing is lost
//!
//! A *completion* of a configuration is an order of what is left that ends well: every owed call
//! once, each usable write and each unspent call of unknown outcome at most once. A configuration
//! may be dropped if another one has a completion whenever it has one. Every rule below keeps that;
//! and each configuration stands for a real beginning of a linearization, so that nothing is found
//! which is not there.
//!
//! - A configuration mentions open calls only: as many bits as calls overlap, not as the history is
//!   long. Where no call is open there is nothing but the state and what is spent.
//! - **A call that would not change the state** (a read that the state satisfies, a write of the
//!   value that is there) takes effect at once: it is owed no longer. A write stays usable.
//! - **A write hides others.** A put may be preceded directly by any other open put, whose value
//!   nobody sees. So a put that takes effect leaves no open put owed; those stay usable until they
//!   return, as if their outcome were unknown. That is at least as good as both choices, to have
//!   hidden it and to keep it for later.
//! - **Writes serve.** Before the returning call, a put that is not itself the returning one, and a
//!   call of unknown outcome, take effect only where an owed call asks for the state they make, or
//!   where calls of unknown outcome lead from there to such a state. In any completion one that is
//!   followed by something else can be left out or hidden. The exception is a put of the value that
//!   is there: it hides other puts without changing the state, and is considered if a swap could be
//!   next, for after that it would be too late.
//! - **At its return a usable write** that is not owed either expires, or is used now for somebody
//!   later.
//! - **What another owed call implies** is not remembered. A read of v need not be owed beside an
//!   owed call that returns no later and sees or makes v: in any completion that call takes effect
//!   in time, and the read stands directly before it or behind it. So with a read that saw "not e",
//!   and a call that sees or makes anything else. Of owed puts only the one that returns first is
//!   remembered: the others can stand directly before it, hidden ([`slots`]).
//! - **Equal calls** are interchangeable: of open puts of one value, and of owed swaps that expect
//!   and make the same, the first to return is used; and an open put rather than a write of unknown
//!   outcome, which stays.
//! - **Dominance.** One of two configurations with the same state is enough if it can do whatever
//!   the other can: it has spent no more ([`unknown`]); whatever it owes the other owes too, or
//!   owes something that implies it; and for each put that the other can use it has one of its own
//!   that does the same and returns no earlier. Swaps are owed and used at once, so of those both
//!   must owe as many of each kind, and the better one owes those that return later. Take a
//!   completion of the other, and let each call be replaced by its counterpart: the states are the
//!   same at every moment, and what else is owed finds its place by what implies it. A write of
//!   unknown outcome is not used where a swap of unknown outcome does the same, unless it hides
//!   something.
//!
//! # In which order
//!
//! Soon one linearization is looked for ([`attempt()`]) before the sweep goes on with all
//! configurations, in turns with growing allowances: a history that has a linearization mostly has
//! many, and where it has none only all configurations show that.
//!
//! Configurations are continued in the order of their cost and of their coming, never in that of a
//! hash table, so that the number explored is the same on every machine.

mod attempt;
mod configurations;
mod meter;
mod reach;
mod slots;
mod unknown;

use crate::call::{ABSENT, Call, ValueId};
use crate::engine::{Decision, Judgement};
use crate::options::Budget;
use crate::verdict::DecidedBy;
use configurations::Configuration;
pub(crate) use meter::{Meter, Stop};
use slots::{Open, is_put};
pub(crate) use unknown::{Spent, UnknownCalls, nothing};

/// So many calls of known outcome may be open at the same time.
const OVERLAP_MAX: usize = 1024;

/// States of the register, ascending, each with the calls of unknown outcome that it may have taken
/// to get there.
pub(crate) type States = Vec<(ValueId, Vec<Spent>)>;

/// The state in which every key begins.
pub(crate) fn at_first() -> States {
    vec![(ABSENT, vec![unknown::nothing()])]
}

/// Decides one key, all of it by search.
pub(crate) fn judge(calls: &[Call], budget: &Budget) -> Judgement {
    let unknown = UnknownCalls::of(calls);
    let mut meter = Meter::new(budget);
    let [mut to_know, mut to_find] = allowances(calls.len());
    let decision = loop {
        meter.pause_after(to_know);
        let mut swept = sweep(calls, at_first(), &unknown, &mut meter);
        if swept == Err(Stop::Pause) {
            meter.pause_after(to_find);
            match attempt(calls, at_first(), &unknown, &mut meter) {
                Ok(true) => break Decision::Linearizable,
                Err(Stop::Budget(reason)) => swept = Err(Stop::Budget(reason)),
                Ok(false) | Err(Stop::Pause) => {}
            }
        }
        match swept {
            Ok(states) if states.is_empty() => break Decision::NotLinearizable,
            Ok(_) => break Decision::Linearizable,
            Err(Stop::Budget(reason)) => break Decision::Unknown(reason),
            Err(Stop::Pause) => {
                to_know = to_know.saturating_mul(MORE[0]);
                to_find = to_find.saturating_mul(MORE[1]);
            }
        }
    };
    Judgement::new(decision, DecidedBy::Search, meter.explored())
}

/// The work that the sweep may do before one linearization is looked for, and the work of that
/// attempt, which may cost some configurations for each call.
pub(crate) fn allowances(calls: usize) -> [u64; 2] {
    [64 + calls as u64 / 4, 64 + 32 * calls as u64]
}

/// How many times more at the next try, of each.
pub(crate) const MORE: [u64; 2] = [8, 4];

/// The states in which these calls can leave the register: none if they are not linearizable. Those
/// of unknown outcome among them are passed over, for `unknown` has them.
pub(crate) fn sweep(
    calls: &[Call],
    begin: States,
    unknown: &UnknownCalls,
    meter: &mut Meter,
) -> Result<States, Stop> {
    let moments = moments(calls);
    match overlap_max(&moments) {
        0..=64 => all::<1>(calls, &moments, begin, unknown, meter),
        65..=256 => all::<4>(calls, &moments, begin, unknown, meter),
        257..=OVERLAP_MAX => all::<16>(calls, &moments, begin, unknown, meter),
        overlap => Err(too_many(overlap)),
    }
}

/// Returns true if a linearization of these calls was found; if not, there may still be one.
pub(crate) fn attempt(
    calls: &[Call],
    begin: States,
    unknown: &UnknownCalls,
    meter: &mut Meter,
) -> Result<bool, Stop> {
    let moments = moments(calls);
    match overlap_max(&moments) {
        0..=64 => attempt::attempt::<1>(calls, &moments, begin, unknown, meter),
        65..=256 => attempt::attempt::<4>(calls, &moments, begin, unknown, meter),
        257..=OVERLAP_MAX => attempt::attempt::<16>(calls, &moments, begin, unknown, meter),
        overlap => Err(too_many(overlap)),
    }
}

fn too_many(overlap: usize) -> Stop {
    Stop::Budget(format!("{overlap} calls overlap, more than a search can hold ({OVERLAP_MAX})"))
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Invoke(u32),
    Return(u32),
}

/// Invocations and returns of the calls of known outcome, in time; at the same time invocations
/// come first, since intervals are closed.
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

/// A call begins.
fn invoke<const WORDS: usize>(
    open: &mut Open<WORDS>,
    frontier: &mut [Configuration<WORDS>],
    number: u32,
    calls: &[Call],
) {
    let call = calls[number as usize];
    let slot = open.add(number, call);
    for one in frontier {
        one.owed = one.owed.with_room_at(slot);
        one.usable = one.usable.with_room_at(slot);
        if call.step(one.state) != Some(one.state) {
            one.owed = one.owed.with(slot);
        }
        if is_put(&call) {
            one.usable = one.usable.with(slot);
        }
    }
}

/// The call that is the first to return has returned.
fn returned<const WORDS: usize>(
    open: &mut Open<WORDS>,
    frontier: &mut [Configuration<WORDS>],
    number: u32,
) {
    open.remove_first(number);
    for one in frontier {
        one.owed = one.owed.without_first();
        one.usable = one.usable.without_first();
    }
}

fn all<const WORDS: usize>(
    calls: &[Call],
    moments: &[Moment],
    begin: States,
    unknown: &UnknownCalls,
    meter: &mut Meter,
) -> Result<States, Stop> {
    let mut open = Open::<WORDS>::new();
    let mut frontier = configurations::beginning(begin, unknown);
    for moment in moments {
        match *moment {
            Moment::Invoke(number) => invoke(&mut open, &mut frontier, number, calls),
            Moment::Return(number) => {
                frontier = reach::behind(frontier, &open, unknown, meter, None)?.0;
                returned(&mut open, &mut frontier, number);
                if frontier.is_empty() {
                    break;
                }
            }
        }
    }
    Ok(configurations::states(frontier))
}
