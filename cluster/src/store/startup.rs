//! A store's life: open the directory, determine its identity, register with PD, serve until told
//! to end.
//!
//! In: the configuration. Out: the ready line on stdout, then a serving process. SIGTERM and SIGINT
//! end it cleanly; SIGKILL at any moment loses nothing that was acknowledged.

use super::{
    StoreConfig, StoreError,
    driver::{self, Clock, Driver, EVENTS_WAITING_MAX},
    engine::{Engine, Identity},
    metrics::{Metrics, Sizes},
    node::{
        Node,
        disk::{self, StoredRegion},
        effects::NodeConfig,
    },
    pd_client::{Pd, patiently},
    service::Service,
    status,
};
use crate::{foreign_requests, process::Ready, profile::Timing};
use nix::sys::statvfs::Statvfs;
use proto::{
    health::health_server::HealthServer,
    metapb::{Peer, Region, RegionEpoch, Store},
    pdpb,
    tikvpb::tikv_server::TikvServer,
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time,
};
use tonic::transport::server::TcpIncoming;

/// The version that the store reports: clients ask PD for it and expect one that they know.
const VERSION: &str = "8.5.0";
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const WAITING_MAX: usize = 4_096;
const LOG_ENTRIES_KEPT: u64 = 4_096;

/// Runs a store until it is told to end. Blocks; creates its own runtime.
pub fn run(config: StoreConfig) -> Result<(), StoreError> {
    // One thread: a cluster has more processes than the machine has cores, and the disk has a
    // thread of its own.
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
    let engine = Engine::open(&config.data_dir)?;
    let pd = Pd::connect(&config.pd_endpoint).await?;
    let identity = identify(&engine, &pd, config.store_id).await?;
    // Not before PD answers: until a store serves, connections to it shall be refused, not kept
    // waiting.
    let (listener, addr) = bind(config.addr).await?;
    let (status_listener, status_addr) = bind(config.status_addr).await?;
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
    patiently(|| pd.put_store(about.clone())).await?;

    let node_config = NodeConfig {
        store_id: identity.store_id,
        timing,
        read: config.read,
        defects: config.defects.clone(),
        // Election timeouts must differ between processes, not be secret.
        seed: clock.now().unix_ms ^ identity.store_id.rotate_left(32),
        log_entries_kept: LOG_ENTRIES_KEPT,
        region_max_keys: config.region_max_keys,
        enable_ttl: config.enable_ttl,
        waiting_max: WAITING_MAX,
    };
    let node = Node::new(node_config, stored, clock.now());
    let metrics = Arc::new(Metrics::new(VERSION, clock.now().unix_s())?);
    let (events, queue) = mpsc::channel(EVENTS_WAITING_MAX);
    let mut driver = Driver::new(
        node,
        clock,
        engine.clone(),
        pd.clone(),
        (events.clone(), queue),
        metrics.clone(),
    )?;
    let service = Service { events: events.clone(), metrics: metrics.clone() };
    let server = tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(TikvServer::new(service.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(HealthServer::new(service))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    let shown = status::settings(&config, addr, status_addr);
    let pages = status::pages(metrics.clone(), identity.store_id, shown);
    let pages = foreign_requests::refused(pages, status_addr.ip());
    let status_server = axum::serve(status_listener, pages);

    let place = (engine, config.data_dir.clone());
    let heartbeats = heartbeat(pd, identity.store_id, place, timing, metrics);
    tokio::spawn(driver::watch_disk(config.data_dir, events));
    announce(Ready::Store { id: identity.store_id, addr, status_addr })
        .map_err(|error| StoreError::Server(format!("nobody reads our readiness: {error}")))?;
    tokio::select! {
        result = driver.run() => result,
        result = server => Err(StoreError::Server(ended(result.err()))),
        result = status_server => Err(StoreError::Server(ended(result.err()))),
        never = heartbeats => match never {},
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

/// Determines the store's identity: as noted in the directory, or, at the very first start, as
/// configured or as PD assigns it.
async fn identify(engine: &Engine, pd: &Pd, wanted: Option<u64>) -> Result<Identity, StoreError> {
    let expected = pd.cluster_id();
    match engine.identity()? {
        Some(identity) if identity.cluster_id == expected => Ok(identity),
        Some(Identity { cluster_id: found, .. }) => {
            Err(StoreError::ForeignCluster { found, expected })
        }
        None => {
            let store_id = match wanted {
                Some(id) => id,
                None => patiently(|| pd.alloc_id()).await?,
            };
            let identity = Identity { cluster_id: expected, store_id };
            engine.set_identity(identity)?;
            Ok(identity)
        }
    }
}

/// Bootstraps the cluster if necessary, and returns the data on disk: with our first region, if PD
/// took it.
async fn begin(
    engine: &Engine,
    pd: &Pd,
    about: &Store,
) -> Result<BTreeMap<u64, StoredRegion>, StoreError> {
    let stored = load(engine)?;
    // A store that crashed between writing the region and PD's answer continues from there.
    let known = stored.values().find_map(|stored| stored.as_first_region().cloned());
    let region = match known {
        Some(region) if patiently(|| pd.region(region.id)).await?.is_some() => return Ok(stored),
        Some(region) => region,
        None if !stored.is_empty() || patiently(|| pd.is_bootstrapped()).await? => {
            return Ok(stored);
        }
        None => {
            let region_id = patiently(|| pd.alloc_id()).await?;
            let peer_id = patiently(|| pd.alloc_id()).await?;
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
    let bootstrapped = patiently(|| pd.bootstrap(about.clone(), region.clone())).await?;
    // PD may have taken our region, and its answer may have been lost; asked again, it says only
    // that it has one.
    if !bootstrapped && patiently(|| pd.region(region_id)).await?.is_none() {
        engine.write(&[disk::without_first_region(region_id)])?;
    }
    load(engine)
}

fn load(engine: &Engine) -> Result<BTreeMap<u64, StoredRegion>, StoreError> {
    disk::load(engine.pairs()?).map_err(|error| StoreError::Corrupt(error.0))
}

async fn heartbeat(
    pd: Pd,
    store_id: u64,
    (engine, data_dir): (Engine, PathBuf),
    timing: Timing,
    metrics: Arc<Metrics>,
) -> Infallible {
    let started = Clock::start().now().unix_s();
    let mut interval = time::interval(Duration::from_millis(timing.store_heartbeat_ms));
    interval.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut last_s = started;
    loop {
        interval.tick().await;
        let now_s = Clock::start().now().unix_s();
        let sizes = sizes(&engine, &data_dir);
        metrics.set_sizes(sizes);
        let stats = pdpb::StoreStats {
            store_id,
            capacity: sizes.capacity,
            available: sizes.available,
            used_size: sizes.used,
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

fn sizes(engine: &Engine, data_dir: &Path) -> Sizes {
    let room = nix::sys::statvfs::statvfs(data_dir).ok();
    let bytes = |blocks: fn(&Statvfs) -> u64| {
        room.as_ref().map_or(0, |room| blocks(room).saturating_mul(room.fragment_size()))
    };
    Sizes {
        capacity: bytes(Statvfs::blocks),
        available: bytes(Statvfs::blocks_available),
        used: engine.disk_bytes(),
    }
}
