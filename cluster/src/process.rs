//! The shared duties of every process of the embedded cluster: announce that it serves, end with
//! its parent, and set its name.
//!
//! A process prints one line of JSON, a [`Ready`], on its standard output once it serves; the
//! parent reads the picked addresses from it. The process asks the kernel for SIGKILL at its
//! parent's death, which also ends a process that is paused at that moment.

use nix::sys::{prctl, signal::Signal};
use serde::{Deserialize, Serialize};
use std::{io::Write, net::SocketAddr};

/// The announcement of a process that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ready", rename_all = "lowercase")]
pub enum Ready {
    /// A PD.
    Pd {
        /// The address of gRPC and HTTP.
        client_addr: SocketAddr,
    },
    /// A store.
    Store {
        /// The store's id, given by PD.
        id: u64,
        /// The address of gRPC.
        addr: SocketAddr,
        /// The address of `/status` and `/metrics`.
        status_addr: SocketAddr,
    },
}

impl Ready {
    /// Prints the line that the parent waits for.
    pub fn announce(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(self)?)?;
        out.flush()
    }
}

/// Asks the kernel to end this process with its parent, and ends at once if the parent
/// (`parent_pid`) is gone already. A death between the fork and this call sends no signal.
pub fn die_with_parent(parent_pid: u32) -> std::io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if nix::unistd::getppid().as_raw() != parent_pid as i32 {
        return Err(std::io::Error::other("the parent process is gone"));
    }
    Ok(())
}

/// Gives this process a name for `ps`, `lsof` and `pgrep`, which otherwise show its executable's.
pub fn take_name(name: &std::ffi::CStr) -> std::io::Result<()> {
    Ok(prctl::set_name(name)?)
}
