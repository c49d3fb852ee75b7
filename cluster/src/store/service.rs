//! A store's gRPC: TiKV's raw calls for clients, streams of Raft messages for other stores, the
//! health service.
//!
//! In: calls. Out: events for the driver, and its answers back on the wire. It deliberately decides
//! nothing: the node decides whether a request may be served; here a request is refused only
//! because the queue is full.

use super::{
    driver::Event,
    metrics::Metrics,
    node::{
        effects::Input,
        region_errors,
        requests::{RawRequest, RawResponse},
    },
};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use proto::{
    health::{
        HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
        health_server::Health,
    },
    kvrpcpb as kv,
    raft_serverpb::{Done, RaftMessage, SnapshotChunk},
    tikvpb::{
        BatchCommandsEmptyResponse, BatchCommandsRequest, BatchCommandsResponse, BatchRaftMessage,
        batch_commands_request as request, batch_commands_response as response, tikv_server::Tikv,
    },
};
use std::{pin::Pin, sync::Arc, time::Instant};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

const SNAPSHOT_BYTES_MAX: usize = 1 << 30;
/// The largest number of answers of one command stream that wait to be sent.
const ANSWERS_WAITING_MAX: usize = 64;
/// The largest number of commands of one stream that are being served.
const COMMANDS_AT_ONCE_MAX: usize = 4_096;

/// The services' shared state.
#[derive(Clone)]
pub struct Service {
    /// The queue for requests.
    pub events: mpsc::Sender<Event>,
    /// The store's metrics.
    pub metrics: Arc<Metrics>,
}

impl Service {
    async fn ask(&self, request: RawRequest) -> Result<RawResponse, Status> {
        let kind = request.kind();
        let begun = Instant::now();
        let (reply, answer) = oneshot::channel();
        let result = match self.events.try_send(Event::Request(request, reply)) {
            Ok(()) => answer.await.map_err(|_| Status::unavailable("the store is stopping")),
            Err(TrySendError::Full(_)) => {
                Ok(kind.refuse(region_errors::server_is_busy("the store's queue is full")))
            }
            Err(TrySendError::Closed(_)) => Err(Status::unavailable("the store is stopping")),
        };
        self.metrics.served(kind, begun.elapsed());
        result
    }

    async fn feed(&self, message: RaftMessage, snapshot: Option<Vec<u8>>) -> Result<(), Status> {
        let event = Event::Input(Input::Raft { message, snapshot });
        self.events.send(event).await.map_err(|_| Status::unavailable("the store is stopping"))
    }

    async fn command(self, id: u64, command: Option<request::request::Cmd>) -> (u64, Answer) {
        (id, self.serve_command(command).await)
    }
}

type Answer = Result<response::response::Cmd, Status>;
type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

