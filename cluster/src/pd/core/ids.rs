//! Ids that are never given twice: windows of ids are put on disk before any of their ids is given.
//!
//! In: the number of ids wanted. Out: the first of them, and whether a new window has to be saved
//! first. After a restart the rest of the last window is lost on purpose, because it is unknown
//! which of its ids had been given.

/// The number of ids that one save reserves.
const WINDOW: u64 = 1_000;

/// The first id that a new cluster gives. Smaller ids are the numbers of the stores that come with
/// the cluster, so that `store-2` is store 2 for PD and all its tools.
pub const FIRST_ID: u64 = 101;

/// The allocator of cluster-wide unique ids: stores, regions, peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    next: u64,
    reserved_until: u64,
}

impl Ids {
    /// Continues after the last window that is on disk (1 for a new cluster).
    pub fn resume(reserved_until: u64) -> Self {
        let first = reserved_until.max(1);
        Self { next: first, reserved_until: first }
    }

    /// Returns the first of `count` consecutive new ids. The flag is true if
    /// [`Self::reserved_until`] moved and must reach the disk before the ids are given away.
    pub fn take(&mut self, count: u64) -> (u64, bool) {
        let first = self.next;
        self.next += count;
        let moved = self.next > self.reserved_until;
        if moved {
            self.reserved_until = self.next + WINDOW;
        }
        (first, moved)
    }

    /// The bound to save: ids from here on were certainly never given.
    pub fn reserved_until(&self) -> u64 {
        self.reserved_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_start_at_one_and_never_repeat_over_restarts() {
        let mut given = std::collections::BTreeSet::new();
        let mut ids = Ids::resume(0);
        assert_eq!(ids.take(1), (1, true));
        given.insert(1);
        for round in 1..=5_000_u64 {
            let (first, _) = ids.take(round % 3 + 1);
            for id in first..=first + round % 3 {
                assert!(given.insert(id), "id {id} given twice");
            }
            if round % 700 == 0 {
                ids = Ids::resume(ids.reserved_until());
            }
        }
    }
}
