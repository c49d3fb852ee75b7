//! The standard gRPC health service: PD serves for as long as it lives.

use super::{Answer, PdService};
use proto::health::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Health for PdService {
    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Answer<Self::WatchStream> {
        let (send, receive) = mpsc::channel(1);
        let serving = HealthCheckResponse { status: ServingStatus::Serving.into() };
        tokio::spawn(async move {
            // The state never changes while this process lives: one answer, then an open stream.
            if send.send(Ok(serving)).await.is_ok() {
                send.closed().await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receive)))
    }
}
