//! Those who watch a run or a cluster: the live page, the screen in the terminal, and metrics for Prometheus.
//!
//! They listen to a run ([`audience`]) and look at its cluster once a second. They decide nothing.

pub mod audience;
pub mod live;
mod live_tester;
pub mod metrics;
pub mod tui;
