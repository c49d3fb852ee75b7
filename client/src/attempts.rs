//! The attempts of one request, kept outside its future: when the deadline drops the future, what
//! was sent is known.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// One RPC to a store on behalf of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The store asked, if known.
    pub store: Option<u64>,
    /// The region asked, if known.
    pub region: Option<u64>,
    /// When it began.
    pub begun: Instant,
    /// When it ended.
    pub ended: Instant,
    /// The error; `None` if the attempt succeeded.
    pub error: Option<String>,
}

/// A number of attempts that no request comes near; beyond it they are not recorded.
const ATTEMPTS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct AttemptLog {
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    attempt: Attempt,
    open: bool,
}

/// An attempt that has begun.
#[derive(Debug)]
pub(crate) struct Begun(Option<usize>);

impl AttemptLog {
    /// Notes an attempt. To be called before anything is handed to the connection.
    pub(crate) fn begin(&self, store: Option<u64>, region: Option<u64>) -> Begun {
        let mut entries = self.lock();
        if entries.len() == ATTEMPTS_MAX {
            return Begun(None);
        }
        let now = Instant::now();
        let attempt = Attempt { store, region, begun: now, ended: now, error: None };
        entries.push(Entry { attempt, open: true });
        Begun(Some(entries.len() - 1))
    }

    pub(crate) fn end(&self, begun: &Begun, error: Option<String>) {
        let Some(index) = begun.0 else { return };
        let entry = &mut self.lock()[index];
        entry.attempt.ended = Instant::now();
        entry.attempt.error = error;
        entry.open = false;
    }

    /// Returns true if a request may have left this process.
    pub(crate) fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// The regions of attempts that have not ended.
    pub(crate) fn open_regions(&self) -> Vec<u64> {
        self.lock().iter().filter(|entry| entry.open).filter_map(|e| e.attempt.region).collect()
    }

    /// All attempts; those still open end now, at the deadline.
    pub(crate) fn finish(self) -> Vec<Attempt> {
        let entries = self.entries.into_inner().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let close = |mut entry: Entry| {
            if entry.open {
                entry.attempt.ended = now;
                entry.attempt.error = Some("deadline".into());
            }
            entry.attempt
        };
        entries.into_iter().map(close).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_cut_off_by_the_deadline_says_so() {
        let log = AttemptLog::default();
        assert!(!log.any());
        let first = log.begin(Some(1), Some(15));
        log.end(&first, None);
        log.begin(Some(2), Some(17));
        assert!(log.any());
        assert_eq!(log.open_regions(), [17]);
        let attempts = log.finish();
        assert_eq!(attempts[0].error, None);
        assert_eq!(attempts[1].error.as_deref(), Some("deadline"));
        assert!(attempts[1].ended >= attempts[1].begun);
    }
}
