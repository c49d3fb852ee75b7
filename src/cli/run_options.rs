//! The user's choices for one run beside its plan: watchers, judging and output.

use judge::Judging;
use report::Output;
use run::{Options, pace::Free};
use std::net::SocketAddr;

/// The user's choices for a run beside its plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// The address of the live page, if one is wanted.
    pub live: Option<SocketAddr>,
    /// The address of the tester's metrics for Prometheus.
    pub metrics: Option<SocketAddr>,
    /// True to show the run on a screen in the terminal.
    pub tui: bool,
    /// True to end the run as soon as a broken promise is seen.
    pub fail_fast: bool,
    /// The size from which a segment of the history is compressed and the next begun, bytes.
    pub history_segment_bytes: Option<u64>,
    /// The settings that measurements of the target may change in the plan, because the user chose
    /// none.
    pub free: Free,
    /// The number of invalid keys that get a counterexample; `None` = the default.
    pub counterexamples_max: Option<u32>,
    /// The parts of the judgement that are printed, and kept.
    pub told: Output,
}

impl RunOptions {
    /// Returns the options of the run.
    pub fn options(&self) -> Options {
        Options {
            fail_fast: self.fail_fast,
            history_segment_bytes: self.history_segment_bytes,
            free: self.free,
        }
    }

    /// Returns the options of the judge.
    pub fn judging(&self) -> Judging {
        let mut judging = Judging::default();
        if let Some(most) = self.counterexamples_max {
            judging.options.counterexamples_max = most;
        }
        judging
    }
}
