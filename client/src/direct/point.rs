//! Operations on one key: one RPC each.

use super::{DirectClient, Refusal};
use crate::attempts::AttemptLog;
use crate::{ClientError, Response};
use proto::kvrpcpb::{RawCasRequest, RawDeleteRequest, RawGetRequest, RawPutRequest};

impl DirectClient {
    pub(super) async fn get(&self, key: &[u8], log: &AttemptLog) -> Result<Response, ClientError> {
        let route = self.route(key).await?;
        let answer = self
            .attempt(
                &route,
                log,
                async |mut store, context| {
                    let context = Some(context);
                    let request =
                        RawGetRequest { context, key: key.to_vec(), ..Default::default() };
                    store.raw_get(request).await.map(tonic::Response::into_inner)
                },
                |answer| Refusal::of(&mut answer.region_error, &mut answer.error),
            )
            .await?;
        Ok(Response::Got((!answer.not_found).then_some(answer.value)))
    }

    pub(super) async fn put(
        &self,
        key: &[u8],
        value: &[u8],
        ttl_s: Option<u64>,
        log: &AttemptLog,
    ) -> Result<Response, ClientError> {
        let route = self.route(key).await?;
        self.attempt(
            &route,
            log,
            async |mut store, context| {
                let request = RawPutRequest {
                    context: Some(context),
                    key: key.to_vec(),
                    value: value.to_vec(),
                    ttl: ttl_s.unwrap_or(0),
                    for_cas: self.options.atomic,
                    ..Default::default()
                };
                store.raw_put(request).await.map(tonic::Response::into_inner)
            },
            |answer| Refusal::of(&mut answer.region_error, &mut answer.error),
        )
        .await?;
        Ok(Response::Done)
    }

    pub(super) async fn delete(
        &self,
        key: &[u8],
        log: &AttemptLog,
    ) -> Result<Response, ClientError> {
        let route = self.route(key).await?;
        self.attempt(
            &route,
            log,
            async |mut store, context| {
                let request = RawDeleteRequest {
                    context: Some(context),
                    key: key.to_vec(),
                    for_cas: self.options.atomic,
                    ..Default::default()
                };
                store.raw_delete(request).await.map(tonic::Response::into_inner)
            },
            |answer| Refusal::of(&mut answer.region_error, &mut answer.error),
        )
        .await?;
        Ok(Response::Done)
    }

    pub(super) async fn cas(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: &[u8],
        log: &AttemptLog,
    ) -> Result<Response, ClientError> {
        let route = self.route(key).await?;
        let answer = self
            .attempt(
                &route,
                log,
                async |mut store, context| {
                    let request = RawCasRequest {
                        context: Some(context),
                        key: key.to_vec(),
                        value: new.to_vec(),
                        previous_not_exist: expected.is_none(),
                        previous_value: expected.unwrap_or_default().to_vec(),
                        ..Default::default()
                    };
                    store.raw_compare_and_swap(request).await.map(tonic::Response::into_inner)
                },
                |answer| Refusal::of(&mut answer.region_error, &mut answer.error),
            )
            .await?;
        let previous = (!answer.previous_not_exist).then_some(answer.previous_value);
        Ok(Response::Cas { swapped: answer.succeed, previous })
    }
}
