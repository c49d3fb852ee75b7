//! PD's HTTP API beside its gRPC, on the same port.

use super::{member::Member, shell::Shell};
use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// What all answers are made from.
#[derive(Debug, Clone)]
struct Context {
    shell: Arc<Shell>,
    member: Member,
}

/// The HTTP API beside the gRPC services of `grpc`. What neither knows is UNIMPLEMENTED for gRPC, 404 for HTTP.
pub fn beside(grpc: Router, shell: Arc<Shell>, member: Member) -> Router {
    let context = Context { shell, member };
    let _ = context;
    grpc.fallback(unknown)
}

async fn unknown(request: Request) -> Response {
    let is_grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if is_grpc {
        let status = tonic::Status::unimplemented(format!("unknown call {}", request.uri().path()));
        return status.into_http::<axum::body::Body>();
    }
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
