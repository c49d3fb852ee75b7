//! The key count: at every scan, `certainly present ≤ count ≤ possibly present`, by name.
//!
//! In: a history. Out: one [`KeyCount`] per scan. It looks at presence alone and at each scan
//! alone, so it is weaker than linearizability; what it says is what a person counts.
//!
//! What is certain and what is possible over the scan's interval is said in
//! [`presence`](crate::presence).

use histories::jsonl::Text;

use crate::history::History;
use crate::presence::Presence;
use crate::range::Scan;
use crate::verdict::KeyCount;

/// Counts the keys of every scan.
pub(crate) fn key_counts(history: &History) -> Vec<KeyCount> {
    if history.scans.is_empty() {
        return Vec::new();
    }
    let presence: Vec<Presence> = history.keys.iter().map(|key| Presence::of(&key.calls)).collect();
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
