//! PD as a store uses it: registration, addresses of other stores, heartbeats of led regions, and
//! PD's operators.
//!
//! In: heartbeats and requests of the node. Out: PD's operators and answers, as inputs of the node.
//! A PD that is down or frozen costs time but nothing else: every call has a deadline, every queue
//! a limit, and streams are opened again.

use super::{
    StoreError,
    driver::Event,
    node::{command::SplitPart, effects::Input},
};
use proto::{
    metapb::{Region, Store},
    pdpb::{self, pd_client::PdClient},
};
use std::time::Duration;
use tokio::{sync::mpsc, time};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

const CALL_TIMEOUT: Duration = Duration::from_secs(3);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The pause between two lines in the log about a PD that does not answer.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);
/// More than the regions that a store leads, so that a round of heartbeats fits.
const HEARTBEATS_WAITING_MAX: usize = 16_384;

/// PD's client; clones share a connection.
#[derive(Clone)]
pub struct Pd {
    client: PdClient<Channel>,
    cluster_id: u64,
}

impl Pd {
    /// Connects and asks for the cluster's id, again and again until PD answers, as TiKV does. So a
    /// store that is started before its PD, or while that is down, serves as soon as PD does.
    pub async fn connect(endpoint: &str) -> Result<Self, StoreError> {
        let url = match endpoint.split_once("://") {
            Some(_) => endpoint.to_owned(),
            None => format!("http://{endpoint}"),
        };
        let channel = Endpoint::from_shared(url)
            .map_err(|error| StoreError::Pd(format!("{endpoint} is no address: {error}")))?
            .connect_timeout(CALL_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .tcp_nodelay(true)
            .connect_lazy();
        let client = PdClient::new(channel);
        let cluster_id = patiently(|| async {
            let request = pdpb::GetMembersRequest::default();
            let answer = client.clone().get_members(request).await.map_err(|e| failed(&e))?;
            let header = answer.into_inner().header.unwrap_or_default();
            let none = || StoreError::PdUnreachable(format!("{endpoint} names no cluster"));
            Some(header.cluster_id).filter(|id| *id != 0).ok_or_else(none)
        })
        .await?;
        Ok(Self { client, cluster_id })
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    fn header(&self) -> pdpb::RequestHeader {
        pdpb::RequestHeader { cluster_id: self.cluster_id, sender_id: 0 }
    }

    /// Allocates an id that is unique in the cluster.
    pub async fn alloc_id(&self) -> Result<u64, StoreError> {
        let request = pdpb::AllocIdRequest { header: Some(self.header()), count: 1 };
        let response = self.client.clone().alloc_id(request).await.map_err(|e| failed(&e))?;
        let response = response.into_inner();
        accepted(response.header)?;
        Ok(response.id)
    }

    /// Returns true if the cluster is bootstrapped.
    pub async fn is_bootstrapped(&self) -> Result<bool, StoreError> {
        let request = pdpb::IsBootstrappedRequest { header: Some(self.header()) };
        let response =
            self.client.clone().is_bootstrapped(request).await.map_err(|e| failed(&e))?;
        let response = response.into_inner();
        accepted(response.header)?;
        Ok(response.bootstrapped)
    }

    /// Bootstraps the cluster with that region. Returns false if another store did it first.
    pub async fn bootstrap(&self, store: Store, region: Region) -> Result<bool, StoreError> {
        let (store, region) = (Some(store), Some(region));
        let request = pdpb::BootstrapRequest { header: Some(self.header()), store, region };
        let response = self.client.clone().bootstrap(request).await.map_err(|e| failed(&e))?;
        let header = response.into_inner().header;
        let error = header.as_ref().and_then(|header| header.error.as_ref());
        if error.is_some_and(|e| e.r#type() == pdpb::ErrorType::AlreadyBootstrapped) {
            return Ok(false);
        }
        accepted(header)?;
        Ok(true)
    }

    /// Registers the store.
    pub async fn put_store(&self, store: Store) -> Result<(), StoreError> {
        let request = pdpb::PutStoreRequest { header: Some(self.header()), store: Some(store) };
        let response = self.client.clone().put_store(request).await.map_err(|e| failed(&e))?;
        accepted(response.into_inner().header)
    }

    /// The address of another store.
    pub async fn store_address(&self, store_id: u64) -> Option<String> {
        let request = pdpb::GetStoreRequest { header: Some(self.header()), store_id };
        let response = self.client.clone().get_store(request).await.ok()?.into_inner();
        accepted(response.header).ok()?;
        let store = response.store?;
        let address =
            if store.peer_address.is_empty() { store.address } else { store.peer_address };
        (!address.is_empty()).then_some(address)
    }

    /// Sends the store's heartbeat.
    pub async fn store_heartbeat(&self, stats: pdpb::StoreStats) -> Result<(), StoreError> {
        let request =
            pdpb::StoreHeartbeatRequest { header: Some(self.header()), stats: Some(stats) };
        let response =
            self.client.clone().store_heartbeat(request).await.map_err(|e| failed(&e))?;
        accepted(response.into_inner().header)
    }

    /// Asks for the ids of a split, and passes them to the node.
    pub async fn ask_split(self, region: Region, keys: Vec<Vec<u8>>, events: mpsc::Sender<Event>) {
        let request = pdpb::AskBatchSplitRequest {
            header: Some(self.header()),
            region: Some(region.clone()),
            split_count: keys.len() as u32,
        };
        // If it fails, PD's operator is still open, and PD asks for the split again.
        let Ok(response) = self.client.clone().ask_batch_split(request).await else { return };
        let response = response.into_inner();
        if accepted(response.header).is_err() || response.ids.len() != keys.len() {
            return;
        }
        let parts = keys.into_iter().zip(response.ids).map(|(end, ids)| SplitPart {
            end,
            region_id: ids.new_region_id,
            peer_ids: ids.new_peer_ids,
        });
        let input = Input::SplitIds { region, parts: parts.collect() };
        let _ = events.send(Event::Input(input)).await;
    }

    /// Tells PD that a split is done.
    pub async fn report_split(self, regions: Vec<Region>) {
        let request = pdpb::ReportBatchSplitRequest { header: Some(self.header()), regions };
        // Heartbeats of the new regions report the same.
        let _ = self.client.clone().report_batch_split(request).await;
    }

    /// Asks for the current state of a region, and passes it to the node.
    pub async fn ask_region(self, region_id: u64, events: mpsc::Sender<Event>) {
        if let Ok(Some(region)) = self.region(region_id).await {
            let _ = events.send(Event::Input(Input::RegionFromPd { region })).await;
        }
    }

    /// A region as PD knows it.
    pub async fn region(&self, region_id: u64) -> Result<Option<Region>, StoreError> {
        let request = pdpb::GetRegionByIdRequest {
            header: Some(self.header()),
            region_id,
            ..Default::default()
        };
        let response =
            self.client.clone().get_region_by_id(request).await.map_err(|e| failed(&e))?;
        Ok(response.into_inner().region)
    }

    /// Keeps the stream of region heartbeats open. Heartbeats put into the sender go to PD. A full
    /// queue means that PD hangs, and leaders will have newer heartbeats when it returns.
    pub fn region_heartbeats(
        &self,
        events: mpsc::Sender<Event>,
    ) -> mpsc::Sender<pdpb::RegionHeartbeatRequest> {
        let (sender, mut queue) = mpsc::channel(HEARTBEATS_WAITING_MAX);
        let pd = self.clone();
        tokio::spawn(async move {
            loop {
                pd.pump_region_heartbeats(&mut queue, &events).await;
                if queue.is_closed() {
                    return;
                }
                time::sleep(RETRY_PAUSE).await;
                // Messages to the old connection may be lost; leaders start afresh.
                while queue.try_recv().is_ok() {}
                if events.send(Event::Input(Input::PdConnected)).await.is_err() {
                    return;
                }
            }
        });
        sender
    }

    async fn pump_region_heartbeats(
        &self,
        queue: &mut mpsc::Receiver<pdpb::RegionHeartbeatRequest>,
        events: &mpsc::Sender<Event>,
    ) {
        let (stream, requests) = mpsc::channel(16);
        let mut client = self.client.clone();
        // A server may answer the call only after the first message, so the two must not wait for
        // each other.
        let answers = client.region_heartbeat(ReceiverStream::new(requests));
        tokio::pin!(answers);
        let mut responses = None;
        loop {
            tokio::select! {
                // Nothing leaves the queue before there is room for it: of a thousand regions none
                // may be left out.
                heartbeat = async {
                    let room = stream.reserve().await.ok()?;
                    Some((room, queue.recv().await?))
                } => {
                    let Some((room, mut heartbeat)) = heartbeat else { return };
                    heartbeat.header = Some(self.header());
                    room.send(heartbeat);
                }
                opened = &mut answers, if responses.is_none() => match opened {
                    Ok(response) => responses = Some(response.into_inner()),
                    Err(_) => return,
                },
                wish = next(&mut responses), if responses.is_some() => {
                    let Some(wish) = wish else { return };
                    if events.send(Event::Input(Input::Operator(Box::new(wish)))).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

async fn next(
    responses: &mut Option<tonic::Streaming<pdpb::RegionHeartbeatResponse>>,
) -> Option<pdpb::RegionHeartbeatResponse> {
    match responses {
        Some(stream) => stream.next().await.and_then(Result::ok),
        None => None,
    }
}

/// Repeats a request until PD answers. A refusal is an answer too.
pub async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut complained: Option<time::Instant> = None;
    loop {
        match ask().await {
            Err(StoreError::PdUnreachable(reason)) => {
                if complained.is_none_or(|at| at.elapsed() > COMPLAINT_PAUSE) {
                    complained = Some(time::Instant::now());
                    tracing::warn!("PD does not answer ({reason}); asking again until it does");
                }
            }
            answer => return answer,
        }
        time::sleep(RETRY_PAUSE).await;
    }
}

/// The error of a call that did not come through, or that PD refused: one for another cluster, or
/// one that it does not know.
fn failed(status: &tonic::Status) -> StoreError {
    let text = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::FailedPrecondition | Code::Unimplemented | Code::InvalidArgument => {
            StoreError::Pd(text)
        }
        _ => StoreError::PdUnreachable(text),
    }
}

fn accepted(header: Option<pdpb::ResponseHeader>) -> Result<(), StoreError> {
    match header.and_then(|header| header.error) {
        Some(error) if error.r#type() != pdpb::ErrorType::Ok => Err(StoreError::Pd(error.message)),
        _ => Ok(()),
    }
}
