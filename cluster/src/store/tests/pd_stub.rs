//! A stub of PD with the calls that a store needs to start. It assigns ids, remembers stores and
//! regions, and passes on the operators that a test has for a region.

use proto::{
    metapb,
    pdpb::{
        self,
        pd_server::{Pd, PdServer},
    },
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::{
    Stream,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming};

const CLUSTER_ID: u64 = 42;

#[derive(Clone, Default)]
pub struct PdStub(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    last_id: u64,
    pub stores: BTreeMap<u64, metapb::Store>,
    /// Regions by id with their leaders, as last reported.
    pub regions: BTreeMap<u64, (metapb::Region, Option<metapb::Peer>)>,
    /// The answer to the next heartbeat of a region.
    pub wishes: BTreeMap<u64, pdpb::RegionHeartbeatResponse>,
    bootstrapped: bool,
}

type Answer<T> = Result<Response<T>, Status>;
type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl PdStub {
    /// Serves on a port of its own until the runtime ends.
    pub async fn start() -> (Self, SocketAddr) {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Serves at this address until the runtime ends.
    pub async fn start_at(addr: SocketAddr) -> (Self, SocketAddr) {
        let stub = Self::default();
        let listener = TcpListener::bind(addr).await.expect("loopback has a free port");
        let addr = listener.local_addr().expect("it is bound");
        let server = tonic::transport::Server::builder()
            .add_service(PdServer::new(stub.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (stub, addr)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it looks")
    }
}

fn header() -> pdpb::ResponseHeader {
    pdpb::ResponseHeader { cluster_id: CLUSTER_ID, error: None }
}

macro_rules! unserved {
    ($($method:ident: $request:ident -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl Pd for PdStub {
            $(async fn $method(&self, _: Request<pdpb::$request>) -> Answer<pdpb::$response> {
                Err(Status::unimplemented(stringify!($method)))
            })*

            type TsoStream = Boxed<pdpb::TsoResponse>;

            async fn tso(&self, _: Request<Streaming<pdpb::TsoRequest>>) -> Answer<Self::TsoStream> {
                Err(Status::unimplemented("tso"))
            }

            async fn get_members(
                &self,
                _: Request<pdpb::GetMembersRequest>,
            ) -> Answer<pdpb::GetMembersResponse> {
                Ok(Response::new(pdpb::GetMembersResponse { header: Some(header()), ..Default::default() }))
            }

            async fn alloc_id(
                &self,
                _: Request<pdpb::AllocIdRequest>,
            ) -> Answer<pdpb::AllocIdResponse> {
                let mut state = self.state();
                state.last_id += 1;
                let id = state.last_id;
                Ok(Response::new(pdpb::AllocIdResponse { header: Some(header()), id, count: 1 }))
            }

            async fn is_bootstrapped(
                &self,
                _: Request<pdpb::IsBootstrappedRequest>,
            ) -> Answer<pdpb::IsBootstrappedResponse> {
                let bootstrapped = self.state().bootstrapped;
                Ok(Response::new(pdpb::IsBootstrappedResponse { header: Some(header()), bootstrapped }))
            }

            async fn bootstrap(
                &self,
                request: Request<pdpb::BootstrapRequest>,
            ) -> Answer<pdpb::BootstrapResponse> {
                let mut state = self.state();
                let mut header = header();
                if std::mem::replace(&mut state.bootstrapped, true) {
                    let error = pdpb::Error {
                        r#type: pdpb::ErrorType::AlreadyBootstrapped as i32,
                        message: "cluster is already bootstrapped".into(),
                    };
                    header.error = Some(error);
                } else if let Some(region) = request.into_inner().region {
                    state.regions.insert(region.id, (region, None));
                }
                Ok(Response::new(pdpb::BootstrapResponse { header: Some(header) }))
            }

            async fn put_store(
                &self,
                request: Request<pdpb::PutStoreRequest>,
            ) -> Answer<pdpb::PutStoreResponse> {
                let store = request.into_inner().store.unwrap_or_default();
                self.state().stores.insert(store.id, store);
                Ok(Response::new(pdpb::PutStoreResponse { header: Some(header()) }))
            }

            async fn get_store(
                &self,
                request: Request<pdpb::GetStoreRequest>,
            ) -> Answer<pdpb::GetStoreResponse> {
                let store = self.state().stores.get(&request.into_inner().store_id).cloned();
                let header = Some(header());
                Ok(Response::new(pdpb::GetStoreResponse { header, store, ..Default::default() }))
            }

            async fn store_heartbeat(
                &self,
                _: Request<pdpb::StoreHeartbeatRequest>,
            ) -> Answer<pdpb::StoreHeartbeatResponse> {
                Ok(Response::new(pdpb::StoreHeartbeatResponse { header: Some(header()), ..Default::default() }))
            }

            async fn get_region_by_id(
                &self,
                request: Request<pdpb::GetRegionByIdRequest>,
            ) -> Answer<pdpb::GetRegionResponse> {
                let known = self.state().regions.get(&request.into_inner().region_id).cloned();
                let (region, leader) = known.unzip();
                let leader = leader.flatten();
                let header = Some(header());
                Ok(Response::new(pdpb::GetRegionResponse { header, region, leader, ..Default::default() }))
            }

            async fn ask_batch_split(
                &self,
                request: Request<pdpb::AskBatchSplitRequest>,
            ) -> Answer<pdpb::AskBatchSplitResponse> {
                let request = request.into_inner();
                let peers = request.region.unwrap_or_default().peers.len();
                let mut state = self.state();
                let mut id = || {
                    state.last_id += 1;
                    state.last_id
                };
                let ids = (0..request.split_count).map(|_| pdpb::SplitId {
                    new_region_id: id(),
                    new_peer_ids: (0..peers).map(|_| id()).collect(),
                });
                let ids = ids.collect();
                Ok(Response::new(pdpb::AskBatchSplitResponse { header: Some(header()), ids }))
            }

            type RegionHeartbeatStream = Boxed<pdpb::RegionHeartbeatResponse>;

            async fn region_heartbeat(
                &self,
                request: Request<Streaming<pdpb::RegionHeartbeatRequest>>,
            ) -> Answer<Self::RegionHeartbeatStream> {
                let (sender, wishes) = mpsc::channel(16);
                let mut heartbeats = request.into_inner();
                let stub = self.clone();
                tokio::spawn(async move {
                    while let Ok(Some(heartbeat)) = heartbeats.message().await {
                        let wish = stub.hear(heartbeat);
                        if let Some(wish) = wish && sender.send(Ok(wish)).await.is_err() {
                            return;
                        }
                    }
                });
                Ok(Response::new(Box::pin(ReceiverStream::new(wishes))))
            }
        }
    };
}

impl PdStub {
    fn hear(
        &self,
        heartbeat: pdpb::RegionHeartbeatRequest,
    ) -> Option<pdpb::RegionHeartbeatResponse> {
        let region = heartbeat.region?;
        let mut state = self.state();
        let wish = state.wishes.remove(&region.id).map(|wish| pdpb::RegionHeartbeatResponse {
            region_id: region.id,
            region_epoch: region.region_epoch,
            ..wish
        });
        state.regions.insert(region.id, (region, heartbeat.leader));
        wish
    }
}

unserved! {
    get_cluster_info: GetClusterInfoRequest -> GetClusterInfoResponse;
    get_all_stores: GetAllStoresRequest -> GetAllStoresResponse;
    get_region: GetRegionRequest -> GetRegionResponse;
    get_prev_region: GetRegionRequest -> GetRegionResponse;
    scan_regions: ScanRegionsRequest -> ScanRegionsResponse;
    batch_scan_regions: BatchScanRegionsRequest -> BatchScanRegionsResponse;
    report_batch_split: ReportBatchSplitRequest -> ReportBatchSplitResponse;
    get_cluster_config: GetClusterConfigRequest -> GetClusterConfigResponse;
    put_cluster_config: PutClusterConfigRequest -> PutClusterConfigResponse;
    get_gc_safe_point: GetGcSafePointRequest -> GetGcSafePointResponse;
    update_gc_safe_point: UpdateGcSafePointRequest -> UpdateGcSafePointResponse;
    get_operator: GetOperatorRequest -> GetOperatorResponse;
    report_min_resolved_ts: ReportMinResolvedTsRequest -> ReportMinResolvedTsResponse;
}
