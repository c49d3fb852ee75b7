//! Measures the part of the time in which the cluster served its clients.
//!
//! In: invocations and completions, in the order of recording. Out: [`Served`]. A moment counts
//! only if a client then waits for an answer, so pauses of clients, and the time before and after
//! their work, do not count. The cluster serves at a moment if the wait for the next success of any
//! client is no longer than [`OUTAGE_NS`].

use serde::{Deserialize, Serialize};

/// The cluster does not serve in a gap without a success that is longer than this.
const OUTAGE_NS: u64 = 1_000_000_000;

/// The times in which clients asked, and were served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Served {
    /// Milliseconds in which a client waited for an answer.
    pub asked_ms: u64,
    /// Milliseconds of these in which the cluster served.
    pub served_ms: u64,
}

impl Served {
    /// The part of the time in which the cluster served, in percent.
    pub fn percent(self) -> u64 {
        (self.served_ms * 100).checked_div(self.asked_ms).unwrap_or(100)
    }

    /// Returns true if the cluster served for less than a third of the time.
    pub fn is_little(self) -> bool {
        self.served_ms * 3 < self.asked_ms
    }

    /// The sums of two measurements.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            asked_ms: self.asked_ms + other.asked_ms,
            served_ms: self.served_ms + other.served_ms,
        }
    }
}

/// Measures the service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Service {
    /// Clients that wait for an answer.
    waiting: u64,
    /// The time since when nothing succeeded though some client waited.
    since_ns: u64,
    asked_ns: u64,
    outage_ns: u64,
}

impl Service {
    /// Notes that a client asks.
    pub fn asked(&mut self, at_ns: u64) {
        if self.waiting == 0 {
            self.since_ns = self.since_ns.max(at_ns);
        }
        self.waiting += 1;
    }

    /// Notes that a client is answered.
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

    /// The measurement; none if no client asked.
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
