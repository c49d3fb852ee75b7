//! The embedded cluster: a small TiKV of stores and a PD that speaks TiKV's wire protocol over real
//! Raft.
//!
//! In: the configurations of one process ([`pd::PdConfig`], [`store::StoreConfig`]). Out: a process
//! that serves. Node logic is sans-IO, `step(now, input) -> outputs`, without clock, socket, file,
//! thread or randomness inside; the drivers provide those. This crate knows nothing of clients,
//! histories or faults.

pub mod defects;
pub mod foreign_requests;
pub mod pd;
pub mod process;
pub mod profile;
pub mod read_mode;
pub mod simulation;
pub mod store;
