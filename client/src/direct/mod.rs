//! The direct client: one RPC an operation and region, so that every answer can be accounted for.
//!
//! It routes by a region cache of its own (`regions`), filled from PD (`pd`) and corrected by
//! region errors. A write is sent at most once. What needs several regions is split (`batch`) or
//! paged (`scan`, whose pages, being reads, are asked again until the deadline). Everything before
//! the first attempt is certainly without effect.

mod batch;
mod connection;
mod pd;
mod point;
mod regions;
mod scan;

use crate::attempts::AttemptLog;
use crate::cause::{RegionErrorKind, region_error_line};
use crate::fate::{Sent, fate};
use crate::{Cause, ClientError, Outcome, RawKv, Reply, Request, Response, Security};
pub use connection::{Connection, ConnectionError, Connector, Tcp, Tls};
use futures::future::BoxFuture;
use pd::Pd;
use proto::errorpb;
use proto::kvrpcpb::Context;
use proto::tikvpb::tikv_client::TikvClient as StoreClient;
use regions::{RegionCache, Route};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The largest answer that is taken, bytes: a page of large values.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Options of the direct client.
#[derive(Debug, Clone)]
pub struct DirectOptions {
    /// Make all writes in TiKV's atomic mode, as CAS demands.
    pub atomic: bool,
    /// The time limit for one answer of PD.
    pub pd_timeout: Duration,
    /// The time limit for connecting to a store.
    pub connect_timeout: Duration,
    /// The transport that carries the calls.
    pub connector: Arc<dyn Connector>,
}

impl Default for DirectOptions {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self {
            atomic: false,
            pd_timeout: second,
            connect_timeout: second,
            connector: Arc::new(Tcp),
        }
    }
}

impl DirectOptions {
    /// Over TLS, if there are certificates.
    #[must_use]
    pub fn with_security(mut self, security: Option<&Security>) -> Self {
        if let Some(security) = security {
            self.connector = Arc::new(Tls::new(security));
        }
        self
    }
}

/// The direct client. It connects when it is first used.
#[derive(Debug)]
pub struct DirectClient {
    pd: Pd,
    regions: Mutex<RegionCache>,
    stores: Mutex<BTreeMap<u64, StoreClient<Connection>>>,
    options: DirectOptions,
}

/// The refusal in an answered RPC.
enum Refusal {
    /// The store refused for a reason of routing.
    Region(Box<errorpb::Error>),
    /// The store failed in its own words.
    Message(String),
}

impl DirectClient {
    /// A client with its own connections and region cache. PD is given by `host:port` or URL of its
    /// members.
    pub fn new(pd_endpoints: Vec<String>, options: DirectOptions) -> Self {
        Self {
            pd: Pd::new(pd_endpoints, options.pd_timeout, Arc::clone(&options.connector)),
            regions: Mutex::default(),
            stores: Mutex::default(),
            options,
        }
    }

    async fn perform(&self, request: &Request, log: &AttemptLog) -> Outcome {
        match request {
            Request::Get { key } => settle(self.get(key, log).await, Sent::Read),
            Request::Put { key, value, ttl_s } => {
                settle(self.put(key, value, *ttl_s, log).await, Sent::WriteOnce)
            }
            Request::Delete { key } => settle(self.delete(key, log).await, Sent::WriteOnce),
            Request::Cas { key, expected, new } => {
                settle(self.cas(key, expected.as_deref(), new, log).await, Sent::WriteOnce)
            }
            Request::BatchGet { keys } => settle(self.batch_get(keys, log).await, Sent::Read),
            Request::BatchPut { pairs } => self.batch_put(pairs, log).await,
            Request::BatchDelete { keys } => self.batch_delete(keys, log).await,
            Request::Scan { start, end, limit, reverse, key_only } => {
                let page = scan::Scan {
                    start,
                    end: end.as_deref(),
                    limit: *limit as usize,
                    reverse: *reverse,
                    key_only: *key_only,
                };
                settle(self.scan(&page, log).await, Sent::Read)
            }
            Request::DeleteRange { start, end } => {
                self.delete_range(start, end.as_deref(), log).await
            }
        }
    }

    /// The region that holds a key, from the cache or from PD.
    async fn route(&self, key: &[u8]) -> Result<Route, ClientError> {
        let cached = self.regions().find(key);
        match cached {
            Some(route) => Ok(route),
            None => Ok(self.remember(self.pd.region(key).await?)),
        }
    }

    /// The region that holds the keys right below `end` (`None` = the highest there are).
    async fn route_below(&self, end: Option<&[u8]>) -> Result<Route, ClientError> {
        let cached = self.regions().find_below(end);
        if let Some(route) = cached {
            return Ok(route);
        }
        let Some(end) = end else { return self.last_route().await };
        let route = self.remember(self.pd.region(end).await?);
        if route.reaches_up_to(Some(end)) {
            return Ok(route);
        }
        Ok(self.remember(self.pd.region_before(end).await?))
    }

