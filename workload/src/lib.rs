//! Workloads: seeded generators of the clients' operations.
//!
//! In: the workload's configuration, a seed, and the answers that a client read. Out:
//! [`Operation`]s. Every written value is unique (client id and sequence number), which makes
//! checking fast. Knows nothing of clients or time.

mod keys;
mod register;
mod ycsb;

use histories::{Answer, ClientId, Key, Operation, Value};
use keys::Chooser;
use plan::{
    config::{WorkloadConfig, WorkloadName},
    key_range::{CountedRange, ONE_MORE},
};
use rand::RngExt;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng};
use register::Register;
use std::sync::Arc;
use ycsb::YcsbA;

/// A workload: its keys, and generators for its clients.
#[derive(Debug, Clone)]
pub struct Workload {
    config: WorkloadConfig,
    seed: u64,
    keys: Arc<[Key]>,
}

/// One worker's stream of operations.
#[derive(Debug)]
pub struct Generator {
    kind: Kind,
    values: Values,
    /// Random numbers that do not concern operations.
    random: ChaCha12Rng,
}

/// The size of the sample of keys: they are hashed, so a sample shows the distribution of all.
const KEYS_SEEN: u64 = 10_000;

#[derive(Debug)]
enum Kind {
    YcsbA(YcsbA),
    Register(Register),
}

/// Makes values that no other client writes.
#[derive(Debug)]
struct Values {
    client: ClientId,
    sequence: u64,
    length: usize,
}

impl Workload {
    /// The configured workload; the same seed gives the same operations.
    pub fn new(config: &WorkloadConfig, seed: u64) -> Self {
        let key = match config.name {
            WorkloadName::YcsbA => ycsb::key,
            WorkloadName::Register => register::key,
        };
        let prefixed = |number| [config.prefix.as_bytes(), &key(number)].concat();
        let keys = (0..config.keys).map(prefixed).collect();
        Self { config: config.clone(), seed, keys }
    }

    /// Every key of the workload.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns true if every key is loaded before the faults begin. Otherwise the keys begin
    /// absent.
    pub fn loads(&self) -> bool {
        self.config.name == WorkloadName::YcsbA
    }

    /// The range whose keys are counted at the end of a run.
    pub fn counted_range(&self) -> CountedRange {
        let text = |key: Key| String::from_utf8_lossy(&key).into_owned();
        let (start, end) = self.range();
        CountedRange { start: text(start), end: text(end), one_more: text(self.extra_key()) }
    }

    /// The range `[start, end)` of all of the workload's keys.
    pub fn range(&self) -> (Key, Key) {
        let prefix: &[u8] = match self.config.name {
            WorkloadName::YcsbA => ycsb::PREFIX,
            WorkloadName::Register => register::PREFIX,
        };
        let start = [self.config.prefix.as_bytes(), prefix].concat();
        let mut end = start.clone();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        (start, end)
    }

    /// The range `[start, end)` of all keys with a prefix. The prefix is not empty, and plain
    /// ASCII.
    pub fn prefix_range(prefix: &str) -> (Key, Key) {
        let start = prefix.as_bytes().to_vec();
        let mut end = start.clone();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        (start, end)
    }

    /// A key of the workload's range that no operation of it uses: the extra key after the faults.
    pub fn extra_key(&self) -> Key {
        let mut key = self.range().0;
        key.extend_from_slice(ONE_MORE);
        key
    }

    /// The keys that split the workload's range into `regions` parts with about as many keys each.
    pub fn split_keys(&self, regions: u32) -> Vec<Key> {
        split_evenly(self.keys.to_vec(), regions)
    }

