//! PD's gRPC: converts requests into inputs of the core, and its answers into PD's responses.
//!
//! A request meant for another cluster fails the call; a refusal of the core is put in the
//! response's header, as PD does. Missing methods answer `UNIMPLEMENTED`.

mod answers;
mod health;
mod streams;

use super::{
    core::{Core, Refusal, regions::Region},
    member::{CLUSTER_VERSION, Member},
    shell::{STEPS_QUEUED_MAX, Shell},
};
use proto::{metapb, pdpb};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The service.
#[derive(Debug, Clone)]
pub struct PdService {
    shell: Arc<Shell>,
    member: Member,
}

type Answer<T> = Result<Response<T>, Status>;

impl PdService {
    /// Creates the service of a PD.
    pub fn new(shell: Arc<Shell>, member: Member) -> Self {
        Self { shell, member }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the service's calls have it")]
    fn region(
        &self,
        question: impl FnOnce(&Core) -> Option<&Region>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let (header, region) = self.view(|core, _| Ok(question(core).cloned()));
        let Some(region) = region else {
            return Ok(Response::new(pdpb::GetRegionResponse { header, ..Default::default() }));
        };
        Ok(Response::new(pdpb::GetRegionResponse {
            header,
            region: Some(region.meta),
            leader: region.leader,
            down_peers: region.down,
            pending_peers: region.pending,
        }))
    }
}

fn extended(region: Region) -> pdpb::Region {
    pdpb::Region {
        leader: Some(region.leader.unwrap_or_default()),
        region: Some(region.meta),
        down_peers: region.down,
        pending_peers: region.pending,
    }
}

/// Returns true if the regions, which are in order, leave no hole in a range.
fn covers(regions: &[Region], range: &pdpb::KeyRange) -> bool {
    let mut reached = range.start_key.as_slice();
    for region in regions {
        let (start, end) = (region.meta.start_key.as_slice(), region.meta.end_key.as_slice());
        if start > reached || !end.is_empty() && end <= reached {
            continue;
        }
        if end.is_empty() || !range.end_key.is_empty() && end >= range.end_key.as_slice() {
            return true;
        }
        reached = end;
    }
    false
}

#[tonic::async_trait]
impl pdpb::pd_server::Pd for PdService {
    type TsoStream = ReceiverStream<Result<pdpb::TsoResponse, Status>>;
    type RegionHeartbeatStream = ReceiverStream<Result<pdpb::RegionHeartbeatResponse, Status>>;

    async fn get_cluster_info(
        &self,
        _: Request<pdpb::GetClusterInfoRequest>,
    ) -> Answer<pdpb::GetClusterInfoResponse> {
        Ok(Response::new(pdpb::GetClusterInfoResponse {
            header: self.header(None),
            service_modes: vec![pdpb::ServiceMode::PdSvcMode.into()],
            tso_urls: Vec::new(),
        }))
    }

    async fn get_members(
        &self,
        _: Request<pdpb::GetMembersRequest>,
    ) -> Answer<pdpb::GetMembersResponse> {
        // Any cluster's members may be asked for: a client learns the cluster's id this way.
        let member = self.member.wire();
        Ok(Response::new(pdpb::GetMembersResponse {
            header: self.header(None),
            members: vec![member.clone()],
            leader: Some(member.clone()),
            etcd_leader: Some(member),
            ..Default::default()
        }))
    }

    async fn tso(&self, request: Request<Streaming<pdpb::TsoRequest>>) -> Answer<Self::TsoStream> {
        let (send, receive) = mpsc::channel(STEPS_QUEUED_MAX);
        tokio::spawn(self.clone().give_timestamps(request.into_inner(), send));
        Ok(Response::new(ReceiverStream::new(receive)))
    }

    async fn bootstrap(
        &self,
        request: Request<pdpb::BootstrapRequest>,
    ) -> Answer<pdpb::BootstrapResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (header, ()) = self.act(|core, now| core.bootstrap(now, request.store, request.region));
        Ok(Response::new(pdpb::BootstrapResponse { header }))
    }

    async fn is_bootstrapped(
        &self,
        request: Request<pdpb::IsBootstrappedRequest>,
    ) -> Answer<pdpb::IsBootstrappedResponse> {
        self.check(request.get_ref().header.as_ref())?;
        let bootstrapped = self.shell.view(|core, _| core.is_bootstrapped());
        Ok(Response::new(pdpb::IsBootstrappedResponse { header: self.header(None), bootstrapped }))
    }

