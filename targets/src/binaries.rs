//! Real PD and TiKV from their binaries: their command lines, and the checks that they serve.
//!
//! In: the programs, a place for each process, and PD's address. Out: arguments, and PD's answer
//! about a started process. [`super::embedded`] holds the processes and treats these as its own.

use super::configuration_files;
use client::PdHttp;
use cluster::process::Ready;
use failure::Failure;
use plan::config::{BinariesConfig, ClusterShape};
use run_directory::write_whole;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

/// The deadline of one question to PD while processes start.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// The command line of a PD that serves clients at `client` and its peers at `peer`.
pub fn pd_command(
    programs: &BinariesConfig,
    name: &str,
    (client, peer): (SocketAddr, SocketAddr),
    (data_dir, log, config): (&Path, &Path, &Path),
) -> Vec<String> {
    vec![
        programs.pd_server.display().to_string(),
        format!("--name={name}"),
        format!("--data-dir={}", data_dir.display()),
        format!("--config={}", config.display()),
        format!("--client-urls=http://{client}"),
        format!("--advertise-client-urls=http://{client}"),
        format!("--peer-urls=http://{peer}"),
        format!("--advertise-peer-urls=http://{peer}"),
        format!("--initial-cluster={name}=http://{peer}"),
        format!("--log-file={}", log.display()),
    ]
}

/// The command line of a TiKV.
pub fn tikv_command(
    programs: &BinariesConfig,
    pd: SocketAddr,
    (addr, status_addr): (SocketAddr, SocketAddr),
    (data_dir, log, config): (&Path, &Path, &Path),
) -> Vec<String> {
    vec![
        programs.tikv_server.display().to_string(),
        format!("--pd-endpoints={pd}"),
        format!("--addr={addr}"),
        format!("--advertise-addr={addr}"),
        format!("--status-addr={status_addr}"),
        format!("--data-dir={}", data_dir.display()),
        format!("--config={}", config.display()),
        format!("--log-file={}", log.display()),
    ]
}

/// Writes the configuration files of a cluster. Returns the paths of PD's and TiKV's.
pub fn write_configuration(
    programs: &BinariesConfig,
    shape: &ClusterShape,
    run_path: &Path,
) -> Result<(PathBuf, PathBuf), Failure> {
    let folder = run_path.join("config");
    std::fs::create_dir_all(&folder).map_err(Failure::target_or_disk)?;
    let (pd, tikv) = (folder.join("pd.toml"), folder.join("tikv.toml"));
    write_whole(&pd, configuration_files::pd(shape.replicas).as_bytes())?;
    let size = programs.region_split_size.as_deref();
    write_whole(
        &tikv,
        configuration_files::tikv(&shape.profile, size, shape.enable_ttl).as_bytes(),
    )?;
    Ok((pd, tikv))
}

/// Replaces port 0 by a port that is free now, since real servers must be told their port.
pub fn settled(addr: SocketAddr) -> Result<SocketAddr, Failure> {
    if addr.port() != 0 {
        return Ok(addr);
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
    free.map_err(Failure::target_or_disk)
}

/// Asks if PD serves; None if it does not yet.
pub fn pd_serves(client_addr: SocketAddr) -> Option<Ready> {
    let pd = PdHttp::new(&client_addr.to_string(), ASK_WITHIN).ok()?;
    // PD has no stores until the first bootstraps the cluster, but has settings once it has a
    // leader.
    blocking(async move { pd.max_replicas().await.ok() })?;
    Some(Ready::Pd { client_addr })
}

/// Asks if PD knows the store of this address; None if not yet. Its state becomes Up only with its
/// first heartbeat, about 10 s later.
pub fn store_serves(
    pd: SocketAddr,
    (addr, status_addr): (SocketAddr, SocketAddr),
) -> Option<Ready> {
    let pd = PdHttp::new(&pd.to_string(), ASK_WITHIN).ok()?;
    let stores = blocking(async move { pd.stores().await.ok() })?;
    let id = stores.iter().find(|store| store.address == addr.to_string())?.id;
    // A registered store stays known for ever; only its port shows that it runs again.
    std::net::TcpStream::connect_timeout(&addr, ASK_WITHIN).ok()?;
    Some(Ready::Store { id, addr, status_addr })
}

/// Blocks until the answer, on a thread of its own that has no runtime.
fn blocking<T: Send>(question: impl Future<Output = Option<T>> + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let ask = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.ok()?.block_on(question)
        };
        scope.spawn(ask).join().ok().flatten()
    })
}
