//! Times of successful operations: exact for recent ones, and summed up between marks for older
//! ones.
//!
//! In: the times of operations that succeeded, in the order of recording, and *marks*, the moments
//! at which something happened to the cluster. Out: counts and gaps in windows. A window that
//! begins and ends at marks is answered exactly however long ago it was. Of the time between two
//! marks only sums are kept, so memory grows with the faults and not with the operations. It does
//! not know what a fault is.

use std::collections::{BTreeMap, BTreeSet};

use super::Window;

/// The number of successes kept exactly before older ones are summed up; 16 bytes each.
const RECENT_MAX: usize = 1 << 18;
/// The longest delay of recording; younger successes are kept exactly.
const LATE_NS: u64 = 1_000_000_000;

/// Times of successful operations.
#[derive(Debug, Clone, Default)]
pub struct Successes {
    /// Invocation and completion times, sorted by completion once the input has ended.
    recent: Vec<(u64, u64)>,
    /// The older operations by the cell in which they completed.
    completed: BTreeMap<Cell, Completed>,
    /// The older operations by the cell in which they were invoked.
    invoked: BTreeMap<Cell, Invoked>,
    marks: BTreeSet<u64>,
    latest_ns: u64,
    recent_max: Option<usize>,
}

/// A mark, or the open interval between it and the next one; ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    begin_ns: u64,
    /// True for the interval behind the mark, false for the mark itself.
    is_behind: bool,
}

#[derive(Debug, Clone, Copy)]
struct Completed {
    count: u64,
    first_ns: u64,
    last_ns: u64,
    longest_gap_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Invoked {
    count: u64,
    first_completed_ns: u64,
}

impl Successes {
    /// A collection that sums up older successes between marks.
    pub fn summed_up() -> Self {
        Self { recent_max: Some(RECENT_MAX), ..Self::default() }
    }

    /// Remembers a moment at which a window may begin or end.
    pub fn mark(&mut self, moment_ns: u64) {
        if self.recent_max.is_some() {
            self.marks.insert(moment_ns);
        }
    }

    /// Remembers an operation that succeeded.
    pub fn push(&mut self, invoked_ns: u64, completed_ns: u64) {
        self.recent.push((invoked_ns, completed_ns));
        self.latest_ns = self.latest_ns.max(completed_ns);
        if self.recent_max.is_some_and(|max| self.recent.len() >= max) {
            self.sum_up(self.latest_ns.saturating_sub(LATE_NS));
        }
    }

    /// Sorts completions by time, which recording need not have kept.
    pub fn finish(&mut self) {
        self.recent.sort_unstable_by_key(|(_, completed_ns)| *completed_ns);
    }

    fn sum_up(&mut self, before_ns: u64) {
        self.finish();
        let count = self.recent.partition_point(|(_, completed_ns)| *completed_ns < before_ns);
        for (invoked_ns, completed_ns) in self.recent.drain(..count).collect::<Vec<_>>() {
            let cell = self.cell(invoked_ns);
            let invoked = self.invoked.entry(cell);
            let invoked = invoked.or_insert(Invoked { count: 0, first_completed_ns: u64::MAX });
            invoked.count += 1;
            invoked.first_completed_ns = invoked.first_completed_ns.min(completed_ns);
            let cell = self.cell(completed_ns);
            let completed = self.completed.entry(cell).or_insert(Completed {
                count: 0,
                first_ns: completed_ns,
                last_ns: completed_ns,
                longest_gap_ns: 0,
            });
            let gap_ns = completed_ns.saturating_sub(completed.last_ns);
            completed.count += 1;
            completed.longest_gap_ns = completed.longest_gap_ns.max(gap_ns);
            completed.last_ns = completed.last_ns.max(completed_ns);
        }
        // If all fit in less than half, they are not summed up again for every new one.
        if self.recent.len() * 2 > self.recent.capacity() {
            self.recent_max = self.recent_max.map(|max| max.max(2 * self.recent.len()));
        }
    }

    fn cell(&self, moment_ns: u64) -> Cell {
        let mark = self.marks.range(..=moment_ns).next_back().copied();
        let begin_ns = mark.unwrap_or(0);
        Cell { begin_ns, is_behind: mark != Some(moment_ns) }
    }

    /// The number of operations that were at least partly inside a window.
    pub fn during(&self, window: Window) -> u64 {
        // An operation that completed before the window was also invoked before the window's end.
        let invoked = self.invoked.iter().filter(|(cell, _)| self.cell(window.end_ns) >= **cell);
        let invoked: u64 = invoked.map(|(_, sums)| sums.count).sum();
        let completed =
            self.completed.iter().filter(|(cell, _)| **cell < self.cell(window.begin_ns));
        let completed: u64 = completed.map(|(_, sums)| sums.count).sum();
        let touches = |(invoked_ns, completed_ns): &&(u64, u64)| {
            *completed_ns >= window.begin_ns && *invoked_ns <= window.end_ns
        };
        let recent = self.recent.iter().filter(touches).count() as u64;
        // Operations invoked before the window's end and completed before its begin are in both
        // sums.
        invoked.saturating_sub(completed) + recent
    }

