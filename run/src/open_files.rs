//! How many files and connections a process may hold open: as many as the kernel grants, and a word if that is too few.
//!
//! In: the limits of this process, and how many clients with connections of their own a run has. Out: the soft limit at the
//! hard one (whoever starts a process of the cluster hands it on), and a sentence. Most shells begin with 1024, which a few
//! hundred idle clients exceed; then operations fail for the tester's own sake.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use plan::config::Config;

/// Files, logs, and the connections of what the busy clients share.
const BESIDE_IDLE_CLIENTS: u64 = 200;

/// Raises the soft limit to the hard one.
pub fn allow_all() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // What is not granted is said where it matters.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// What is to be said before a run that may need more than there are.
pub fn too_few_for(config: &Config) -> Option<String> {
    let (most, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    said(config.workload.idle_clients.into(), config.cluster.stores.into(), most)
}

/// Each idle client is connected to every store and to PD by itself.
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
