//! Any request to the embedded PD, HTTP or gRPC: it answers, and goes on.
//!
//! An input is a line `METHOD PATH` and the body behind it. For a gRPC path (`/pdpb.PD/…`) the body
//! is one message; it is framed here, and gets a header that names the cluster, since all others
//! are refused (a field that comes again is merged). One PD, which has a store and a region, gets
//! all of them, without a socket, in a paused clock.
#![no_main]

use cluster::pd::unserved::Unserved;
use http::{Request, Uri};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::{
    metapb::{Peer, Region, RegionEpoch, Store},
    pdpb::{BootstrapRequest, RequestHeader},
};
use std::{cell::RefCell, time::Duration};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

struct Pd {
    runtime: Runtime,
    pd: Unserved,
    _data: TempDir,
}

thread_local! {
    static PD: RefCell<Pd> = RefCell::new({
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        let data = tempfile::tempdir().expect("a directory");
        let pd = runtime.block_on(async { Unserved::open(data.path()) }).expect("a PD");
        let mut pd = Pd { runtime, pd, _data: data };
        let first = [&b"POST /pdpb.PD/Bootstrap\n"[..], &bootstrap().encode_to_vec()].concat();
        pd.ask(&first);
        pd
    });
}

fn bootstrap() -> BootstrapRequest {
    let store = Store { id: 1, address: "127.0.0.1:20160".into(), ..Store::default() };
    let region = Region {
        id: 2,
        region_epoch: Some(RegionEpoch { conf_ver: 1, version: 1 }),
        peers: vec![Peer { id: 3, store_id: 1, ..Peer::default() }],
        ..Region::default()
    };
    BootstrapRequest { store: Some(store), region: Some(region), ..BootstrapRequest::default() }
}

impl Pd {
    fn ask(&mut self, input: &[u8]) {
        let Some(request) = request(input, self.pd.cluster_id()) else { return };
        // A stream that goes on is left after a moment that costs nothing.
        let _ = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(1), self.pd.ask(request)).await
        });
    }
}

fn request(input: &[u8], cluster_id: u64) -> Option<Request<Vec<u8>>> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let (method, path) = std::str::from_utf8(&input[..end]).ok()?.split_once(' ')?;
    let path: Uri = path.parse().ok()?;
    let mut body = input[end + 1..].to_vec();
    let is_grpc = path.path().starts_with("/pdpb") || path.path().starts_with("/grpc");
    let kind = if is_grpc { "application/grpc" } else { "application/json" };
    if is_grpc {
        let header = Some(RequestHeader { cluster_id, ..RequestHeader::default() });
        body.extend(BootstrapRequest { header, ..BootstrapRequest::default() }.encode_to_vec());
        let length = u32::try_from(body.len()).ok()?.to_be_bytes();
        body.splice(0..0, std::iter::once(0).chain(length));
    }
    Request::builder().method(method).uri(path).header("content-type", kind).body(body).ok()
}

fuzz_target!(|input: &[u8]| PD.with_borrow_mut(|pd| pd.ask(input)));
