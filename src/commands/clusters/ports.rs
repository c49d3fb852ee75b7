//! The ports of a cluster: TiKV's defaults, or the next free ones.
//!
//! In: the ports to begin with, and the addresses that the stores had before. Out: an address for
//! every process. A port is tried by listening on it. Another process may take it before ours
//! listens; the supervisor notices that and chooses again.

use failure::Failure;
use pages::serving;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
};
use targets::embedded::{Addresses, ClusterFile};

/// The number of ports tried for one process.
const TRIES_MAX: u16 = 1_000;

/// The ports to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// PD's port.
    pub pd: u16,
    /// The first store's port.
    pub kv: u16,
    /// The first store's status port.
    pub status: u16,
    /// The dashboard's port.
    pub dashboard: u16,
    /// True if flags named the ports: then the ports of an earlier life do not matter.
    pub asked: bool,
}

/// The ports that were chosen.
#[derive(Debug)]
pub struct Chosen {
    /// The address of each process.
    pub addresses: Addresses,
    /// Sentences about wanted ports that were taken, and their replacements.
    pub taken: Vec<String>,
}

/// Chooses the dashboard's address, on this machine's loopback interface, with a port that browsers
/// open.
pub fn choose_dashboard(wanted: u16) -> Result<SocketAddr, Failure> {
    Chooser::at(Ipv4Addr::LOCALHOST.into()).next("the dashboard", wanted, &serving::blocked())
}

/// Chooses an address for PD and each store.
pub fn choose(
    host: IpAddr,
    wanted: Wanted,
    stores: u32,
    earlier: Option<&ClusterFile>,
) -> Result<Chosen, Failure> {
    let mut chooser = Chooser::at(host);
    let before = |pick: &dyn Fn(&ClusterFile) -> Option<SocketAddr>| {
        let addr = earlier.filter(|_| !wanted.asked).and_then(pick)?;
        (addr.ip() == host && addr.port() != 0).then(|| addr.port())
    };
    let pd = before(&|file| Some(file.pd.addr)).unwrap_or(wanted.pd);
    let pd = chooser.next("pd1", pd, &BTreeSet::new())?;
    // PD refuses a store at an address that another store had.
    let others = |index: usize| -> BTreeSet<u16> {
        let stores = earlier.into_iter().flat_map(|file| file.stores.iter());
        let name = store_name(index);
        stores.filter(|entry| entry.name != name).map(|entry| entry.addr.port()).collect()
    };
    let entry = |index: usize| {
        move |file: &ClusterFile| {
            file.stores.iter().find(|entry| entry.name == store_name(index)).cloned()
        }
    };
    let mut next = (wanted.kv, wanted.status);
    let mut addrs = Vec::new();
    for index in 0..stores as usize {
        let port = before(&|file| Some(entry(index)(file)?.addr)).unwrap_or(next.0);
        let addr = chooser.next(&store_name(index), port, &others(index))?;
        next.0 = addr.port().saturating_add(1);
        addrs.push(addr);
    }
    let mut pairs = Vec::new();
    for (index, addr) in addrs.into_iter().enumerate() {
        let port = before(&|file| entry(index)(file)?.status_addr).unwrap_or(next.1);
        let name = format!("{}'s status", store_name(index));
        let status_addr = chooser.next(&name, port, &BTreeSet::new())?;
        next.1 = status_addr.port().saturating_add(1);
        pairs.push((addr, status_addr));
    }
    Ok(Chosen { addresses: Addresses { pd, stores: pairs }, taken: chooser.taken })
}

fn store_name(index: usize) -> String {
    format!("store-{}", index + 1)
}

struct Chooser {
    host: IpAddr,
    used: BTreeSet<u16>,
    /// Listeners on the chosen ports, kept until all are chosen, so that nobody else gets them
    /// meanwhile.
    held: Vec<TcpListener>,
    taken: Vec<String>,
}

impl Chooser {
    fn at(host: IpAddr) -> Self {
        Self { host, used: BTreeSet::new(), held: Vec::new(), taken: Vec::new() }
    }

    /// Returns the first port from `wanted` on that is free and not forbidden.
    fn next(
        &mut self,
        who: &str,
        wanted: u16,
        forbidden: &BTreeSet<u16>,
    ) -> Result<SocketAddr, Failure> {
        for port in wanted..=wanted.saturating_add(TRIES_MAX) {
            if self.used.contains(&port) || forbidden.contains(&port) {
                continue;
            }
            let addr = SocketAddr::new(self.host, port);
            match TcpListener::bind(addr) {
                Ok(listener) => {
                    self.held.push(listener);
                    self.used.insert(port);
                    if port != wanted {
                        self.taken.push(format!("port {wanted} is taken: {who} uses {port}"));
                    }
                    return Ok(addr);
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => {
                    return Err(Failure::target_or_disk(format!(
                        "{who} cannot serve on {addr}: {error}; choose another --host or --port-offset"
                    )));
                }
            }
        }
        Err(Failure::target_or_disk(format!(
            "no port from {wanted} on is free for {who}; choose another --port-offset"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Returns a free port; the next few are most likely free too.
    fn free_port() -> u16 {
        let listener = TcpListener::bind((HOST, 0)).expect("a port");
        listener.local_addr().expect("an address").port().min(60_000)
    }

    #[test]
    fn a_taken_port_gives_way_to_the_next_and_is_told() {
        let first = free_port();
        let taken = TcpListener::bind((HOST, first)).expect("free");
        let wanted = Wanted { pd: first, kv: first, status: first, dashboard: 1, asked: true };
        let chosen = choose(HOST, wanted, 2, None).expect("free ports");
        drop(taken);
        let mut ports = vec![chosen.addresses.pd.port()];
        for (addr, status_addr) in &chosen.addresses.stores {
            ports.extend([addr.port(), status_addr.port()]);
        }
        assert!(ports.iter().all(|port| *port > first), "{ports:?}");
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 5, "each its own: {ports:?}");
        assert!(chosen.taken[0].contains("pd1 uses"), "{:?}", chosen.taken);
    }

    #[test]
    fn a_host_that_is_not_ours_is_refused() {
        let wanted = Wanted { pd: 1, kv: 1, status: 1, dashboard: 1, asked: true };
        let host = "192.0.2.1".parse().expect("an address");
        let failure = choose(host, wanted, 1, None).expect_err("not this machine's");
        assert!(failure.sentence.contains("--host"), "{failure}");
    }
}