    /// The generator for one worker.
    pub fn generator(&self, worker: u32) -> Generator {
        let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(worker) + 1);
        let chooser = Chooser::new(self.config.distribution, Arc::clone(&self.keys));
        let kind = match self.config.name {
            WorkloadName::YcsbA => Kind::YcsbA(YcsbA::new(rng, chooser)),
            WorkloadName::Register => {
                let operations = self.config.operations.as_ref();
                Kind::Register(Register::new(rng, chooser, self.range(), operations))
            }
        };
        let values = Values { client: 0, sequence: 0, length: self.config.value_bytes };
        let mut random = ChaCha12Rng::seed_from_u64(!self.seed);
        random.set_stream(u64::from(worker) + 1);
        Generator { kind, values, random }
    }
}

/// The keys that split go-ycsb's table into `regions` parts with about as many keys each, for any
/// number of keys.
pub fn split_keys_of_table(regions: u32) -> Vec<Key> {
    split_evenly((0..KEYS_SEEN).map(ycsb::key).collect(), regions)
}

fn split_evenly(mut keys: Vec<Key>, regions: u32) -> Vec<Key> {
    keys.sort_unstable();
    keys.dedup();
    let parts = (regions as usize).min(keys.len());
    (1..parts).map(|part| keys[part * keys.len() / parts].clone()).collect()
}

impl Generator {
    /// The next operation of this client.
    pub fn next(&mut self, client: ClientId) -> Operation {
        self.values.serve(client);
        match &mut self.kind {
            Kind::YcsbA(workload) => workload.next(&mut self.values),
            Kind::Register(workload) => workload.next(&mut self.values),
        }
    }

    /// A read, for a client that is mostly idle.
    pub fn next_read(&mut self) -> Operation {
        let chooser = match &mut self.kind {
            Kind::YcsbA(workload) => workload.choose(),
            Kind::Register(workload) => workload.choose(),
        };
        Operation::Get { key: chooser }
    }

    /// A number between `least` and `most`, both included: the idle time of a client.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        self.random.random_range(least..=most)
    }

    /// A put of one key, for the load.
    pub fn put(&mut self, client: ClientId, key: Key) -> Operation {
        self.values.serve(client);
        Operation::Put { key, value: self.values.fresh(), ttl_s: None }
    }

    /// Takes a client's answer, so that a CAS can expect the present value.
    pub fn observe(&mut self, operation: &Operation, answer: &Answer) {
        if let Kind::Register(workload) = &mut self.kind {
            workload.observe(operation, answer);
        }
    }
}

impl Values {
    /// Makes values for this client from now on. A client's numbers never start again: a worker
    /// serves one client after another, and no client comes back.
    fn serve(&mut self, client: ClientId) {
        if self.client != client {
            self.client = client;
            self.sequence = 0;
        }
    }

