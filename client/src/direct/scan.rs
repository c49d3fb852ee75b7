//! Scans, forward and reverse, over all regions of a range, page by page.
//!
//! Reads have no effect, so a page that fails is asked again, after a growing wait, until the
//! caller's deadline. Each page is a read of its own: the whole is not a snapshot.

use super::regions::Route;
use super::{DirectClient, Refusal};
use crate::attempts::AttemptLog;
use crate::{ClientError, Response};
use proto::kvrpcpb::{KvPair, RawScanRequest};
use std::time::Duration;

/// Pairs a page: far below what a store allows (10,240), so that pages of large values stay small.
const PAGE: usize = 1024;
const WAIT_MS_MIN: u64 = 10;
const WAIT_MS_MAX: u64 = 200;

/// Higher than any key that exists; a reverse scan without an upper bound begins here.
pub(super) const BEYOND_ALL_KEYS: [u8; 64] = [0xff; 64];

/// The range to scan. Bounds and order are those of [`crate::Request::Scan`].
#[derive(Debug)]
pub(super) struct Scan<'a> {
    pub(super) start: &'a [u8],
    pub(super) end: Option<&'a [u8]>,
    pub(super) limit: usize,
    pub(super) reverse: bool,
    pub(super) key_only: bool,
}

impl DirectClient {
    pub(super) async fn scan(
        &self,
        scan: &Scan<'_>,
        log: &AttemptLog,
    ) -> Result<Response, ClientError> {
        let mut pairs: Vec<KvPair> = Vec::new();
        // What is left of the range.
        let mut start = scan.start.to_vec();
        let mut end = scan.end.map(<[u8]>::to_vec);
        let mut wait_ms = WAIT_MS_MIN;
        while pairs.len() < scan.limit && end.as_ref().is_none_or(|end| start < *end) {
            let limit = PAGE.min(scan.limit - pairs.len());
            let page = self.page(scan, &start, end.as_deref(), limit, log).await;
            let Ok((route, page)) = page else {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                wait_ms = (wait_ms * 2).min(WAIT_MS_MAX);
                continue;
            };
            wait_ms = WAIT_MS_MIN;
            let full = page.len() >= limit;
            let last = page.last().map(|pair| pair.key.clone());
            pairs.extend(page);
            match (full, last, scan.reverse) {
                (true, Some(last), false) => start = successor(last),
                (true, Some(last), true) => end = Some(last),
                (_, _, false) => match route.end() {
                    Some(bound) => start = bound.to_vec(),
                    None => break,
                },
                (_, _, true) if route.start().is_empty() => break,
                (_, _, true) => end = Some(route.start().to_vec()),
            }
        }
        pairs.truncate(scan.limit);
        Ok(if scan.key_only {
            Response::ScannedKeys(pairs.into_iter().map(|pair| pair.key).collect())
        } else {
            Response::Scanned(pairs.into_iter().map(|pair| (pair.key, pair.value)).collect())
        })
    }

    /// One page: the part of `[start, end)` that lies in the region where the scan stands.
    async fn page(
        &self,
        scan: &Scan<'_>,
        start: &[u8],
        end: Option<&[u8]>,
        limit: usize,
        log: &AttemptLog,
    ) -> Result<(Route, Vec<KvPair>), ClientError> {
        let route =
            if scan.reverse { self.route_below(end).await? } else { self.route(start).await? };
        let lower = start.max(route.start()).to_vec();
        let upper = match (end, route.end()) {
            (Some(end), Some(bound)) => Some(end.min(bound)),
            (end, bound) => end.or(bound),
        };
        // In a reverse scan the wire's start is the exclusive upper bound, and empty does not mean
        // unbounded.
        let (from, to) = if scan.reverse {
            (upper.unwrap_or(&BEYOND_ALL_KEYS).to_vec(), lower)
        } else {
            (lower, upper.unwrap_or_default().to_vec())
        };
        let ask = async |mut store: super::StoreClient<_>, context| {
            let request = RawScanRequest {
                context: Some(context),
                start_key: from,
                end_key: to,
                limit: limit as u32,
                key_only: scan.key_only,
                reverse: scan.reverse,
                ..Default::default()
            };
            store.raw_scan(request).await.map(tonic::Response::into_inner)
        };
        let answer = self
            .attempt(&route, log, ask, |answer| {
                Refusal::of_pairs(&mut answer.region_error, &answer.kvs)
            })
            .await?;
        Ok((route, answer.kvs))
    }
}

/// The smallest key above a key.
fn successor(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}
