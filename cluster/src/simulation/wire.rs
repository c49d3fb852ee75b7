//! The simulated wire between clients and processes: the same gRPC calls, carried by the world
//! instead of sockets.
//!
//! In: HTTP requests as a gRPC client makes them. Out: the responses of the called process. A
//! connection to a dead process is refused; a paused one answers when it runs again. Missing
//! methods answer `UNIMPLEMENTED`.

use super::{Simulation, network::Node};
use crate::store::node::requests::{RawRequest, RawResponse};
use bytes::{BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message as _;
use proto::kvrpcpb as kv;
use std::{
    io,
    task::{Context, Poll},
};
use tonic::{Code, Status, body::Body};

/// PD's address in every simulation.
pub const PD_ADDRESS: &str = "pd.simulated:2379";
const FRAME_BYTES: usize = 5;

/// A store's address in every simulation.
pub fn store_address(store_id: u64) -> String {
    format!("store-{store_id}.simulated:20160")
}

/// An error of a connection.
pub type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

/// A connection to one process; carries gRPC calls.
#[derive(Debug, Clone)]
pub struct Wire {
    simulation: Simulation,
    to: Option<Node>,
}

/// A call on its way.
#[derive(Debug)]
pub struct Call {
    /// The method, as in `/tikvpb.Tikv/RawGet`.
    pub path: String,
    /// The message, encoded.
    pub message: Bytes,
}

/// The result of a call.
pub type Answer = Result<Bytes, Broken>;

/// The reason that a call has no answer.
#[derive(Debug, Clone)]
pub enum Broken {
    /// Nothing listens at the address.
    Refused,
    /// The process died while it had the call.
    Reset,
    /// The process answered with an error.
    Status(Status),
}

impl Wire {
    /// Creates a connection to the process at this address.
    pub(super) fn new(simulation: Simulation, address: &str) -> Self {
        let host = address.trim_start_matches("http://").split(':').next().unwrap_or_default();
        let host = host.strip_suffix(".simulated").unwrap_or_default();
        let to = match host.strip_prefix("store-").map(str::parse) {
            Some(Ok(store_id)) => Some(Node::Store(store_id)),
            _ if host == "pd" => Some(Node::Pd),
            _ => None,
        };
        Self { simulation, to }
    }

    async fn exchange(self, request: Request<Body>) -> Result<Response<Body>, ConnectionError> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let path = request.uri().path().to_owned();
        let framed = request.into_body().collect().await?.to_bytes();
        let to = self.to.ok_or_else(refused)?;
        // A call has one message; clients here need no streams.
        let message = framed.slice(FRAME_BYTES.min(framed.len())..);
        match self.simulation.call(to, Call { path, message }).await {
            Ok(answer) => Ok(answered(&answer)),
            Err(Broken::Status(status)) => Ok(status.into_http()),
            Err(Broken::Refused) => Err(refused().into()),
            Err(Broken::Reset) => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        }
    }
}

impl tower_service::Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = ConnectionError;
    type Future = BoxFuture<'static, Result<Response<Body>, ConnectionError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().exchange(request))
    }
}

/// Frames an answer for gRPC, with the status after it.
fn answered(message: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(FRAME_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    let trailers = async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Some(Ok(trailers))
    };
    let mut response = Response::new(Body::new(Full::new(framed.freeze()).with_trailers(trailers)));
    let content = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content);
    response
}

/// The status for a message that cannot be decoded.
pub fn unreadable(error: &prost::DecodeError) -> Status {
    Status::new(Code::Internal, error.to_string())
}

macro_rules! raw_calls {
    ($($path:literal, $name:ident: $request:ident;)*) => {
        /// Converts a store's call to the node's request.
        pub fn raw_request(call: &Call) -> Result<RawRequest, Status> {
            match call.path.strip_prefix("/tikvpb.Tikv/") {
                $(Some($path) => kv::$request::decode(call.message.clone())
                    .map(RawRequest::from)
                    .map_err(|error| unreadable(&error)),)*
                _ => Err(Status::unimplemented(format!("{} is not simulated", call.path))),
            }
        }

        /// Converts the node's response to the answer to a call.
        pub fn raw_response(response: &RawResponse) -> Bytes {
            match response {
                $(RawResponse::$name(response) => response.encode_to_vec().into(),)*
            }
        }
    };
}

raw_calls! {
    "RawGet", Get: RawGetRequest;
    "RawBatchGet", BatchGet: RawBatchGetRequest;
    "RawPut", Put: RawPutRequest;
    "RawBatchPut", BatchPut: RawBatchPutRequest;
    "RawDelete", Delete: RawDeleteRequest;
    "RawBatchDelete", BatchDelete: RawBatchDeleteRequest;
    "RawScan", Scan: RawScanRequest;
    "RawBatchScan", BatchScan: RawBatchScanRequest;
    "RawDeleteRange", DeleteRange: RawDeleteRangeRequest;
    "RawGetKeyTTL", KeyTtl: RawGetKeyTtlRequest;
    "RawCompareAndSwap", CompareAndSwap: RawCasRequest;
}
