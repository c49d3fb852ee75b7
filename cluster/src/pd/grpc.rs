//! PD's gRPC: requests into inputs of the core, its answers into PD's responses.
//!
//! A request meant for another cluster fails the call; a refusal of the core stands in the response's header, as PD
//! has it. What is not here answers `UNIMPLEMENTED`.

use super::{
    core::{Core, Now, Refusal, regions::Region},
    member::{CLUSTER_VERSION, Member},
    shell::{STEPS_QUEUED_MAX, Shell, StepSender},
};
use proto::{
    health::{
        HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
        health_server::Health,
    },
    metapb, pdpb,
};
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

/// What a refusal is in a response's header.
fn header_error(refusal: &Refusal) -> pdpb::Error {
    use pdpb::ErrorType;
    let kind = match refusal {
        Refusal::NotBootstrapped => ErrorType::NotBootstrapped,
        Refusal::AlreadyBootstrapped => ErrorType::AlreadyBootstrapped,
        Refusal::StoreTombstone => ErrorType::StoreTombstone,
        Refusal::RegionNotFound(_) => ErrorType::RegionNotFound,
        Refusal::InvalidBootstrap(_)
        | Refusal::StoreNotFound(_)
        | Refusal::DuplicateAddress { .. }
        | Refusal::RegionStale { .. }
        | Refusal::InvalidCount(_)
        | Refusal::Operator(_)
        | Refusal::Setting(_)
        | Refusal::Disk(_) => ErrorType::Unknown,
    };
    pdpb::Error { r#type: kind.into(), message: refusal.to_string() }
}

impl PdService {
    /// The service of a PD.
    pub fn new(shell: Arc<Shell>, member: Member) -> Self {
        Self { shell, member }
    }

    fn check(&self, header: Option<&pdpb::RequestHeader>) -> Result<(), Status> {
        let got = header.map_or(0, |header| header.cluster_id);
        let need = self.member.cluster_id;
        if got == need {
            return Ok(());
        }
        let text = format!("mismatch cluster id, need {need} but got {got}");
        Err(Status::failed_precondition(text))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the responses have it")]
    fn header(&self, error: Option<pdpb::Error>) -> Option<pdpb::ResponseHeader> {
        Some(pdpb::ResponseHeader { cluster_id: self.member.cluster_id, error })
    }

    /// A mutation: the header that tells how it went, and its answer or nothing.
    fn act<T: Default>(
        &self,
        input: impl FnOnce(&mut Core, Now) -> Result<T, Refusal>,
    ) -> (Option<pdpb::ResponseHeader>, T) {
        self.told(self.shell.act(input))
    }

    /// A question to a bootstrapped cluster, likewise.
    fn view<T: Default>(
        &self,
        question: impl FnOnce(&Core, Now) -> Result<T, Refusal>,
    ) -> (Option<pdpb::ResponseHeader>, T) {
        self.told(self.shell.view(|core, now| {
            core.expect_bootstrapped()?;
            question(core, now)
        }))
    }

    fn told<T: Default>(&self, answer: Result<T, Refusal>) -> (Option<pdpb::ResponseHeader>, T) {
        match answer {
            Ok(value) => (self.header(None), value),
            Err(refusal) => (self.header(Some(header_error(&refusal))), T::default()),
        }
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

    /// Serves one store's heartbeats until its stream ends.
    async fn hear_regions(
        self,
        mut beats: Streaming<pdpb::RegionHeartbeatRequest>,
        steps: StepSender,
    ) {
        while let Ok(Some(beat)) = beats.message().await {
            if let Err(status) = self.check(beat.header.as_ref()) {
                let _ = steps.send(Err(status)).await;
                break;
            }
            let leader = beat.leader;
            let region_id = beat.region.as_ref().map_or(0, |region| region.id);
            if let Some(leader) = &leader {
                self.shell.bind(leader.store_id, &steps);
            }
            if let Err(refusal) = self.shell.act(|core, now| core.region_heartbeat(now, beat)) {
                tracing::debug!(region_id, %refusal, "heartbeat refused");
                // Not waited for: a store that does not read its steps must not stop its heartbeats.
                let _ = steps.try_send(Ok(pdpb::RegionHeartbeatResponse {
                    header: self.header(Some(header_error(&refusal))),
                    region_id,
                    target_peer: leader,
                    ..Default::default()
                }));
            }
        }
        self.shell.unbind(&steps);
    }
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
        // Any cluster's members may be asked for: this is how a client learns the cluster's id.
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
        let service = self.clone();
        let mut requests = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let count = request.count;
                let answer = service.check(request.header.as_ref()).and_then(|()| {
                    let timestamp = service.shell.act(|core, now| core.timestamp(now, count));
                    timestamp.map_err(|refusal| Status::unknown(refusal.to_string()))
                });
                let answer = answer.map(|timestamp| pdpb::TsoResponse {
                    header: service.header(None),
                    count,
                    timestamp: Some(timestamp),
                });
                let failed = answer.is_err();
                if send.send(answer).await.is_err() || failed {
                    break;
                }
            }
        });
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
            regions: regions
                .into_iter()
                .map(|region| pdpb::Region {
                    leader: Some(leader(&region)),
                    region: Some(region.meta),
                    down_peers: region.down,
                    pending_peers: region.pending,
                })
                .collect(),
        }))
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
        // Only news for the log, as in PD: the new leaders' heartbeats bring the regions.
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

#[tonic::async_trait]
impl Health for PdService {
    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Answer<Self::WatchStream> {
        let (send, receive) = mpsc::channel(1);
        let serving = HealthCheckResponse { status: ServingStatus::Serving.into() };
        tokio::spawn(async move {
            // The state never changes while this process lives: one answer, then an open stream.
            if send.send(Ok(serving)).await.is_ok() {
                send.closed().await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receive)))
    }
}