    /// A value that no other client writes: `<client>-<sequence>`, padded with dots.
    fn fresh(&mut self) -> Value {
        let mut value = format!("{}-{}", self.client, self.sequence).into_bytes();
        self.sequence += 1;
        if value.len() < self.length {
            value.resize(self.length, b'.');
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::config::{ClientName, Distribution, OperationName, Operations, parse_weight};
    use std::collections::HashSet;

    fn config(name: WorkloadName, distribution: Distribution) -> WorkloadConfig {
        WorkloadConfig {
            name,
            operations: None,
            keys: 50,
            distribution,
            value_bytes: 20,
            client: ClientName::Direct,
            client_retries: false,
            atomic: name.atomic(),
            prefix: String::new(),
            concurrency: 4,
            idle_clients: 1,
            rate: None,
            op_timeout_ms: 1000,
        }
    }

    fn written(operation: &Operation) -> Vec<Value> {
        match operation {
            Operation::Put { value, .. } => vec![value.clone()],
            Operation::Cas { new, .. } => vec![new.clone()],
            Operation::BatchPut { pairs } => pairs.iter().map(|(_, value)| value.clone()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn no_value_is_written_twice_also_over_renewed_clients() {
        for name in [WorkloadName::YcsbA, WorkloadName::Register] {
            let workload = Workload::new(&config(name, Distribution::Zipfian), 3);
            let mut seen = HashSet::new();
            for worker in 0..4_u32 {
                let mut generator = workload.generator(worker);
                for step in 0..400_u64 {
                    let client = u64::from(worker) + 4 * (step / 100);
                    for value in written(&generator.next(client)) {
                        assert!(seen.insert(value));
                    }
                }
            }
            assert!(seen.len() > 400, "{} writes of 1600 operations", seen.len());
        }
    }

    #[test]
    fn batches_have_one_to_four_different_keys_and_a_cas_expects_what_they_showed() {
        let mut config = config(WorkloadName::Register, Distribution::Zipfian);
        let given = ["batch-get", "batch-put", "batch-delete"].map(parse_weight);
        config.operations = Some(Operations::new(given.into_iter().flatten()));
        let mut generator = Workload::new(&config, 3).generator(0);
        let mut lengths = HashSet::new();
        for _ in 0..400 {
            let keys = match generator.next(1) {
                Operation::BatchGet { keys } | Operation::BatchDelete { keys } => keys,
                Operation::BatchPut { pairs } => pairs.into_iter().map(|(key, _)| key).collect(),
                other => panic!("not asked for: {other:?}"),
            };
            assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
            lengths.insert(keys.len());
        }
        assert_eq!(lengths, HashSet::from([1, 2, 3, 4]));

        config.operations = Some(Operations::new([(OperationName::Cas, 1)]));
        config.keys = 1;
        let workload = Workload::new(&config, 3);
        let mut generator = workload.generator(0);
        let (key, value) = (workload.keys()[0].clone(), b"seen".to_vec());
        let read = Operation::BatchGet { keys: vec![key.clone()] };
        generator.observe(&read, &Answer::GotBatch(vec![(key, Some(value.clone()))]));
        let Operation::Cas { expected, .. } = generator.next(1) else { panic!("only CAS") };
        assert_eq!(expected, Some(value));
    }

    #[test]
    fn the_same_seed_gives_the_same_operations_and_another_seed_others() {
        let operations = |seed| {
            let config = config(WorkloadName::Register, Distribution::Uniform);
            let mut generator = Workload::new(&config, seed).generator(2);
            (0..50).map(|_| generator.next(7)).collect::<Vec<_>>()
        };
        assert_eq!(operations(1), operations(1));
        assert_ne!(operations(1), operations(2));
    }

    #[test]
    fn every_key_lies_in_the_range_and_the_extra_key_is_none_of_them() {
        for name in [WorkloadName::YcsbA, WorkloadName::Register] {
            let workload = Workload::new(&config(name, Distribution::Uniform), 1);
            let (start, end) = workload.range();
            let distinct: HashSet<&Key> = workload.keys().iter().collect();
            assert_eq!(distinct.len(), 50);
            assert!(workload.keys().iter().all(|key| *key >= start && *key < end));
            let extra = workload.extra_key();
            assert!(extra >= start && extra < end && !distinct.contains(&extra));
        }
    }

    #[test]
    fn splits_part_the_keys_evenly() {
        let workload = Workload::new(&config(WorkloadName::YcsbA, Distribution::Uniform), 1);
        let splits = workload.split_keys(5);
        assert_eq!(splits.len(), 4);
        let mut bounds = vec![workload.range().0];
        bounds.extend(splits);
        bounds.push(workload.range().1);
        for pair in bounds.windows(2) {
            let inside = workload.keys().iter().filter(|key| **key >= pair[0] && **key < pair[1]);
            assert_eq!(inside.count(), 10);
        }
        assert!(workload.split_keys(1).is_empty());
        assert_eq!(workload.split_keys(1000).len(), 49, "never more parts than keys");
    }

    #[test]
    fn half_of_ycsb_a_are_reads() {
        let workload = Workload::new(&config(WorkloadName::YcsbA, Distribution::Uniform), 1);
        let mut generator = workload.generator(0);
        let reads =
            (0..2000).filter(|_| matches!(generator.next(1), Operation::Get { .. })).count();
        assert!((850..=1150).contains(&reads), "{reads} of 2000");
    }
}
