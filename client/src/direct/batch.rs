//! Operations on several keys: split by region, one RPC a region, all at once.
//!
//! Every route is found before anything is sent, so that a batch that cannot be routed certainly
//! has no effect. Of a batch of which one part failed and another went through, nobody can say that
//! it was not applied: unknown.

use super::regions::Route;
use super::{DirectClient, Refusal};
use crate::attempts::AttemptLog;
use crate::fate::{Fate, Sent, fate};
use crate::{Cause, ClientError, Outcome, Response};
use futures::future::join_all;
use proto::kvrpcpb::{
    KvPair, RawBatchDeleteRequest, RawBatchGetRequest, RawBatchPutRequest, RawDeleteRangeRequest,
};
use std::collections::BTreeMap;

/// A range in which `None` is no bound.
type Range = (Vec<u8>, Option<Vec<u8>>);

impl DirectClient {
    pub(super) async fn batch_get(
        &self,
        keys: &[Vec<u8>],
        log: &AttemptLog,
    ) -> Result<Response, ClientError> {
        let parts = self.split(keys, |key| key).await?;
        let answers = join_all(parts.into_iter().map(async |(route, keys)| {
            self.attempt(
                &route,
                log,
                async |mut store, context| {
                    let keys = keys.into_iter().cloned().collect();
                    let context = Some(context);
                    let request = RawBatchGetRequest { context, keys, ..Default::default() };
                    store.raw_batch_get(request).await.map(tonic::Response::into_inner)
                },
                |answer| Refusal::of_pairs(&mut answer.region_error, &answer.pairs),
            )
            .await
        }))
        .await;
        let mut found = BTreeMap::new();
        for answer in answers {
            found.extend(answer?.pairs.into_iter().map(|pair| (pair.key, pair.value)));
        }
        Ok(Response::GotBatch(
            keys.iter().map(|key| (key.clone(), found.get(key).cloned())).collect(),
        ))
    }

    pub(super) async fn batch_put(
        &self,
        pairs: &[(Vec<u8>, Vec<u8>)],
        log: &AttemptLog,
    ) -> Outcome {
        let parts = match self.split(pairs, |(key, _)| key).await {
            Ok(parts) => parts,
            Err(error) => return fate(error.cause, Sent::WriteOnce).outcome(error),
        };
        together(
            join_all(parts.into_iter().map(async |(route, pairs)| {
                let pair = |(key, value): &(Vec<u8>, Vec<u8>)| KvPair {
                    key: key.clone(),
                    value: value.clone(),
                    error: None,
                };
                let ask = async |mut store: super::StoreClient<_>, context| {
                    let request = RawBatchPutRequest {
                        context: Some(context),
                        pairs: pairs.into_iter().map(pair).collect(),
                        for_cas: self.options.atomic,
                        ..Default::default()
                    };
                    store.raw_batch_put(request).await.map(tonic::Response::into_inner)
                };
                self.attempt(&route, log, ask, |answer| {
                    Refusal::of(&mut answer.region_error, &mut answer.error)
                })
                .await
                .map(|_| ())
            }))
            .await,
        )
    }

    pub(super) async fn batch_delete(&self, keys: &[Vec<u8>], log: &AttemptLog) -> Outcome {
        let parts = match self.split(keys, |key| key).await {
            Ok(parts) => parts,
            Err(error) => return fate(error.cause, Sent::WriteOnce).outcome(error),
        };
        together(
            join_all(parts.into_iter().map(async |(route, keys)| {
                let ask = async |mut store: super::StoreClient<_>, context| {
                    let request = RawBatchDeleteRequest {
                        context: Some(context),
                        keys: keys.into_iter().cloned().collect(),
                        for_cas: self.options.atomic,
                        ..Default::default()
                    };
                    store.raw_batch_delete(request).await.map(tonic::Response::into_inner)
                };
                self.attempt(&route, log, ask, |answer| {
                    Refusal::of(&mut answer.region_error, &mut answer.error)
                })
                .await
                .map(|_| ())
            }))
            .await,
        )
    }

