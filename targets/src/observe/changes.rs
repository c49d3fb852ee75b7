//! The changes between two looks at a cluster, in words.
//!
//! In: two [`Sample`]s. Out: sentences for a list of events. Pure.

use histories::cluster_sample::{ProcessWord, Sample};

/// More moved leaders than this are summed up.
const MOVES_NAMED_MAX: usize = 5;

/// The changes from `before` to `after`.
pub fn changes(before: &Sample, after: &Sample) -> Vec<String> {
    let mut changes = Vec::new();
    match (&before.pd_error, &after.pd_error) {
        (None, Some(error)) => changes.push(error.clone()),
        (Some(_), None) => changes.push("PD answers again".to_owned()),
        _ => {}
    }
    for store in &after.stores {
        let Some(earlier) = before.stores.iter().find(|earlier| earlier.id == store.id) else {
            changes.push(format!("store-{} joined ({})", store.id, store.address));
            continue;
        };
        if let (Some(then), Some(now)) = (earlier.process, store.process)
            && then != now
        {
            changes.push(process_change(store.id, then, now));
        }
        if earlier.state != store.state && after.pd_error.is_none() && before.pd_error.is_none() {
            changes
                .push(format!("PD: store-{} was {}, is {}", store.id, earlier.state, store.state));
        }
    }
    for store in &before.stores {
        if !after.stores.iter().any(|later| later.id == store.id) {
            changes.push(format!("store-{} is no longer part of the cluster", store.id));
        }
    }
    changes.extend(region_changes(before, after));
    changes
}

fn process_change(store: u64, then: ProcessWord, now: ProcessWord) -> String {
    match (then, now) {
        (_, ProcessWord::Stopped) => format!("store-{store} was stopped"),
        (_, ProcessWord::Gone) => format!("store-{store} is gone"),
        (ProcessWord::Stopped, ProcessWord::Running) => format!("store-{store} was resumed"),
        (_, ProcessWord::Running) => format!("store-{store} was started"),
    }
}

fn region_changes(before: &Sample, after: &Sample) -> Vec<String> {
    let (mut moves, mut changes) = (Vec::new(), Vec::new());
    for region in &after.regions {
        let Some(earlier) = before.regions.iter().find(|earlier| earlier.id == region.id) else {
            continue;
        };
        if earlier.leader != region.leader {
            let place = |store: Option<u64>| {
                store.map_or_else(|| "nowhere".to_owned(), |store| format!("store-{store}"))
            };
            moves.push(format!(
                "leader of region {} moved from {} to {}",
                region.id,
                place(earlier.leader),
                place(region.leader)
            ));
        }
        if earlier.voters.len() != region.voters.len() {
            changes.push(format!(
                "region {} went from {} to {} voters",
                region.id,
                earlier.voters.len(),
                region.voters.len()
            ));
        }
    }
    let (then, now) = (before.regions.len(), after.regions.len());
    if then != now && then > 0 {
        changes.push(format!("the cluster went from {then} to {now} regions"));
    }
    if moves.len() > MOVES_NAMED_MAX {
        moves = vec![format!("leaders of {} regions moved", moves.len())];
    }
    if changes.len() > MOVES_NAMED_MAX {
        changes = vec![format!("{} regions changed their voters", changes.len())];
    }
    moves.into_iter().chain(changes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::cluster_sample::*;

    fn sample(process: ProcessWord, state: &str, leader: u64) -> Sample {
        let store = StoreSeen {
            id: 4,
            address: "127.0.0.1:20163".into(),
            status_address: String::new(),
            state: state.into(),
            leaders: 1,
            regions: 1,
            answers: true,
            process: Some(process),
            pid: Some(7),
        };
        let region = RegionSeen {
            id: 15,
            leader: Some(leader),
            voters: vec![1, 4, 5],
            ..Default::default()
        };
        Sample { stores: vec![store], regions: vec![region], ..Sample::default() }
    }

    #[test]
    fn a_stopped_leader_is_told_in_three_sentences() {
        let before = sample(ProcessWord::Running, "Up", 4);
        let after = sample(ProcessWord::Stopped, "Disconnected", 1);
        assert_eq!(
            changes(&before, &after),
            [
                "store-4 was stopped",
                "PD: store-4 was Up, is Disconnected",
                "leader of region 15 moved from store-4 to store-1"
            ]
        );
        assert!(changes(&after, &after).is_empty());
    }
}
