//! When one key was certainly there, and when it may have been: presence alone, from the times of
//! its writes and removals.
//!
//! In: the calls on a key. Out: answers about an interval [s, f], each a binary search. It knows no
//! values.
//!
//! Ties are concurrent, an unknown outcome finishes never:
//! - *certainly present*: some write finished before s, and every call that may have removed the
//!   key (delete, expiry; of whatever outcome) either finished before that write began or was
//!   invoked after f.
//! - *possibly present*: some write was invoked before f ended, and no delete lies wholly between
//!   that write and the interval.

use crate::call::{ABSENT, Call, NEVER};

/// One key's writes and removals, sorted so that a question is a binary search.
pub(crate) struct Presence {
    /// Completed writes by finish, with the largest invoke so far.
    written_by_finish: Latest,
    /// All writes by invoke, with the largest finish so far.
    written_by_invoke: Latest,
    /// Everything that may have removed the key, by invoke, with the largest finish so far.
    removed_by_invoke: Latest,
    /// Completed deletes by finish, with the largest invoke so far.
    removed_by_finish: Latest,
}

impl Presence {
    pub(crate) fn of(calls: &[Call]) -> Self {
        let writes = || calls.iter().filter(|call| !call.is_read() && call.writes != ABSENT);
        let removals = || calls.iter().filter(|call| call.writes == ABSENT);
        let completed = |call: &&Call| call.finish != NEVER;
        let by_finish = |call: &Call| (call.finish, call.invoke);
        let by_invoke = |call: &Call| (call.invoke, call.finish);
        Self {
            written_by_finish: Latest::of(writes().filter(completed).map(by_finish)),
            written_by_invoke: Latest::of(writes().map(by_invoke)),
            removed_by_invoke: Latest::of(removals().map(by_invoke)),
            removed_by_finish: Latest::of(removals().filter(completed).map(by_finish)),
        }
    }

    /// Whether the key was there throughout, whatever unknown operations did.
    pub(crate) fn certainly(&self, s: u64, f: u64) -> bool {
        let last_removal = self.last_removal(f);
        let last_write = self.written_by_finish.among(|finish| finish < s);
        match (last_write, last_removal) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(written), Some(removed)) => removed < written,
        }
    }

    /// When the last of those returned that may have removed the key, and were invoked by then.
    pub(crate) fn last_removal(&self, by: u64) -> Option<u64> {
        self.removed_by_invoke.among(|invoke| invoke <= by)
    }

    /// Whether the key may have been there at some moment.
    pub(crate) fn possibly(&self, s: u64, f: u64) -> bool {
        let last_removal = self.removed_by_finish.among(|finish| finish < s);
        let last_write = self.written_by_invoke.among(|invoke| invoke <= f);
        match (last_write, last_removal) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(written), Some(removed)) => written >= removed,
        }
    }
}

/// Pairs of times, sorted by the first, each with the largest second so far.
pub(crate) struct Latest(Vec<(u64, u64)>);

impl Latest {
    pub(crate) fn of(pairs: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut sorted: Vec<(u64, u64)> = pairs.collect();
        sorted.sort_unstable();
        let mut maximum = 0;
        for (_, value) in &mut sorted {
            maximum = maximum.max(*value);
            *value = maximum;
        }
        Self(sorted)
    }

    /// The largest second member among the pairs whose first member is within the bound.
    pub(crate) fn among(&self, within: impl Fn(u64) -> bool) -> Option<u64> {
        let count = self.0.partition_point(|(first, _)| within(*first));
        count.checked_sub(1).map(|last| self.0[last].1)
    }
}
