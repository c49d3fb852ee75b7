//! Raw KV clients behind one trait, PD's admin API, and the fate of every error.
//!
//! In: a [`Request`] and how long it may take. Out: a [`Reply`]: what it was answered, or whether
//! it certainly was *not applied*, or whether that is *unknown* ([`fate`] says which, in one
//! table), and every attempt that was made. Two clients implement [`RawKv`]: [`TikvClient`] drives
//! the crate that users use, [`DirectClient`] sends one RPC an operation and pages its own scans.
//! [`PdHttp`] is PD's admin API, for whoever hurts or watches the cluster. This crate knows nothing
//! of histories, faults or verdicts.
//!
//! A decision: *region not found* is unknown, not *not applied*. TiKV also says it of commands that
//! a peer proposed before it was removed.

mod attempts;
mod cause;
pub mod direct;
pub mod fate;
pub mod pd_http;
mod request;
mod security;
mod tikv;

pub use attempts::Attempt;
pub use cause::{Cause, RegionErrorKind};
pub use direct::{DirectClient, DirectOptions};
pub use pd_http::{PdHttp, PdHttpError};
pub use request::{ClientError, Outcome, RawKv, Reply, Request, Response};
pub use security::{Security, SecurityError, use_ring};
pub use tikv::{TikvClient, TikvClientOptions};
