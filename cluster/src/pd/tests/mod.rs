//! A whole PD in this process, called over its sockets by a stock gRPC client and a stock HTTP
//! client.

mod shapes;
mod tools;
mod unknown_calls;

use super::{PdConfig, PdError, serve};
use crate::profile::Profile;
use proto::{
    health::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    },
    metapb, pdpb,
    pdpb::pd_client::PdClient,
};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::Path};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// A PD on a runtime of its own; dropping it ends it abruptly, as SIGKILL would.
struct Running {
    runtime: Option<tokio::runtime::Runtime>,
    addr: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Tasks end at their next await: nothing more is saved or sent, and the port is free.
            let patience = std::time::Duration::from_secs(5);
            tokio::task::block_in_place(|| runtime.shutdown_timeout(patience));
        }
    }
}

fn config(dir: &Path, client_addr: SocketAddr) -> PdConfig {
    PdConfig {
        name: "pd1".into(),
        data_dir: dir.join("pd"),
        client_addr,
        profile: Profile::Fast,
        max_replicas: 3,
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn start(dir: &Path, client_addr: SocketAddr) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (tell, told) = oneshot::channel();
    let config = config(dir, client_addr);
    runtime.spawn(async move {
        let ready = |addr| tell.send(addr).map_err(|_| std::io::Error::other("nobody waits"));
        serve(config, ready, std::future::pending()).await.expect("serves");
    });
    Running { runtime: Some(runtime), addr: told.await.expect("it serves") }
}

async fn client(pd: &Running) -> PdClient<Channel> {
    PdClient::new(channel(pd).await)
}

async fn channel(pd: &Running) -> Channel {
    let url = format!("http://{}", pd.addr);
    Channel::from_shared(url).expect("a URL").connect().await.expect("connects")
}

async fn header(client: &mut PdClient<Channel>) -> Option<pdpb::RequestHeader> {
    let members = client.get_members(pdpb::GetMembersRequest::default()).await.expect("members");
    let cluster_id = members.into_inner().header.expect("a header").cluster_id;
    Some(pdpb::RequestHeader { cluster_id, sender_id: 0 })
}

/// Bootstraps and registers the first store and sends its heartbeat. Returns the header for further
/// calls, and the first region.
async fn bootstrap(
    client: &mut PdClient<Channel>,
) -> (Option<pdpb::RequestHeader>, metapb::Region) {
    let header = header(client).await;
    let store = metapb::Store { id: 1, address: "127.0.0.1:1".into(), ..Default::default() };
    let region = metapb::Region {
        id: 2,
        region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version: 1 }),
        peers: vec![metapb::Peer { id: 3, store_id: 1, ..Default::default() }],
        ..Default::default()
    };
    let request =
        pdpb::BootstrapRequest { header, store: Some(store.clone()), region: Some(region.clone()) };
    let answer = client.bootstrap(request.clone()).await.expect("answers").into_inner();
    assert_eq!(answer.header.expect("a header").error, None);
    let again = client.bootstrap(request).await.expect("answers").into_inner();
    let error = again.header.expect("a header").error.expect("refused");
    assert_eq!(error.r#type(), pdpb::ErrorType::AlreadyBootstrapped);
    let put = pdpb::PutStoreRequest { header, store: Some(store) };
    client.put_store(put).await.expect("registers");
    let stats = Some(pdpb::StoreStats { store_id: 1, ..Default::default() });
    client.store_heartbeat(pdpb::StoreHeartbeatRequest { header, stats }).await.expect("heard");
    (header, region)
}

async fn timestamps(
    client: &mut PdClient<Channel>,
    header: Option<pdpb::RequestHeader>,
    count: u32,
) -> (i64, i64) {
    let request = pdpb::TsoRequest { header, count, ..Default::default() };
    let mut stream = client.tso(tokio_stream::once(request)).await.expect("a stream").into_inner();
    let answer = stream.message().await.expect("an answer").expect("one answer");
    let last = answer.timestamp.expect("a timestamp");
    (last.physical, last.logical)
}

