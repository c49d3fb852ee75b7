//! The raw API's calls as data: one request, one response, and the pairing of both.
//!
//! In: requests as the wire delivered them. Out: the same requests under one type, so that a queue
//! can hold them; likewise responses. It deliberately does not know how a request is served.

use super::command::{Action, CompareAndSwap, DeleteRange, Mutation, Write};
use super::region_errors::Refusal;
use proto::kvrpcpb;

/// TiKV's default for `storage.max-key-size`.
const KEY_BYTES_MAX: usize = 8 << 10;

macro_rules! raw_api {
    ($($name:ident: $request:ident -> $response:ident;)*) => {
        /// A client's request.
        #[derive(Debug, Clone, PartialEq)]
        pub enum RawRequest {
            $(#[doc = concat!("`Raw", stringify!($name), "`.")] $name(kvrpcpb::$request),)*
        }

        /// The answer to a [`RawRequest`] of the same name.
        #[derive(Debug, Clone, PartialEq)]
        pub enum RawResponse {
            $(#[doc = concat!("`Raw", stringify!($name), "`.")] $name(kvrpcpb::$response),)*
        }

        /// The call of a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RequestKind {
            $(#[doc = concat!("`Raw", stringify!($name), "`.")] $name,)*
        }

        impl RawRequest {
            /// The region in which the client believes its keys to be.
            pub fn context(&self) -> Option<&kvrpcpb::Context> {
                match self {
                    $(Self::$name(request) => request.context.as_ref(),)*
                }
            }

            /// The call of this request.
            pub fn kind(&self) -> RequestKind {
                match self {
                    $(Self::$name(_) => RequestKind::$name,)*
                }
            }
        }

        impl RequestKind {
            /// The answer that holds only the reason for not serving the request.
            pub fn refuse(self, error: Refusal) -> RawResponse {
                match self {
                    $(Self::$name => RawResponse::$name(kvrpcpb::$response {
                        region_error: Some(*error),
                        ..Default::default()
                    }),)*
                }
            }
        }

        $(impl From<kvrpcpb::$request> for RawRequest {
            fn from(request: kvrpcpb::$request) -> Self {
                Self::$name(request)
            }
        })*
    };
}

raw_api! {
    Get: RawGetRequest -> RawGetResponse;
    BatchGet: RawBatchGetRequest -> RawBatchGetResponse;
    Put: RawPutRequest -> RawPutResponse;
    BatchPut: RawBatchPutRequest -> RawBatchPutResponse;
    Delete: RawDeleteRequest -> RawDeleteResponse;
    BatchDelete: RawBatchDeleteRequest -> RawBatchDeleteResponse;
    Scan: RawScanRequest -> RawScanResponse;
    BatchScan: RawBatchScanRequest -> RawBatchScanResponse;
    DeleteRange: RawDeleteRangeRequest -> RawDeleteRangeResponse;
    KeyTtl: RawGetKeyTtlRequest -> RawGetKeyTtlResponse;
    CompareAndSwap: RawCasRequest -> RawCasResponse;
}

impl RawRequest {
    /// The action of a write for the log; `None` if this is a read. Expiries count from `unix_s`,
    /// the leader's clock.
    pub fn action(&self, unix_s: u64) -> Option<Action> {
        let expiry = |ttl_s: u64| if ttl_s == 0 { 0 } else { unix_s.saturating_add(ttl_s) };
        let delete = |key: &Vec<u8>| Mutation { key: key.clone(), value: None, expires_unix_s: 0 };
        match self {
            Self::Get(_)
            | Self::BatchGet(_)
            | Self::Scan(_)
            | Self::BatchScan(_)
            | Self::KeyTtl(_) => None,
            Self::Put(request) => Some(Action::Write(Write {
                mutations: vec![Mutation {
                    key: request.key.clone(),
                    value: Some(request.value.clone()),
                    expires_unix_s: expiry(request.ttl),
                }],
            })),
            Self::BatchPut(request) => {
                // `ttls` has one for each pair, or one for all; without any, the older field holds.
                let ttl_s = |position: usize| match request.ttls.as_slice() {
                    [] => request.ttl,
                    [all] => *all,
                    each => each.get(position).copied().unwrap_or(request.ttl),
                };
                let mutations = request.pairs.iter().enumerate().map(|(position, pair)| Mutation {
                    key: pair.key.clone(),
                    value: Some(pair.value.clone()),
                    expires_unix_s: expiry(ttl_s(position)),
                });
                Some(Action::Write(Write { mutations: mutations.collect() }))
            }
            Self::Delete(request) => {
                Some(Action::Write(Write { mutations: vec![delete(&request.key)] }))
            }
            Self::BatchDelete(request) => {
                Some(Action::Write(Write { mutations: request.keys.iter().map(delete).collect() }))
            }
            Self::DeleteRange(request) => Some(Action::DeleteRange(DeleteRange {
                start: request.start_key.clone(),
                end: request.end_key.clone(),
            })),
            Self::CompareAndSwap(request) => Some(Action::CompareAndSwap(CompareAndSwap {
                key: request.key.clone(),
                expected: (!request.previous_not_exist).then(|| request.previous_value.clone()),
                value: request.value.clone(),
                expires_unix_s: expiry(request.ttl),
                compared: false,
            })),
        }
    }

    /// Returns true if this request changes nothing.
    pub fn is_read(&self) -> bool {
        self.action(0).is_none()
    }

    /// Returns true if this request only deletes, which is allowed even when the disk is full.
    pub fn frees_room(&self) -> bool {
        matches!(self, Self::Delete(_) | Self::BatchDelete(_) | Self::DeleteRange(_))
    }

    /// The answer to a write with a key that is too long; `None` if no key is. Keys may be empty,
    /// and so may values.
    pub fn refuse_long_keys(&self) -> Option<RawResponse> {
        let mut keys = self.keys();
        if let Self::DeleteRange(request) = self {
            keys.push(&request.end_key);
        }
        let size = keys.iter().map(|key| key.len()).find(|size| *size > KEY_BYTES_MAX)?;
        let error = format!("max key size exceeded, size: {size}, limit: {KEY_BYTES_MAX}");
        Some(match self {
            Self::Put(_) => {
                RawResponse::Put(kvrpcpb::RawPutResponse { error, ..Default::default() })
            }
            Self::BatchPut(_) => {
                RawResponse::BatchPut(kvrpcpb::RawBatchPutResponse { error, ..Default::default() })
            }
            Self::Delete(_) => {
                RawResponse::Delete(kvrpcpb::RawDeleteResponse { error, ..Default::default() })
            }
            Self::BatchDelete(_) => RawResponse::BatchDelete(kvrpcpb::RawBatchDeleteResponse {
                error,
                ..Default::default()
            }),
            Self::DeleteRange(_) => RawResponse::DeleteRange(kvrpcpb::RawDeleteRangeResponse {
                error,
                ..Default::default()
            }),
            Self::CompareAndSwap(_) => {
                RawResponse::CompareAndSwap(kvrpcpb::RawCasResponse { error, ..Default::default() })
            }
            // A key that is too long does not exist, so nothing is found.
            Self::Get(_)
            | Self::BatchGet(_)
            | Self::Scan(_)
            | Self::BatchScan(_)
            | Self::KeyTtl(_) => return None,
        })
    }

    /// TiKV's answer to a request about a time to live if TTL is not enabled; `None` for other
    /// requests.
    pub fn refuse_ttl(&self) -> Option<RawResponse> {
        let put = "ttl is not enabled, but get put request with ttl".to_owned();
        match self {
            Self::Put(request) if request.ttl != 0 => {
                Some(RawResponse::Put(kvrpcpb::RawPutResponse { error: put, ..Default::default() }))
            }
            Self::BatchPut(request)
                if request.ttl != 0 || request.ttls.iter().any(|ttl| *ttl != 0) =>
            {
                let refused = kvrpcpb::RawBatchPutResponse { error: put, ..Default::default() };
                Some(RawResponse::BatchPut(refused))
            }
            Self::CompareAndSwap(request) if request.ttl != 0 => {
                let refused = kvrpcpb::RawCasResponse { error: put, ..Default::default() };
                Some(RawResponse::CompareAndSwap(refused))
            }
            Self::KeyTtl(_) => {
                let error = "get ttl on non-ttl store".to_owned();
                let refused = kvrpcpb::RawGetKeyTtlResponse { error, ..Default::default() };
                Some(RawResponse::KeyTtl(refused))
            }
            _ => None,
        }
    }

    /// The keys that must lie in the region.
    pub fn keys(&self) -> Vec<&[u8]> {
        match self {
            Self::Get(request) => vec![&request.key],
            Self::BatchGet(request) => request.keys.iter().map(Vec::as_slice).collect(),
            Self::Put(request) => vec![&request.key],
            Self::BatchPut(request) => {
                request.pairs.iter().map(|pair| pair.key.as_slice()).collect()
            }
            Self::Delete(request) => vec![&request.key],
            Self::BatchDelete(request) => request.keys.iter().map(Vec::as_slice).collect(),
            // A scan's first key; if it goes downwards, that bound is exclusive and may be the
            // region's end.
            Self::Scan(request) if !request.reverse => vec![&request.start_key],
            Self::BatchScan(request) if !request.reverse => {
                request.ranges.iter().map(|range| range.start_key.as_slice()).collect()
            }
            Self::Scan(_) | Self::BatchScan(_) => Vec::new(),
            Self::DeleteRange(request) => vec![&request.start_key],
            Self::KeyTtl(request) => vec![&request.key],
            Self::CompareAndSwap(request) => vec![&request.key],
        }
    }
}
