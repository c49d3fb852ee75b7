//! A store's life: open the directory, find out who we are, register with PD, serve until told to stop.
//!
//! In: the configuration. Out: the ready line on stdout, then a serving process. SIGTERM and SIGINT end it cleanly;
//! SIGKILL at any moment loses nothing that was acknowledged.

use super::{
    StoreConfig, StoreError,
    driver::{self, Clock, Driver, EVENTS_WAITING_MAX},
    engine::{Engine, Identity},
    metrics::Metrics,
    node::{
        Node,
        disk::{self, StoredRegion},
        effects::NodeConfig,
    },
    pd_client::Pd,
    service::Service,
    status,
};
use crate::{process::Ready, profile::Timing};
use proto::{
    health::health_server::HealthServer,
    metapb::{Peer, Region, RegionEpoch, Store},
    pdpb,
    tikvpb::tikv_server::TikvServer,
};
use serde_json::json;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time,
};
use tonic::transport::server::TcpIncoming;

/// What we say that we are: clients ask PD for it and expect a version that they know.
const VERSION: &str = "8.5.0";
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const WAITING_MAX: usize = 4_096;
const LOG_ENTRIES_KEPT: u64 = 4_096;

/// Runs a store until it is told to stop. Blocks; brings its own runtime.
pub fn run(config: StoreConfig) -> Result<(), StoreError> {
    // One thread: a cluster has more processes than the machine has cores, and the disk has a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StoreError::Runtime)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(StoreError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(StoreError::Runtime)?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve(config, |ready| ready.announce(), stop).await
    })
}

