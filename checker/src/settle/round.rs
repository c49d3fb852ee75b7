//! One round of settling: all keys, the scans that ended, and the values that nobody asks for any
//! more.
//!
//! In: a history so far, its keys in the order of their numbers, and a moment before which nothing
//! more will come. Out: the same history with fewer calls. What a scan or a deletion of a range
//! means for a key is said to the key first; one that may still concern a key that nobody has named
//! yet holds all settling back to its own beginning.

use rayon::prelude::*;

use crate::call::{ABSENT, Call, IMPOSSIBLE, ValueId};
use crate::history::{History, KeyHistory};
use crate::key_count::key_counts;
use crate::settle;

impl History {
    /// Settles what can be, so many calls of a key at once; nothing that is invoked before `quiet`
    /// will come any more. How many calls are left.
    pub(crate) fn settle(&mut self, quiet: u64, calls_min: usize) -> usize {
        let before = self.not_before_open_ranges(quiet);
        self.close_ranges(before);
        let held = self.held();
        self.keys.par_iter_mut().for_each(|key| settle::settle(key, before, calls_min));
        // Where nothing was forgotten every value is still asked for.
        if self.held() < held {
            self.forget_values();
        }
        self.held()
    }

    /// How many calls are held.
    pub(crate) fn held(&self) -> usize {
        self.keys.iter().map(|key| key.calls.len()).sum()
    }

    /// The latest moment before which every scan and every deletion of a range ended that began
    /// before it.
    fn not_before_open_ranges(&self, quiet: u64) -> u64 {
        let scans = self.scans.iter().map(|scan| scan.call);
        let ranges = self.delete_ranges.iter().map(|deleted| deleted.call);
        let calls: Vec<Call> = scans.chain(ranges).filter(|call| !call.is_unknown()).collect();
        let mut before = quiet;
        loop {
            let open = calls.iter().filter(|call| call.finish >= before).map(|call| call.invoke);
            match open.min().filter(|invoke| *invoke < before) {
                Some(invoke) => before = invoke,
                None => return before,
            }
        }
    }

    /// Says to the keys what the scans and deletions of ranges that ended mean for them, and those
    /// of unknown outcome, and counts those scans.
    fn close_ranges(&mut self, before: u64) {
        let (scans, open_scans): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.scans).into_iter().partition(|it| it.call.finish < before);
        let (deleted, open_deleted): (Vec<_>, Vec<_>) = std::mem::take(&mut self.delete_ranges)
            .into_iter()
            .partition(|it| it.call.is_unknown() || it.call.finish < before);
        let calls = scans.iter().map(|it| it.call).chain(deleted.iter().map(|it| it.call));
        let ended = calls.filter(|call| !call.is_unknown()).map(|call| call.finish).max();
        (self.scans, self.delete_ranges) = (scans, deleted);
        if !self.scans.is_empty() || !self.delete_ranges.is_empty() {
            self.ranges_until = self.ranges_until.max(ended.map_or(0, |ended| ended + 1));
            self.keys.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            self.expand_ranges();
            let counts = key_counts(self);
            self.counted.extend(counts);
            self.keys.sort_unstable_by_key(|key| key.number);
        }
        self.scans = open_scans;
        // One of unknown outcome still concerns the keys that come.
        self.delete_ranges.retain(|it| it.call.is_unknown());
        self.delete_ranges.extend(open_deleted);
    }

    /// Keeps only the values that a call mentions, and numbers them anew.
    fn forget_values(&mut self) {
        let old = std::mem::take(&mut self.values);
        let mut renamed = Vec::new();
        for key in &mut self.keys {
            renamed.clear();
            renamed.resize(key.values as usize + 1, ABSENT);
            for value in mentioned(key) {
                renamed[*value as usize] = *value;
            }
            key.values = 0;
            for (value, bytes) in old.scope(key.number) {
                let entry = &mut renamed[value as usize];
                if *entry != ABSENT {
                    key.values += 1;
                    *entry = key.values;
                    self.values.intern(key.number, bytes, || key.values);
                }
            }
            for value in mentioned(key) {
                *value = renamed[*value as usize];
            }
        }
    }
}

/// Every mention of a value by a call on a key.
fn mentioned(key: &mut KeyHistory) -> impl Iterator<Item = &mut ValueId> {
    let calls = key.calls.iter_mut().chain(&mut key.failed);
    let values = calls.flat_map(|call| [&mut call.expects, &mut call.writes]);
    values.filter(|value| **value != ABSENT && **value < IMPOSSIBLE)
}
