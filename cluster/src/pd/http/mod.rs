//! PD's HTTP API beside its gRPC, on the same port: real PD's paths, shapes, codes and texts.
//!
//! In: requests. Out: views of the core as JSON, and inputs to it. It decides nothing.

mod answer;
mod cluster;
mod config;
mod metrics;
mod operators;
mod regions;
mod rules;
mod stores;

use super::{member::Member, shell::Shell};
use crate::foreign_requests;
use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{net::IpAddr, sync::Arc};

/// The sources of all answers.
#[derive(Debug, Clone)]
struct Context {
    shell: Arc<Shell>,
    member: Member,
}

/// Adds the HTTP API to the gRPC services of `grpc`. Unknown requests get UNIMPLEMENTED over gRPC,
/// 404 over HTTP. Requests that a foreign page made a browser send are refused; `own` is the
/// address that is served on.
pub fn beside(grpc: Router, shell: Arc<Shell>, member: Member, own: IpAddr) -> Router {
    let context = Context { shell, member };
    let api = Router::new()
        .merge(cluster::routes())
        .merge(config::routes())
        .merge(operators::routes())
        .merge(regions::routes())
        .merge(rules::routes())
        .merge(stores::routes());
    let http = Router::new()
        .nest("/pd/api/v1", api)
        .route("/pd/health", get(cluster::health))
        .route("/pd/ping", get(|| async {}))
        .route("/pd/api/v2/ready", get(cluster::ready))
        .route("/pd/api/v2/members", get(cluster::members))
        .route("/metrics", get(metrics::metrics))
        .with_state(context);
    foreign_requests::refused(grpc.merge(http).fallback(unknown), own)
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
