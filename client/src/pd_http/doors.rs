//! Ways into the readers of PD's answers, for fuzz targets and their corpora; nobody else may use
//! them.

use super::answers::{
    Member, MemberHealth, MembersAnswer, PlacementRule, RegionAnswer, RegionsAnswer,
    ReplicationAnswer, StoresAnswer,
};
use super::{Region, Store};

/// Any text as each of PD's answers: what is read is made into what we use, and nothing panics.
pub fn answers(text: &[u8]) {
    let _ = serde_json::from_slice::<MembersAnswer>(text);
    let _ = serde_json::from_slice::<Vec<MemberHealth>>(text);
    let _ = serde_json::from_slice::<Member>(text);
    let _ = serde_json::from_slice::<Vec<PlacementRule>>(text);
    let _ = serde_json::from_slice::<ReplicationAnswer>(text);
    let stores = serde_json::from_slice::<StoresAnswer>(text).map(|it| it.stores);
    let _: Vec<Store> = stores.into_iter().flatten().map(Store::from).collect();
    let regions = serde_json::from_slice::<RegionsAnswer>(text).map(|it| it.regions);
    let alone = serde_json::from_slice::<RegionAnswer>(text);
    for answer in regions.into_iter().flatten().chain(alone) {
        if let Ok(region) = Region::try_from(answer) {
            let _ = (region.voter_stores(), region.learner_stores(), region.leader_store());
            assert!(!region.overlaps(b"b", Some(b"")), "nothing is before the empty key");
        }
    }
}
