//! What one sees of a cluster from outside, once a second: PD's view, each store's own numbers, each process's state.
//!
//! In: PD's addresses, and who knows the processes. Out: [`Sample`]s, and what changed between two of them in words.
//! It only looks: nothing here writes to a cluster or sends a signal. It knows nothing of pages, histories or
//! verdicts. It works with any TiKV: only PD's HTTP API and the Prometheus pages of the status ports are asked.

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
