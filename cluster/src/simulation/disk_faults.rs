//! What is wrong with the simulated disks: which are slow, and which fail at their next write.
//!
//! In: faults, and each write. Out: how long the write takes, or that it fails. It does not know what is written.

use std::collections::{BTreeMap, BTreeSet};

/// The faults of all disks.
#[derive(Debug, Default)]
pub struct DiskFaults {
    slowness: BTreeMap<u64, u64>,
    failing: BTreeSet<u64>,
    slow_writes: BTreeMap<u64, u64>,
}

impl DiskFaults {
    /// From now on a store's disk takes so many times as long; 1 = as usual.
    pub fn slow(&mut self, store: u64, times: u64) {
        if times > 1 {
            self.slowness.insert(store, times);
        } else {
            self.slowness.remove(&store);
        }
    }

    /// A store's disk fails at its next write.
    pub fn fail(&mut self, store: u64) {
        self.failing.insert(store);
    }

    /// It does not.
    pub fn spare(&mut self, store: u64) {
        self.failing.remove(&store);
    }

    /// A store writes what takes so long on a disk that works; `None` = the write fails.
    pub fn write(&mut self, store: u64, usual_us: u64) -> Option<u64> {
        if self.failing.remove(&store) {
            return None;
        }
        let Some(times) = self.slowness.get(&store) else { return Some(usual_us) };
        *self.slow_writes.entry(store).or_default() += 1;
        Some(usual_us * times)
    }

    /// How many writes a store's disk did while it was slow, ever.
    pub fn slow_writes(&self, store: u64) -> u64 {
        self.slow_writes.get(&store).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::DiskFaults;

    #[test]
    fn a_disk_fails_once_and_is_slow_until_it_is_not() {
        let mut faults = DiskFaults::default();
        faults.fail(1);
        faults.slow(2, 10);
        assert_eq!((faults.write(1, 5), faults.write(1, 5)), (None, Some(5)));
        assert_eq!((faults.write(2, 5), faults.slow_writes(2)), (Some(50), 1));
        faults.slow(2, 1);
        faults.fail(2);
        faults.spare(2);
        assert_eq!((faults.write(2, 5), faults.slow_writes(2)), (Some(5), 1));
    }
}
