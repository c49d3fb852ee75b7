//! Everything that a user chooses of one run beside its plan: how it is watched, judged and told.

use judge::Judging;
use report::Told;
use run::{Options, pace::Free};
use std::net::SocketAddr;

/// What a user chooses of a run beside its plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Where a live page is served meanwhile, if one is wanted.
    pub live: Option<SocketAddr>,
    /// Where Prometheus finds the tester's metrics meanwhile.
    pub metrics: Option<SocketAddr>,
    /// A screen in the terminal shows it.
    pub tui: bool,
    /// It ends as soon as a broken promise is seen.
    pub fail_fast: bool,
    /// From so many bytes on a segment of the history is compressed, and the next begun.
    pub history_segment_bytes: Option<u64>,
    /// What the target's measure may change in the plan: the user chose none.
    pub free: Free,
    /// So many invalid keys get a counterexample, if not as many as usual.
    pub counterexamples_max: Option<u32>,
    /// The parts of the judgement that are printed, and kept.
    pub told: Told,
}

impl RunOptions {
    /// How the run is carried out.
    pub fn options(&self) -> Options {
        Options {
            fail_fast: self.fail_fast,
            history_segment_bytes: self.history_segment_bytes,
            free: self.free,
        }
    }

    /// How the run is judged.
    pub fn judging(&self) -> Judging {
        let mut judging = Judging::default();
        if let Some(most) = self.counterexamples_max {
            judging.options.counterexamples_max = most;
        }
        judging
    }
}
