//! A cluster that somebody else started: its stores as PD names them, and their processes, where
//! they can be found.
//!
//! In: PD's members, and the ssh access to other hosts. Out: places and processes, and the reasons
//! why processes are not known. It starts, kills and ends nothing.

use super::{
    cluster_processes::{ClusterProcesses, EndedProcess, StorePlace},
    listening,
};
use client::{PdHttp, Security, pd_http::Store};
use failure::Failure;
use nemesis::{ProcessIdentity, ProcessState, RemoteHost, StoreId};
use plan::config::AttachConfig;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, ToSocketAddrs, UdpSocket},
    time::Duration,
};

/// The deadline of one question to PD.
const PD_PATIENCE: Duration = Duration::from_secs(5);

/// The stores of a cluster that somebody else started.
#[derive(Debug)]
pub struct AttachedCluster {
    pd_endpoints: Vec<String>,
    stores: BTreeMap<StoreId, StorePlace>,
    told: BTreeSet<StoreId>,
    /// The reasons why stores' processes are not known.
    pub unknown: Vec<String>,
}

/// The hosts that ssh reaches, by the addresses that stores may have there.
struct Hosts {
    hosts: Vec<(RemoteHost, String, Vec<IpAddr>)>,
}

impl AttachedCluster {
    /// Asks PD for members and stores, and looks for the stores' processes.
    pub async fn find(config: &AttachConfig, security: Option<&Security>) -> Result<Self, Failure> {
        let pd = PdHttp::of_members(&config.pd, PD_PATIENCE, security);
        let pd = pd.map_err(Failure::target_or_disk)?;
        let pd_endpoints = members(&pd, &config.pd).await?;
        let stores = pd.stores().await.map_err(Failure::target_or_disk)?;
        let config = config.clone();
        let found = tokio::task::spawn_blocking(move || {
            let hosts = Hosts::reach(&config)?;
            Ok((stores.iter().map(|store| hosts.process(store)).collect(), stores))
        });
        let (processes, stores): (Vec<Result<ProcessIdentity, String>>, Vec<Store>) =
            found.await.map_err(Failure::software)??;
        let mut unknown = Vec::new();
        let mut place = |(store, process): (Store, Result<ProcessIdentity, String>)| {
            let process = process.map_err(|reason| {
                unknown.push(format!("store-{} at {}: {reason}", store.id, store.address));
            });
            (store.id, StorePlace { address: store.address, process: process.ok() })
        };
        let stores = stores.into_iter().zip(processes).map(&mut place).collect();
        Ok(Self { pd_endpoints, stores, told: BTreeSet::new(), unknown })
    }
}

/// The addresses of PD's members: the given ones first, then others that PD names, so that a leader
/// may move.
async fn members(pd: &PdHttp, given: &[String]) -> Result<Vec<String>, Failure> {
    let bare = |url: &str| {
        let bare = url.rsplit_once("://").map_or(url, |(_, bare)| bare);
        bare.trim_end_matches('/').to_owned()
    };
    let mut all: Vec<String> = given.iter().map(|it| bare(it)).collect();
    for member in pd.members().await.map_err(Failure::target_or_disk)? {
        let urls: Vec<String> = member.client_urls.iter().map(|url| bare(url)).collect();
        // A member that listens on all interfaces cannot be reached by that name.
        let reachable = urls.into_iter().find(|url| !url.starts_with("0.0.0.0:"));
        all.extend(reachable.filter(|url| !all.contains(url)));
    }
    Ok(all)
}

impl Hosts {
    fn reach(config: &AttachConfig) -> Result<Self, Failure> {
        let reach = |destination: &String| {
            let host = RemoteHost::reach(&config.ssh_command, destination).map_err(|reason| {
                Failure::target_or_disk(format!(
                    "{reason}; --ssh needs a host that your own ssh reaches without a password"
                ))
            })?;
            let name = RemoteHost::hostname(&config.ssh_command, destination);
            let name = name.unwrap_or_else(|| destination.clone());
            let addresses = addresses(&name);
            Ok((host, name, addresses))
        };
        Ok(Self { hosts: config.ssh.iter().map(reach).collect::<Result<_, Failure>>()? })
    }

    /// The process behind a store's address: on a host given for ssh, or on this machine.
    fn process(&self, store: &Store) -> Result<ProcessIdentity, String> {
        let (host, port) = store.address.rsplit_once(':').ok_or("its address has no port")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port: u16 = port.parse().map_err(|_| "its address has no port".to_owned())?;
        let at = addresses(host);
        let remote = self.hosts.iter().find(|(_, name, known)| {
            name == host || known.iter().any(|address| at.contains(address))
        });
        if let Some((remote, ..)) = remote {
            let mut found = remote.listeners(port)?;
            return match (found.pop(), found.is_empty()) {
                (Some(process), true) => Ok(process),
                (None, _) => Err(format!(
                    "no process on {remote} was found to listen on port {port}: nobody does, or only its user or root \
                     may see it"
                )),
                (Some(_), false) => {
                    Err(format!("several processes on {remote} listen on port {port}"))
                }
            };
        }
        // An address is this machine's if a socket can be bound to it.
        if at.iter().any(|address| UdpSocket::bind((*address, 0)).is_ok()) {
            return listening::process(port);
        }
        Err(format!("it is on another host: name it with --ssh USER@{host}"))
    }
}

fn addresses(host: &str) -> Vec<IpAddr> {
    let found = (host, 0).to_socket_addrs();
    found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

impl ClusterProcesses for AttachedCluster {
    fn pd_endpoints(&self) -> Vec<String> {
        self.pd_endpoints.clone()
    }

    fn stores(&self) -> BTreeMap<StoreId, StorePlace> {
        self.stores.clone()
    }

    fn kill_stores(&mut self, _: &[StoreId]) -> Result<(), Failure> {
        Err(Failure::usage(
            "stores that somebody else started are not killed: nobody could start them again",
        ))
    }

    fn start_killed_stores(&mut self, _: &[StoreId]) -> Result<(), Failure> {
        Err(Failure::usage("stores that somebody else started cannot be started here"))
    }

    fn ended_by_themselves(&mut self) -> Vec<EndedProcess> {
        let mut ended = Vec::new();
        for (id, place) in &self.stores {
            let Some(process) = place.process.as_ref().filter(|it| it.host.is_none()) else {
                // Another host would cost a connection; PD tells if its store is there.
                continue;
            };
            if process.state() == ProcessState::Gone && self.told.insert(*id) {
                ended.push(EndedProcess {
                    name: format!("store-{id}"),
                    store: Some(*id),
                    status: format!("{process} is gone"),
                    log: None,
                });
            }
        }
        ended
    }

    fn stop(&mut self) {}
}