async fn alloc(client: &mut PdClient<Channel>, header: Option<pdpb::RequestHeader>) -> u64 {
    let request = pdpb::AllocIdRequest { header, count: 1 };
    client.alloc_id(request).await.expect("an id").into_inner().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_told_to_split_the_first_region() {
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    let mut client = client(&pd).await;
    let (header, region) = bootstrap(&mut client).await;
    let (beats, stream) = mpsc::channel(4);
    let beat = pdpb::RegionHeartbeatRequest {
        header,
        leader: Some(region.peers[0]),
        region: Some(region),
        term: 6,
        ..Default::default()
    };
    beats.send(beat.clone()).await.expect("queued");
    let answers = client.region_heartbeat(ReceiverStream::new(stream)).await.expect("a stream");
    let mut answers = answers.into_inner();
    let step = answers.message().await.expect("open").expect("a step");
    let split = step.split_region.expect("a split");
    assert_eq!(split.policy(), pdpb::CheckPolicy::Usekey);
    assert_eq!(split.keys.len(), 4);
    assert_eq!(step.region_id, 2);
    assert_eq!(step.target_peer, beat.leader);
    beats.send(pdpb::RegionHeartbeatRequest { term: 5, ..beat }).await.expect("queued");
    let refused = loop {
        let step = answers.message().await.expect("open").expect("an answer");
        if let Some(error) = step.header.and_then(|header| header.error) {
            break error.message;
        }
    };
    assert!(refused.contains("term 5 is behind 6"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_given_twice_over_a_kill() {
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    let mut first = client(&pd).await;
    let (header, _) = bootstrap(&mut first).await;
    let id = alloc(&mut first, header).await;
    let at = timestamps(&mut first, header, 10).await;
    let addr = pd.addr;
    drop((first, pd));

    let pd = start(dir.path(), addr).await;
    assert_eq!(pd.addr, addr);
    let mut second = client(&pd).await;
    assert_eq!(self::header(&mut second).await, header, "the same cluster");
    assert!(alloc(&mut second, header).await > id);
    assert!(timestamps(&mut second, header, 1).await > at);
    let bootstrapped = second.is_bootstrapped(pdpb::IsBootstrappedRequest { header }).await;
    assert!(bootstrapped.expect("answers").into_inner().bootstrapped);
    let store = second.get_store(pdpb::GetStoreRequest { header, store_id: 1 }).await;
    let store = store.expect("answers").into_inner().store.expect("remembered");
    assert_eq!(store.address, "127.0.0.1:1");
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_clusters_and_unknown_calls_are_refused_at_once() {
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    let mut pd_client = client(&pd).await;
    let header = header(&mut pd_client).await;
    let unready = pd_client.get_store(pdpb::GetStoreRequest { header, store_id: 1 }).await;
    let error = unready.expect("answers").into_inner().header.expect("a header").error;
    assert_eq!(error.expect("refused").r#type(), pdpb::ErrorType::NotBootstrapped);

    let foreign = pdpb::AllocIdRequest {
        header: Some(pdpb::RequestHeader { cluster_id: 1, sender_id: 0 }),
        count: 1,
    };
    let status = pd_client.alloc_id(foreign).await.expect_err("another cluster");
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    let need = header.expect("a header").cluster_id;
    assert_eq!(status.message(), format!("mismatch cluster id, need {need} but got 1"));

    let channel = channel(&pd).await;
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    assert_eq!(health.expect("answers").into_inner().status(), ServingStatus::Serving);
    // A service that PD does not have: the stock client of another one, on PD's channel.
    let status = proto::tikvpb::tikv_client::TikvClient::new(channel)
        .raw_get(proto::kvrpcpb::RawGetRequest::default())
        .await
        .expect_err("not a store");
    assert_eq!(status.code(), tonic::Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_so() {
    let dir = TempDir::new().expect("a directory");
    let taken = std::net::TcpListener::bind(any_port()).expect("a port");
    let addr = taken.local_addr().expect("bound");
    let ended = serve(config(dir.path(), addr), |_| Ok(()), std::future::pending()).await;
    let Err(PdError::Io(error)) = ended else { panic!("{ended:?}") };
    assert!(error.to_string().starts_with(&format!("cannot serve on {addr}")), "{error}");
}

/// The library requires a TLS provider, though nothing here needs it.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn post(pd: &Running, path: &str, body: Value) -> (u16, Value) {
    let url = format!("http://{}/pd/api/v1/{path}", pd.addr);
    let answer = http().post(url).json(&body).send().await.expect("answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn get(pd: &Running, path: &str) -> (u16, String) {
    let url = format!("http://{}/{path}", pd.addr);
    let answer = http().get(url).send().await.expect("answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_answered_in_real_pds_words() {
    let dir = TempDir::new().expect("a directory");
    let pd = start(dir.path(), any_port()).await;
    bootstrap(&mut client(&pd).await).await;
    for (path, body, code, said) in [
        ("operators", json!({"name": "nonsense"}), 400, "unknown operator"),
        (
            "operators",
            json!({"name": "transfer-leader", "region_id": 2, "to_store_id": 4_242}),
            500,
            "region has no voter in store 4242",
        ),
        ("config", json!({"max-replicas": 5}), 200, "The config is updated."),
        (
            "config",
            json!({"max-replicas": 0}),
            400,
            "[PD:placement:ErrRuleContent]invalid rule content, invalid count 0",
        ),
        (
            "config",
            json!({"max-replicas": "x"}),
            400,
            "json: cannot unmarshal string into Go struct field ReplicationConfig.max-replicas of type uint64",
        ),
        ("config", json!({"no-such": 1}), 400, "config item no-such not found"),
        ("config", json!({"schedule.leader-schedule-limit": 4}), 200, "The config is updated."),
    ] {
        assert_eq!(post(&pd, path, body.clone()).await, (code, json!(said)), "{path} {body}");
    }
    let (_, config) = get(&pd, "pd/api/v1/config/replicate").await;
    let config: Value = serde_json::from_str(&config).expect("JSON");
    assert_eq!(config["max-replicas"], 5);
    let metrics = get(&pd, "metrics").await.1;
    for line in [
        "pd_cluster_status{type=\"region_count\"} 1",
        "pd_cluster_status{type=\"store_serving_count\"} 1",
        "pd_scheduler_store_status{address=\"127.0.0.1:1\",store=\"1\",type=\"region_count\"} 1",
        "pd_regions_status{type=\"miss-peer-region-count\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    // The number of Up stores depends on the time since the only heartbeat.
    for name in ["pd_cluster_status{type=\"store_up_count\"} ", "process_resident_memory_bytes "] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}: {metrics}");
    }
    assert_eq!(get(&pd, "pd/api/v1/no/such").await, (404, "404 page not found\n".into()));
}
