//! What a search has cost so far, and when that is too much.
//!
//! In: configurations as they are met, and how many others each was compared with. Out: a reason to stop. One meter
//! counts for all of a key's stretches; it knows no time.

use crate::options::Budget;

/// So many comparisons of two configurations cost as much as exploring one.
const COMPARISONS: u64 = 8;

/// Counts work, and watches the bytes that are held.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    configurations: u64,
    comparisons: u64,
}

impl Meter {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { budget: *budget, configurations: 0, comparisons: 0 }
    }

    /// Work so far: configurations explored, and comparisons of them in the same measure.
    pub(crate) fn explored(&self) -> u64 {
        let work = self.configurations + self.comparisons / COMPARISONS;
        work.min(self.budget.configurations)
    }

    /// Configurations so far.
    pub(super) fn met(&self) -> u64 {
        self.configurations
    }

    /// So many comparisons more.
    pub(super) fn compare(&mut self, comparisons: u64) {
        self.comparisons += comparisons;
    }

    /// One more configuration, which makes the bytes held so many; or why not.
    pub(super) fn explore(&mut self, held: u64) -> Result<(), String> {
        let Budget { configurations, bytes } = self.budget;
        if self.explored() >= configurations {
            return Err(format!(
                "the search stopped after {configurations} configurations, its budget"
            ));
        }
        if held > bytes {
            return Err(format!(
                "the search stopped when its configurations held more than {bytes} bytes, its budget"
            ));
        }
        self.configurations += 1;
        Ok(())
    }
}
