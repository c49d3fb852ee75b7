//! The systems under test. [`under_test`] is a run's view of any target; [`cluster_processes`] is
//! its interface to the processes. [`embedded`] starts its own out of [`processes`].

mod attached;
mod binaries;
pub mod cluster_processes;
mod configuration_files;
pub mod consent;
pub mod embedded;
pub mod heal;
pub mod internal;
pub mod listening;
pub mod observe;
mod playground;
pub mod processes;
pub mod splitting;
pub mod state;
pub mod survey;
pub mod under_test;
pub mod undo;
pub mod wholeness;

use client::Security;
use failure::{Exit, Failure};
use plan::config::{AttachConfig, TargetConfig};

/// Reads the certificates of a target with TLS; None for targets without.
pub fn security(target: &TargetConfig) -> Result<Option<Security>, Failure> {
    let TargetConfig::Attach(AttachConfig { security: Some(files), .. }) = target else {
        return Ok(None);
    };
    Security::load(&files.ca, &files.cert, &files.key)
        .map(Some)
        .map_err(|error| Failure::new(Exit::NoInput, error))
}