/// Serves until `stop` is ready. `announce` is called once, when the store serves.
pub(super) async fn serve(
    config: StoreConfig,
    announce: impl FnOnce(Ready) -> std::io::Result<()>,
    stop: impl Future<Output = ()>,
) -> Result<(), StoreError> {
    let timing = config.profile.timing();
    let clock = Clock::start();
    let (listener, addr) = bind(config.addr).await?;
    let (status_listener, status_addr) = bind(config.status_addr).await?;
    let engine = Engine::open(&config.data_dir)?;
    let pd = Pd::connect(&config.pd_endpoint).await?;
    let identity = identify(&engine, &pd).await?;
    let about = Store {
        id: identity.store_id,
        address: addr.to_string(),
        peer_address: addr.to_string(),
        status_address: status_addr.to_string(),
        version: VERSION.to_owned(),
        start_timestamp: (clock.now().unix_s()) as i64,
        deploy_path: config.data_dir.display().to_string(),
        ..Default::default()
    };
    let stored = begin(&engine, &pd, &about).await?;
    register(&pd, &about).await?;

    let node_config = NodeConfig {
        store_id: identity.store_id,
        timing,
        defects: config.defects.clone(),
        // Election timeouts must differ between processes, not be secret.
        seed: clock.now().unix_ms ^ identity.store_id.rotate_left(32),
        log_entries_kept: LOG_ENTRIES_KEPT,
        region_max_keys: config.region_max_keys,
        waiting_max: WAITING_MAX,
    };
    let node = Node::new(node_config, stored, clock.now());
    let metrics = Arc::new(Metrics::default());
    let (events, queue) = mpsc::channel(EVENTS_WAITING_MAX);
    let mut driver =
        Driver::new(node, clock, engine, pd.clone(), (events.clone(), queue), metrics.clone())?;
    let service = Service { events: events.clone(), metrics: metrics.clone() };
    let server = tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(TikvServer::new(service.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(HealthServer::new(service))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    let shown = json!({
        "addr": addr.to_string(),
        "status-addr": status_addr.to_string(),
        "data-dir": config.data_dir.display().to_string(),
        "profile": config.profile.name(),
        "raft-base-tick-interval-ms": timing.raft_tick_ms,
        "defects": config.defects.iter().map(super::super::defects::Defect::name).collect::<Vec<_>>(),
    });
    let pages = status::pages(metrics.clone(), identity.store_id, shown);
    let status_server = axum::serve(status_listener, pages);

    tokio::spawn(heartbeat(pd, identity.store_id, config.data_dir.clone(), timing, metrics));
    tokio::spawn(driver::watch_disk(config.data_dir, events));
    announce(Ready::Store { id: identity.store_id, addr, status_addr })
        .map_err(|error| StoreError::Server(format!("nobody reads our readiness: {error}")))?;
    tokio::select! {
        result = driver.run() => result,
        result = server => Err(StoreError::Server(ended(result.err()))),
        result = status_server => Err(StoreError::Server(ended(result.err()))),
        () = stop => Ok(()),
    }
}

fn ended(error: Option<impl std::error::Error>) -> String {
    error.map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string())
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StoreError> {
    let bound = async {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    };
    bound.await.map_err(|source| StoreError::Bind { addr, source })
}

/// Who we are: as noted in the directory, or, at the very first start, as PD says.
async fn identify(engine: &Engine, pd: &Pd) -> Result<Identity, StoreError> {
    let expected = pd.cluster_id();
    match engine.identity()? {
        Some(identity) if identity.cluster_id == expected => Ok(identity),
        Some(Identity { cluster_id: found, .. }) => {
            Err(StoreError::ForeignCluster { found, expected })
        }
        None => {
            let store_id = pd.alloc_id().await?;
            let identity = Identity { cluster_id: expected, store_id };
            engine.set_identity(identity)?;
            Ok(identity)
        }
    }
}

/// What is on disk, after the cluster has begun: with our first region, if PD took it.
async fn begin(
    engine: &Engine,
    pd: &Pd,
    about: &Store,
) -> Result<BTreeMap<u64, StoredRegion>, StoreError> {
    let stored = load(engine)?;
    // A store that crashed between writing the region and PD's answer takes up where it was.
    let known = stored.values().find_map(|stored| stored.as_first_region().cloned());
    let region = match known {
        Some(region) if pd.region(region.id).await?.is_some() => return Ok(stored),
        Some(region) => region,
        None if !stored.is_empty() || pd.is_bootstrapped().await? => return Ok(stored),
        None => {
            let (region_id, peer_id) = (pd.alloc_id().await?, pd.alloc_id().await?);
            let region = Region {
                id: region_id,
                region_epoch: Some(RegionEpoch { conf_ver: 1, version: 1 }),
                peers: vec![Peer { id: peer_id, store_id: about.id, ..Default::default() }],
                ..Default::default()
            };
            engine.write(&[disk::first_region(&region, peer_id)])?;
            region
        }
    };
    let region_id = region.id;
    if !pd.bootstrap(about.clone(), region).await? {
        engine.write(&[disk::without_first_region(region_id)])?;
    }
    load(engine)
}

fn load(engine: &Engine) -> Result<BTreeMap<u64, StoredRegion>, StoreError> {
    disk::load(engine.pairs()?).map_err(|error| StoreError::Corrupt(error.0))
}

/// Registers the store. A PD that is down or frozen at a restart is waited for only so long: the store serves
/// without it, and its heartbeats reach PD later.
async fn register(pd: &Pd, about: &Store) -> Result<(), StoreError> {
    const ATTEMPTS: usize = 5;
    let mut failure = None;
    for _ in 0..ATTEMPTS {
        match pd.put_store(about.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => failure = Some(error),
        }
        time::sleep(Duration::from_millis(200)).await;
    }
    failure.map_or(Ok(()), Err)
}

async fn heartbeat(
    pd: Pd,
    store_id: u64,
    data_dir: PathBuf,
    timing: Timing,
    metrics: Arc<Metrics>,
) {
    let started = Clock::start().now().unix_s();
    let mut interval = time::interval(Duration::from_millis(timing.store_heartbeat_ms));
    interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut last_s = started;
    loop {
        interval.tick().await;
        let now_s = Clock::start().now().unix_s();
        let room = nix::sys::statvfs::statvfs(&data_dir).ok();
        let bytes = |blocks: u64| {
            room.as_ref().map_or(0, |room| blocks.saturating_mul(room.fragment_size()))
        };
        let (capacity, available) = (
            bytes(room.as_ref().map_or(0, nix::sys::statvfs::Statvfs::blocks)),
            bytes(room.as_ref().map_or(0, nix::sys::statvfs::Statvfs::blocks_available)),
        );
        let stats = pdpb::StoreStats {
            store_id,
            capacity,
            available,
            used_size: capacity.saturating_sub(available),
            region_count: metrics.counts().regions as u32,
            start_time: started as u32,
            interval: Some(pdpb::TimeInterval { start_timestamp: last_s, end_timestamp: now_s }),
            ..Default::default()
        };
        last_s = now_s;
        if let Err(error) = pd.store_heartbeat(stats).await {
            tracing::debug!("a heartbeat did not reach PD: {error}");
        }
    }
}
