//! Stores over sockets and disks, and their messages when they cannot start.

use super::pd_stub::PdStub;
use crate::{
    defects::Defects,
    process::Ready,
    profile::Profile,
    read_mode::ReadMode,
    store::{StoreConfig, StoreError, startup::serve},
};
use proto::{
    eraftpb::ConfChangeType,
    kvrpcpb as kv,
    metapb::Peer,
    pdpb,
    tikvpb::{
        BatchCommandsRequest, batch_commands_request as request,
        batch_commands_response as response, tikv_client::TikvClient,
    },
};
use std::{net::SocketAddr, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time};
use tonic::transport::{Channel, Endpoint};

pub(super) struct Store {
    id: u64,
    pub(super) addr: SocketAddr,
    status_addr: SocketAddr,
    dir: TempDir,
    task: JoinHandle<Result<(), StoreError>>,
}

fn config(pd: SocketAddr, dir: &Path, addr: &str) -> StoreConfig {
    StoreConfig {
        store_id: None,
        pd_endpoint: pd.to_string(),
        addr: addr.parse().expect("an address"),
        status_addr: "127.0.0.1:0".parse().expect("an address"),
        data_dir: dir.to_owned(),
        profile: Profile::Fast,
        region_max_keys: None,
        enable_ttl: false,
        read: ReadMode::default(),
        defects: Defects::default(),
    }
}

pub(super) async fn start(pd: SocketAddr, dir: TempDir, addr: &str) -> Store {
    let (ready, announced) = oneshot::channel();
    let config = config(pd, dir.path(), addr);
    let announce = |is: Ready| {
        ready.send(is).expect("the test waits");
        Ok(())
    };
    let task = tokio::spawn(serve(config, announce, std::future::pending()));
    match announced.await {
        Ok(Ready::Store { id, addr, status_addr }) => Store { id, addr, status_addr, dir, task },
        other => panic!("{other:?}; the store says {:?}", task.await),
    }
}

impl Store {
    pub(super) async fn client(&self) -> TikvClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.addr)).expect("an address");
        TikvClient::new(endpoint.connect().await.expect("it serves"))
    }

    /// Ends the store as SIGKILL would: data that are not on disk are lost.
    async fn kill(self) -> TempDir {
        self.task.abort();
        let _ = self.task.await;
        self.dir
    }
}

