//! The watchers of a run or a cluster: the live page, the screen in the terminal, and metrics for
//! Prometheus.
//!
//! The watchers listen to a run ([`audience`]) and observe its cluster once a second. They decide
//! nothing.

pub mod audience;
pub mod live;
mod live_tester;
pub mod metrics;
pub mod tui;
