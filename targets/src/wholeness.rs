//! Checks that a cluster is whole: every store up, every key in one region, every region with its
//! replicas and a leader.
//!
//! In: PD's view of stores and regions. Out: the first missing part, in words. Pure.

use client::pd_http::{Region, Store};

/// The first missing part; `None` = the cluster is whole.
pub fn missing(
    stores: &[Store],
    regions: &[Region],
    stores_wanted: usize,
    regions_min: usize,
    replicas: u64,
) -> Option<String> {
    let up = stores.iter().filter(|store| store.state == "Up").count();
    if up < stores_wanted {
        return Some(format!("{up} of {stores_wanted} stores are up"));
    }
    if regions.len() < regions_min {
        return Some(format!("{} of {regions_min} regions are there", regions.len()));
    }
    gap(regions).or_else(|| regions.iter().find_map(|region| missing_of(region, replicas)))
}

/// The first missing part of the given regions and the stores that are up, on a shared cluster.
pub fn missing_of_some(
    stores: &[Store],
    regions: &[Region],
    stores_wanted: usize,
    replicas: u64,
) -> Option<String> {
    let up = stores.iter().filter(|store| store.state == "Up").count();
    if up < stores_wanted {
        return Some(format!("{up} of {stores_wanted} stores are up"));
    }
    if regions.is_empty() {
        return Some("no region holds the keys".into());
    }
    regions.iter().find_map(|region| missing_of(region, replicas))
}

/// The first gap or overlap between regions that are ordered by key.
fn gap(regions: &[Region]) -> Option<String> {
    let mut bound = Some(Vec::new());
    for region in regions {
        if bound.as_ref() != Some(&region.start_key) {
            return Some(format!("region {} does not begin where another one ends", region.id));
        }
        bound.clone_from(&region.end_key);
    }
    bound.map(|_| "the last region has an end".into())
}

fn missing_of(region: &Region, replicas: u64) -> Option<String> {
    let voters = region.voter_stores().len() as u64;
    if voters != replicas {
        return Some(format!("region {} has {voters} of {replicas} voters", region.id));
    }
    if !region.learner_stores().is_empty() || !region.pending_peers.is_empty() {
        return Some(format!("region {} has a replica that is not yet up to date", region.id));
    }
    region.leader_store().is_none().then(|| format!("region {} has no leader", region.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::pd_http::{Epoch, Peer, PeerRole};

    fn store(id: u64, state: &str) -> Store {
        Store {
            id,
            address: String::new(),
            status_address: String::new(),
            state: state.into(),
            leaders: 0,
            regions: 0,
        }
    }

    fn region(id: u64, start: &[u8], end: Option<&[u8]>) -> Region {
        let peer = |store_id| Peer { id: store_id + 100, store_id, role: PeerRole::Voter };
        Region {
            id,
            start_key: start.to_vec(),
            end_key: end.map(<[u8]>::to_vec),
            epoch: Epoch::default(),
            peers: vec![peer(1), peer(2), peer(3)],
            leader: Some(peer(1)),
            pending_peers: Vec::new(),
            keys: 0,
        }
    }

    #[test]
    fn the_first_thing_that_is_missing_is_named() {
        let stores = [store(1, "Up"), store(2, "Up"), store(3, "Up")];
        let whole = vec![region(10, b"", Some(b"m")), region(11, b"m", None)];
        let say = |stores: &[Store], regions: &[Region]| missing(stores, regions, 3, 2, 3);
        assert_eq!(say(&stores, &whole), None);

        let down = [store(1, "Up"), store(2, "Down"), store(3, "Up")];
        assert_eq!(say(&down, &whole).as_deref(), Some("2 of 3 stores are up"));
        assert_eq!(say(&stores, &whole[..1]).as_deref(), Some("1 of 2 regions are there"));
        let hole = vec![region(10, b"", Some(b"k")), region(11, b"m", None)];
        assert_eq!(
            say(&stores, &hole).as_deref(),
            Some("region 11 does not begin where another one ends")
        );
        let cut = vec![region(10, b"", Some(b"m")), region(11, b"m", Some(b"z"))];
        assert_eq!(say(&stores, &cut).as_deref(), Some("the last region has an end"));

        let broken = |change: &dyn Fn(&mut Region)| {
            let mut regions = whole.clone();
            change(&mut regions[1]);
            say(&stores, &regions).expect("something is missing")
        };
        assert_eq!(broken(&|it| it.leader = None), "region 11 has no leader");
        assert_eq!(broken(&|it| _ = it.peers.pop()), "region 11 has 2 of 3 voters");
        assert!(broken(&|it| it.pending_peers = vec![it.peers[0]]).contains("not yet up to date"));
    }
}
