//! Observes leaders that move while a fault is in force: each move is an event of the history and a
//! readable line.
//!
//! In: the nemesis's events, and PD's answers a few times a second. Out: the pair of events
//! `leader-moved` (`fault`, `region`, and `regions` with the leader before and after), recorded
//! when PD first reports the new leader. Only regions that a fault in force is about are looked at.
//! It injects no faults and decides nothing.

use histories::What;
use nemesis::{Observer, Target};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The time between two questions to PD.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The deadline of PD's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The regions that faults in force are about.
#[derive(Debug, Default)]
pub struct LeadersWatched {
    watched: Mutex<Vec<Watched>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Watched {
    fault: u64,
    name: String,
    region: u64,
    leader: u64,
}

impl LeadersWatched {
    /// Notes a fault that begins with killing or pausing a store, and names its region's leader.
    pub fn observe(&self, what: &What) {
        let What::FaultInvoke { f, value } = what else { return };
        let named = (value["fault"].as_u64(), value["name"].as_str(), value["region"].as_u64());
        let stores = value["stores"].as_array().into_iter().flatten();
        let mut led = stores.filter(|store| store["role"] == "leader");
        // A fault that moved leadership first names the leader at that time.
        let leader = led.next().map_or(&value["leader"], |store| &store["id"]).as_u64();
        if let ((Some(fault), Some(name), Some(region)), Some(leader)) = (named, leader)
            && matches!(&**f, "pause" | "kill")
        {
            self.lock().push(Watched { fault, name: name.to_owned(), region, leader });
        }
    }

    /// Forgets faults that are over.
    pub fn in_force(&self, names: &[&str]) {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            *left.entry(name).or_default() += 1;
        }
        let mut watched = self.lock();
        // Of several faults with the same name, the one that began first is forgotten first.
        let mut kept: Vec<Watched> = Vec::new();
        for it in watched.drain(..).rev() {
            if let Some(left) = left.get_mut(&*it.name).filter(|left| **left > 0) {
                *left -= 1;
                kept.insert(0, it);
            }
        }
        *watched = kept;
    }

    /// Looks for moved leaders until the future is dropped.
    pub async fn watch(&self, target: &dyn Target, observer: &dyn Observer) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.lock().is_empty() {
                continue;
            }
            let Ok(Ok(regions)) = tokio::time::timeout(ANSWER_WITHIN, target.regions()).await
            else {
                continue;
            };
            let leads = |it: &Watched| {
                let region = regions.iter().find(|region| region.id == it.region)?;
                region.leader.filter(|leader| *leader != it.leader)
            };
            let mut moves: Vec<(Watched, u64)> = Vec::new();
            for it in self.lock().iter_mut() {
                if let Some(leader) = leads(it) {
                    moves.push((it.clone(), leader));
                    it.leader = leader;
                }
            }
            for (before, leader) in moves {
                let Watched { fault, name, region, leader: old } = before;
                let change =
                    json!([{ "region": region, "leader_before": old, "leader_after": leader }]);
                let value = json!({ "fault": fault, "name": name, "region": region });
                let seen: Value = json!({ "fault": fault, "regions": change });
                let f = || "leader-moved".to_owned();
                observer.record(What::FaultInvoke { f: f(), value });
                observer.record(What::FaultComplete { f: f(), value: seen });
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_watched_while_it_is_in_force() {
        let leaders = LeadersWatched::default();
        let begin = |fault: u64, name: &str| {
            let value = json!({ "fault": fault, "name": name, "region": 13, "leader": 4 });
            leaders.observe(&What::FaultInvoke { f: "pause".into(), value });
        };
        begin(0, "pause-one");
        begin(1, "pause-one");
        begin(2, "pause-two");
        let faults = || leaders.lock().iter().map(|it| it.fault).collect::<Vec<_>>();
        leaders.in_force(&["pause-one", "pause-two"]);
        assert_eq!(faults(), [1, 2]);
        leaders.in_force(&["pause-two"]);
        assert_eq!(faults(), [2]);
        leaders.in_force(&[]);
        assert!(faults().is_empty());
    }
}
