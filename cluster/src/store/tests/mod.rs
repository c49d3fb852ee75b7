//! Whole stores in one process: real sockets, real disks, a stub for PD.

mod pd_stub;
mod unknown_calls;
mod whole_stores;