    async fn last_route(&self) -> Result<Route, ClientError> {
        let mut route = self.pd.region(&scan::BEYOND_ALL_KEYS).await?;
        while let Some(end) = route.end().map(<[u8]>::to_vec) {
            route = self.pd.region(&end).await?;
        }
        Ok(self.remember(route))
    }

    fn remember(&self, route: Route) -> Route {
        self.regions().insert(route.clone());
        route
    }

    /// A connection to the store of a route's leader. It is made only when a request goes over it.
    async fn store(&self, route: &Route) -> Result<StoreClient<Connection>, ClientError> {
        let id = route.leader.store_id;
        if let Some(store) = self.stores().get(&id) {
            return Ok(store.clone());
        }
        let address = self.pd.store_address(id).await?;
        let connector = &self.options.connector;
        let connection = connector.connect(&address, self.options.connect_timeout);
        let store = StoreClient::new(connection.map_err(pd::no_route)?)
            .max_decoding_message_size(ANSWER_BYTES_MAX);
        self.stores().insert(id, store.clone());
        Ok(store)
    }

    /// One RPC, recorded as an attempt; the cache learns from what goes wrong.
    async fn attempt<T>(
        &self,
        route: &Route,
        log: &AttemptLog,
        ask: impl AsyncFnOnce(StoreClient<Connection>, Context) -> Result<T, tonic::Status>,
        refusal: impl FnOnce(&mut T) -> Option<Refusal>,
    ) -> Result<T, ClientError> {
        let store = self.store(route).await?;
        let context = Context {
            region_id: route.region.id,
            region_epoch: route.region.region_epoch,
            peer: Some(route.leader),
            ..Context::default()
        };
        let attempt = log.begin(Some(route.leader.store_id), Some(route.region.id));
        let result = match ask(store, context).await {
            Err(status) => {
                // The connection, the address or the leader may be gone: PD shall say.
                self.regions().forget(route.region.id);
                self.stores().remove(&route.leader.store_id);
                Err(ClientError::new(Cause::of_status(&status), grpc_line(&status)))
            }
            Ok(mut answer) => match refusal(&mut answer) {
                None => Ok(answer),
                Some(Refusal::Message(message)) => {
                    Err(ClientError::new(Cause::StoreMessage, format!("store: {message}")))
                }
                Some(Refusal::Region(error)) => {
                    if let Some(store) = self.regions().learn(route, &error) {
                        self.stores().remove(&store);
                    }
                    let kind = RegionErrorKind::of(&error);
                    let line = region_error_line(kind, &error.message);
                    Err(ClientError::new(Cause::Region(kind), line))
                }
            },
        };
        log.end(&attempt, result.as_ref().err().map(|error| error.message.clone()));
        result
    }

    fn regions(&self) -> MutexGuard<'_, RegionCache> {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stores(&self) -> MutexGuard<'_, BTreeMap<u64, StoreClient<Connection>>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RawKv for DirectClient {
    fn execute<'a>(&'a self, request: &'a Request, timeout: Duration) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            let log = AttemptLog::default();
            let outcome = tokio::time::timeout(timeout, self.perform(request, &log)).await;
            let outcome = outcome.unwrap_or_else(|_| {
                // Whoever does not answer may lead no longer.
                for region in log.open_regions() {
                    self.regions().forget(region);
                }
                after_deadline(request, log.any(), timeout)
            });
            Reply { outcome, attempts: log.finish() }
        })
    }
}

/// The outcome of a call that was dropped at its deadline.
fn after_deadline(request: &Request, anything_sent: bool, timeout: Duration) -> Outcome {
    let cause = if anything_sent { Cause::Deadline } else { Cause::DeadlineBeforeSending };
    let sent = match (request.is_read(), request.may_span_regions()) {
        (true, _) => Sent::Read,
        (false, false) => Sent::WriteOnce,
        (false, true) => Sent::WritePerhapsOften,
    };
    let error = ClientError::new(cause, format!("no answer within {} ms", timeout.as_millis()));
    fate(cause, sent).outcome(error)
}

fn settle(result: Result<Response, ClientError>, sent: Sent) -> Outcome {
    match result {
        Ok(response) => Outcome::Ok(response),
        Err(error) => fate(error.cause, sent).outcome(error),
    }
}

fn grpc_line(status: &tonic::Status) -> String {
    format!("gRPC {:?}: {}", status.code(), status.message())
}

impl Refusal {
    /// Reads a refusal from an answer's two error fields; `None` if both are empty.
    fn of(region_error: &mut Option<errorpb::Error>, message: &mut String) -> Option<Self> {
        if let Some(error) = region_error.take() {
            return Some(Self::Region(Box::new(error)));
        }
        (!message.is_empty()).then(|| Self::Message(std::mem::take(message)))
    }

    /// Reads a refusal from an answer of pairs, each of which may hold an error.
    fn of_pairs(
        region_error: &mut Option<errorpb::Error>,
        pairs: &[proto::kvrpcpb::KvPair],
    ) -> Option<Self> {
        let mut message = pairs
            .iter()
            .find_map(|pair| pair.error.as_ref())
            .map(|error| format!("{}{}", error.retryable, error.abort))
            .unwrap_or_default();
        Self::of(region_error, &mut message)
    }
}
