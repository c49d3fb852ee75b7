//! The disk of a simulated store: written batches, synced batches, and the part that survives a
//! crash.
//!
//! In: batches in their order, and the time at which each is done. Out: the data that a store finds
//! when it starts again. Invariants:
//! - a batch is there whole or not at all, as a checksummed journal entry is;
//! - batches covered by a sync survive every crash; of the later ones a crash leaves a random
//!   prefix.
//!
//! It does not know time: the world decides when a write is done.

use crate::store::node::{disk::Batch, effects::Persist};
use rand::RngExt;
use std::collections::{BTreeMap, VecDeque};

/// The changes of one batch; `None` deletes a key.
type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The data that a store has written.
#[derive(Debug, Default)]
pub struct Disk {
    durable: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Written batches that no sync has covered yet.
    written: Vec<Writes>,
    /// Batches on their way, in order.
    submitted: VecDeque<Persist>,
}

impl Disk {
    /// Submits a batch to the disk.
    pub fn submit(&mut self, persist: Persist) {
        self.submitted.push_back(persist);
    }

    /// Completes the oldest batch on its way, and returns its number.
    pub fn finish_one(&mut self) -> Option<u64> {
        let Persist { seq, batch: Batch { writes, must_sync } } = self.submitted.pop_front()?;
        self.written.push(writes);
        if must_sync {
            self.sync();
        }
        Some(seq)
    }

    /// Simulates a power failure: a prefix of the unsynced batches is kept, the rest is gone. A
    /// batch in the middle of which it fails is torn, and dropped when the disk is read again.
    pub fn crash(&mut self, random: &mut impl RngExt) {
        let submitted = std::mem::take(&mut self.submitted).into_iter();
        self.written.extend(submitted.map(|persist| persist.batch.writes));
        let kept = random.random_range(0..=self.written.len());
        self.written.truncate(kept);
        self.sync();
    }

    /// All pairs on the disk.
    pub fn pairs(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.durable.iter().map(|(key, value)| (key.clone(), value.clone()))
    }

    /// Writes and syncs at once, as a store does before it serves.
    pub fn write(&mut self, batch: Batch) {
        self.written.push(batch.writes);
        self.sync();
    }

    fn sync(&mut self) {
        for (key, value) in self.written.drain(..).flatten() {
            match value {
                Some(value) => self.durable.insert(key, value),
                None => self.durable.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn persist(seq: u64, must_sync: bool) -> Persist {
        let writes = vec![(b"k".to_vec(), Some(seq.to_string().into_bytes()))];
        Persist { seq, batch: Batch { writes, must_sync } }
    }

    fn value(disk: &Disk) -> Option<String> {
        disk.pairs().next().map(|(_, value)| String::from_utf8(value).expect("digits"))
    }

    #[test]
    fn a_crash_leaves_what_was_synced_and_a_beginning_of_the_rest() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let mut disk = Disk::default();
            for seq in 1..=5 {
                disk.submit(persist(seq, seq == 2));
            }
            for seq in 1..=3 {
                assert_eq!(disk.finish_one(), Some(seq));
            }
            disk.crash(&mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(disk.finish_one(), None);
            seen.insert(value(&disk));
        }
        let expected: Vec<_> = ["2", "3", "4", "5"].map(|value| Some(value.to_owned())).into();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    }
}
