//! The faults of the simulated disks: slow ones, and ones that fail at their next write.
//!
//! In: faults, and each write. Out: the duration of the write, or its failure. It does not know the
//! written data.

use std::collections::{BTreeMap, BTreeSet};

/// The faults of all disks.
#[derive(Debug, Default)]
pub struct DiskFaults {
    slowness: BTreeMap<u64, u64>,
    failing: BTreeSet<u64>,
    slow_writes: BTreeMap<u64, u64>,
}

impl DiskFaults {
    /// Slows a store's disk by this factor from now on; 1 = as usual.
    pub fn slow(&mut self, store: u64, times: u64) {
        if times > 1 {
            self.slowness.insert(store, times);
        } else {
            self.slowness.remove(&store);
        }
    }

    /// Lets a store's disk fail at its next write.
    pub fn fail(&mut self, store: u64) {
        self.failing.insert(store);
    }

    /// Cancels the failure of a store's disk.
    pub fn spare(&mut self, store: u64) {
        self.failing.remove(&store);
    }

    /// Returns the duration of a write that takes `usual_us` on a healthy disk; `None` = the write
    /// fails.
    pub fn write(&mut self, store: u64, usual_us: u64) -> Option<u64> {
        if self.failing.remove(&store) {
            return None;
        }
        let Some(times) = self.slowness.get(&store) else { return Some(usual_us) };
        *self.slow_writes.entry(store).or_default() += 1;
        Some(usual_us * times)
    }

    /// The number of writes that a store's disk has ever done while it was slow.
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
