//! PD: members, ids, TSO, the registry of stores and regions, and replica scheduling.
//!
//! In: a [`PdConfig`]. Out: a process that serves gRPC and HTTP on one port. `core` decides;
//! `shell` provides clock, disk and streams; `grpc` and `http` translate. None of it knows how a
//! store carries out its steps.

pub(crate) mod core;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the real disk")]
mod disk;
mod go_text;
#[allow(clippy::disallowed_methods, reason = "real calls run side by side")]
mod grpc;
#[allow(clippy::disallowed_types, reason = "axum's maps of arguments")]
mod http;
mod member;
#[allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the real shell brings clock and chance"
)]
mod shell;

#[doc(hidden)]
pub mod unserved;

#[cfg(test)]
#[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests of a real PD")]
mod tests;

use crate::{process::Ready, profile::Profile};
use disk::Disk;
use grpc::PdService;
pub(crate) use member::CLUSTER_VERSION;
use member::Member;
use proto::{health::health_server::HealthServer, pdpb::pd_server::PdServer};
use shell::Shell;
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, signal::unix};
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};

/// The configuration of one PD process.
#[derive(Debug, Clone)]
pub struct PdConfig {
    /// PD's name (`pd1`).
    pub name: String,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The address for gRPC and HTTP; port 0 = pick one.
    pub client_addr: SocketAddr,
    /// The profile that sets its intervals.
    pub profile: Profile,
    /// The initial number of replicas of a region.
    pub max_replicas: u32,
}

/// The reason that a PD cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PdError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A region needs at least one replica.
    #[error("a region needs at least one replica")]
    NoReplicas,
    /// The server broke down.
    #[error("PD's server: {0}")]
    Server(#[from] tonic::transport::Error),
}

/// The interval between writes of the region cache, if it changed.
const REGIONS_SAVED_EVERY: Duration = Duration::from_secs(1);

/// Serves until told to end (SIGTERM, SIGINT).
pub fn run(config: PdConfig) -> Result<(), PdError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut terminate = unix::signal(unix::SignalKind::terminate())?;
        let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
        let until = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let announce = |client_addr| Ready::Pd { client_addr }.announce();
        serve(config, announce, until).await
    });
    // Clients keep their streams open as long as they like; the shutdown does not wait for them.
    runtime.shutdown_background();
    ended
}

/// Serves until `until`, and announces its address through `ready`.
async fn serve(
    config: PdConfig,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
    until: impl Future<Output = ()>,
) -> Result<(), PdError> {
    if config.max_replicas == 0 {
        return Err(PdError::NoReplicas);
    }
    let listener = TcpListener::bind(config.client_addr).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot serve on {}: {error}", config.client_addr))
    })?;
    let addr = listener.local_addr()?;
    let timing = config.profile.timing();
    let disk = Disk::open(&config.data_dir)?;
    let shell = Shell::open(disk, timing, config.max_replicas)?;
    let member = shell.view(|core, _| Member {
        name: config.name.clone(),
        id: core.member_id(),
        cluster_id: core.cluster_id(),
        deploy_path: program_folder(),
        client_url: format!("http://{addr}"),
        data_dir: config.data_dir.display().to_string(),
    });
    let server = Server::builder()
        .accept_http1(true)
        .add_routes(routes(&shell, member, addr.ip()))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    ready(addr)?;
    tokio::select! {
        ended = server => Ok(ended?),
        () = tick(&shell, Duration::from_millis(timing.patrol_ms)) => Ok(()),
        () = save_regions(&shell) => Ok(()),
        () = until => Ok(()),
    }
}

/// The routes of gRPC and HTTP.
fn routes(shell: &Arc<Shell>, member: Member, own: IpAddr) -> Routes {
    let service = PdService::new(Arc::clone(shell), member.clone());
    let mut routes = Routes::default()
        .add_service(PdServer::new(service.clone()))
        .add_service(HealthServer::new(service));
    let grpc = std::mem::take(routes.axum_router_mut());
    *routes.axum_router_mut() = http::beside(grpc, Arc::clone(shell), member, own);
    routes
}

/// The folder of this program, which tools show; empty if the system does not tell.
fn program_folder() -> String {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(std::path::Path::parent);
    folder.map(|folder| folder.display().to_string()).unwrap_or_default()
}

/// Lets time pass for the core, for ever.
async fn tick(shell: &Shell, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    // A PD that was paused for a while has missed its ticks; they are not made up for.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let ticked = shell.act(|core, now| {
            core.tick(now);
            Ok(())
        });
        if let Err(refusal) = ticked {
            tracing::error!(%refusal, "scheduling stands still");
        }
    }
}

/// Writes the region cache periodically, for ever.
async fn save_regions(shell: &Arc<Shell>) {
    let mut saved_revision = shell.view(|core, _| core.regions().revision());
    loop {
        tokio::time::sleep(REGIONS_SAVED_EVERY).await;
        let revision = shell.view(|core, _| core.regions().revision());
        if revision == saved_revision {
            continue;
        }
        let shell = Arc::clone(shell);
        #[expect(clippy::disallowed_methods, reason = "a real disk blocks")]
        let saving = tokio::task::spawn_blocking(move || shell.save_regions());
        match saving.await {
            Ok(Ok(())) => saved_revision = revision,
            Ok(Err(error)) => tracing::warn!(%error, "the region cache is not saved"),
            Err(error) => tracing::error!(%error, "the region cache is not saved"),
        }
    }
}
