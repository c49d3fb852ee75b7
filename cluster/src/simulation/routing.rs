//! The simulated PD's answers to clients: members, regions by key, stores.
//!
//! In: a call and PD's core. Out: the answer, encoded. It changes nothing.

use super::wire::{Call, PD_ADDRESS, unreadable};
use crate::pd::core::{Core, regions::Region};
use bytes::Bytes;
use prost::Message;
use proto::pdpb;
use tonic::Status;

/// The answer to a client's call.
pub fn answer(core: &Core, call: &Call) -> Result<Bytes, Status> {
    let header = Some(pdpb::ResponseHeader { cluster_id: core.cluster_id(), error: None });
    match call.path.strip_prefix("/pdpb.PD/") {
        Some("GetMembers") => {
            let member = pdpb::Member {
                name: "pd1".into(),
                member_id: core.member_id(),
                client_urls: vec![format!("http://{PD_ADDRESS}")],
                ..Default::default()
            };
            encoded(&pdpb::GetMembersResponse {
                header,
                members: vec![member.clone()],
                leader: Some(member),
                ..Default::default()
            })
        }
        Some("GetRegion") => {
            let request: pdpb::GetRegionRequest = decoded(call)?;
            region(header, core.regions().by_key(&request.region_key))
        }
        Some("GetPrevRegion") => {
            let request: pdpb::GetRegionRequest = decoded(call)?;
            region(header, core.regions().before_key(&request.region_key))
        }
        Some("GetStore") => {
            let request: pdpb::GetStoreRequest = decoded(call)?;
            let store = core.store(request.store_id).map(|store| store.meta.clone());
            encoded(&pdpb::GetStoreResponse { header, store, ..Default::default() })
        }
        _ => Err(Status::unimplemented(format!("{} is not simulated", call.path))),
    }
}

fn region(header: Option<pdpb::ResponseHeader>, known: Option<&Region>) -> Result<Bytes, Status> {
    let (region, leader) = known.map(|known| (known.meta.clone(), known.leader)).unzip();
    let leader = leader.flatten();
    encoded(&pdpb::GetRegionResponse { header, region, leader, ..Default::default() })
}

fn decoded<T: Message + Default>(call: &Call) -> Result<T, Status> {
    T::decode(call.message.clone()).map_err(|error| unreadable(&error))
}

#[expect(clippy::unnecessary_wraps, reason = "as the arms above have it")]
fn encoded(message: &impl Message) -> Result<Bytes, Status> {
    Ok(message.encode_to_vec().into())
}
