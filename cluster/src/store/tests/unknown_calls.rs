//! Calls that a store does not implement answer UNIMPLEMENTED at once: single calls, streams,
//! commands of a stream.

use super::{pd_stub::PdStub, whole_stores::start};
use proto::{
    health::{HealthCheckRequest, HealthCheckResponse},
    tikvpb::{
        BatchCommandsRequest, batch_commands_request::Request as Command, tikv_client::TikvClient,
    },
};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Endpoint};

/// A generous bound: it stands for "never", not for "at once".
const PATIENCE: Duration = Duration::from_mins(1);

/// Calls of TiKV that are not in our subset, calls of services beside it, and some that nobody has.
const UNKNOWN: [&str; 14] = [
    "/tikvpb.Tikv/KvGet",
    "/tikvpb.Tikv/KvScan",
    "/tikvpb.Tikv/KvPrewrite",
    "/tikvpb.Tikv/KvCommit",
    "/tikvpb.Tikv/RawChecksum",
    "/tikvpb.Tikv/RawCoprocessor",
    "/tikvpb.Tikv/Coprocessor",
    "/tikvpb.Tikv/CoprocessorStream",
    "/tikvpb.Tikv/SplitRegion",
    "/tikvpb.Tikv/MvccGetByKey",
    "/tikvpb.Tikv/NoSuchCall",
    "/debugpb.Debug/RegionInfo",
    "/import_sstpb.ImportSST/Upload",
    "/pdpb.PD/GetMembers",
];

#[tokio::test(flavor = "multi_thread")]
async fn unknown_calls_are_refused_and_never_hang() {
    let (_pd, pd_addr) = PdStub::start().await;
    let store = start(pd_addr, TempDir::new().expect("a directory"), "127.0.0.1:0").await;
    let endpoint = Endpoint::from_shared(format!("http://{}", store.addr)).expect("an address");
    let channel = endpoint.connect().await.expect("it serves");
    for path in UNKNOWN {
        let path = PathAndQuery::from_static(path);
        let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default;
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.expect("it serves");
        let single = grpc.unary(Request::new(HealthCheckRequest::default()), path.clone(), codec());
        let single = timeout(PATIENCE, single).await.expect("it answers");
        assert_eq!(single.expect_err("unknown").code(), Code::Unimplemented, "{path}");
        // A stream that the client leaves open.
        let requests = Request::new(futures::stream::pending());
        grpc.ready().await.expect("it serves");
        let stream = timeout(PATIENCE, grpc.streaming(requests, path.clone(), codec())).await;
        let status = stream.expect("it answers").expect_err("unknown");
        assert_eq!(status.code(), Code::Unimplemented, "{path} as a stream");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_raw_ends_its_stream_with_unimplemented() {
    let (_pd, pd_addr) = PdStub::start().await;
    let store = start(pd_addr, TempDir::new().expect("a directory"), "127.0.0.1:0").await;
    // A transactional command is a field that our subset does not know: it arrives as an empty
    // command.
    let batch =
        BatchCommandsRequest { requests: vec![Command { cmd: None }], request_ids: vec![1] };
    let requests = futures::StreamExt::chain(
        futures::stream::iter([batch]),
        futures::stream::pending::<BatchCommandsRequest>(),
    );
    let mut client: TikvClient<_> = store.client().await;
    let answers = client.batch_commands(requests).await.expect("a stream");
    let first = timeout(PATIENCE, answers.into_inner().message()).await.expect("it answers");
    assert_eq!(first.expect_err("not raw").code(), Code::Unimplemented);
}
