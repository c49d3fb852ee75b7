//! Observes the recovery of a simulated cluster after the last healing: every region serves a write
//! and a read, and PD restores every region's replicas.
//!
//! In: the cluster, and clients' answers. Out: a pair of nemesis events in the history, `recovery`,
//! for the judge (`judge::recovery`). Time is virtual, so a slow machine is no excuse: a cluster
//! that does not recover has a bug.

use crate::recording::{Client, Recording};
use client::RawKv;
use cluster::simulation::{SimulatedRegion, Simulation};
use histories::{Answer, Key, Operation, Outcome, What};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The times that the cluster may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The time until every region serves.
    pub serves: Duration,
    /// The time until the cluster is whole: every region has its replicas, caught up.
    pub whole: Duration,
}

/// An observer of the cluster's recovery.
pub struct Recovery<'a> {
    pub simulation: &'a Simulation,
    pub library: &'a dyn RawKv,
    pub recording: &'a Arc<Recording>,
    /// The workload's keys.
    pub keys: &'a [Key],
    pub op_timeout: Duration,
    pub patience: Patience,
}

impl Recovery<'_> {
    /// Waits until the cluster serves and then until it is whole (`missing` returns None). Records
    /// both.
    pub async fn watch(&self, missing: impl Fn() -> Option<String>) {
        let began = Instant::now();
        let value = json!({
            "serves_within_ms": self.patience.serves.as_millis() as u64,
            "whole_within_ms": self.patience.whole.as_millis() as u64,
        });
        self.recording.nemesis(What::FaultInvoke { f: "recovery".into(), value });
        let stuck = self.await_service(began + self.patience.serves).await;
        let serves_ms = began.elapsed().as_millis() as u64;
        let mut missing_now = missing();
        while stuck.is_empty() && missing_now.is_some() && began.elapsed() < self.patience.whole {
            sleep(LOOK_EVERY).await;
            missing_now = missing();
        }
        let value = json!({
            "serves_after_ms": serves_ms,
            "whole_after_ms": began.elapsed().as_millis() as u64,
            "stuck": stuck,
            "missing": missing_now,
        });
        self.recording.nemesis(What::FaultComplete { f: "recovery".into(), value });
    }

    /// Writes to every region and reads it back, until that succeeds everywhere. Returns the
    /// regions that failed until the deadline, in words.
    async fn await_service(&self, until: Instant) -> Vec<String> {
        let mut client = self.recording.client();
        let mut served: BTreeSet<Key> = BTreeSet::new();
        let mut tries = 0_u64;
        loop {
            let regions = self.simulation.regions();
            for region in &regions {
                let Some(key) = self.probe(region) else { continue };
                // A region that split off since gets its own probe.
                if !served.contains(&key) && self.serves(&mut client, &key, &mut tries).await {
                    served.insert(key);
                }
            }
            let regions = self.simulation.regions();
            let stuck = |region: &&SimulatedRegion| {
                self.probe(region).is_none_or(|key| !served.contains(&key))
            };
            let mut left: Vec<String> = regions.iter().filter(stuck).map(in_words).collect();
            left.extend(gap(&regions));
            if left.is_empty() || Instant::now() >= until {
                return left;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn serves(&self, client: &mut Client, key: &Key, tries: &mut u64) -> bool {
        *tries += 1;
        let value = format!("{}-recovery-{tries}", client.id()).into_bytes();
        let put = Operation::Put { key: key.clone(), value, ttl_s: None };
        let (_, put) = client.execute(self.library, "UPDATE", put, self.op_timeout).await;
        if !matches!(put, Outcome::Ok(Answer::Done)) {
            return false;
        }
        let get = Operation::Get { key: key.clone() };
        let (_, got) = client.execute(self.library, "READ", get, self.op_timeout).await;
        matches!(got, Outcome::Ok(_))
    }

    /// The key that probes a region: one of the workload's where possible, so that it gains no key.
    fn probe(&self, region: &SimulatedRegion) -> Option<Key> {
        let (start, end) = (&region.region.start_key, &region.region.end_key);
        let inside = |key: &&Key| *key >= start && (end.is_empty() || *key < end);
        let own = || if start.is_empty() { vec![0] } else { start.clone() };
        let key = self.keys.iter().filter(inside).min().cloned().unwrap_or_else(own);
        inside(&&key).then_some(key)
    }
}

fn in_words(region: &SimulatedRegion) -> String {
    let leader = match region.leader {
        Some(store) => format!("led by store-{store}"),
        None => "without a leader".to_owned(),
    };
    format!("region {}, {leader} as far as PD knows", region.region.id)
}

/// The range without a region, as far as PD knows, or None.
fn gap(regions: &[SimulatedRegion]) -> Option<String> {
    let mut bound: Option<&[u8]> = Some(&[]);
    for SimulatedRegion { region, .. } in regions {
        if bound != Some(&region.start_key[..]) {
            return Some(format!(
                "what lies before region {}, which PD knows no region for",
                region.id
            ));
        }
        bound = (!region.end_key.is_empty()).then_some(&region.end_key[..]);
    }
    bound.map(|_| "the last keys, which PD knows no region for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, simulate::wire::Simulated};
    use client::{DirectClient, DirectOptions};
    use cluster::{
        profile::Profile,
        read_mode::ReadMode,
        simulation::{PD_ADDRESS, SimulationConfig},
    };
    use failure::Exit;
    use histories::{Header, Recorder, RecorderOptions};
    use std::{collections::BTreeMap, path::Path};

    /// Observes the recovery of three stores, of which `dead` are dead, and judges the history.
    fn watched(dead: &[u64], history: &Path) -> judge::Judgement {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let simulation = Simulation::new(SimulationConfig {
                stores: 3,
                replicas: 3,
                profile: Profile::Fast,
                read: ReadMode::default(),
                defects: BTreeMap::new(),
                seed: 1,
                log_entries_kept: 64,
                region_max_keys: None,
            });
            let connector = Arc::new(Simulated(simulation.clone()));
            let options = DirectOptions { connector, ..DirectOptions::default() };
            let library = DirectClient::new(vec![PD_ADDRESS.to_owned()], options);
            let recorder =
                Recorder::create(history, &Header::default(), RecorderOptions::default())
                    .expect("a history");
            let recording = Recording::new(Clock::start(), recorder.handle());
            let whole = || simulation.regions().iter().all(|region| region.region.peers.len() == 3);
            let looked_at = async {
                while simulation.regions().len() < 5 || !whole() {
                    sleep(LOOK_EVERY).await;
                }
                simulation.kill(dead);
                let recovery = Recovery {
                    simulation: &simulation,
                    library: &library,
                    recording: &recording,
                    keys: &[b"k1".to_vec()],
                    op_timeout: Duration::from_secs(1),
                    patience: Patience {
                        serves: Duration::from_secs(20),
                        whole: Duration::from_secs(20),
                    },
                };
                recovery.watch(|| (!whole()).then(|| "a replica is missing".to_owned())).await;
            };
            tokio::select! {
                biased;
                () = looked_at => {}
                () = simulation.run() => unreachable!("time has no end"),
            }
            recorder.finish().expect("written");
        });
        judge::judge(history, &judge::Judging::default()).expect("well formed")
    }

    #[test]
    fn a_cluster_without_a_majority_is_stuck_and_one_with_it_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let serves = watched(&[2], &dir.path().join("serves.jsonl"));
        assert_eq!(serves.exit(), Exit::Valid, "{:?}", serves.reasons);
        let recovery = serves.recovery.expect("it was looked at");
        assert_eq!((recovery.stuck, recovery.missing), (Vec::new(), None));
        // Every region was probed, the workload's by its own key.
        assert!(serves.operations["put"].ok >= 5, "{:?}", serves.operations);

        let stuck = watched(&[1, 2], &dir.path().join("stuck.jsonl"));
        assert_eq!(stuck.exit(), Exit::Stuck);
        assert_eq!(stuck.recovery.expect("it was looked at").stuck.len(), 5);
        assert!(stuck.reasons[0].contains("liveness: 2"), "{:?}", stuck.reasons);
    }
}
