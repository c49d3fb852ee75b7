//! A history as the engines read it: the calls on each key, what scans covered, what contradicts
//! itself.
//!
//! In: what a [`Collector`](crate::Collector) took from events. Out: for each key its calls in the
//! order of invocation, 32 bytes each. It does not know events.

use std::collections::BTreeMap;

use histories::{Answer, ClientId, Key, Operation};

use crate::call::Call;
use crate::faults::Faults;
use crate::intern::Interner;
use crate::range::{DeleteRange, Scan};
use crate::settle::Settled;
use crate::verdict::{Contradiction, KeyCount, Operations};

/// A whole history, split by key.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The keys, in the order of their bytes.
    pub(crate) keys: Vec<KeyHistory>,
    pub(crate) scans: Vec<Scan>,
    pub(crate) contradictions: Vec<Contradiction>,
    pub(crate) operations: Operations,
    pub(crate) clients: Vec<ClientId>,
    /// The largest of their ids.
    pub(crate) last_client: Option<ClientId>,
    pub(crate) faults: Faults,
    /// What contradicts itself, as it was: by the key's number and the event that invoked it.
    pub(crate) impossible: BTreeMap<(u32, u32), (Operation, Answer)>,
    pub(crate) values: Interner,
    pub(crate) delete_ranges: Vec<DeleteRange>,
    /// Scans that were counted and forgotten.
    pub(crate) counted: Vec<KeyCount>,
    /// Scans and deletions of ranges that ended before are forgotten: no key may come up that they
    /// concern.
    pub(crate) ranges_until: u64,
    /// Something came later than settling allows for, so what is held is not the whole.
    pub(crate) is_late: bool,
}

/// What happened to one key.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyHistory {
    pub(crate) key: Key,
    /// The key's number in the interner of values.
    pub(crate) number: u32,
    /// In the order of invocation.
    pub(crate) calls: Vec<Call>,
    /// Writes that are said to have had no effect, CAS that did not swap among them.
    pub(crate) failed: Vec<Call>,
    /// How many different values the key had; they are numbered from 1.
    pub(crate) values: u32,
    /// Nobody asks for it: its calls are not held.
    pub(crate) is_unasked: bool,
    /// What of it is judged already.
    pub(crate) settled: Settled,
}

impl History {
    /// How many keys the history mentions.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The id of a client by its number in this history.
    pub fn client(&self, number: u32) -> ClientId {
        self.clients[number as usize]
    }

    /// The values of a key, by their ids; the first, of id 0, is absence and empty here.
    pub(crate) fn values_of(&self, key: &KeyHistory) -> Vec<&[u8]> {
        let mut values = vec![[].as_slice(); key.values as usize + 1];
        for (id, bytes) in self.values.scope(key.number) {
            values[id as usize] = bytes;
        }
        values
    }

    /// Gives each key of a scanned range that the scan did not return a read of absence, and each
    /// key of a deleted range a delete, unless it has it. The keys must be in order.
    pub(crate) fn expand_ranges(&mut self) {
        for scan in &self.scans {
            for key in scan.range.of(&mut self.keys) {
                if scan.returned.binary_search(&key.number).is_err() {
                    self.is_late |= scan.call.invoke < key.settled.until;
                    key.calls.push(scan.call);
                }
            }
        }
        let all = self.keys.len() as u32;
        for deleted in &mut self.delete_ranges {
            let told = std::mem::replace(&mut deleted.told, all);
            for key in deleted.range().of(&mut self.keys).iter_mut().filter(|it| it.number >= told)
            {
                self.is_late |= deleted.call.invoke < key.settled.until;
                key.calls.push(deleted.call);
            }
        }
    }
}
