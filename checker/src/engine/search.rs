//! The general search, for what the near-linear check cannot decide: values that repeat, key-only reads, expiries,
//! CAS failures that do not say what they saw.
//!
//! In: calls on one key, a budget. Out: a judgement. It never looks at a clock: the budget is in configurations
//! explored and in bytes of configurations held, so that *unknown* is the same on every machine.
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
//! - A call of unknown outcome is never required. Those that do the same are interchangeable, so a configuration
//!   counts how many of a kind it has spent; one that has spent a subset of another's, all else equal, dominates it.
//! - A write of unknown outcome whose value nobody saw is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use rustc_hash::FxHasher;

use crate::call::{ABSENT, ANYTHING, Call, NEVER, PRESENT, UNLIKE, ValueId};
use crate::engine::{Decision, Judgement};
use crate::options::Budget;
use crate::verdict::DecidedBy;

/// What a configuration costs in memory beside its bits and what it has spent.
const CONFIGURATION_BYTES: u64 = 64;

/// Decides one key.
pub(crate) fn judge(calls: &[Call], budget: &Budget) -> Judgement {
    let outcome = match overlap_max(calls) {
        0..=64 => Search::<1>::run(calls, budget),
        65..=256 => Search::<4>::run(calls, budget),
        257..=1024 => Search::<16>::run(calls, budget),
        overlap => {
            let reason = format!("{overlap} calls overlap, more than a search can hold (1024)");
            (Decision::Unknown(reason), 0)
        }
    };
    Judgement { decision: outcome.0, decided_by: DecidedBy::Search, explored: outcome.1 }
}

/// How many calls of known outcome are open at the same time.
fn overlap_max(calls: &[Call]) -> usize {
    let mut open = 0;
    let mut most = 0;
    for moment in moments(calls) {
        match moment {
            Moment::Invoke(_) => open += 1,
            Moment::Return(_) => open -= 1,
        }
        most = most.max(open);
    }
    most
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

/// The calls of unknown outcome that do the same, by their invocations in time.
#[derive(Debug)]
struct UnknownKind {
    expects: ValueId,
    writes: ValueId,
    invokes: Vec<u64>,
}

type Done<const WORDS: usize> = [u64; WORDS];
/// Unknown calls spent, as ascending numbers of kinds, each as often as it was used.
type Spent = Vec<u32>;
type Frontier<const WORDS: usize> =
    HashMap<(ValueId, Done<WORDS>), Vec<Spent>, BuildHasherDefault<FxHasher>>;

struct Search<'a, const WORDS: usize> {
    calls: &'a [Call],
    unknown: Vec<UnknownKind>,
    /// The open calls of known outcome, by slot; a slot is a bit of a configuration.
    open: Vec<Option<u32>>,
    explored: u64,
    budget: &'a Budget,
}

impl<'a, const WORDS: usize> Search<'a, WORDS> {
    fn run(calls: &'a [Call], budget: &'a Budget) -> (Decision, u64) {
        let mut search = Self {
            calls,
            unknown: unknown_kinds(calls),
            open: vec![None; 64 * WORDS],
            explored: 0,
            budget,
        };
        let decision = search.sweep();
        (decision, search.explored)
    }

    fn sweep(&mut self) -> Decision {
        let mut frontier: Frontier<WORDS> = HashMap::default();
        frontier.insert((ABSENT, [0; WORDS]), vec![Spent::new()]);
        let mut slots = vec![usize::MAX; self.calls.len()];
        for moment in moments(self.calls) {
            match moment {
                Moment::Invoke(call) => {
                    let free = self.open.iter().position(Option::is_none);
                    let slot = free.expect("there are as many slots as calls overlap");
                    self.open[slot] = Some(call);
                    slots[call as usize] = slot;
                }
                Moment::Return(call) => {
                    let slot = slots[call as usize];
                    match self.complete(frontier, slot) {
                        Ok(next) => frontier = next,
                        Err(reason) => return Decision::Unknown(reason),
                    }
                    if frontier.is_empty() {
                        return Decision::NotLinearizable;
                    }
                    self.open[slot] = None;
                }
            }
        }
        Decision::Linearizable
    }

    /// Every configuration in which the call in this slot has taken effect, without its bit.
    fn complete(
        &mut self,
        frontier: Frontier<WORDS>,
        slot: usize,
    ) -> Result<Frontier<WORDS>, String> {
        let now = self.calls[self.open[slot].expect("an open call") as usize].finish;
        let mut reached = Reached::new(slot, self.explored);
        let result = self.continue_all(frontier, now, &mut reached);
        self.explored = reached.explored;
        result.map(|()| reached.completed)
    }

