//! A disk of a simulated store: what is written, what is synced, and what a crash leaves of it.
//!
//! In: batches in their order, and when each is done. Out: what a store finds when it starts again. Invariants:
//! - a batch is there whole or not at all, as a checksummed journal entry is;
//! - what a sync covered survives every crash; of what came after it a crash leaves a beginning, drawn by chance.
//!
//! It does not know time: the world says when a write is done.

use crate::store::node::{disk::Batch, effects::Persist};
use rand::RngExt;
use std::collections::{BTreeMap, VecDeque};

/// Changes of one batch; none deletes.
type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What a store has written.
#[derive(Debug, Default)]
pub struct Disk {
    durable: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Written, but no sync has covered it yet.
    written: Vec<Writes>,
    /// On its way, in order.
    submitted: VecDeque<Persist>,
}

impl Disk {
    /// A batch for the disk.
    pub fn submit(&mut self, persist: Persist) {
        self.submitted.push_back(persist);
    }

    /// The oldest batch on its way is done. Its number.
    pub fn finish_one(&mut self) -> Option<u64> {
        let Persist { seq, batch: Batch { writes, must_sync } } = self.submitted.pop_front()?;
        self.written.push(writes);
        if must_sync {
            self.sync();
        }
        Some(seq)
    }

    /// Power fails: a beginning of what no sync has covered is there, the rest is gone. A batch in the middle of which
    /// it fails is torn, and dropped when the disk is read again.
    pub fn crash(&mut self, random: &mut impl RngExt) {
        let submitted = std::mem::take(&mut self.submitted).into_iter();
        self.written.extend(submitted.map(|persist| persist.batch.writes));
        let kept = random.random_range(0..=self.written.len());
        self.written.truncate(kept);
        self.sync();
    }

    /// Everything that is there.
    pub fn pairs(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.durable.iter().map(|(key, value)| (key.clone(), value.clone()))
    }

    /// Writes and syncs at once: what a store does before it serves.
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
