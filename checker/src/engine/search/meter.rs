//! What a search has cost so far, and when that is too much.
//!
//! In: configurations as they are met, and how many others each was compared with. Out: a reason to
//! stop. One meter counts for all of a key's stretches; it knows no time.

use crate::options::Budget;

/// So many comparisons of two configurations cost as much as exploring one.
const COMPARISONS: u64 = 8;

/// Why a search stops before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Another way is tried first.
    Pause,
    /// The budget is spent.
    Budget(String),
}

/// Counts work, and watches the bytes that are held.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    configurations: u64,
    comparisons: u64,
    pause_at: u64,
}

impl Meter {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { budget: *budget, configurations: 0, comparisons: 0, pause_at: u64::MAX }
    }

    /// Work so far: configurations explored, and comparisons of them in the same measure.
    pub(crate) fn explored(&self) -> u64 {
        (self.configurations + self.comparisons / COMPARISONS).min(self.budget.configurations)
    }

    /// Configurations so far.
    pub(super) fn met(&self) -> u64 {
        self.configurations
    }

    /// Lets it pause after so much more work.
    pub(crate) fn pause_after(&mut self, work: u64) {
        self.pause_at = self.explored().saturating_add(work);
    }

    /// So many comparisons more.
    pub(super) fn compare(&mut self, comparisons: u64) {
        self.comparisons += comparisons;
    }

    /// One more configuration, which makes the bytes held so many; or why not.
    pub(super) fn explore(&mut self, held: u64) -> Result<(), Stop> {
        let Budget { configurations, bytes } = self.budget;
        if self.explored() >= configurations {
            return Err(Stop::Budget(format!(
                "the search stopped after {configurations} configurations, its budget"
            )));
        }
        if held > bytes {
            return Err(Stop::Budget(format!(
                "the search stopped when its configurations held more than {bytes} bytes, its budget"
            )));
        }
        if self.explored() >= self.pause_at {
            return Err(Stop::Pause);
        }
        self.configurations += 1;
        Ok(())
    }
}
