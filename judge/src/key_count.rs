//! Finds the counts of keys that the scans at the end of a run's history give.
//!
//! In: a history's events. Out: the two counts, before and after one more put. A count is a chain
//! of scans over one range, page after page. Each scan is an operation of the history, so the
//! checker judges all its keys and values. This file only finds the counts.

use histories::{Answer, AnswerRef, EventRef, Key, Operation, OperationRef, OutcomeRef, WhatRef};
use plan::key_range::{CountedRange, next_start};
use serde::{Deserialize, Serialize};

/// The two counts of a run, as far as they were completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyCounts {
    /// The count before the extra put.
    pub before: Option<u64>,
    /// The count after the extra put.
    pub after: Option<u64>,
}

/// Finds the counts in a history.
#[derive(Debug)]
pub struct CountFinder {
    range: CountedRange,
    /// The chain of scans in progress: the next start, and the number of keys so far.
    chain: Option<(Key, u64)>,
    counts: KeyCounts,
    /// True once the extra put succeeded.
    put: bool,
}

impl CountFinder {
    /// A finder of counts of this range.
    pub fn new(range: CountedRange) -> Self {
        Self { range, chain: None, counts: KeyCounts::default(), put: false }
    }

    /// Takes one event of the history, in order.
    pub fn observe(&mut self, event: EventRef<'_>) {
        let WhatRef::Complete(operation, OutcomeRef::Ok(answer)) = event.what else { return };
        match (operation, answer) {
            (OperationRef::Put { key, .. }, AnswerRef::Done)
                if key == self.range.one_more.as_bytes() =>
            {
                self.put = true;
                self.chain = None;
            }
            (
                OperationRef::Other(operation @ Operation::Scan { start, .. }),
                AnswerRef::Other(Answer::Scanned(pairs)),
            ) if *operation == self.range.page(start.clone()) => {
                let sum = match &self.chain {
                    _ if start.as_slice() == self.range.start.as_bytes() => 0,
                    Some((next, sum)) if next == start => *sum,
                    _ => return,
                } + pairs.len() as u64;
                match next_start(pairs) {
                    Some(next) => self.chain = Some((next, sum)),
                    None if self.put => self.counts.after = Some(sum),
                    None => self.counts.before = Some(sum),
                }
            }
            _ => {}
        }
    }

    /// The counts found.
    pub fn counts(&self) -> KeyCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::{Event, Outcome, Process, What};
    use plan::key_range::PAGE_KEYS;

    fn range() -> CountedRange {
        CountedRange { start: "k".into(), end: "l".into(), one_more: "kz".into() }
    }

    fn scan(start: &[u8], keys: u32) -> What {
        let pairs = (0..keys).map(|key| (format!("k{key:06}").into_bytes(), b"v".to_vec()));
        What::Complete(range().page(start.to_vec()), Outcome::Ok(Answer::Scanned(pairs.collect())))
    }

    fn counts(events: Vec<What>) -> KeyCounts {
        let mut finder = CountFinder::new(range());
        for what in events {
            let process = Process::Client(0);
            let event =
                Event { index: 0, time_ns: 0, process, what, error: None, attempts: vec![] };
            finder.observe(event.borrowed());
        }
        finder.counts()
    }

    #[test]
    fn pages_are_added_up_before_and_after_the_put() {
        let next = b"k004999\0";
        let put = Operation::Put { key: b"kz".to_vec(), value: b"v".to_vec(), ttl_s: None };
        let put = What::Complete(put, Outcome::Ok(Answer::Done));
        let before = vec![scan(b"k", PAGE_KEYS), scan(next, 7)];
        assert_eq!(counts(before.clone()), KeyCounts { before: Some(5_007), after: None });
        let all = [before, vec![put, scan(b"k", PAGE_KEYS), scan(next, 8)]].concat();
        assert_eq!(counts(all), KeyCounts { before: Some(5_007), after: Some(5_008) });
    }

    #[test]
    fn a_count_that_was_cut_off_is_none() {
        assert_eq!(counts(vec![scan(b"k", PAGE_KEYS)]), KeyCounts::default());
        assert_eq!(counts(vec![scan(b"kk", 3)]), KeyCounts::default(), "not from the start");
    }
}