    /// The number of operations that completed inside a window, its begin excluded.
    pub fn completed_in(&self, window: Window) -> usize {
        let by = |moment_ns: u64| {
            let cells = self.completed.iter().filter(|(cell, _)| **cell <= self.cell(moment_ns));
            let recent = self.recent.partition_point(|(_, completed)| *completed <= moment_ns);
            cells.map(|(_, sums)| sums.count as usize).sum::<usize>() + recent
        };
        by(window.end_ns) - by(window.begin_ns)
    }

    /// The longest time between two completions that touches a window. It counts from the window's
    /// begin if there was none before it, and to its end if there was none after it.
    pub fn longest_gap_ns(&self, window: Window) -> u64 {
        let (begin, end) = (self.cell(window.begin_ns), self.cell(window.end_ns));
        let one = |completed_ns: u64| Completed {
            count: 1,
            first_ns: completed_ns,
            last_ns: completed_ns,
            longest_gap_ns: 0,
        };
        let older = self.completed.iter().map(|(cell, sums)| (*cell, *sums));
        let recent = self.recent.iter().map(|(_, completed_ns)| {
            // Each recent one is its own cell, so that windows need no marks.
            (Cell { begin_ns: *completed_ns, is_behind: false }, one(*completed_ns))
        });
        let recent_end = Cell { begin_ns: window.end_ns, is_behind: false };
        let recent_begin = Cell { begin_ns: window.begin_ns, is_behind: false };
        let (mut previous, mut longest) = (window.begin_ns, 0);
        for (is_recent, (cell, sums)) in
            older.map(|it| (false, it)).chain(recent.map(|it| (true, it)))
        {
            let (begin, end) = if is_recent { (recent_begin, recent_end) } else { (begin, end) };
            if cell < begin {
                previous = sums.last_ns;
                continue;
            }
            longest = longest.max(sums.first_ns.saturating_sub(previous));
            if cell > end {
                return longest;
            }
            longest = longest.max(sums.longest_gap_ns);
            previous = sums.last_ns;
        }
        longest.max(window.end_ns.saturating_sub(previous))
    }

    /// The completion time of the first operation that was invoked at a moment or after it.
    pub fn first_invoked_after(&self, moment_ns: u64) -> Option<u64> {
        let older = self.invoked.range(self.cell(moment_ns)..);
        let older = older.map(|(_, sums)| sums.first_completed_ns);
        let recent = self.recent.iter().filter(|(invoked_ns, _)| *invoked_ns >= moment_ns);
        older.chain(recent.map(|(_, completed_ns)| *completed_ns)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_between_marks_are_answered_as_if_nothing_was_summed_up(
            operations in prop::collection::vec((0..50_u64, 0..9_u64), 0..120),
            marks in prop::collection::btree_set(0..60_u64, 2..6),
            recent_max in 1..30_usize,
        ) {
            let second = LATE_NS / 4;
            let mut operations: Vec<(u64, u64)> = operations
                .into_iter()
                .map(|(at, length)| (at * second, (at + length) * second))
                .collect();
            operations.sort_by_key(|(_, completed)| *completed);
            let mut whole = Successes::default();
            let mut summed = Successes { recent_max: Some(recent_max), ..Successes::default() };
            let marks: Vec<u64> = marks.into_iter().map(|mark| mark * second).collect();
            let mut coming = marks.iter().peekable();
            for (invoked, completed) in operations {
                while let Some(mark) = coming.next_if(|mark| **mark <= completed) {
                    summed.mark(*mark);
                }
                whole.push(invoked, completed);
                summed.push(invoked, completed);
            }
            coming.for_each(|mark| summed.mark(*mark));
            whole.finish();
            summed.finish();
            for (at, begin_ns) in marks.iter().enumerate() {
                prop_assert_eq!(
                    whole.first_invoked_after(*begin_ns), summed.first_invoked_after(*begin_ns));
                for end_ns in &marks[at..] {
                    let window = Window { begin_ns: *begin_ns, end_ns: *end_ns };
                    prop_assert_eq!(whole.during(window), summed.during(window));
                    prop_assert_eq!(whole.completed_in(window), summed.completed_in(window));
                    prop_assert_eq!(whole.longest_gap_ns(window), summed.longest_gap_ns(window));
                }
            }
        }
    }
}
