//! The shared parts of all calls: the check of the cluster's id, and refusals as headers.

use super::PdService;
use crate::pd::core::{Core, Now, Refusal};
use proto::pdpb;
use tonic::Status;

/// Converts a refusal for a response's header.
pub(super) fn header_error(refusal: &Refusal) -> pdpb::Error {
    use pdpb::ErrorType;
    let kind = match refusal {
        Refusal::NotBootstrapped => ErrorType::NotBootstrapped,
        Refusal::AlreadyBootstrapped => ErrorType::AlreadyBootstrapped,
        Refusal::StoreTombstone => ErrorType::StoreTombstone,
        Refusal::RegionNotFound(_) => ErrorType::RegionNotFound,
        Refusal::RangesNotCovered => ErrorType::RegionsNotContainAllKeyRange,
        Refusal::InvalidBootstrap(_)
        | Refusal::StoreNotFound(_)
        | Refusal::DuplicateAddress { .. }
        | Refusal::RegionStale { .. }
        | Refusal::InvalidCount(_)
        | Refusal::Operator(_)
        | Refusal::Setting(_)
        | Refusal::Disk(_) => ErrorType::Unknown,
    };
    pdpb::Error { r#type: kind.into(), message: refusal.to_string() }
}

impl PdService {
    pub(super) fn check(&self, header: Option<&pdpb::RequestHeader>) -> Result<(), Status> {
        let got = header.map_or(0, |header| header.cluster_id);
        let need = self.member.cluster_id;
        if got == need {
            return Ok(());
        }
        let text = format!("mismatch cluster id, need {need} but got {got}");
        Err(Status::failed_precondition(text))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the responses have it")]
    pub(super) fn header(&self, error: Option<pdpb::Error>) -> Option<pdpb::ResponseHeader> {
        Some(pdpb::ResponseHeader { cluster_id: self.member.cluster_id, error })
    }

    /// Runs a mutation. Returns the header with its result, and its answer or the default.
    pub(super) fn act<T: Default>(
        &self,
        input: impl FnOnce(&mut Core, Now) -> Result<T, Refusal>,
    ) -> (Option<pdpb::ResponseHeader>, T) {
        self.told(self.shell.act(input))
    }

    /// Runs a query of a bootstrapped cluster. Returns the header with its result, and its answer
    /// or the default.
    pub(super) fn view<T: Default>(
        &self,
        question: impl FnOnce(&Core, Now) -> Result<T, Refusal>,
    ) -> (Option<pdpb::ResponseHeader>, T) {
        self.told(self.shell.view(|core, now| {
            core.expect_bootstrapped()?;
            question(core, now)
        }))
    }

    pub(super) fn told<T: Default>(
        &self,
        answer: Result<T, Refusal>,
    ) -> (Option<pdpb::ResponseHeader>, T) {
        match answer {
            Ok(value) => (self.header(None), value),
            Err(refusal) => (self.header(Some(header_error(&refusal))), T::default()),
        }
    }
}
