//! The two streams that stay open: timestamps, and region heartbeats with the steps that answer
//! them.

use super::{PdService, answers::header_error};
use crate::pd::shell::StepSender;
use proto::pdpb;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

impl PdService {
    /// Gives timestamps until the client's stream ends.
    pub(super) async fn give_timestamps(
        self,
        mut requests: Streaming<pdpb::TsoRequest>,
        send: mpsc::Sender<Result<pdpb::TsoResponse, Status>>,
    ) {
        while let Ok(Some(request)) = requests.message().await {
            let count = request.count;
            let answer = self.check(request.header.as_ref()).and_then(|()| {
                let timestamp = self.shell.act(|core, now| core.timestamp(now, count));
                timestamp.map_err(|refusal| Status::unknown(refusal.to_string()))
            });
            let answer = answer.map(|timestamp| pdpb::TsoResponse {
                header: self.header(None),
                count,
                timestamp: Some(timestamp),
            });
            let failed = answer.is_err();
            if send.send(answer).await.is_err() || failed {
                break;
            }
        }
    }

    /// Serves one store's heartbeats until its stream ends.
    pub(super) async fn hear_regions(
        self,
        mut beats: Streaming<pdpb::RegionHeartbeatRequest>,
        steps: StepSender,
    ) {
        while let Ok(Some(beat)) = beats.message().await {
            if let Err(status) = self.check(beat.header.as_ref()) {
                let _ = steps.send(Err(status)).await;
                break;
            }
            let leader = beat.leader;
            let region_id = beat.region.as_ref().map_or(0, |region| region.id);
            if let Some(leader) = &leader {
                self.shell.bind(leader.store_id, &steps);
            }
            if let Err(refusal) = self.shell.act(|core, now| core.region_heartbeat(now, beat)) {
                tracing::debug!(region_id, %refusal, "heartbeat refused");
                // Not waited for: a store that does not read its steps must not stop its
                // heartbeats.
                let _ = steps.try_send(Ok(pdpb::RegionHeartbeatResponse {
                    header: self.header(Some(header_error(&refusal))),
                    region_id,
                    target_peer: leader,
                    ..Default::default()
                }));
            }
        }
        self.shell.unbind(&steps);
    }
}
