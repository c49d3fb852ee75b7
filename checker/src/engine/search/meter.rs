//! What a search has cost so far, and when that is too much.
//!
//! In: configurations as they are met. Out: a reason to stop. One meter counts for all of a key's stretches; it
//! knows no time.

use crate::options::Budget;

/// Counts configurations, and watches the bytes that are held.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    explored: u64,
}

impl Meter {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { budget: *budget, explored: 0 }
    }

    /// Configurations explored so far.
    pub(crate) fn explored(&self) -> u64 {
        self.explored
    }

    /// One more configuration, which makes the bytes held so many; or why not.
    pub(super) fn explore(&mut self, held: u64) -> Result<(), String> {
        let Budget { configurations, bytes } = self.budget;
        if self.explored == configurations {
            return Err(format!(
                "the search stopped after {configurations} configurations, its budget"
            ));
        }
        if held > bytes {
            return Err(format!(
                "the search stopped when its configurations held more than {bytes} bytes, its budget"
            ));
        }
        self.explored += 1;
        Ok(())
    }
}
