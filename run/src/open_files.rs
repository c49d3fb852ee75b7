//! The limit of open files and connections: raised to the kernel's maximum, with a warning if that
//! is too few.
//!
//! In: the limits of this process, and the number of clients with connections of their own. Out:
//! the soft limit raised to the hard one (child processes inherit it), and a warning. Most shells
//! begin with 1024, which a few hundred idle clients exceed. Operations would then fail because of
//! the tester.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use plan::config::Config;

/// Files, logs, and the connections that the busy clients share.
const BESIDE_IDLE_CLIENTS: u64 = 200;

/// Raises the soft limit to the hard one.
pub fn allow_all() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // If the kernel refuses, `too_few_for` warns.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The warning before a run that may need more open files than the limit, or None.
pub fn too_few_for(config: &Config) -> Option<String> {
    let (most, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    said(config.workload.idle_clients.into(), config.cluster.stores.into(), most)
}

/// The warning as text, or None. Each idle client has its own connection to every store and to PD.
fn said(idle_clients: u64, stores: u64, most: u64) -> Option<String> {
    let needs = idle_clients * (stores + 1) + BESIDE_IDLE_CLIENTS;
    (needs > most).then(|| {
        format!(
            "{idle_clients} idle clients may hold {needs} connections, and a process here may have {most} open files: \
             operations may fail for that; raise the hard limit (ulimit -Hn), or lower --idle-clients"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_clients_fit_and_many_are_said() {
        assert_eq!(said(4, 6, 1024), None);
        assert_eq!(said(2_500, 3, 20_000), None);
        let said = said(2_500, 3, 1_024).expect("too few");
        assert!(said.contains("10200 connections") && said.contains("1024 open files"), "{said}");
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        allow_all();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits");
        assert_eq!(soft, hard);
    }
}
