//! PD's gRPC service, as much of it as routing needs: members, regions by key, stores.
//!
//! Every call ends within the given timeout. After an error the connection is dropped, and the next call looks for
//! PD's leader anew. Nothing is retried here.

use crate::{Cause, ClientError};
use proto::pdpb::pd_client::PdClient;
use proto::pdpb::{self, GetMembersRequest, GetRegionRequest, GetStoreRequest, RequestHeader};
use std::future::Future;
use std::time::Duration;
use tokio::sync::Mutex;
use tonic::transport::{Channel, Endpoint};

use super::regions::Route;

/// PD's leader, found when it is first needed.
#[derive(Debug)]
pub(crate) struct Pd {
    endpoints: Vec<String>,
    timeout: Duration,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug, Clone)]
struct Connection {
    client: PdClient<Channel>,
    cluster_id: u64,
}

impl Pd {
    pub(crate) fn new(endpoints: Vec<String>, timeout: Duration) -> Self {
        Self { endpoints, timeout, connection: Mutex::new(None) }
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
        ask: impl FnOnce(PdClient<Channel>, Option<RequestHeader>) -> F,
    ) -> Result<T, ClientError>
    where
        F: Future<Output = Result<Result<T, ClientError>, tonic::Status>>,
    {
        let result = tokio::time::timeout(self.timeout, async {
            let connection = self.connection().await?;
            let header = Some(RequestHeader { cluster_id: connection.cluster_id, sender_id: 0 });
            match ask(connection.client, header).await {
                Ok(answer) => answer,
                Err(status) => Err(no_route(format!("PD: {}", status.message()))),
            }
        })
        .await
        .unwrap_or_else(|_| Err(no_route("PD did not answer in time")));
        if result.is_err() {
            // A lock that is held is held by someone who is connecting anew already.
            if let Ok(mut connection) = self.connection.try_lock() {
                *connection = None;
            }
        }
        result
    }

    async fn connection(&self) -> Result<Connection, ClientError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let mut last = no_route("no address of PD was given");
        // Each address gets its share of the time, so that a dead one does not use up all of it.
        let share = self.timeout / (self.endpoints.len() as u32 + 1);
        for endpoint in &self.endpoints {
            match tokio::time::timeout(share, connect_through(endpoint, share)).await {
                Ok(Ok(found)) => {
                    *connection = Some(found.clone());
                    return Ok(found);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = no_route(format!("PD at {endpoint} did not answer in time")),
            }
        }
        Err(last)
    }
}

/// Asks one member who leads, and connects to the leader.
async fn connect_through(address: &str, timeout: Duration) -> Result<Connection, ClientError> {
    let mut client = PdClient::new(channel(address, timeout)?);
    let answer = client
        .get_members(GetMembersRequest::default())
        .await
        .map_err(|status| no_route(format!("PD at {address}: {}", status.message())))?
        .into_inner();
    let cluster_id = answer.header.map_or(0, |header| header.cluster_id);
    let leader_url = answer.leader.and_then(|leader| leader.client_urls.into_iter().next());
    let leader_url = leader_url.unwrap_or_else(|| address.to_owned());
    if bare(&leader_url) != bare(address) {
        client = PdClient::new(channel(&leader_url, timeout)?);
    }
    Ok(Connection { client, cluster_id })
}

/// A connection that is made when it is first used, and again when it broke.
pub(crate) fn channel(address: &str, connect_timeout: Duration) -> Result<Channel, ClientError> {
    let endpoint = Endpoint::from_shared(format!("http://{}", bare(address)))
        .map_err(|error| no_route(format!("{address} is no address: {error}")))?;
    Ok(endpoint.connect_timeout(connect_timeout).tcp_nodelay(true).connect_lazy())
}

fn bare(address: &str) -> &str {
    let address = address.strip_prefix("http://").unwrap_or(address);
    address.trim_end_matches('/')
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

fn no_route(message: impl Into<String>) -> ClientError {
    ClientError::new(Cause::NoRoute, message)
}
