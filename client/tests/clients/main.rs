//! Both clients against a fake cluster: what they answer when all is well, and what they say of
//! each mishap.
//!
//! The fake knows what it applied. A client that says *not applied* of something that was applied
//! fails here.

mod answers;
mod fake;
mod mishaps;
mod tls;

use client::{
    Cause, DirectClient, DirectOptions, Outcome, RawKv, Reply, Request, Response, TikvClient,
    TikvClientOptions,
};
use fake::FakeCluster;
use std::time::Duration;

/// Long enough for a machine under load, where an answer is expected.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where no answer will come.
const SHORT: Duration = Duration::from_millis(300);

fn direct(cluster: &FakeCluster, atomic: bool) -> DirectClient {
    let options = DirectOptions { atomic, ..DirectOptions::default() };
    DirectClient::new(vec![cluster.pd.clone()], options)
}

fn tikv(cluster: &FakeCluster, atomic: bool, client_retries: bool) -> TikvClient {
    let options = TikvClientOptions {
        atomic,
        client_retries,
        rpc_timeout: PATIENCE,
        ..TikvClientOptions::default()
    };
    TikvClient::new(vec![cluster.pd.clone()], options)
}

/// Both clients, each with a cluster of its own.
async fn both(atomic: bool) -> Vec<(FakeCluster, Box<dyn RawKv>)> {
    let (one, other) = (FakeCluster::start().await, FakeCluster::start().await);
    let (direct, tikv) = (direct(&one, atomic), tikv(&other, atomic, false));
    vec![(one, Box::new(direct)), (other, Box::new(tikv))]
}

fn put(key: &str, value: &str) -> Request {
    Request::Put { key: key.into(), value: value.into(), ttl_s: None }
}

fn get(key: &str) -> Request {
    Request::Get { key: key.into() }
}

async fn ok(client: &dyn RawKv, request: Request) -> Response {
    match client.execute(&request, PATIENCE).await.outcome {
        Outcome::Ok(response) => response,
        other => panic!("{request:?}: {other:?}"),
    }
}

fn not_applied(reply: &Reply) -> Cause {
    match &reply.outcome {
        Outcome::NotApplied(error) => error.cause,
        other => panic!("{other:?}"),
    }
}

fn unknown(reply: &Reply) -> Cause {
    match &reply.outcome {
        Outcome::Unknown(error) => error.cause,
        other => panic!("{other:?}"),
    }
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
