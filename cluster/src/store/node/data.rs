//! A region's keys and values in memory, and TiKV's rules for reading them: expiry, scan direction,
//! bounds.
//!
//! In: mutations in log order, and the wall clock with every read. Out: values. It deliberately
//! does not know logs, disks or leaders.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

/// A value with its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The value.
    pub value: Vec<u8>,
    /// The time of expiry in seconds since the epoch; 0 = never.
    pub expires_unix_s: u64,
}

impl Record {
    /// Returns true if the value has not expired at that time. TiKV counts the second of the expiry
    /// as expired.
    pub fn alive(&self, unix_s: u64) -> bool {
        self.expires_unix_s == 0 || self.expires_unix_s > unix_s
    }
}

/// The keys of one region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionData(BTreeMap<Vec<u8>, Record>);

/// The parameters of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// Lower bound, inclusive; empty = none.
    pub lower: &'a [u8],
    /// Upper bound, exclusive; empty = none.
    pub upper: &'a [u8],
    /// The largest number of keys.
    pub limit: usize,
    /// True if the scan goes from the upper bound down.
    pub reverse: bool,
}

impl RegionData {
    /// The value of a key, unless it has expired.
    pub fn get(&self, key: &[u8], unix_s: u64) -> Option<&Record> {
        self.0.get(key).filter(|record| record.alive(unix_s))
    }

    /// Puts a value.
    pub fn put(&mut self, key: Vec<u8>, record: Record) {
        self.0.insert(key, record);
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    /// The keys of a range, expired ones included.
    pub fn keys_in(&self, lower: &[u8], upper: &[u8]) -> Vec<Vec<u8>> {
        self.range(lower, upper).map(|(key, _)| key.clone()).collect()
    }

    /// The unexpired keys of a range, in the requested order and number.
    pub fn scan(&self, scan: Scan<'_>, unix_s: u64) -> Vec<(&Vec<u8>, &Record)> {
        let alive = self.range(scan.lower, scan.upper).filter(|(_, record)| record.alive(unix_s));
        if scan.reverse {
            alive.rev().take(scan.limit).collect()
        } else {
            alive.take(scan.limit).collect()
        }
    }

    /// Removes and returns the part left of a key.
    pub fn split_off_left(&mut self, end: &[u8]) -> Self {
        let right = self.0.split_off(end);
        Self(std::mem::replace(&mut self.0, right))
    }

    /// Every key with its record.
    pub fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &Record)> {
        self.0.iter()
    }

    /// The number of keys, expired ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn range(
        &self,
        lower: &[u8],
        upper: &[u8],
    ) -> impl DoubleEndedIterator<Item = (&Vec<u8>, &Record)> {
        // An inverted range would make `BTreeMap::range` panic; to a client it is simply empty.
        let empty = !upper.is_empty() && lower >= upper;
        let upper = if upper.is_empty() { Unbounded } else { Excluded(upper) };
        let range =
            if empty { (Included(&b""[..]), Excluded(&b""[..])) } else { (Included(lower), upper) };
        self.0.range::<[u8], _>(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(keys: &[&str]) -> RegionData {
        let mut data = RegionData::default();
        for key in keys {
            data.put(key.as_bytes().to_vec(), Record { value: b"v".to_vec(), expires_unix_s: 0 });
        }
        data
    }

    fn scan(data: &RegionData, lower: &str, upper: &str, limit: usize, reverse: bool) -> String {
        let (lower, upper) = (lower.as_bytes(), upper.as_bytes());
        let found = data.scan(Scan { lower, upper, limit, reverse }, 0);
        found.iter().map(|(key, _)| String::from_utf8_lossy(key)).collect()
    }

    #[test]
    fn scans_keep_to_their_bounds_in_both_directions() {
        let data = data(&["a", "b", "c", "d"]);
        for (lower, upper, limit, reverse, want) in [
            ("", "", 9, false, "abcd"),
            ("b", "d", 9, false, "bc"),
            ("b", "d", 9, true, "cb"),
            ("", "", 2, true, "dc"),
            ("b", "", 1, false, "b"),
            ("d", "b", 9, false, ""),
            ("b", "b", 9, true, ""),
        ] {
            assert_eq!(scan(&data, lower, upper, limit, reverse), want, "{lower}..{upper}");
        }
    }

    #[test]
    fn a_value_is_gone_in_the_second_of_its_expiry() {
        let mut data = data(&["b"]);
        data.put(b"a".to_vec(), Record { value: b"v".to_vec(), expires_unix_s: 10 });
        assert!(data.get(b"a", 9).is_some());
        assert!(data.get(b"a", 10).is_none());
        let all = Scan { lower: b"", upper: b"", limit: 1, reverse: false };
        assert_eq!(data.scan(all, 10)[0].0, b"b", "an expired key does not count for the limit");
    }

    #[test]
    fn a_split_takes_what_lies_left_of_the_key() {
        let mut right = data(&["a", "b", "c"]);
        let left = right.split_off_left(b"b");
        assert_eq!((left.len(), right.len()), (1, 2));
        assert!(right.get(b"b", 0).is_some());
    }
}
