//! Serves reads from a region's data, once the caller has ensured that the data are recent enough.
//!
//! In: a read request, the data, the wall clock. Out: the response. Scans keep to the region, as
//! TiKV's do: the client goes on in the next one.

use super::{
    data::{Record, RegionData, Scan},
    requests::{RawRequest, RawResponse},
};
use proto::{
    kvrpcpb::{
        KvPair, RawBatchGetResponse, RawBatchScanRequest, RawBatchScanResponse,
        RawGetKeyTtlResponse, RawGetResponse, RawScanResponse,
    },
    metapb::Region,
};

/// The answer to a read; `None` if the request is a write.
pub fn serve(
    request: &RawRequest,
    region: &Region,
    data: &RegionData,
    unix_s: u64,
) -> Option<RawResponse> {
    Some(match request {
        RawRequest::Get(request) => {
            let record = data.get(&request.key, unix_s);
            RawResponse::Get(RawGetResponse {
                not_found: record.is_none(),
                value: record.map(|record| record.value.clone()).unwrap_or_default(),
                ..Default::default()
            })
        }
        RawRequest::BatchGet(request) => {
            let found = request
                .keys
                .iter()
                .filter_map(|key| data.get(key, unix_s).map(|record| pair((key, record), false)));
            RawResponse::BatchGet(RawBatchGetResponse {
                pairs: found.collect(),
                ..Default::default()
            })
        }
        RawRequest::KeyTtl(request) => {
            let record = data.get(&request.key, unix_s);
            let expires = record.map_or(0, |record| record.expires_unix_s);
            RawResponse::KeyTtl(RawGetKeyTtlResponse {
                not_found: record.is_none(),
                ttl: expires.saturating_sub(unix_s),
                ..Default::default()
            })
        }
        RawRequest::Scan(request) => {
            let (from, to) = (&request.start_key, &request.end_key);
            let limit = request.limit as usize;
            let found = scan(region, data, from, to, request.reverse, limit, unix_s);
            RawResponse::Scan(RawScanResponse {
                kvs: found.into_iter().map(|found| pair(found, request.key_only)).collect(),
                ..Default::default()
            })
        }
        RawRequest::BatchScan(request) => {
            let kvs = batch_scan(request, region, data, unix_s);
            RawResponse::BatchScan(RawBatchScanResponse { kvs, ..Default::default() })
        }
        RawRequest::Put(_)
        | RawRequest::BatchPut(_)
        | RawRequest::Delete(_)
        | RawRequest::BatchDelete(_)
        | RawRequest::DeleteRange(_)
        | RawRequest::CompareAndSwap(_) => return None,
    })
}

fn batch_scan(
    request: &RawBatchScanRequest,
    region: &Region,
    data: &RegionData,
    unix_s: u64,
) -> Vec<KvPair> {
    let mut kvs = Vec::new();
    for (position, range) in request.ranges.iter().enumerate() {
        let next = request.ranges.get(position + 1);
        // A range without an end goes to the next one's beginning.
        let to = match next {
            Some(next) if range.end_key.is_empty() => &next.start_key,
            _ => &range.end_key,
        };
        let limit = request.each_limit as usize;
        let found = scan(region, data, &range.start_key, to, request.reverse, limit, unix_s);
        kvs.extend(found.into_iter().map(|found| pair(found, request.key_only)));
    }
    kvs
}

/// Scans a range. Downwards, a request's start is the exclusive upper bound and its end the
/// inclusive lower one.
fn scan<'a>(
    region: &Region,
    data: &'a RegionData,
    from: &[u8],
    to: &[u8],
    reverse: bool,
    limit: usize,
    unix_s: u64,
) -> Vec<(&'a Vec<u8>, &'a Record)> {
    let (lower, upper) = if reverse { (to, from) } else { (from, to) };
    let lower = lower.max(&region.start_key);
    let end = region.end_key.as_slice();
    let upper = match (upper.is_empty(), end.is_empty()) {
        (true, _) => end,
        (_, true) => upper,
        _ => upper.min(end),
    };
    data.scan(Scan { lower, upper, limit, reverse }, unix_s)
}

fn pair((key, record): (&Vec<u8>, &Record), key_only: bool) -> KvPair {
    let value = if key_only { Vec::new() } else { record.value.clone() };
    KvPair { error: None, key: key.clone(), value }
}
