//! Unimplemented calls answer UNIMPLEMENTED at once: single calls, streams, whole services.

use super::{any_port, bootstrap, channel, client, start};
use proto::health::{HealthCheckRequest, HealthCheckResponse};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery};

/// A generous bound: it stands for "never", not for "at once".
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn unknown_calls_are_refused_and_never_hang() {
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    bootstrap(&mut client(&pd).await).await;
    for path in [
        "/pdpb.PD/ScatterRegion",
        "/pdpb.PD/SplitRegions",
        "/pdpb.PD/UpdateServiceGCSafePoint",
        "/pdpb.PD/LoadGlobalConfig",
        "/pdpb.PD/GetMinTS",
        "/pdpb.PD/NoSuchCall",
        "/meta_storagepb.MetaStorage/Get",
        "/meta_storagepb.MetaStorage/Watch",
        "/resource_manager.ResourceManager/AcquireTokenBuckets",
        "/keyspacepb.Keyspace/LoadKeyspace",
        "/tsopb.TSO/Tso",
        "/etcdserverpb.KV/Range",
        "/tikvpb.Tikv/KvGet",
        "/tikvpb.Tikv/RawChecksum",
    ] {
        let path = PathAndQuery::from_static(path);
        let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default;
        let mut grpc = Grpc::new(channel(&pd).await);
        grpc.ready().await.expect("it serves");
        let single = grpc.unary(Request::new(HealthCheckRequest::default()), path.clone(), codec());
        let single = timeout(PATIENCE, single).await.expect("it answers");
        assert_eq!(single.expect_err("unknown").code(), Code::Unimplemented, "{path}");
        // A stream that the client leaves open, as a watching client does.
        let requests = Request::new(futures::stream::pending());
        grpc.ready().await.expect("it serves");
        let stream = timeout(PATIENCE, grpc.streaming(requests, path.clone(), codec())).await;
        let code = match stream.expect("it answers") {
            Err(status) => status.code(),
            Ok(answers) => {
                let mut answers = answers.into_inner();
                let first = timeout(PATIENCE, answers.message()).await.expect("it answers");
                first.expect_err("unknown").code()
            }
        };
        assert_eq!(code, Code::Unimplemented, "{path} as a stream");
    }
}