    async fn alloc_id(
        &self,
        request: Request<pdpb::AllocIdRequest>,
    ) -> Answer<pdpb::AllocIdResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let count = request.count.max(1);
        let (header, id) = self.act(|core, _| Ok(core.alloc_ids(count)));
        Ok(Response::new(pdpb::AllocIdResponse { header, id, count }))
    }

    async fn get_store(
        &self,
        request: Request<pdpb::GetStoreRequest>,
    ) -> Answer<pdpb::GetStoreResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let id = request.store_id;
        let (header, store) = self
            .view(|core, _| core.store(id).cloned().map(Some).ok_or(Refusal::StoreNotFound(id)));
        let (store, stats) = store.map(|store| (store.meta, store.stats)).unzip();
        Ok(Response::new(pdpb::GetStoreResponse { header, store, stats }))
    }

    async fn put_store(
        &self,
        request: Request<pdpb::PutStoreRequest>,
    ) -> Answer<pdpb::PutStoreResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (header, ()) =
            self.act(|core, now| core.put_store(now, request.store.unwrap_or_default()));
        Ok(Response::new(pdpb::PutStoreResponse { header }))
    }

    async fn get_all_stores(
        &self,
        request: Request<pdpb::GetAllStoresRequest>,
    ) -> Answer<pdpb::GetAllStoresResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let wanted = |store: &metapb::Store| {
            !request.exclude_tombstone_stores || store.state() != metapb::StoreState::Tombstone
        };
        let (header, stores) = self.view(|core, _| {
            Ok(core.stores().map(|store| store.meta.clone()).filter(wanted).collect())
        });
        Ok(Response::new(pdpb::GetAllStoresResponse { header, stores }))
    }

    async fn store_heartbeat(
        &self,
        request: Request<pdpb::StoreHeartbeatRequest>,
    ) -> Answer<pdpb::StoreHeartbeatResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (header, ()) =
            self.act(|core, now| core.store_heartbeat(now, request.stats.unwrap_or_default()));
        let cluster_version = CLUSTER_VERSION.into();
        Ok(Response::new(pdpb::StoreHeartbeatResponse { header, cluster_version }))
    }

    async fn region_heartbeat(
        &self,
        request: Request<Streaming<pdpb::RegionHeartbeatRequest>>,
    ) -> Answer<Self::RegionHeartbeatStream> {
        let (steps, receive) = mpsc::channel(STEPS_QUEUED_MAX);
        tokio::spawn(self.clone().hear_regions(request.into_inner(), steps));
        Ok(Response::new(ReceiverStream::new(receive)))
    }

    async fn get_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.region(|core| core.regions().by_key(&request.region_key))
    }

    async fn get_prev_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.region(|core| core.regions().before_key(&request.region_key))
    }

    async fn get_region_by_id(
        &self,
        request: Request<pdpb::GetRegionByIdRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.region(|core| core.regions().get(request.region_id))
    }

    async fn scan_regions(
        &self,
        request: Request<pdpb::ScanRegionsRequest>,
    ) -> Answer<pdpb::ScanRegionsResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let limit = request.limit.max(0) as usize;
        let (header, regions) = self.view(|core, _| {
            let found = core.regions().scan(&request.start_key, &request.end_key, limit);
            Ok(found.into_iter().cloned().collect::<Vec<_>>())
        });
        let leader = |region: &Region| region.leader.unwrap_or_default();
        Ok(Response::new(pdpb::ScanRegionsResponse {
            header,
            region_metas: regions.iter().map(|region| region.meta.clone()).collect(),
            leaders: regions.iter().map(leader).collect(),
            regions: regions.into_iter().map(extended).collect(),
        }))
    }

    async fn batch_scan_regions(
        &self,
        request: Request<pdpb::BatchScanRegionsRequest>,
    ) -> Answer<pdpb::BatchScanRegionsResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let limit = request.limit.max(0) as usize;
        let (header, regions) = self.view(|core, _| {
            let mut found: Vec<Region> = Vec::new();
            for range in &request.ranges {
                let left = limit.saturating_sub(found.len());
                if limit > 0 && left == 0 {
                    break;
                }
                let in_range = core.regions().scan(&range.start_key, &range.end_key, left);
                // Two ranges may lie in one region, which is listed once.
                let last = found.last().map(|region| region.meta.id);
                found.extend(in_range.into_iter().filter(|it| Some(it.meta.id) != last).cloned());
            }
            let uncovered = request.contain_all_key_range
                && !request.ranges.iter().all(|range| covers(&found, range));
            if uncovered { Err(Refusal::RangesNotCovered) } else { Ok(found) }
        });
        let regions = regions.into_iter().map(extended).collect();
        Ok(Response::new(pdpb::BatchScanRegionsResponse { header, regions }))
    }

    async fn ask_batch_split(
        &self,
        request: Request<pdpb::AskBatchSplitRequest>,
    ) -> Answer<pdpb::AskBatchSplitResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let region = request.region.unwrap_or_default();
        let (header, ids) = self.act(|core, _| core.split_ids(&region, request.split_count));
        Ok(Response::new(pdpb::AskBatchSplitResponse { header, ids }))
    }

    async fn report_batch_split(
        &self,
        request: Request<pdpb::ReportBatchSplitRequest>,
    ) -> Answer<pdpb::ReportBatchSplitResponse> {
        // Only noted in the log, as in PD: the new leaders' heartbeats bring the regions.
        self.check(request.get_ref().header.as_ref())?;
        tracing::info!(regions = request.get_ref().regions.len(), "split reported");
        Ok(Response::new(pdpb::ReportBatchSplitResponse { header: self.header(None) }))
    }

    async fn get_cluster_config(
        &self,
        request: Request<pdpb::GetClusterConfigRequest>,
    ) -> Answer<pdpb::GetClusterConfigResponse> {
        self.check(request.get_ref().header.as_ref())?;
        let (header, cluster) = self.view(|core, _| {
            let max_peer_count = core.settings().policy().max_replicas as u32;
            Ok(Some(metapb::Cluster { id: core.cluster_id(), max_peer_count }))
        });
        Ok(Response::new(pdpb::GetClusterConfigResponse { header, cluster }))
    }

    async fn put_cluster_config(
        &self,
        request: Request<pdpb::PutClusterConfigRequest>,
    ) -> Answer<pdpb::PutClusterConfigResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let count = request.cluster.unwrap_or_default().max_peer_count;
        let change = [("max-replicas".to_owned(), count.into())].into_iter().collect();
        let (header, ()) = self.act(|core, _| {
            core.expect_bootstrapped()?;
            core.change_settings(&change)
        });
        Ok(Response::new(pdpb::PutClusterConfigResponse { header }))
    }

    async fn get_gc_safe_point(
        &self,
        request: Request<pdpb::GetGcSafePointRequest>,
    ) -> Answer<pdpb::GetGcSafePointResponse> {
        self.check(request.get_ref().header.as_ref())?;
        let (header, safe_point) = self.view(|core, _| Ok(core.gc_safe_point()));
        Ok(Response::new(pdpb::GetGcSafePointResponse { header, safe_point }))
    }

    async fn update_gc_safe_point(
        &self,
        request: Request<pdpb::UpdateGcSafePointRequest>,
    ) -> Answer<pdpb::UpdateGcSafePointResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (header, new_safe_point) = self.act(|core, _| {
            core.expect_bootstrapped()?;
            Ok(core.advance_gc_safe_point(request.safe_point))
        });
        Ok(Response::new(pdpb::UpdateGcSafePointResponse { header, new_safe_point }))
    }

    async fn get_operator(
        &self,
        request: Request<pdpb::GetOperatorRequest>,
    ) -> Answer<pdpb::GetOperatorResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let id = request.region_id;
        let (header, found) = self.view(|core, _| {
            let (operator, progress) = core.last_operator(id).ok_or(Refusal::RegionNotFound(id))?;
            Ok(Some((operator.description.clone(), operator.kind(), progress)))
        });
        let Some((description, kind, progress)) = found else {
            return Ok(Response::new(pdpb::GetOperatorResponse { header, ..Default::default() }));
        };
        Ok(Response::new(pdpb::GetOperatorResponse {
            header,
            region_id: id,
            desc: description.into_bytes(),
            status: progress.wire().into(),
            kind: kind.into_bytes(),
        }))
    }

    async fn report_min_resolved_ts(
        &self,
        request: Request<pdpb::ReportMinResolvedTsRequest>,
    ) -> Answer<pdpb::ReportMinResolvedTsResponse> {
        self.check(request.get_ref().header.as_ref())?;
        Ok(Response::new(pdpb::ReportMinResolvedTsResponse { header: self.header(None) }))
    }
}