    pub(super) async fn delete_range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        log: &AttemptLog,
    ) -> Outcome {
        if self.options.atomic {
            // The store would remove the range beside the latches that make CAS atomic.
            let message = "delete-range is not possible in atomic mode";
            return Outcome::NotApplied(ClientError::new(Cause::RefusedByClient, message));
        }
        let parts = match self.split_range(start, end).await {
            Ok(parts) => parts,
            Err(error) => return fate(error.cause, Sent::WriteOnce).outcome(error),
        };
        together(
            join_all(parts.into_iter().map(async |(route, (start_key, end_key))| {
                let ask = async |mut store: super::StoreClient<_>, context| {
                    let request = RawDeleteRangeRequest {
                        context: Some(context),
                        start_key,
                        end_key: end_key.unwrap_or_default(),
                        ..Default::default()
                    };
                    store.raw_delete_range(request).await.map(tonic::Response::into_inner)
                };
                self.attempt(&route, log, ask, |answer| {
                    Refusal::of(&mut answer.region_error, &mut answer.error)
                })
                .await
                .map(|_| ())
            }))
            .await,
        )
    }

    /// Items by the region of their keys, in the order of the regions' first appearance.
    async fn split<'a, T>(
        &self,
        items: &'a [T],
        key: impl Fn(&T) -> &[u8],
    ) -> Result<Vec<(Route, Vec<&'a T>)>, ClientError> {
        let mut parts: Vec<(Route, Vec<&'a T>)> = Vec::new();
        for item in items {
            let part = parts.iter_mut().find(|(route, _)| route.contains(key(item)));
            match part {
                Some((_, items)) => items.push(item),
                None => parts.push((self.route(key(item)).await?, vec![item])),
            }
        }
        Ok(parts)
    }

    /// A range by region, each part inside its region's bounds.
    async fn split_range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
    ) -> Result<Vec<(Route, Range)>, ClientError> {
        let mut parts = Vec::new();
        let mut next = Some(start.to_vec());
        while let Some(from) = next.filter(|from| end.is_none_or(|end| &from[..] < end)) {
            let route = self.route(&from).await?;
            let (part, rest) = match (end, route.end()) {
                (Some(end), Some(bound)) if end <= bound => (Some(end.to_vec()), None),
                (end, None) => (end.map(<[u8]>::to_vec), None),
                (_, Some(bound)) => (Some(bound.to_vec()), Some(bound.to_vec())),
            };
            parts.push((route, (from, part)));
            next = rest;
        }
        Ok(parts)
    }
}

/// The outcome of a write whose parts were each sent once.
fn together(parts: Vec<Result<(), ClientError>>) -> Outcome {
    let any_done = parts.iter().any(Result::is_ok);
    let mut errors: Vec<ClientError> = parts.into_iter().filter_map(Result::err).collect();
    let unknown = errors.iter().position(|e| fate(e.cause, Sent::WriteOnce) == Fate::Unknown);
    match (errors.is_empty(), any_done, unknown) {
        (true, _, _) => Outcome::Ok(Response::Done),
        (false, _, Some(index)) => Outcome::Unknown(errors.swap_remove(index)),
        (false, true, None) => Outcome::Unknown(errors.swap_remove(0)),
        (false, false, None) => Outcome::NotApplied(errors.swap_remove(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegionErrorKind;

    #[test]
    fn a_batch_is_not_applied_only_if_no_part_can_have_been() {
        let refused =
            || Err(ClientError::new(Cause::Region(RegionErrorKind::NotLeader), "not leader"));
        let lost = || Err(ClientError::new(Cause::Deadline, "deadline"));
        assert!(matches!(together(vec![]), Outcome::Ok(Response::Done)));
        assert!(matches!(together(vec![Ok(()), Ok(())]), Outcome::Ok(Response::Done)));
        assert!(matches!(together(vec![refused(), refused()]), Outcome::NotApplied(_)));
        assert!(matches!(together(vec![refused(), Ok(())]), Outcome::Unknown(_)));
        assert!(matches!(together(vec![refused(), lost()]), Outcome::Unknown(_)));
    }
}
