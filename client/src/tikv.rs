//! The crate tikv-client behind our trait, driven so that its answers can be trusted.
//!
//! Version 0.4.0 makes this necessary: it sends writes again after errors that leave their outcome
//! open, so writes go without backoff, once; after a region error its cache then stays as it was,
//! so a read with backoff follows and corrects it. Its scans are wrong over several regions: they
//! go through the direct client, and so do batch deletes in atomic mode, which it refuses. A
//! connection that it could not make, or a PD that hangs, may stick for ever: then a fresh client
//! takes its place. Its requests run on tasks of their own and go on when a call is dropped, so a
//! write that missed its deadline is unknown once it was handed over.

use crate::attempts::AttemptLog;
use crate::fate::{Sent, fate};
use crate::{
    Cause, ClientError, DirectClient, DirectOptions, Outcome, RawKv, Reply, Request, Response,
    Security,
};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tikv_client::{Backoff, Config, KvPair, RawClient};
use tokio::time::{Instant, timeout_at};

/// After so many calls in a row that missed their deadline, the client itself is suspected and
/// replaced.
const MISSED_DEADLINES_MAX: u32 = 3;

/// The read that corrects the region cache: it asks often, so that it sees a new leader soon.
const REPAIR_BACKOFF: Backoff = Backoff::no_jitter_backoff(2, 100, 30);

/// Options of the crate's client.
#[derive(Debug, Clone)]
pub struct TikvClientOptions {
    /// Make all writes in TiKV's atomic mode, as CAS demands.
    pub atomic: bool,
    /// Send CAS although the other writes are not made in atomic mode. Nothing is promised then.
    pub cas_beside_plain_writes: bool,
    /// The certificates of a cluster with TLS.
    pub security: Option<Security>,
    /// Leave the crate's own retries as shipped. Its answers cannot be trusted then.
    pub client_retries: bool,
    /// The crate's own deadline for one RPC: that of the calls, or a part of it, so that the
    /// crate's retries have room.
    pub rpc_timeout: Duration,
}

impl Default for TikvClientOptions {
    fn default() -> Self {
        Self {
            atomic: false,
            cas_beside_plain_writes: false,
            client_retries: false,
            rpc_timeout: Duration::from_secs(2),
            security: None,
        }
    }
}

/// The crate tikv-client, with its own connections and region cache. It connects when it is first
/// used.
pub struct TikvClient {
    pd_endpoints: Vec<String>,
    options: TikvClientOptions,
    direct: DirectClient,
    current: Mutex<Option<Arc<Handles>>>,
    connecting: tokio::sync::Mutex<()>,
    missed_deadlines: AtomicU32,
}

/// Three views on one client of the crate: they share connections and region cache.
struct Handles {
    reads: RawClient,
    writes: RawClient,
    /// Differs from `writes` only where CAS is sent beside plain writes.
    cas: RawClient,
    repair: RawClient,
}

impl TikvClient {
    /// A client with its own connections and region cache. PD is given by `host:port` of its
    /// members.
    pub fn new(pd_endpoints: Vec<String>, options: TikvClientOptions) -> Self {
        let direct_options = DirectOptions { atomic: options.atomic, ..DirectOptions::default() };
        let direct_options = direct_options.with_security(options.security.as_ref());
        Self {
            direct: DirectClient::new(pd_endpoints.clone(), direct_options),
            pd_endpoints,
            options,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            missed_deadlines: AtomicU32::new(0),
        }
    }

