//! A fake cluster in this process: a PD and stores on loopback ports, one map of data, and a script
//! of mishaps.
//!
//! It checks what a store checks (leader, epoch) and does what the script says to the next
//! requests, so that a test knows what was applied while the client is told something else. It
//! replicates nothing.

mod pd;
mod store;

use proto::pdpb::pd_server::PdServer;
use proto::tikvpb::tikv_server::TikvServer;
use proto::{errorpb, metapb};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code,
    transport::{Server, ServerTlsConfig},
};

/// The treatment of the next request that reaches a store.
#[derive(Debug, Clone)]
pub enum Step {
    /// Not applied; the store answers with this region error.
    Refuse(errorpb::Error),
    /// Not applied; the store answers in words.
    Complain(&'static str),
    /// Applied, yet the store answers with this region error.
    ApplyAndRefuse(errorpb::Error),
    /// Applied, yet the call fails with this code.
    ApplyAndFail(Code),
    /// Applied, and never answered.
    ApplyAndHang,
}

#[derive(Debug, Default)]
pub struct State {
    pub data: BTreeMap<Vec<u8>, Vec<u8>>,
    pub regions: Vec<metapb::Region>,
    /// Region → store.
    pub leaders: HashMap<u64, u64>,
    /// PD's outdated leaders, by region.
    pub pd_leaders: HashMap<u64, u64>,
    pub addresses: HashMap<u64, SocketAddr>,
    pub script: VecDeque<Step>,
    /// Requests that were applied and that could change something.
    pub writes_applied: usize,
    /// Requests that reached a store.
    pub requests: usize,
}

pub struct FakeCluster {
    pub pd: String,
    state: Arc<Mutex<State>>,
    frozen: watch::Sender<bool>,
    _servers: JoinSet<()>,
}

impl FakeCluster {
    /// Three stores; regions up to "g", "p" and beyond, led by stores 1, 2 and 3.
    pub async fn start() -> Self {
        Self::start_over(None).await
    }

    /// Starts the cluster over TLS, which demands a certificate of its clients too.
    pub async fn start_over(tls: Option<ServerTlsConfig>) -> Self {
        let server = || match tls.clone() {
            Some(tls) => Server::builder().tls_config(tls).expect("usable certificates"),
            None => Server::builder(),
        };
        let state = Arc::new(Mutex::new(State::default()));
        let (frozen, is_frozen) = watch::channel(false);
        let mut servers = JoinSet::new();
        for id in 1..=3 {
            let (listener, address) = listen().await;
            state.lock().expect("no test panics under the lock").addresses.insert(id, address);
            let service = TikvServer::new(store::FakeStore { id, state: Arc::clone(&state) });
            servers.spawn(serve(server().add_service(service), listener));
        }
        let (listener, address) = listen().await;
        let pd = pd::FakePd { address, state: Arc::clone(&state), frozen: is_frozen };
        servers.spawn(serve(server().add_service(PdServer::new(pd)), listener));
        let cluster = Self { pd: address.to_string(), state, frozen, _servers: servers };
        cluster.set_regions(&[(1, "", "g", 1), (2, "g", "p", 1), (3, "p", "", 1)]);
        for region in 1..=3 {
            cluster.state().leaders.insert(region, region);
        }
        cluster
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics under the lock")
    }

    /// Regions by id, bounds and version of their epoch.
    pub fn set_regions(&self, regions: &[(u64, &str, &str, u64)]) {
        let peers = |region: u64| {
            (1..=3).map(move |store_id| metapb::Peer {
                id: region * 10 + store_id,
                store_id,
                ..metapb::Peer::default()
            })
        };
        self.state().regions = regions
            .iter()
            .map(|(id, start, end, version)| metapb::Region {
                id: *id,
                start_key: (*start).into(),
                end_key: (*end).into(),
                region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version: *version }),
                peers: peers(*id).collect(),
            })
            .collect();
    }

    pub fn next(&self, step: Step) {
        self.state().script.push_back(step);
    }

    /// From now on PD accepts connections and answers nothing, or answers again.
    pub fn freeze_pd(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

/// An address on which nobody listens.
pub async fn nobody() -> SocketAddr {
    listen().await.1
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

async fn serve(router: tonic::transport::server::Router, listener: TcpListener) {
    // It ends with the test's runtime; until then a failure shows as a test that gets no answers.
    let _ = router.serve_with_incoming(TcpListenerStream::new(listener)).await;
}

pub fn not_leader(region_id: u64) -> errorpb::Error {
    let not_leader = Some(errorpb::NotLeader { region_id, leader: None });
    errorpb::Error { message: "peer is not leader".into(), not_leader, ..Default::default() }
}

pub fn stale_command() -> errorpb::Error {
    let stale_command = Some(errorpb::StaleCommand {});
    errorpb::Error { message: "stale command".into(), stale_command, ..Default::default() }
}

pub fn busy() -> errorpb::Error {
    let server_is_busy = Some(errorpb::ServerIsBusy::default());
    errorpb::Error { message: "busy".into(), server_is_busy, ..Default::default() }
}

pub fn proposal_dropped() -> errorpb::Error {
    errorpb::Error { message: "raft: proposal dropped".into(), ..Default::default() }
}

/// Writes a service in which the calls of the list answer `UNIMPLEMENTED`.
macro_rules! service {
    (impl $trait:ident for $type:ty { $($own:tt)* } $($name:ident($ask:ty) -> $answer:ty;)*) => {
        #[tonic::async_trait]
        impl $trait for $type {
            $($own)*
            $(async fn $name(
                &self,
                _: tonic::Request<$ask>,
            ) -> Result<tonic::Response<$answer>, tonic::Status> {
                Err(tonic::Status::unimplemented(stringify!($name)))
            })*
        }
    };
}
pub(crate) use service;
