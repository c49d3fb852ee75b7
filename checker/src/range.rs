//! Ranges of keys: what a scan covered, and what a delete-range removed.
//!
//! In: an operation with its bounds and the keys that it was answered. Out: the covered range, and
//! a complaint if the answer is no answer to the question. It does not know values.

use histories::{Key, Operation};

use crate::call::Call;
use crate::history::KeyHistory;

/// A completed scan.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    /// A read of absence over the scan's interval: what a covered key that was not returned saw.
    pub(crate) call: Call,
    pub(crate) range: KeyRange,
    /// The numbers of the keys returned, ascending.
    pub(crate) returned: Vec<u32>,
}

/// A delete-range that took effect or may have.
#[derive(Debug, Clone)]
pub(crate) struct DeleteRange {
    pub(crate) call: Call,
    pub(crate) start: Key,
    pub(crate) end: Option<Key>,
    /// So many keys have been told of it, those with the lowest numbers.
    pub(crate) told: u32,
}

impl DeleteRange {
    pub(crate) fn range(&self) -> KeyRange {
        KeyRange { start: self.start.clone(), end: self.end.clone().map_or(End::Open, End::Before) }
    }
}

/// Keys from `start`, inclusive, to `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) start: Key,
    pub(crate) end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    Before(Key),
    Through(Key),
    /// The range is empty.
    Nothing,
}

impl KeyRange {
    /// The keys of the range among `keys`, which are in order.
    pub(crate) fn of<'a>(&self, keys: &'a mut [KeyHistory]) -> &'a mut [KeyHistory] {
        let bounds = self.bounds(keys);
        &mut keys[bounds]
    }

    /// Where the keys of the range stand among `keys`, which are in order.
    pub(crate) fn bounds(&self, keys: &[KeyHistory]) -> std::ops::Range<usize> {
        let from = keys.partition_point(|key| key.key < self.start);
        let to = match &self.end {
            End::Open => keys.len(),
            End::Before(end) => keys.partition_point(|key| key.key < *end),
            End::Through(end) => keys.partition_point(|key| key.key <= *end),
            End::Nothing => from,
        };
        from..to.max(from)
    }
}

/// The range that a scan covered, and what is wrong with its answer. One that its limit cut covers
/// up to its last key, in its direction.
pub(crate) fn covered(scan: &Operation, keys: &[Key]) -> (KeyRange, Option<String>) {
    let Operation::Scan { start, end, limit, reverse, .. } = scan else {
        unreachable!("only scans cover ranges")
    };
    let limit = *limit as usize;
    let asked = KeyRange { start: start.clone(), end: end.clone().map_or(End::Open, End::Before) };
    let range = if keys.len() < limit {
        asked
    } else {
        match (reverse, keys.iter().max(), keys.iter().min()) {
            (false, Some(last), _) => KeyRange { end: End::Through(last.clone()), ..asked },
            (true, _, Some(last)) => KeyRange { start: last.clone(), ..asked },
            _ => KeyRange { end: End::Nothing, ..asked },
        }
    };
    let outside = |key: &&Key| *key < start || end.as_ref().is_some_and(|end| *key >= end);
    let in_order = |pair: &[Key]| if *reverse { pair[0] > pair[1] } else { pair[0] < pair[1] };
    let name = |key: &Key| histories::jsonl::Text(key.clone()).to_string();
    let complaint = if keys.len() > limit {
        Some(format!("a scan with limit {limit} returned {} keys", keys.len()))
    } else if let Some(key) = keys.iter().find(outside) {
        Some(format!("a scan returned {}, which is outside its range", name(key)))
    } else {
        keys.windows(2).find(|pair| !in_order(pair)).map(|pair| {
            format!("a scan returned {} after {}, out of order", name(&pair[1]), name(&pair[0]))
        })
    };
    (range, complaint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(limit: u32, reverse: bool) -> Operation {
        let (start, end) = (b"b".to_vec(), Some(b"f".to_vec()));
        Operation::Scan { start, end, limit, reverse, key_only: false }
    }

    fn keys(names: &[&str]) -> Vec<Key> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn scan_below_its_limit_covers_what_was_asked() {
        let (range, complaint) = covered(&scan(3, false), &keys(&["b", "d"]));
        assert_eq!(range, KeyRange { start: b"b".to_vec(), end: End::Before(b"f".to_vec()) });
        assert_eq!(complaint, None);
    }

    #[test]
    fn scan_cut_by_its_limit_covers_up_to_its_last_key() {
        let (range, complaint) = covered(&scan(2, false), &keys(&["b", "d"]));
        assert_eq!(range, KeyRange { start: b"b".to_vec(), end: End::Through(b"d".to_vec()) });
        assert_eq!(complaint, None);
        let (range, complaint) = covered(&scan(2, true), &keys(&["e", "c"]));
        assert_eq!(range, KeyRange { start: b"c".to_vec(), end: End::Before(b"f".to_vec()) });
        assert_eq!(complaint, None);
        let (range, _) = covered(&scan(0, true), &[]);
        assert_eq!(range.end, End::Nothing);
    }

    #[test]
    fn answers_that_do_not_fit_the_question_are_complained_of() {
        for (limit, reverse, names, word) in [
            (1, false, ["b", "d"].as_slice(), "limit 1"),
            (9, false, &["a"], "outside"),
            (9, false, &["f"], "outside"),
            (9, false, &["d", "c"], "order"),
            (9, true, &["c", "d"], "order"),
            (9, false, &["c", "c"], "order"),
        ] {
            let (_, complaint) = covered(&scan(limit, reverse), &keys(names));
            assert!(complaint.is_some_and(|text| text.contains(word)), "{names:?}");
        }
    }
}