    async fn handles(&self) -> Result<Arc<Handles>, tikv_client::Error> {
        if let Some(handles) = &*self.current() {
            return Ok(Arc::clone(handles));
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(handles) = &*self.current() {
            return Ok(Arc::clone(handles));
        }
        let mut config = Config::default().with_timeout(self.options.rpc_timeout);
        if let Some(Security { ca, cert, key, .. }) = &self.options.security {
            config = config.with_security(ca, cert, key);
        }
        let shipped = RawClient::new_with_config(self.pd_endpoints.clone(), config).await?;
        let shipped = if self.options.atomic { shipped.with_atomic_for_cas() } else { shipped };
        let writes = if self.options.client_retries {
            shipped.clone()
        } else {
            shipped.with_backoff(Backoff::no_backoff())
        };
        let repair = shipped.with_backoff(REPAIR_BACKOFF);
        let cas = if self.options.cas_beside_plain_writes {
            writes.with_atomic_for_cas()
        } else {
            writes.clone()
        };
        let handles = Arc::new(Handles { reads: shipped, writes, cas, repair });
        *self.current() = Some(Arc::clone(&handles));
        Ok(handles)
    }

    /// Takes a client out of use, unless another one took its place already.
    fn replace(&self, suspect: &Arc<Handles>) {
        let mut current = self.current();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, suspect)) {
            *current = None;
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Handles>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn perform(&self, request: &Request, timeout: Duration) -> Reply {
        let deadline = Instant::now() + timeout;
        let log = AttemptLog::default();
        let handles = match timeout_at(deadline, self.handles()).await {
            Ok(Ok(handles)) => handles,
            Ok(Err(error)) => {
                let error = ClientError::new(Cause::NoRoute, format!("connecting: {error}"));
                return Reply { outcome: Outcome::NotApplied(error), attempts: log.finish() };
            }
            Err(_) => {
                let error = ClientError::new(
                    Cause::DeadlineBeforeSending,
                    "no connection within the deadline",
                );
                return Reply { outcome: Outcome::NotApplied(error), attempts: log.finish() };
            }
        };
        let attempt = log.begin(None, None);
        let result = timeout_at(deadline, call(&handles, request)).await;
        let result = result.unwrap_or_else(|_| {
            let line = format!("no answer within {} ms", timeout.as_millis());
            Err(ClientError::new(Cause::Deadline, line))
        });
        log.end(&attempt, result.as_ref().err().map(|error| error.message.clone()));
        self.mend(&handles, request, result.as_ref().err().map(|error| error.cause), deadline)
            .await;
        let outcome = match result {
            Ok(response) => Outcome::Ok(response),
            Err(error) => fate(error.cause, self.sent(request)).outcome(error),
        };
        Reply { outcome, attempts: log.finish() }
    }

    /// After an error, brings the client back to where it can succeed, within what is left of the
    /// deadline.
    async fn mend(
        &self,
        handles: &Arc<Handles>,
        request: &Request,
        cause: Option<Cause>,
        deadline: Instant,
    ) {
        let missed = if cause == Some(Cause::Deadline) {
            self.missed_deadlines.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            self.missed_deadlines.store(0, Ordering::Relaxed);
            0
        };
        match cause {
            // The crate keeps the region of a leader that it cannot connect to, for ever.
            Some(Cause::NotConnected) => self.replace(handles),
            Some(Cause::Deadline) if missed >= MISSED_DEADLINES_MAX => {
                self.missed_deadlines.store(0, Ordering::Relaxed);
                self.replace(handles);
            }
            Some(Cause::Region(_)) if !request.is_read() && !self.options.client_retries => {
                self.repair(handles, request, deadline).await;
            }
            _ => {}
        }
    }

    /// Reads with backoff what a write was refused for. Whether it succeeds does not matter: it has
    /// walked all the regions concerned, and the cache with it.
    async fn repair(&self, handles: &Arc<Handles>, request: &Request, deadline: Instant) {
        match request {
            Request::Get { key }
            | Request::Put { key, .. }
            | Request::Delete { key }
            | Request::Cas { key, .. } => {
                let _ = timeout_at(deadline, handles.repair.get(key.clone())).await;
            }
            Request::BatchGet { keys } | Request::BatchDelete { keys } => {
                let _ = timeout_at(deadline, handles.repair.batch_get(keys.clone())).await;
            }
            Request::BatchPut { pairs } => {
                let keys: Vec<Vec<u8>> = pairs.iter().map(|(key, _)| key.clone()).collect();
                let _ = timeout_at(deadline, handles.repair.batch_get(keys)).await;
            }
            // No read of the crate walks the regions of a range rightly.
            Request::Scan { .. } | Request::DeleteRange { .. } => self.replace(handles),
        }
    }

    fn sent(&self, request: &Request) -> Sent {
        if request.is_read() {
            Sent::Read
        } else if self.options.client_retries || request.may_span_regions() {
            Sent::WritePerhapsOften
        } else {
            Sent::WriteOnce
        }
    }

    fn goes_direct(&self, request: &Request) -> bool {
        match request {
            Request::Scan { .. } => true,
            Request::BatchDelete { .. } | Request::DeleteRange { .. } => self.options.atomic,
            _ => false,
        }
    }
}

impl RawKv for TikvClient {
    fn execute<'a>(&'a self, request: &'a Request, timeout: Duration) -> BoxFuture<'a, Reply> {
        if self.goes_direct(request) {
            return self.direct.execute(request, timeout);
        }
        Box::pin(self.perform(request, timeout))
    }
}

async fn call(handles: &Handles, request: &Request) -> Result<Response, ClientError> {
    let Handles { reads, writes, cas, .. } = handles;
    let result = match request {
        Request::Get { key } => reads.get(key.clone()).await.map(Response::Got),
        Request::Put { key, value, ttl_s } => writes
            .put_with_ttl(key.clone(), value.clone(), ttl_s.unwrap_or(0))
            .await
            .map(|()| Response::Done),
        Request::Delete { key } => writes.delete(key.clone()).await.map(|()| Response::Done),
        Request::Cas { key, expected, new } => cas
            .compare_and_swap(key.clone(), expected.clone(), new.clone())
            .await
            .map(|(previous, swapped)| Response::Cas { swapped, previous }),
        Request::BatchGet { keys } => {
            reads.batch_get(keys.clone()).await.map(|pairs| got_batch(keys, pairs))
        }
        Request::BatchPut { pairs } => {
            writes.batch_put(pairs.clone()).await.map(|()| Response::Done)
        }
        Request::BatchDelete { keys } => {
            writes.batch_delete(keys.clone()).await.map(|()| Response::Done)
        }
        Request::DeleteRange { start, end } => {
            let start = tikv_client::Key::from(start.clone());
            let range: tikv_client::BoundRange = match end {
                Some(end) => (start..tikv_client::Key::from(end.clone())).into(),
                None => (start..).into(),
            };
            writes.delete_range(range).await.map(|()| Response::Done)
        }
        Request::Scan { .. } => {
            let message = "scans go through the direct client";
            return Err(ClientError::new(Cause::RefusedByClient, message));
        }
    };
    result.map_err(|error| {
        let cause = Cause::of_tikv_client(&error);
        ClientError::new(cause, line(&error))
    })
}

fn got_batch(keys: &[Vec<u8>], pairs: Vec<KvPair>) -> Response {
    let found: HashMap<Vec<u8>, Vec<u8>> =
        pairs.into_iter().map(|pair| (pair.0.into(), pair.1)).collect();
    Response::GotBatch(keys.iter().map(|key| (key.clone(), found.get(key).cloned())).collect())
}

/// The crate prints region errors with all their fields; a line with the kind and the store's words
/// is enough.
fn line(error: &tikv_client::Error) -> String {
    match error {
        tikv_client::Error::RegionError(region) => {
            let kind = crate::RegionErrorKind::of_tikv_client(region);
            crate::cause::region_error_line(kind, &region.message)
        }
        tikv_client::Error::GrpcAPI(status) => {
            format!("gRPC {:?}: {}", status.code(), status.message())
        }
        other => other.to_string(),
    }
}
