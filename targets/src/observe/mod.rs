//! A cluster seen from outside, once a second: PD's view, each store's own numbers, each process's
//! state.
//!
//! In: PD's addresses, and an observer of the processes. Out: [`Sample`]s, and the changes between
//! two of them in words. It never writes to a cluster or sends a signal. It knows nothing of pages,
//! histories or verdicts. It works with any TiKV: it asks only PD's HTTP API and the Prometheus
//! pages of the status ports.

mod changes;
#[cfg(test)]
mod over_tls;
mod prometheus;
mod range;
mod rates;

mod sampler;

pub use changes::changes;
pub use histories::cluster_sample::{ProcessSeen, ProcessWord, Sample, StoreSeen};
pub use range::range;
pub use sampler::{Processes, Sampler};
