//! The key count: at every scan, `certainly present ≤ count ≤ possibly present`, by name.
//!
//! In: a history. Out: one [`KeyCount`] per scan. It looks at presence alone and at each scan alone, so it is
//! weaker than linearizability; what it says is what a person counts.
//!
//! For a key and a scan over [s, f] (ties are concurrent, an unknown outcome finishes never):
//! - *certainly present*: some write finished before s, and every call that may have removed the key (delete,
//!   expiry; of whatever outcome) either finished before that write began or was invoked after f.
//! - *possibly present*: some write was invoked before f ended, and no delete lies wholly between that write and
//!   the scan.

use histories::jsonl::Text;

use crate::call::{ABSENT, Call, NEVER};
use crate::history::{History, KeyHistory};
use crate::range::Scan;
use crate::verdict::KeyCount;

/// Counts the keys of every scan.
pub(crate) fn key_counts(history: &History) -> Vec<KeyCount> {
    if history.scans.is_empty() {
        return Vec::new();
    }
    let presence: Vec<Presence> = history.keys.iter().map(Presence::of).collect();
    history.scans.iter().map(|scan| count(history, &presence, scan)).collect()
}

fn count(history: &History, presence: &[Presence], scan: &Scan) -> KeyCount {
    let (s, f) = (scan.call.invoke, scan.call.finish);
    let mut result = KeyCount {
        event: u64::from(scan.call.event),
        invoke_ns: s - 1,
        finish_ns: f - 1,
        count: scan.returned.len() as u64,
        certainly_present: 0,
        possibly_present: 0,
        missing: Vec::new(),
        unexpected: Vec::new(),
    };
    let bounds = scan.range.bounds(&history.keys);
    for (key, presence) in history.keys[bounds.clone()].iter().zip(&presence[bounds]) {
        let returned = scan.returned.binary_search(&key.number).is_ok();
        let certainly = presence.certainly(s, f);
        let possibly = presence.possibly(s, f);
        result.certainly_present += u64::from(certainly);
        result.possibly_present += u64::from(possibly);
        if certainly && !returned {
            result.missing.push(Text(key.key.clone()));
        }
        if returned && !possibly {
            result.unexpected.push(Text(key.key.clone()));
        }
    }
    result
}

/// One key's writes and removals, sorted so that a scan's question is a binary search.
struct Presence {
    /// Completed writes by finish, with the largest invoke so far.
    written_by_finish: Vec<(u64, u64)>,
    /// All writes by invoke, with the largest finish so far.
    written_by_invoke: Vec<(u64, u64)>,
    /// Everything that may have removed the key, by invoke, with the largest finish so far.
    removed_by_invoke: Vec<(u64, u64)>,
    /// Completed deletes by finish, with the largest invoke so far.
    removed_by_finish: Vec<(u64, u64)>,
}

impl Presence {
    fn of(key: &KeyHistory) -> Self {
        let writes = || key.calls.iter().filter(|call| !call.is_read() && call.writes != ABSENT);
        let removals = || key.calls.iter().filter(|call| call.writes == ABSENT);
        let completed = |call: &&Call| call.finish != NEVER;
        let by_finish = |call: &Call| (call.finish, call.invoke);
        let by_invoke = |call: &Call| (call.invoke, call.finish);
        Self {
            written_by_finish: running_maximum(writes().filter(completed).map(by_finish)),
            written_by_invoke: running_maximum(writes().map(by_invoke)),
            removed_by_invoke: running_maximum(removals().map(by_invoke)),
            removed_by_finish: running_maximum(removals().filter(completed).map(by_finish)),
        }
    }

    fn certainly(&self, s: u64, f: u64) -> bool {
        let last_removal = before(&self.removed_by_invoke, |invoke| invoke <= f);
        let last_write = before(&self.written_by_finish, |finish| finish < s);
        match (last_write, last_removal) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(written), Some(removed)) => removed < written,
        }
    }

    fn possibly(&self, s: u64, f: u64) -> bool {
        let last_removal = before(&self.removed_by_finish, |finish| finish < s);
        let last_write = before(&self.written_by_invoke, |invoke| invoke <= f);
        match (last_write, last_removal) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(written), Some(removed)) => written >= removed,
        }
    }
}

fn running_maximum(pairs: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut sorted: Vec<(u64, u64)> = pairs.collect();
    sorted.sort_unstable();
    let mut maximum = 0;
    for (_, value) in &mut sorted {
        maximum = maximum.max(*value);
        *value = maximum;
    }
    sorted
}

/// The largest second member among the pairs whose first member is within the bound.
fn before(sorted: &[(u64, u64)], within: impl Fn(u64) -> bool) -> Option<u64> {
    let count = sorted.partition_point(|(first, _)| within(*first));
    count.checked_sub(1).map(|last| sorted[last].1)
}