    fn continue_all(
        &self,
        frontier: Frontier<WORDS>,
        now: u64,
        reached: &mut Reached<WORDS>,
    ) -> Result<(), String> {
        for ((state, done), spents) in frontier {
            for spent in spents {
                reached.add(self, state, done, spent)?;
            }
        }
        while let Some((state, done, spent)) = reached.waiting.pop() {
            for (slot, call) in self.open_calls() {
                if !has(&done, slot)
                    && !call.is_read()
                    && let Some(next) = call.step(state)
                {
                    let mut done = done;
                    done[slot / 64] |= 1 << (slot % 64);
                    reached.add(self, next, done, spent.clone())?;
                }
            }
            for (kind, unknown) in self.unknown.iter().enumerate() {
                let met = unknown.expects == ANYTHING || unknown.expects == state;
                if met && unknown.writes != state && unknown.is_left(kind as u32, &spent, now) {
                    let mut spent = spent.clone();
                    let at = spent.partition_point(|other| *other <= kind as u32);
                    spent.insert(at, kind as u32);
                    reached.add(self, unknown.writes, done, spent)?;
                }
            }
        }
        Ok(())
    }

    fn open_calls(&self) -> impl Iterator<Item = (usize, &Call)> {
        let slots = self.open.iter().enumerate();
        slots.filter_map(|(slot, call)| call.map(|call| (slot, &self.calls[call as usize])))
    }

    /// Lets every open read that the state satisfies take effect.
    fn with_reads(&self, state: ValueId, mut done: Done<WORDS>) -> Done<WORDS> {
        for (slot, call) in self.open_calls() {
            if call.is_read() && call.step(state).is_some() {
                done[slot / 64] |= 1 << (slot % 64);
            }
        }
        done
    }
}

/// The configurations that can be reached until one call has returned.
struct Reached<const WORDS: usize> {
    /// Where that call is.
    slot: usize,
    /// Those in which it has taken effect, without its bit.
    completed: Frontier<WORDS>,
    /// Those in which it has not.
    seen: Frontier<WORDS>,
    /// Those of the latter that were not continued yet.
    waiting: Vec<(ValueId, Done<WORDS>, Spent)>,
    explored: u64,
    held_bytes: u64,
}

impl<const WORDS: usize> Reached<WORDS> {
    fn new(slot: usize, explored: u64) -> Self {
        let (completed, seen) = (HashMap::default(), HashMap::default());
        Self { slot, completed, seen, waiting: Vec::new(), explored, held_bytes: 0 }
    }

    fn add(
        &mut self,
        search: &Search<'_, WORDS>,
        state: ValueId,
        done: Done<WORDS>,
        spent: Spent,
    ) -> Result<(), String> {
        let mut done = search.with_reads(state, done);
        let bytes = CONFIGURATION_BYTES + 8 * WORDS as u64 + 4 * spent.len() as u64;
        let is_new = if has(&done, self.slot) {
            done[self.slot / 64] &= !(1 << (self.slot % 64));
            insert(&mut self.completed, state, done, &spent)
        } else {
            let is_new = insert(&mut self.seen, state, done, &spent);
            if is_new {
                self.waiting.push((state, done, spent));
            }
            is_new
        };
        if is_new {
            self.explored += 1;
            self.held_bytes += bytes;
        }
        let Budget { configurations, bytes } = search.budget;
        if self.explored > *configurations {
            return Err(format!(
                "the search stopped after {configurations} configurations, its budget"
            ));
        }
        if self.held_bytes > *bytes {
            return Err(format!("the search held more than {bytes} bytes, its budget"));
        }
        Ok(())
    }
}

fn has<const WORDS: usize>(done: &Done<WORDS>, slot: usize) -> bool {
    done[slot / 64] >> (slot % 64) & 1 == 1
}

impl UnknownKind {
    /// Whether one more call of this kind was invoked by now than is spent.
    fn is_left(&self, kind: u32, spent: &[u32], now: u64) -> bool {
        let used = spent.iter().filter(|other| **other == kind).count();
        self.invokes.get(used).is_some_and(|invoke| *invoke <= now)
    }
}

/// Adds a configuration unless one that dominates it is there; says whether it was added.
fn insert<const WORDS: usize>(
    set: &mut Frontier<WORDS>,
    state: ValueId,
    done: Done<WORDS>,
    spent: &[u32],
) -> bool {
    let known = set.entry((state, done)).or_default();
    if known.iter().any(|other| is_part_of(other, spent)) {
        return false;
    }
    known.retain(|other| !is_part_of(spent, other));
    known.push(spent.to_vec());
    true
}

/// Whether one ascending multiset is part of another.
fn is_part_of(part: &[u32], whole: &[u32]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|kind| rest.any(|other| other == kind))
}

fn unknown_kinds(calls: &[Call]) -> Vec<UnknownKind> {
    let observing = calls.iter().filter(|call| call.writes != UNLIKE);
    let observed: BTreeSet<ValueId> = observing.map(|call| call.expects).collect();
    let seen = |value: ValueId| value == ABSENT || observed.contains(&value);
    // To an observer of "not e" or "some value" any value will do.
    let all_matter = calls.iter().any(|call| call.writes == UNLIKE || call.expects == PRESENT);
    let mut kinds: BTreeMap<(ValueId, ValueId), Vec<u64>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.finish == NEVER && !call.is_read()) {
        kinds.entry((call.expects, call.writes)).or_default().push(call.invoke);
    }
    kinds
        .into_iter()
        .filter(|((_, writes), _)| all_matter || seen(*writes))
        .map(|((expects, writes), mut invokes)| {
            invokes.sort_unstable();
            UnknownKind { expects, writes, invokes }
        })
        .collect()
}
