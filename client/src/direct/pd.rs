//! PD's gRPC service, as much of it as routing needs: members, regions by key, stores.
//!
//! Every call ends within the given timeout. After an error the connection is dropped, and the next
//! call looks for PD's leader anew. Nothing is retried here.

use crate::{Cause, ClientError};
use proto::pdpb::pd_client::PdClient;
use proto::pdpb::{self, GetMembersRequest, GetRegionRequest, GetStoreRequest, RequestHeader};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

use super::connection::{Connection, Connector, bare};
use super::regions::Route;

/// PD's leader, found when it is first needed.
#[derive(Debug)]
pub(crate) struct Pd {
    endpoints: Vec<String>,
    timeout: Duration,
    connector: Arc<dyn Connector>,
    leader: Mutex<Option<Leader>>,
}

#[derive(Debug, Clone)]
struct Leader {
    client: PdClient<Connection>,
    cluster_id: u64,
}

impl Pd {
    pub(crate) fn new(
        endpoints: Vec<String>,
        timeout: Duration,
        connector: Arc<dyn Connector>,
    ) -> Self {
        Self { endpoints, timeout, connector, leader: Mutex::new(None) }
    }

    /// The region that holds a key.
    pub(crate) async fn region(&self, key: &[u8]) -> Result<Route, ClientError> {
        let answer = self
            .call(async |mut pd, header| {
                let request = region_request(key, header);
                pd.get_region(request).await.map(|answer| header_checked(answer.into_inner()))
            })
            .await?;
        route(answer, key)
    }

    /// The region before the one that holds a key.
    pub(crate) async fn region_before(&self, key: &[u8]) -> Result<Route, ClientError> {
        let answer = self
            .call(async |mut pd, header| {
                let request = region_request(key, header);
                pd.get_prev_region(request).await.map(|answer| header_checked(answer.into_inner()))
            })
            .await?;
        route(answer, key)
    }

    /// The address of a store.
    pub(crate) async fn store_address(&self, store_id: u64) -> Result<String, ClientError> {
        let answer = self
            .call(async |mut pd, header| {
                let request = GetStoreRequest { header, store_id };
                pd.get_store(request).await.map(|answer| {
                    let answer = answer.into_inner();
                    check(answer.header.as_ref()).map(|()| answer)
                })
            })
            .await?;
        let store = answer.store.filter(|store| !store.address.is_empty());
        store
            .map(|store| store.address)
            .ok_or_else(|| no_route(format!("PD knows no address of store {store_id}")))
    }

    async fn call<T, F>(
        &self,
        ask: impl FnOnce(PdClient<Connection>, Option<RequestHeader>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Result<T, ClientError>, tonic::Status>>,
    {
        let result = tokio::time::timeout(self.timeout, async {
            let leader = self.leader().await?;
            let header = Some(RequestHeader { cluster_id: leader.cluster_id, sender_id: 0 });
            match ask(leader.client, header).await {
                Ok(answer) => answer,
                Err(status) => Err(no_route(format!("PD: {}", status.message()))),
            }
        })
        .await
        .unwrap_or_else(|_| Err(no_route("PD did not answer in time")));
        if result.is_err() {
            // A lock that is held is held by someone who is connecting anew already.
            if let Ok(mut leader) = self.leader.try_lock() {
                *leader = None;
            }
        }
        result
    }

    async fn leader(&self) -> Result<Leader, ClientError> {
        let mut leader = self.leader.lock().await;
        if let Some(leader) = &*leader {
            return Ok(leader.clone());
        }
        let mut last = no_route("no address of PD was given");
        // Each address gets its share of the time, so that a dead one does not use up all of it.
        let share = self.timeout / (self.endpoints.len() as u32 + 1);
        for endpoint in &self.endpoints {
            match tokio::time::timeout(share, self.connect_through(endpoint, share)).await {
                Ok(Ok(found)) => {
                    *leader = Some(found.clone());
                    return Ok(found);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = no_route(format!("PD at {endpoint} did not answer in time")),
            }
        }
        Err(last)
    }

    /// Asks one member who leads, and connects to the leader.
    async fn connect_through(
        &self,
        address: &str,
        timeout: Duration,
    ) -> Result<Leader, ClientError> {
        let connect = |address: &str| self.connector.connect(address, timeout).map_err(no_route);
        let mut client = PdClient::new(connect(address)?);
        let answer = client
            .get_members(GetMembersRequest::default())
            .await
            .map_err(|status| no_route(format!("PD at {address}: {}", status.message())))?
            .into_inner();
        let cluster_id = answer.header.map_or(0, |header| header.cluster_id);
        let leader_url = answer.leader.and_then(|leader| leader.client_urls.into_iter().next());
        let leader_url = leader_url.unwrap_or_else(|| address.to_owned());
        if bare(&leader_url) != bare(address) {
            client = PdClient::new(connect(&leader_url)?);
        }
        Ok(Leader { client, cluster_id })
    }
}

fn region_request(key: &[u8], header: Option<RequestHeader>) -> GetRegionRequest {
    GetRegionRequest { header, region_key: key.to_vec(), need_buckets: false }
}

fn header_checked(answer: pdpb::GetRegionResponse) -> Result<pdpb::GetRegionResponse, ClientError> {
    check(answer.header.as_ref()).map(|()| answer)
}

fn check(header: Option<&pdpb::ResponseHeader>) -> Result<(), ClientError> {
    match header.and_then(|header| header.error.as_ref()) {
        Some(error) if error.r#type != pdpb::ErrorType::Ok as i32 => {
            Err(no_route(format!("PD: {}", error.message)))
        }
        _ => Ok(()),
    }
}

fn route(answer: pdpb::GetRegionResponse, key: &[u8]) -> Result<Route, ClientError> {
    let key = || String::from_utf8_lossy(key).into_owned();
    let region =
        answer.region.ok_or_else(|| no_route(format!("PD knows no region for key {:?}", key())))?;
    let leader = answer
        .leader
        .filter(|leader| leader.store_id != 0)
        .ok_or_else(|| no_route(format!("PD knows no leader of region {}", region.id)))?;
    Ok(Route { region, leader })
}

pub(super) fn no_route(message: impl Into<String>) -> ClientError {
    ClientError::new(Cause::NoRoute, message)
}
