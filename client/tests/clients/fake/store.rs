//! The fake's stores: they share one map, check leader and epoch, and follow the script.

use super::{State, Step, service};
use proto::errorpb;
use proto::kvrpcpb::*;
use proto::raft_serverpb::{Done, RaftMessage, SnapshotChunk};
use proto::tikvpb::tikv_server::Tikv;
use proto::tikvpb::{BatchCommandsRequest, BatchCommandsResponse, BatchRaftMessage};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::{Arc, Mutex};
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming};

pub struct FakeStore {
    pub id: u64,
    pub state: Arc<Mutex<State>>,
}

/// Answers that can be region errors.
trait Answer: Default {
    fn refuse(&mut self, error: errorpb::Error);
    fn complain(&mut self, words: &str);
}

macro_rules! answers {
    ($($answer:ty),*) => {$(
        impl Answer for $answer {
            fn refuse(&mut self, error: errorpb::Error) {
                self.region_error = Some(error);
            }
            fn complain(&mut self, words: &str) {
                self.error = words.into();
            }
        }
    )*};
}
answers!(
    RawGetResponse,
    RawPutResponse,
    RawDeleteResponse,
    RawCasResponse,
    RawBatchPutResponse,
    RawBatchDeleteResponse,
    RawDeleteRangeResponse
);

macro_rules! answers_of_pairs {
    ($($answer:ty: $pairs:ident),*) => {$(
        impl Answer for $answer {
            fn refuse(&mut self, error: errorpb::Error) {
                self.region_error = Some(error);
            }
            fn complain(&mut self, words: &str) {
                let error = Some(KeyError { abort: words.into(), ..Default::default() });
                self.$pairs.push(KvPair { error, ..Default::default() });
            }
        }
    )*};
}
answers_of_pairs!(RawBatchGetResponse: pairs, RawScanResponse: kvs);

impl FakeStore {
    async fn serve<T: Answer>(
        &self,
        context: Option<Context>,
        writes: bool,
        apply: impl FnOnce(&mut State) -> T,
    ) -> Result<Response<T>, Status> {
        let (answer, hang) = self.step(&context.unwrap_or_default(), writes, apply)?;
        if hang {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(answer))
    }

    fn step<T: Answer>(
        &self,
        context: &Context,
        writes: bool,
        apply: impl FnOnce(&mut State) -> T,
    ) -> Result<(T, bool), Status> {
        let mut state = self.state.lock().expect("no test panics under the lock");
        state.requests += 1;
        let mut answer = T::default();
        if let Some(error) = self.check(&state, context) {
            answer.refuse(error);
            return Ok((answer, false));
        }
        let step = state.script.pop_front();
        match &step {
            Some(Step::Refuse(error)) => {
                answer.refuse(error.clone());
                return Ok((answer, false));
            }
            Some(Step::Complain(words)) => {
                answer.complain(words);
                return Ok((answer, false));
            }
            _ => answer = apply(&mut state),
        }
        state.writes_applied += usize::from(writes);
        match step {
            Some(Step::ApplyAndFail(code)) => Err(Status::new(code, "as the script says")),
            Some(Step::ApplyAndRefuse(error)) => {
                answer = T::default();
                answer.refuse(error);
                Ok((answer, false))
            }
            Some(Step::ApplyAndHang) => Ok((answer, true)),
            _ => Ok((answer, false)),
        }
    }

    fn check(&self, state: &State, context: &Context) -> Option<errorpb::Error> {
        let region_id = context.region_id;
        let Some(region) = state.regions.iter().find(|region| region.id == region_id) else {
            let region_not_found = Some(errorpb::RegionNotFound { region_id });
            return Some(errorpb::Error { region_not_found, ..Default::default() });
        };
        let leader = state.leaders.get(&region_id).copied();
        if leader != Some(self.id) {
            let leader = region.peers.iter().find(|peer| Some(peer.store_id) == leader).copied();
            let not_leader = Some(errorpb::NotLeader { region_id, leader });
            return Some(errorpb::Error { not_leader, ..Default::default() });
        }
        if context.region_epoch != region.region_epoch {
            let current_regions = state.regions.clone();
            let epoch_not_match = Some(errorpb::EpochNotMatch { current_regions });
            return Some(errorpb::Error { epoch_not_match, ..Default::default() });
        }
        None
    }
}