/// Waits until `look` finds something at PD; half a minute at most, however slow the machine.
async fn until<T>(pd: &PdStub, what: &str, look: impl Fn(&PdStub) -> Option<T>) -> T {
    for _ in 0..1_500 {
        if let Some(found) = look(pd) {
            return found;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come about");
}

/// The only region's context at its leader.
async fn context(pd: &PdStub) -> kv::Context {
    until(pd, "a leader", |pd| {
        let state = pd.state();
        let (region, leader) = state.regions.values().next()?;
        Some(kv::Context {
            region_id: region.id,
            region_epoch: region.region_epoch,
            peer: Some((*leader)?),
            ..Default::default()
        })
    })
    .await
}

async fn change(pd: &PdStub, kind: ConfChangeType, peer: Peer) {
    let region_id = context(pd).await.region_id;
    let change = pdpb::ChangePeer { peer: Some(peer), change_type: kind as i32 };
    let wish = pdpb::RegionHeartbeatResponse { change_peer: Some(change), ..Default::default() };
    let role = i32::from(kind == ConfChangeType::AddLearnerNode);
    // PD repeats itself until the region has changed: a leader may be unable to follow at the
    // moment.
    until(pd, "the change", |pd| {
        let mut state = pd.state();
        let done = state.regions[&region_id]
            .0
            .peers
            .iter()
            .any(|member| member.id == peer.id && member.role == role);
        if done {
            return Some(());
        }
        state.wishes.insert(region_id, wish.clone());
        None
    })
    .await;
}

async fn put(client: &mut TikvClient<Channel>, context: &kv::Context, key: &str, value: &str) {
    let request = kv::RawPutRequest {
        context: Some(context.clone()),
        key: key.into(),
        value: value.into(),
        ..Default::default()
    };
    let response = client.raw_put(request).await.expect("an answer").into_inner();
    assert_eq!(response, kv::RawPutResponse::default());
}

fn get(context: &kv::Context, key: &str) -> kv::RawGetRequest {
    kv::RawGetRequest { context: Some(context.clone()), key: key.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_stores_replicate_and_a_killed_one_comes_back_with_everything() {
    let (pd, pd_addr) = PdStub::start().await;
    let mut stores = Vec::new();
    for _ in 0..3 {
        let dir = TempDir::new().expect("a directory");
        stores.push(start(pd_addr, dir, "127.0.0.1:0").await);
    }
    let mut client = stores[0].client().await;
    let before = context(&pd).await;
    for round in 0..100 {
        put(&mut client, &before, &format!("k{round}"), "v").await;
    }
    for store in &stores[1..] {
        let peer = Peer { id: 100 + store.id, store_id: store.id, ..Peer::default() };
        change(&pd, ConfChangeType::AddLearnerNode, peer).await;
        change(&pd, ConfChangeType::AddNode, peer).await;
    }
    let first = stores.remove(0);
    let addr = first.addr.to_string();
    let old_store = first.id;
    let dir = first.kill().await;

    let after = until(&pd, "another leader", |pd| {
        let state = pd.state();
        let (region, leader) = state.regions.values().next()?;
        let leader = (*leader)?;
        (leader.store_id != old_store).then(|| kv::Context {
            region_id: region.id,
            region_epoch: region.region_epoch,
            peer: Some(leader),
            ..Default::default()
        })
    })
    .await;
    let leader_store = after.peer.as_ref().expect("a leader").store_id;
    let leader = stores.iter().find(|store| store.id == leader_store).expect("it runs");
    let mut client = leader.client().await;
    for round in 0..100 {
        let found = client.raw_get(get(&after, &format!("k{round}"))).await.expect("an answer");
        assert_eq!(found.into_inner().value, b"v", "k{round}");
    }
    put(&mut client, &after, "k0", "w").await;

    let again = start(pd_addr, dir, &addr).await;
    assert_eq!(again.id, old_store, "it remembers who it is");
    let status = format!("http://{}/metrics", again.status_addr);
    let text = http_get(&status).await;
    assert!(text.contains("tikv_raftstore_region_count{type=\"region\"} "), "{text}");
    // The other follower goes; so the majority that confirms the next write needs the returned
    // store.
    let other = stores.iter().position(|store| store.id != leader_store).expect("it runs");
    stores.remove(other).kill().await;
    put(&mut client, &after, "k1", "w").await;
}

async fn http_get(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("it serves");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it listens");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_stream_answers_each_command_under_its_id() {
    let (pd, pd_addr) = PdStub::start().await;
    let store = start(pd_addr, TempDir::new().expect("a directory"), "127.0.0.1:0").await;
    let context = context(&pd).await;
    let mut client = store.client().await;
    put(&mut client, &context, "k", "v").await;
    let command = |cmd| request::Request { cmd: Some(cmd) };
    let batch = BatchCommandsRequest {
        requests: vec![
            command(request::request::Cmd::RawGet(get(&context, "k"))),
            command(request::request::Cmd::RawGet(get(&context, "absent"))),
        ],
        request_ids: vec![7, 9],
    };
    let requests = tokio_stream::iter([batch]);
    let mut answers = client.batch_commands(requests).await.expect("a stream").into_inner();
    let mut found = Vec::new();
    while let Some(batch) = answers.message().await.expect("answers") {
        for (id, answer) in batch.request_ids.into_iter().zip(batch.responses) {
            let Some(response::response::Cmd::RawGet(get)) = answer.cmd else {
                panic!("{answer:?} is no answer to a get");
            };
            found.push((id, get.not_found));
        }
    }
    found.sort_unstable();
    assert_eq!(found, [(7, false), (9, true)]);
}

async fn failure(config: StoreConfig) -> String {
    let announce = |_| Ok(());
    let served = serve(config, announce, std::future::pending());
    let ended = time::timeout(Duration::from_secs(30), served).await.expect("it does not start");
    ended.expect_err("it does not start").to_string()
}

#[tokio::test]
async fn a_store_that_cannot_start_says_why() {
    let (_pd, pd_addr) = PdStub::start().await;
    let dir = TempDir::new().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|addr| (addr, taken)).expect("it is bound");
    let text = failure(config(pd_addr, dir.path(), &taken.0.to_string())).await;
    assert!(text.contains(&format!("cannot listen on {}", taken.0)), "{text}");

    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").expect("a file");
    let text = failure(config(pd_addr, &file, "127.0.0.1:0")).await;
    assert!(text.contains("cannot use its data directory"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_starts_while_pd_is_down_waits_for_it() {
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let pd_addr = reserved.local_addr().expect("it is bound");
    drop(reserved);
    let dir = TempDir::new().expect("a directory");
    let starting = tokio::spawn(start(pd_addr, dir, "127.0.0.1:0"));
    // Long enough for several calls that are refused; however slow the machine, the store must not
    // have ended.
    time::sleep(Duration::from_secs(1)).await;
    assert!(!starting.is_finished(), "it neither serves nor gives up without PD");
    let (pd, _) = PdStub::start_at(pd_addr).await;
    let store = starting.await.expect("it starts");
    assert_eq!(pd.state().stores[&store.id].address, store.addr.to_string());
}

/// The directory's journal.
fn journal(dir: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(dir).expect("it exists").filter_map(Result::ok);
    files
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .expect("fjall keeps its journal there")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_record_is_dropped_and_the_rest_is_there() {
    let (pd, pd_addr) = PdStub::start().await;
    let store = start(pd_addr, TempDir::new().expect("a directory"), "127.0.0.1:0").await;
    let before = context(&pd).await;
    let mut client = store.client().await;
    for round in 0..20 {
        put(&mut client, &before, &format!("k{round}"), "v").await;
    }
    let dir = store.kill().await;
    let path = journal(&dir.path().join("fjall"));
    let bytes = std::fs::read(&path).expect("a journal");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("it is not empty") + 1;
    // A crash in the middle of the next record: its beginning is there, its end is not.
    let mut torn = bytes[..end].to_vec();
    torn.extend_from_slice(&bytes[..7.min(end)]);
    std::fs::write(&path, torn).expect("it is ours");
    let store = start(pd_addr, dir, "127.0.0.1:0").await;
    let mut client = store.client().await;
    let last = get(&before, "k19");
    for _ in 0..1_500 {
        let found = client.raw_get(last.clone()).await.expect("an answer").into_inner();
        if found.region_error.is_none() {
            assert_eq!(found.value, b"v");
            return;
        }
        time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the store does not lead its only region");
}
