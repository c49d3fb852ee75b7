//! The configurations that can be reached until one call has returned.
//!
//! In: configurations, and the open calls, of which the one in slot 0 returns. Out: the
//! configurations behind its return.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Meter;
use super::configurations::{Configuration, Set};
use super::meter::Stop;
use super::slots::{Open, Slots};
use super::unknown::{self, UnknownCalls};
use crate::call::{ABSENT, ANYTHING, IMPOSSIBLE, PRESENT, UNLIKE, ValueId};

/// So many configurations are continued at least, before a search for the most promising ones goes
/// on without more.
const CONTINUED_MIN: usize = 32;

/// The slot of the call that returns.
const RETURNING: usize = 0;

/// Every configuration behind the return of a call, or the most promising of them; and whether
/// those are all.
pub(super) fn behind<const WORDS: usize>(
    before: Vec<Configuration<WORDS>>,
    open: &Open<WORDS>,
    unknown: &UnknownCalls,
    meter: &mut Meter,
    width: Option<usize>,
) -> Result<(Vec<Configuration<WORDS>>, bool), Stop> {
    if before.iter().all(|one| !one.owed.has(RETURNING) && !one.usable.has(RETURNING)) {
        return Ok((before, true));
    }
    let set = || Set::new(open, unknown);
    let mut reach = Reach {
        open,
        unknown,
        now: open.first().finish,
        met: Vec::new(),
        meter,
        completed: set(),
        seen: [set(), set()],
        waiting: BinaryHeap::new(),
        held_bytes: 0,
    };
    for one in before {
        reach.add(one, false)?;
    }
    let mut is_all = true;
    let mut continued = 0;
    while let Some(Reverse((.., is_forced, place))) = reach.waiting.pop() {
        let Some(one) = reach.seen[usize::from(is_forced)].get(place).cloned() else { continue };
        if width.is_some_and(|width| {
            reach.completed.len() >= 2 * width || continued >= CONTINUED_MIN + 8 * width
        }) {
            is_all = false;
            break;
        }
        continued += 1;
        reach.go_on(&one, is_forced)?;
    }
    Ok((reach.completed.into_all(), is_all))
}

struct Reach<'a, const WORDS: usize> {
    open: &'a Open<WORDS>,
    unknown: &'a UnknownCalls,
    /// When the call returns.
    now: u64,
    /// For each state that was met, the open calls that may take effect there without changing it.
    met: Vec<(ValueId, Slots<WORDS>)>,
    meter: &'a mut Meter,
    /// Those behind the return.
    completed: Set<'a, WORDS>,
    /// Those before it: of which the call is owed, and in which it is not owed, but shall be used.
    seen: [Set<'a, WORDS>; 2],
    /// Those that were not continued yet: by cost, then as they came.
    waiting: BinaryHeap<Reverse<(u32, u64, bool, u32)>>,
    held_bytes: u64,
}

