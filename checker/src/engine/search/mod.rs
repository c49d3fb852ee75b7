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
mod reach;
mod slots;
mod unknown;

use crate::call::{ABSENT, Call, ValueId};
use crate::engine::{Decision, Judgement};
use crate::options::Budget;
use crate::verdict::DecidedBy;
pub(crate) use meter::Meter;
use slots::{Open, Placed, is_put};
pub(crate) use unknown::{Spent, UnknownCalls, nothing};

/// So many calls of known outcome may be open at the same time.
const OVERLAP_MAX: usize = 1024;

/// States of the register, ascending, each with the calls of unknown outcome that it may have taken to get there.
pub(crate) type States = Vec<(ValueId, Vec<Spent>)>;

/// The state in which every key begins.
pub(crate) fn at_first() -> States {
    vec![(ABSENT, vec![unknown::nothing()])]
}

/// Decides one key, all of it by search.
pub(crate) fn judge(calls: &[Call], budget: &Budget) -> Judgement {
    let unknown = UnknownCalls::of(calls);
    let mut meter = Meter::new(budget);
    let mut width = Width::FIRST;
    let decision = loop {
        match sweep(calls, at_first(), &unknown, &mut meter, width) {
            Ok(swept) if !swept.states.is_empty() => break Decision::Linearizable,
            Ok(swept) if swept.is_all => break Decision::NotLinearizable,
            Ok(_) => width = width.wider(),
            Err(reason) => break Decision::Unknown(reason),
        }
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
    width: Width,
) -> Result<Swept, String> {
    let moments = moments(calls);
    match overlap_max(&moments) {
        0..=64 => run::<1>(calls, &moments, begin, unknown, meter, width),
        65..=256 => run::<4>(calls, &moments, begin, unknown, meter, width),
        257..=OVERLAP_MAX => run::<16>(calls, &moments, begin, unknown, meter, width),
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

/// How many configurations are kept at once; none if all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width(Option<usize>);

impl Width {
    /// The first to try.
    pub(crate) const FIRST: Self = Self(Some(16));
    const GROWTH: usize = 16;
    const LAST: usize = 16 * 16;

    /// The next to try.
    pub(crate) fn wider(self) -> Self {
        Self(self.0.filter(|width| *width < Self::LAST).map(|width| width * Self::GROWTH))
    }

    fn kept(self) -> usize {
        self.0.unwrap_or(usize::MAX)
    }

    fn completed(self) -> usize {
        self.0.map_or(usize::MAX, |width| 2 * width)
    }

    fn continued(self) -> usize {
        self.0.map_or(usize::MAX, |width| 4 * width)
    }
}

/// What a sweep found.
#[derive(Debug)]
pub(crate) struct Swept {
    /// The states in which the calls can leave the register.
    pub(crate) states: States,
    /// Those are all.
    pub(crate) is_all: bool,
}

fn run<const WORDS: usize>(
    calls: &[Call],
    moments: &[Moment],
    begin: States,
    unknown: &UnknownCalls,
    meter: &mut Meter,
    width: Width,
) -> Result<Swept, String> {
    let mut open = Open::<WORDS>::new();
    let mut frontier = configurations::beginning(begin, unknown);
    let mut is_all = true;
    for moment in moments {
        match *moment {
            Moment::Invoke(number) => {
                let Placed { slot, call, .. } = open.add(number, calls[number as usize]);
                for one in &mut frontier {
                    if call.step(one.state) != Some(one.state) {
                        one.owed = one.owed.with(slot);
                    }
                    if is_put(&call) {
                        one.usable = one.usable.with(slot);
                    }
                }
            }
            Moment::Return(number) => {
                let returning = open.get(number);
                let (behind, all) =
                    reach::behind(frontier, returning, &open, unknown, meter, width)?;
                open.remove(number);
                frontier = behind;
                is_all &= all;
                if frontier.len() > width.kept() {
                    frontier = configurations::best(frontier, width.kept());
                    is_all = false;
                }
                if frontier.is_empty() {
                    break;
                }
            }
        }
    }
    Ok(Swept { states: configurations::states(frontier), is_all })
}
