//! Any raw call to an embedded store: it answers, and goes on.
//!
//! An input is a line with the call's name (`RawPut`) and its message behind it. The message is
//! sent as it is, and once more with the context of a region that is there (a field that comes
//! again is merged), so that it is not only refused. A simulated cluster of one store gets all of
//! them: the store's own logic, without sockets and disk.
#![no_main]

use cluster::{
    profile::Profile,
    read_mode::ReadMode,
    simulation::{PD_ADDRESS, Simulation, SimulationConfig, store_address},
};
use http::Request;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::kvrpcpb::{Context, RawGetRequest};
use std::{cell::RefCell, collections::BTreeMap, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};
use tonic::body::Body;
use tower_service::Service;

struct Cluster {
    runtime: Runtime,
    simulation: Simulation,
}

/// How long the cluster gets for anything, virtual time.
const WITHIN: Duration = Duration::from_secs(10);

thread_local! {
    static CLUSTER: RefCell<Cluster> = RefCell::new({
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let simulation = runtime.block_on(async { Simulation::new(config()) });
        let cluster = Cluster { runtime, simulation };
        cluster.pass(async { sleep(WITHIN).await });
        assert!(cluster.context(b"").is_some(), "it serves: {PD_ADDRESS}");
        cluster
    });
}

fn config() -> SimulationConfig {
    SimulationConfig {
        stores: 1,
        replicas: 1,
        profile: Profile::Fast,
        read: ReadMode::default(),
        defects: BTreeMap::new(),
        seed: 1,
        log_entries_kept: 64,
        region_max_keys: None,
    }
}

impl Cluster {
    /// Lets time pass until this is over.
    fn pass(&self, until: impl Future<Output = ()>) {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = until => {}
                () = self.simulation.run() => {}
            }
        });
    }

    /// What a call to the region of a key says of it.
    fn context(&self, key: &[u8]) -> Option<Context> {
        let regions = self.simulation.regions();
        let holds = |start: &[u8], end: &[u8]| start <= key && (end.is_empty() || key < end);
        let found = regions.iter().find(|it| holds(&it.region.start_key, &it.region.end_key))?;
        Some(Context {
            region_id: found.region.id,
            region_epoch: found.region.region_epoch,
            peer: found.region.peers.first().cloned(),
            ..Context::default()
        })
    }

    fn send(&self, call: &str, message: &[u8]) {
        let Ok(length) = u32::try_from(message.len()) else { return };
        let framed = [&[0], &length.to_be_bytes()[..], message].concat();
        let path = format!("http://store/tikvpb.Tikv/{call}");
        let Ok(request) =
            Request::builder().method("POST").uri(path).body(Body::new(framed_body(framed)))
        else {
            return;
        };
        let mut wire = self.simulation.wire(&store_address(1));
        self.pass(async {
            let _ = timeout(WITHIN, wire.call(request)).await.expect("it answers");
        });
    }
}

fn framed_body(bytes: Vec<u8>) -> http_body_util::Full<tonic::codegen::Bytes> {
    http_body_util::Full::new(bytes.into())
}

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (Ok(call), message) = (std::str::from_utf8(&input[..end]), &input[end + 1..]) else {
        return;
    };
    CLUSTER.with_borrow(|cluster| {
        cluster.send(call, message);
        let key = RawGetRequest::decode(message).map(|it| it.key).unwrap_or_default();
        let there = RawGetRequest { context: cluster.context(&key), ..RawGetRequest::default() };
        cluster.send(call, &[message, &there.encode_to_vec()[..]].concat());
    });
});