impl<const WORDS: usize> Reach<'_, WORDS> {
    fn complete(&mut self, mut one: Configuration<WORDS>) -> Result<(), Stop> {
        one.usable = one.usable.without(RETURNING);
        one.owed = one.owed.without(RETURNING);
        let bytes = one.bytes();
        if self.completed.insert(one, self.meter).is_some() {
            self.held_bytes += bytes;
            self.meter.explore(self.held_bytes)?;
        }
        Ok(())
    }

    fn add(&mut self, mut one: Configuration<WORDS>, is_forced: bool) -> Result<(), Stop> {
        one.owed = self.owed_in(one.state, one.owed);
        if !is_forced && !one.owed.has(RETURNING) {
            if one.usable.has(RETURNING) {
                self.add(one.clone(), true)?;
            }
            return self.complete(one);
        }
        let (bytes, cost) = (one.bytes(), one.cost());
        if let Some(place) = self.seen[usize::from(is_forced)].insert(one, self.meter) {
            self.held_bytes += bytes;
            self.meter.explore(self.held_bytes)?;
            self.waiting.push(Reverse((cost, self.meter.met(), is_forced, place)));
        }
        Ok(())
    }

    /// Those that are still owed in a state.
    fn owed_in(&mut self, state: ValueId, owed: Slots<WORDS>) -> Slots<WORDS> {
        let known = self.met.iter().find(|(other, _)| *other == state).map(|(_, met)| *met);
        let met = known.unwrap_or_else(|| {
            let met = self.open.met_in(state);
            self.met.push((state, met));
            met
        });
        self.open.without_implied(owed.minus(&met))
    }

    /// Continues a configuration by each call that may be next.
    fn go_on(&mut self, one: &Configuration<WORDS>, is_forced: bool) -> Result<(), Stop> {
        let now = self.now;
        let open = self.open;
        let unknown = self.unknown;
        let state = one.state;
        let is_left =
            |(number, kind): &(u32, &unknown::Kind)| kind.is_left(*number, &one.spent, now);
        let owed_puts = one.owed.both(open.puts());
        let mut can_swap = false;
        for (slot, call) in open.firsts(one.owed.both(open.swaps())) {
            if let Some(state) = call.step(state) {
                can_swap = true;
                let owed = one.owed.without(slot);
                self.add(Configuration { state, owed, ..one.clone() }, is_forced)?;
            }
        }
        let wanted = Wanted::of(one, open, unknown, now);
        let mut swapped_to = Vec::new();
        for (number, kind) in unknown.expecting(state).filter(is_left) {
            can_swap = true;
            swapped_to.push(kind.writes);
            if wanted.has(kind.writes) {
                let spent = unknown::with(&one.spent, number);
                let swaps_spent = one.swaps_spent + 1;
                let state = kind.writes;
                self.add(Configuration { state, spent, swaps_spent, ..one.clone() }, is_forced)?;
            }
        }

        // Writes: those of known outcome first, and of those of one value the one that returns
        // first.
        let mut written = Vec::new();
        for (slot, call) in open.firsts(one.usable) {
            let value = call.writes;
            written.push(value);
            let is_returning = slot == RETURNING;
            let hides = !owed_puts.without(slot).is_empty();
            let may_be_next = if value == state {
                hides && (can_swap || is_returning)
            } else {
                is_returning || wanted.has(value)
            };
            if !may_be_next {
                continue;
            }
            let next = Configuration {
                state: value,
                owed: one.owed.minus(open.puts()),
                usable: one.usable.without(slot),
                ..one.clone()
            };
            if is_returning {
                let owed = self.owed_in(value, next.owed);
                self.complete(Configuration { owed, ..next })?;
            } else {
                self.add(next, is_forced)?;
            }
        }
        for (number, kind) in unknown.expecting(ANYTHING).filter(is_left) {
            let value = kind.writes;
            let hides = || open.among(owed_puts).any(|(_, other)| other.writes != value);
            let may_be_next = if value == state {
                can_swap && hides()
            } else {
                wanted.has(value) && (!swapped_to.contains(&value) || hides())
            };
            if may_be_next && !written.contains(&value) {
                let next = Configuration {
                    state: value,
                    owed: one.owed.minus(open.puts()),
                    spent: unknown::with(&one.spent, number),
                    writes_spent: one.writes_spent + 1,
                    ..one.clone()
                };
                self.add(next, is_forced)?;
            }
        }
        Ok(())
    }
}

/// The states that an owed call asks for, or from which calls of unknown outcome lead to such a
/// state.
struct Wanted {
    values: Vec<ValueId>,
    /// All others as well, but for this one.
    all_but: Option<ValueId>,
}

impl Wanted {
    fn of<const WORDS: usize>(
        one: &Configuration<WORDS>,
        open: &Open<WORDS>,
        unknown: &UnknownCalls,
        now: u64,
    ) -> Self {
        let mut wanted = Self { values: Vec::new(), all_but: None };
        for (_, call) in open.among(one.owed.minus(open.puts())) {
            match (call.expects, call.writes) {
                (IMPOSSIBLE, _) => {}
                (PRESENT, _) => wanted.add_all_but(ABSENT),
                (other, UNLIKE) => wanted.add_all_but(other),
                (value, _) => wanted.add(value),
            }
        }
        let mut at = 0;
        while let Some(value) = wanted.values.get(at) {
            at += 1;
            for (_, kind) in unknown.making(*value) {
                if kind.expects != ANYTHING && kind.is_invoked(now) {
                    wanted.add(kind.expects);
                }
            }
        }
        if let Some(value) = wanted.all_but
            && unknown.expecting(value).any(|(_, kind)| kind.is_invoked(now))
        {
            wanted.add(value);
        }
        wanted
    }

    fn add(&mut self, value: ValueId) {
        if !self.values.contains(&value) {
            self.values.push(value);
        }
    }

    fn add_all_but(&mut self, value: ValueId) {
        match self.all_but {
            Some(other) if other != value => self.add(other),
            _ => {}
        }
        self.all_but = Some(value);
    }

    fn has(&self, value: ValueId) -> bool {
        self.all_but.is_some_and(|other| other != value) || self.values.contains(&value)
    }
}