/// The pairs of a scan, inside the bounds of the region that was asked.
fn scan(state: &State, ask: &RawScanRequest) -> Vec<KvPair> {
    let id = ask.context.as_ref().map(|context| context.region_id);
    let Some(region) = state.regions.iter().find(|region| Some(region.id) == id) else {
        return vec![];
    };
    let (lower, upper) =
        if ask.reverse { (&ask.end_key, &ask.start_key) } else { (&ask.start_key, &ask.end_key) };
    let inside = |key: &[u8]| {
        key >= &region.start_key[..] && (region.end_key.is_empty() || key < &region.end_key[..])
    };
    let upper = if upper.is_empty() { Unbounded } else { Excluded(upper.clone()) };
    let pairs = state.data.range((Included(lower.clone()), upper)).filter(|(key, _)| inside(key));
    let pair = |(key, value): (&Vec<u8>, &Vec<u8>)| KvPair {
        key: key.clone(),
        value: if ask.key_only { vec![] } else { value.clone() },
        error: None,
    };
    let limit = ask.limit as usize;
    if ask.reverse {
        pairs.rev().take(limit).map(pair).collect()
    } else {
        pairs.take(limit).map(pair).collect()
    }
}

service! {
    impl Tikv for FakeStore {
        type BatchCommandsStream = Empty<Result<BatchCommandsResponse, Status>>;

        async fn raw_get(&self, ask: Request<RawGetRequest>) -> Result<Response<RawGetResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, false, |state| match state.data.get(&ask.key) {
                Some(value) => RawGetResponse { value: value.clone(), ..Default::default() },
                None => RawGetResponse { not_found: true, ..Default::default() },
            })
            .await
        }

        async fn raw_batch_get(
            &self,
            ask: Request<RawBatchGetRequest>,
        ) -> Result<Response<RawBatchGetResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, false, |state| {
                let found = |key: Vec<u8>| {
                    let value = state.data.get(&key)?.clone();
                    Some(KvPair { key, value, error: None })
                };
                let pairs = ask.keys.into_iter().filter_map(found).collect();
                RawBatchGetResponse { pairs, region_error: None }
            })
            .await
        }

        async fn raw_put(&self, ask: Request<RawPutRequest>) -> Result<Response<RawPutResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, true, |state| {
                state.data.insert(ask.key, ask.value);
                RawPutResponse::default()
            })
            .await
        }

        async fn raw_batch_put(
            &self,
            ask: Request<RawBatchPutRequest>,
        ) -> Result<Response<RawBatchPutResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, true, |state| {
                state.data.extend(ask.pairs.into_iter().map(|pair| (pair.key, pair.value)));
                RawBatchPutResponse::default()
            })
            .await
        }

        async fn raw_delete(
            &self,
            ask: Request<RawDeleteRequest>,
        ) -> Result<Response<RawDeleteResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, true, |state| {
                state.data.remove(&ask.key);
                RawDeleteResponse::default()
            })
            .await
        }

        async fn raw_batch_delete(
            &self,
            ask: Request<RawBatchDeleteRequest>,
        ) -> Result<Response<RawBatchDeleteResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, true, |state| {
                state.data.retain(|key, _| !ask.keys.contains(key));
                RawBatchDeleteResponse::default()
            })
            .await
        }

        async fn raw_delete_range(
            &self,
            ask: Request<RawDeleteRangeRequest>,
        ) -> Result<Response<RawDeleteRangeResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, true, |state| {
                let inside = |key: &Vec<u8>| {
                    *key >= ask.start_key && (ask.end_key.is_empty() || *key < ask.end_key)
                };
                state.data.retain(|key, _| !inside(key));
                RawDeleteRangeResponse::default()
            })
            .await
        }

        async fn raw_scan(&self, ask: Request<RawScanRequest>) -> Result<Response<RawScanResponse>, Status> {
            let ask = ask.into_inner();
            let context = ask.context.clone();
            self.serve(context, false, |state| RawScanResponse {
                kvs: scan(state, &ask),
                region_error: None,
            })
            .await
        }

        async fn raw_compare_and_swap(
            &self,
            ask: Request<RawCasRequest>,
        ) -> Result<Response<RawCasResponse>, Status> {
            let ask = ask.into_inner();
            self.serve(ask.context, true, |state| {
                let found = state.data.get(&ask.key).cloned();
                let expected = (!ask.previous_not_exist).then_some(ask.previous_value);
                let succeed = found == expected;
                if succeed {
                    state.data.insert(ask.key, ask.value);
                }
                RawCasResponse {
                    succeed,
                    previous_not_exist: found.is_none(),
                    previous_value: found.unwrap_or_default(),
                    ..Default::default()
                }
            })
            .await
        }
    }
    raw_batch_scan(RawBatchScanRequest) -> RawBatchScanResponse;
    raw_get_key_ttl(RawGetKeyTtlRequest) -> RawGetKeyTtlResponse;
    raft(Streaming<RaftMessage>) -> Done;
    batch_raft(Streaming<BatchRaftMessage>) -> Done;
    snapshot(Streaming<SnapshotChunk>) -> Done;
    batch_commands(Streaming<BatchCommandsRequest>) -> Self::BatchCommandsStream;
}
