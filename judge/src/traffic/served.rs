//! For how much of the time the cluster served its clients.
//!
//! In: invocations and completions, in the order of recording. Out: [`Served`]. A moment counts
//! only if a client waits for an answer then, so that clients that pause, and the time before and
//! after them, say nothing. It was served if nobody had to wait longer than [`OUTAGE_NS`] for the
//! next success of anybody.

use serde::{Deserialize, Serialize};

/// From then on a time without a success is none in which the cluster served.
const OUTAGE_NS: u64 = 1_000_000_000;

/// For how long clients asked, and were served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Served {
    /// For so many milliseconds a client waited for an answer.
    pub asked_ms: u64,
    /// For so many of them the cluster served.
    pub served_ms: u64,
}

impl Served {
    /// The part of the time in which it served, percent.
    pub fn percent(self) -> u64 {
        (self.served_ms * 100).checked_div(self.asked_ms).unwrap_or(100)
    }

    /// True if it served for less than a third of the time.
    pub fn is_little(self) -> bool {
        self.served_ms * 3 < self.asked_ms
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            asked_ms: self.asked_ms + other.asked_ms,
            served_ms: self.served_ms + other.served_ms,
        }
    }
}

/// Measures it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Service {
    /// Clients that wait for an answer.
    waiting: u64,
    /// Since when nothing succeeded though somebody waited.
    since_ns: u64,
    asked_ns: u64,
    outage_ns: u64,
}

impl Service {
    /// A client asks.
    pub fn asked(&mut self, at_ns: u64) {
        if self.waiting == 0 {
            self.since_ns = self.since_ns.max(at_ns);
        }
        self.waiting += 1;
    }

    /// A client is answered.
    pub fn answered(&mut self, at_ns: u64, is_success: bool) {
        self.waiting = self.waiting.saturating_sub(1);
        if is_success || self.waiting == 0 {
            // Completions may be recorded a little out of order.
            let waited_ns = at_ns.saturating_sub(self.since_ns);
            self.asked_ns += waited_ns;
            if waited_ns > OUTAGE_NS {
                self.outage_ns += waited_ns;
            }
            self.since_ns = self.since_ns.max(at_ns);
        }
    }

    /// What was measured; none if nobody asked.
    pub fn served(self) -> Option<Served> {
        (self.asked_ns > 0).then(|| Served {
            asked_ms: self.asked_ns / 1_000_000,
            served_ms: (self.asked_ns - self.outage_ns) / 1_000_000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn what_nobody_asked_for_is_no_outage() {
        let mut service = Service::default();
        assert_eq!(service.served(), None);
        for second in [0, 100, 200] {
            service.asked(second * S);
            service.answered(second * S + S / 2, true);
        }
        let served = service.served().expect("somebody asked");
        assert_eq!(served, Served { asked_ms: 1_500, served_ms: 1_500 });
        assert_eq!((served.percent(), served.is_little()), (100, false));
    }

    #[test]
    fn a_long_wait_for_a_success_is_an_outage_whoever_fails_meanwhile() {
        let mut service = Service::default();
        service.asked(0);
        service.asked(0);
        service.answered(S, true);
        for second in 1..9 {
            service.asked(second * S);
            service.answered((second + 1) * S, false);
        }
        service.answered(10 * S, true);
        let served = service.served().expect("somebody asked");
        assert_eq!(served, Served { asked_ms: 10_000, served_ms: 1_000 });
        assert!(served.is_little());
        assert_eq!(served.and(served).percent(), 10);
    }
}
