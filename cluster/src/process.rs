//! What every process of the embedded cluster does about its parent: say when it serves, and never outlive it; and its
//! name.
//!
//! A process prints one line of JSON, a [`Ready`], on its standard output once it serves; the parent reads the
//! addresses that were picked from it. It asks the kernel for SIGKILL at its parent's death, which also ends a
//! process that is stopped at that moment.

use nix::sys::{prctl, signal::Signal};
use serde::{Deserialize, Serialize};
use std::{io::Write, net::SocketAddr};

/// What a process says of itself once it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ready", rename_all = "lowercase")]
pub enum Ready {
    /// A PD.
    Pd {
        /// Where gRPC and HTTP are served.
        client_addr: SocketAddr,
    },
    /// A store.
    Store {
        /// Its id, given by PD.
        id: u64,
        /// Where gRPC is served.
        addr: SocketAddr,
        /// Where `/status` and `/metrics` are served.
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

/// Asks the kernel to end this process with its parent, and leaves at once if the parent (`parent_pid`) is gone
/// already: between a fork and this call nobody would have told us.
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
