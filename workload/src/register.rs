//! Few keys and every kind of operation: get, put, CAS, delete, a scan over all of them, and
//! batches of some of them.

use super::{Values, keys::Chooser};
use histories::{Answer, Key, Operation, Value};
use plan::config::{OperationName as Kind, Operations};
use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;

/// The prefix of every key.
pub const PREFIX: &[u8] = b"register:";

/// The default weight of each operation.
const WEIGHTS: [(Kind, u32); 8] = [
    (Kind::Get, 8),
    (Kind::Put, 5),
    (Kind::Cas, 4),
    (Kind::Delete, 2),
    (Kind::Scan, 1),
    (Kind::BatchGet, 1),
    (Kind::BatchPut, 1),
    (Kind::BatchDelete, 1),
];
/// The largest number of keys in a batch: enough to touch several regions, few enough to read.
const BATCH_KEYS_MAX: usize = 4;

/// Draws every kind of operation, by weights.
#[derive(Debug)]
pub struct Register {
    rng: ChaCha12Rng,
    chooser: Chooser,
    range: (Key, Key),
    weights: Vec<(Kind, u32)>,
    /// The worker's last seen value of each key, which a CAS expects.
    last_seen: BTreeMap<Key, Option<Value>>,
}

impl Register {
    pub fn new(
        rng: ChaCha12Rng,
        chooser: Chooser,
        range: (Key, Key),
        operations: Option<&Operations>,
    ) -> Self {
        let weights = operations.map_or_else(|| WEIGHTS.to_vec(), Operations::weights);
        Self { rng, chooser, range, weights, last_seen: BTreeMap::new() }
    }

    pub fn choose(&mut self) -> Key {
        self.chooser.choose(&mut self.rng)
    }

    pub fn next(&mut self, values: &mut Values) -> Operation {
        let key = self.choose();
        match self.kind() {
            Kind::BatchGet => Operation::BatchGet { keys: self.some_keys(key) },
            Kind::BatchPut => {
                let keys = self.some_keys(key).into_iter();
                Operation::BatchPut { pairs: keys.map(|key| (key, values.fresh())).collect() }
            }
            Kind::BatchDelete => Operation::BatchDelete { keys: self.some_keys(key) },
            Kind::Get => Operation::Get { key },
            Kind::Put => Operation::Put { key, value: values.fresh(), ttl_s: None },
            Kind::Cas => {
                let expected = self.last_seen.get(&key).cloned().unwrap_or_default();
                Operation::Cas { key, expected, new: values.fresh() }
            }
            Kind::Delete => Operation::Delete { key },
            Kind::Scan => {
                let (start, end) = self.range.clone();
                Operation::Scan {
                    start,
                    end: Some(end),
                    limit: 10_240,
                    reverse: self.rng.random(),
                    key_only: false,
                }
            }
        }
    }

    /// Different keys, the first one given. The effect of two values of one key in a batch is
    /// undefined.
    fn some_keys(&mut self, first: Key) -> Vec<Key> {
        let mut keys = vec![first];
        for _ in 0..self.rng.random_range(1..BATCH_KEYS_MAX) {
            let key = self.choose();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    pub fn observe(&mut self, operation: &Operation, answer: &Answer) {
        match (operation, answer) {
            (Operation::BatchGet { .. }, Answer::GotBatch(got)) => {
                self.last_seen.extend(got.iter().cloned());
            }
            (Operation::BatchPut { pairs }, Answer::Done) => {
                let written = pairs.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
                self.last_seen.extend(written);
            }
            (Operation::BatchDelete { keys }, Answer::Done) => {
                self.last_seen.extend(keys.iter().map(|key| (key.clone(), None)));
            }
            _ => self.observe_one(operation, answer),
        }
    }

    fn observe_one(&mut self, operation: &Operation, answer: &Answer) {
        let seen = match (operation, answer) {
            (Operation::Get { key }, Answer::Got(value)) => Some((key, value.clone())),
            (Operation::Put { key, value, .. }, Answer::Done) => Some((key, Some(value.clone()))),
            (Operation::Delete { key }, Answer::Done) => Some((key, None)),
            (Operation::Cas { key, new, .. }, Answer::Cas { swapped: true, .. }) => {
                Some((key, Some(new.clone())))
            }
            (Operation::Cas { key, .. }, Answer::Cas { swapped: false, previous }) => {
                Some((key, previous.clone()))
            }
            _ => None,
        };
        if let Some((key, value)) = seen {
            self.last_seen.insert(key.clone(), value);
        }
    }

    fn kind(&mut self) -> Kind {
        let sum: u32 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.rng.random_range(0..sum);
        for (kind, weight) in &self.weights {
            if drawn < *weight {
                return *kind;
            }
            drawn -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }
}

/// The name of a numbered key.
pub fn key(number: u64) -> Key {
    let mut key = PREFIX.to_vec();
    key.extend_from_slice(format!("{number:05}").as_bytes());
    key
}
