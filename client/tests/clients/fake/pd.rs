//! The fake's PD: members, regions by key, stores; frozen on wish.

use super::{State, service};
use proto::metapb;
use proto::pdpb::pd_server::Pd;
use proto::pdpb::*;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

pub struct FakePd {
    pub address: SocketAddr,
    pub state: Arc<Mutex<State>>,
    pub frozen: watch::Receiver<bool>,
}

impl FakePd {
    async fn thaw(&self) {
        // The sender goes when the test ends, and then nobody waits for the answer.
        let _ = self.frozen.clone().wait_for(|frozen| !frozen).await;
    }

    fn answer(&self, region: Option<metapb::Region>) -> GetRegionResponse {
        let state = self.state.lock().expect("no test panics under the lock");
        let leader = region.as_ref().and_then(|region| {
            let believed = state.pd_leaders.get(&region.id);
            let store = believed.or_else(|| state.leaders.get(&region.id))?;
            region.peers.iter().find(|peer| peer.store_id == *store).copied()
        });
        GetRegionResponse { header: header(), region, leader, ..Default::default() }
    }

    fn position(&self, key: &[u8]) -> Option<usize> {
        let state = self.state.lock().expect("no test panics under the lock");
        state.regions.iter().position(|region| {
            key >= &region.start_key[..] && (region.end_key.is_empty() || key < &region.end_key[..])
        })
    }

    fn region(&self, position: Option<usize>) -> Option<metapb::Region> {
        let state = self.state.lock().expect("no test panics under the lock");
        position.and_then(|position| state.regions.get(position).cloned())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the wire's field is optional")]
fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: 42, error: None })
}

service! {
    impl Pd for FakePd {
        type TsoStream = Empty<Result<TsoResponse, Status>>;
        type RegionHeartbeatStream = Empty<Result<RegionHeartbeatResponse, Status>>;

        async fn get_members(
            &self,
            _: Request<GetMembersRequest>,
        ) -> Result<Response<GetMembersResponse>, Status> {
            self.thaw().await;
            let client_urls = vec![format!("http://{}", self.address)];
            let member = Member { name: "pd1".into(), member_id: 1, client_urls, ..Default::default() };
            Ok(Response::new(GetMembersResponse {
                header: header(),
                members: vec![member.clone()],
                leader: Some(member),
                ..Default::default()
            }))
        }

        async fn get_region(
            &self,
            request: Request<GetRegionRequest>,
        ) -> Result<Response<GetRegionResponse>, Status> {
            self.thaw().await;
            let position = self.position(&request.into_inner().region_key);
            Ok(Response::new(self.answer(self.region(position))))
        }

        async fn get_prev_region(
            &self,
            request: Request<GetRegionRequest>,
        ) -> Result<Response<GetRegionResponse>, Status> {
            self.thaw().await;
            let position = self.position(&request.into_inner().region_key);
            let before = position.and_then(|position| position.checked_sub(1));
            Ok(Response::new(self.answer(self.region(before))))
        }

        async fn get_store(
            &self,
            request: Request<GetStoreRequest>,
        ) -> Result<Response<GetStoreResponse>, Status> {
            self.thaw().await;
            let id = request.into_inner().store_id;
            let state = self.state.lock().expect("no test panics under the lock");
            let address = state.addresses.get(&id).map(ToString::to_string);
            let store = address
                .map(|address| metapb::Store { id, address, ..Default::default() });
            Ok(Response::new(GetStoreResponse { header: header(), store, ..Default::default() }))
        }
    }
    get_cluster_info(GetClusterInfoRequest) -> GetClusterInfoResponse;
    tso(Streaming<TsoRequest>) -> Self::TsoStream;
    bootstrap(BootstrapRequest) -> BootstrapResponse;
    is_bootstrapped(IsBootstrappedRequest) -> IsBootstrappedResponse;
    alloc_id(AllocIdRequest) -> AllocIdResponse;
    put_store(PutStoreRequest) -> PutStoreResponse;
    get_all_stores(GetAllStoresRequest) -> GetAllStoresResponse;
    store_heartbeat(StoreHeartbeatRequest) -> StoreHeartbeatResponse;
    region_heartbeat(Streaming<RegionHeartbeatRequest>) -> Self::RegionHeartbeatStream;
    get_region_by_id(GetRegionByIdRequest) -> GetRegionResponse;
    scan_regions(ScanRegionsRequest) -> ScanRegionsResponse;
    ask_batch_split(AskBatchSplitRequest) -> AskBatchSplitResponse;
    report_batch_split(ReportBatchSplitRequest) -> ReportBatchSplitResponse;
    get_cluster_config(GetClusterConfigRequest) -> GetClusterConfigResponse;
    put_cluster_config(PutClusterConfigRequest) -> PutClusterConfigResponse;
    get_gc_safe_point(GetGcSafePointRequest) -> GetGcSafePointResponse;
    update_gc_safe_point(UpdateGcSafePointRequest) -> UpdateGcSafePointResponse;
    get_operator(GetOperatorRequest) -> GetOperatorResponse;
    batch_scan_regions(BatchScanRegionsRequest) -> BatchScanRegionsResponse;
    report_min_resolved_ts(ReportMinResolvedTsRequest) -> ReportMinResolvedTsResponse;
}
