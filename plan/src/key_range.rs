//! The range of keys that is counted at the end of a run, page after page, and the extra key.
//!
//! It stands in the history's header. Clients scan its pages; the judge finds the same pages in the
//! history.

use histories::{Key, Operation};
use serde::{Deserialize, Serialize};

/// The number of keys in one page; TiKV answers at most 10,240.
pub const PAGE_KEYS: u32 = 5_000;

/// The suffix of the key that is put between the two counts.
pub const ONE_MORE: &[u8] = b"zz-one-more";

/// The range that is counted, as in the history's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CountedRange {
    /// The lower bound, inclusive.
    pub start: String,
    /// The upper bound, exclusive.
    pub end: String,
    /// The key that is put between the two counts.
    pub one_more: String,
}

impl CountedRange {
    /// The scan of one page.
    pub fn page(&self, start: Key) -> Operation {
        Operation::Scan {
            start,
            end: Some(self.end.clone().into_bytes()),
            limit: PAGE_KEYS,
            reverse: false,
            key_only: false,
        }
    }
}

/// The start of the page after this one; `None` = this was the last.
pub fn next_start(pairs: &[(Key, Vec<u8>)]) -> Option<Key> {
    let (last, _) = pairs.last().filter(|_| pairs.len() >= PAGE_KEYS as usize)?;
    let mut next = last.clone();
    next.push(0);
    Some(next)
}