macro_rules! unary {
    ($($method:ident, $name:ident: $request:ident -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl Tikv for Service {
            $(async fn $method(
                &self,
                request: Request<kv::$request>,
            ) -> Result<Response<kv::$response>, Status> {
                match self.ask(request.into_inner().into()).await? {
                    RawResponse::$name(response) => Ok(Response::new(response)),
                    other => unreachable!("the node answers in kind, not with {other:?}"),
                }
            })*

            async fn raft(
                &self,
                request: Request<Streaming<RaftMessage>>,
            ) -> Result<Response<Done>, Status> {
                let mut stream = request.into_inner();
                while let Some(message) = stream.message().await? {
                    self.feed(message, None).await?;
                }
                Ok(Response::new(Done {}))
            }

            async fn batch_raft(
                &self,
                request: Request<Streaming<BatchRaftMessage>>,
            ) -> Result<Response<Done>, Status> {
                let mut stream = request.into_inner();
                while let Some(batch) = stream.message().await? {
                    for message in batch.msgs {
                        self.feed(message, None).await?;
                    }
                }
                Ok(Response::new(Done {}))
            }

            async fn snapshot(
                &self,
                request: Request<Streaming<SnapshotChunk>>,
            ) -> Result<Response<Done>, Status> {
                let mut stream = request.into_inner();
                let first = stream.message().await?.and_then(|chunk| chunk.message);
                let message =
                    first.ok_or_else(|| Status::invalid_argument("the first chunk has no message"))?;
                let mut data = Vec::new();
                while let Some(chunk) = stream.message().await? {
                    if data.len() + chunk.data.len() > SNAPSHOT_BYTES_MAX {
                        return Err(Status::resource_exhausted("the snapshot is too large"));
                    }
                    data.extend_from_slice(&chunk.data);
                }
                self.feed(message, Some(data)).await?;
                Ok(Response::new(Done {}))
            }

            type BatchCommandsStream = Boxed<BatchCommandsResponse>;

            async fn batch_commands(
                &self,
                request: Request<Streaming<BatchCommandsRequest>>,
            ) -> Result<Response<Self::BatchCommandsStream>, Status> {
                let (sender, answers) = mpsc::channel(ANSWERS_WAITING_MAX);
                tokio::spawn(self.clone().run_commands(request.into_inner(), sender));
                Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
            }
        }
    };
}

unary! {
    raw_get, Get: RawGetRequest -> RawGetResponse;
    raw_batch_get, BatchGet: RawBatchGetRequest -> RawBatchGetResponse;
    raw_put, Put: RawPutRequest -> RawPutResponse;
    raw_batch_put, BatchPut: RawBatchPutRequest -> RawBatchPutResponse;
    raw_delete, Delete: RawDeleteRequest -> RawDeleteResponse;
    raw_batch_delete, BatchDelete: RawBatchDeleteRequest -> RawBatchDeleteResponse;
    raw_scan, Scan: RawScanRequest -> RawScanResponse;
    raw_batch_scan, BatchScan: RawBatchScanRequest -> RawBatchScanResponse;
    raw_delete_range, DeleteRange: RawDeleteRangeRequest -> RawDeleteRangeResponse;
    raw_get_key_ttl, KeyTtl: RawGetKeyTtlRequest -> RawGetKeyTtlResponse;
    raw_compare_and_swap, CompareAndSwap: RawCasRequest -> RawCasResponse;
}

macro_rules! commands {
    ($($cmd:ident, $name:ident;)*) => {
        impl Service {
            async fn serve_command(&self, command: Option<request::request::Cmd>) -> Answer {
                match command {
                    $(Some(request::request::Cmd::$cmd(request)) => {
                        match self.ask(request.into()).await? {
                            RawResponse::$name(answer) => Ok(response::response::Cmd::$cmd(answer)),
                            other => unreachable!("the node answers in kind, not with {other:?}"),
                        }
                    })*
                    Some(request::request::Cmd::Empty(ping)) => {
                        let pong = BatchCommandsEmptyResponse { test_id: ping.test_id };
                        Ok(response::response::Cmd::Empty(pong))
                    }
                    None => Err(Status::unimplemented("the stream has a command that is not raw")),
                }
            }
        }
    };
}

commands! {
    RawGet, Get;
    RawBatchGet, BatchGet;
    RawPut, Put;
    RawBatchPut, BatchPut;
    RawDelete, Delete;
    RawBatchDelete, BatchDelete;
    RawScan, Scan;
    RawBatchScan, BatchScan;
    RawDeleteRange, DeleteRange;
}

impl Service {
    /// Serves one command stream: answers leave as they come, several at a time if they are ready.
    async fn run_commands(
        self,
        mut requests: Streaming<BatchCommandsRequest>,
        answers: mpsc::Sender<Result<BatchCommandsResponse, Status>>,
    ) {
        let mut running = FuturesUnordered::new();
        let mut open = true;
        while open || !running.is_empty() {
            tokio::select! {
                batch = requests.message(), if open && running.len() < COMMANDS_AT_ONCE_MAX => {
                    match batch {
                        Ok(Some(batch)) => {
                            for (id, request) in batch.request_ids.into_iter().zip(batch.requests) {
                                running.push(self.clone().command(id, request.cmd));
                            }
                        }
                        Ok(None) | Err(_) => open = false,
                    }
                }
                Some(first) = running.next() => {
                    let mut batch = BatchCommandsResponse::default();
                    let mut next = Some(first);
                    while let Some((id, answer)) = next {
                        match answer {
                            Ok(cmd) => {
                                batch.request_ids.push(id);
                                batch.responses.push(response::Response { cmd: Some(cmd) });
                            }
                            Err(status) => {
                                let _ = answers.send(Err(status)).await;
                                return;
                            }
                        }
                        next = running.next().now_or_never().flatten();
                    }
                    if answers.send(Ok(batch)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving as i32 }))
    }

    type WatchStream = Boxed<HealthCheckResponse>;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let serving = HealthCheckResponse { status: ServingStatus::Serving as i32 };
        // The state never changes while the process serves, so nothing follows the first message.
        let stream = futures::stream::iter([Ok(serving)]).chain(futures::stream::pending());
        Ok(Response::new(Box::pin(stream)))
    }
}
