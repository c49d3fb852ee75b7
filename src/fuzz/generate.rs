//! Plans by chance: which clusters, workloads and faults a fuzzer tries.
//!
//! In: a seed. Out: a checked configuration, from which the plan is drawn. Pure. Swarm style: each plan enables a random
//! part of the faults, for a plan that enables everything drowns rare combinations in common ones.

use crate::{
    config::{
        ClientName, ClusterShape, Config, Distribution, NemesisConfig, TargetConfig,
        WorkloadConfig, WorkloadName,
    },
    exit::Failure,
    plan::Plan,
};
use nemesis::FaultKind;
use proptest::{
    prelude::*,
    sample::subsequence,
    strategy::ValueTree,
    test_runner::{Config as RunnerConfig, RngAlgorithm, TestRng, TestRunner},
};

/// What every plan of a fuzzing shares.
#[derive(Debug, Clone)]
pub struct Space {
    /// Which cluster is tested.
    pub target: TargetConfig,
    /// What all clusters have in common; stores, replicas and regions are drawn.
    pub shape: ClusterShape,
    /// How long a run is at most, milliseconds.
    pub time_ms_max: u64,
    /// Names of the faults that may occur; empty = all.
    pub faults: Vec<String>,
}

/// A run is not shorter than this: faults need time to begin and to end.
const TIME_MS_MIN: u64 = 8_000;

/// The plan that a seed gives in a space.
pub fn plan(seed: u64, space: &Space) -> Result<Plan, Failure> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(RunnerConfig::default(), random);
    let tree = configurations(seed, space)
        .new_tree(&mut runner)
        .map_err(|reason| Failure::software(format!("no plan can be made: {reason}")))?;
    let config = tree.current();
    config.check()?;
    Plan::draw(config)
}

/// The shapes of clusters: stores, replicas, regions.
fn shapes(shape: ClusterShape) -> impl Strategy<Value = ClusterShape> {
    let replicas = prop_oneof![4 => Just(3_u32), 1 => Just(5_u32)];
    (replicas, 0_u32..=3, 1_u32..=4).prop_map(move |(replicas, more, regions)| ClusterShape {
        stores: (replicas + more).min(6),
        replicas,
        regions,
        ..shape.clone()
    })
}

/// What clients do.
fn workloads() -> impl Strategy<Value = WorkloadConfig> {
    let names = prop_oneof![Just(WorkloadName::Register), Just(WorkloadName::YcsbA)];
    let distributions = prop_oneof![Just(Distribution::Uniform), Just(Distribution::Zipfian)];
    let sizes = (4_u64..=40, 1_u64..=12, 16_usize..=200);
    let clients = (3_u32..=16, 0_u32..=4, 50_u64..=400);
    (names, distributions, sizes, clients).prop_map(
        |(name, distribution, (keys, keys_few, value_bytes), (concurrency, idle, rate))| {
            WorkloadConfig {
                name,
                keys: match name {
                    WorkloadName::Register => keys_few,
                    WorkloadName::YcsbA => keys,
                },
                distribution,
                value_bytes,
                client: ClientName::Direct,
                client_retries: false,
                atomic: name.atomic(),
                prefix: String::new(),
                concurrency,
                idle_clients: idle.min(concurrency - 1),
                rate: Some(rate),
                op_timeout_ms: 2_000,
            }
        },
    )
}

/// Which faults, how often, how long.
fn faults(
    target: &TargetConfig,
    allowed: &[String],
) -> impl Strategy<Value = NemesisConfig> + use<> {
    let is_allowed = |name: &&str| allowed.is_empty() || allowed.iter().any(|it| it == name);
    let simulated = target.offers().faults.simulated;
    let names: Vec<String> = FaultKind::ALL
        .into_iter()
        .filter(|kind| simulated || !kind.needs_simulation())
        .map(FaultKind::name)
        .filter(is_allowed)
        .map(Into::into)
        .collect();
    let enabled = if names.is_empty() {
        Just(Vec::new()).boxed()
    } else {
        // All of them at once, overlapping, is a plan too.
        let some = subsequence(names.clone(), 1..=names.len().min(3));
        prop_oneof![3 => some, 1 => Just(vec!["mix".to_owned()])].boxed()
    };
    (enabled, 500_u64..=4_000, 200_u64..=1_000, 1_000_u64..=4_000).prop_map(
        move |(faults, interval_ms, pause_ms_min, pause_ms_max)| NemesisConfig {
            faults,
            interval_ms,
            pause_ms_min,
            pause_ms_max,
        },
    )
}

fn configurations(seed: u64, space: &Space) -> impl Strategy<Value = Config> + use<> {
    let Space { target, shape, time_ms_max, faults: allowed } = space.clone();
    let times = TIME_MS_MIN..=time_ms_max.max(TIME_MS_MIN);
    (shapes(shape), workloads(), faults(&target, &allowed), times).prop_map(
        move |(mut cluster, workload, mut nemesis, time_ms)| {
            // Two more replicas must find a store each, and one that moves another.
            let stores_more = nemesis.faults.iter().map(|name| match name.as_str() {
                "replicas" | "mix" => 2,
                "move-replica" => 1,
                _ => 0,
            });
            let stores_min = cluster.replicas + stores_more.sum::<u32>();
            cluster.stores = cluster.stores.max(stores_min);
            if nemesis.faults.iter().any(|name| name == "partition-ring") {
                cluster.stores = cluster.stores.max(4);
            }
            nemesis.faults.dedup();
            Config {
                name: "fuzz".into(),
                seed,
                target: target.clone(),
                cluster,
                workload,
                nemesis,
                time_ms,
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space {
            target: TargetConfig::Simulated,
            shape: crate::cli::default_config().expect("usable").cluster,
            time_ms_max: 20_000,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_seed_gives_one_plan_and_every_plan_can_be_run() {
        for seed in 0..300 {
            let first = plan(seed, &space()).expect("usable");
            assert_eq!(first, plan(seed, &space()).expect("usable"));
            assert!(first.config.time_ms <= 20_000);
        }
    }

    #[test]
    fn combinations_of_faults_differ_from_plan_to_plan() {
        let combinations: std::collections::BTreeSet<Vec<String>> = (0..100)
            .map(|seed| plan(seed, &space()).expect("usable").config.nemesis.faults)
            .collect();
        assert!(combinations.len() > 20, "{} combinations", combinations.len());
        let narrowed = Space { faults: vec!["kill-one".into()], ..space() };
        for seed in 0..50 {
            let faults = plan(seed, &narrowed).expect("usable").config.nemesis.faults;
            assert!(faults == ["kill-one"] || faults == ["mix"], "{faults:?}");
        }
    }
}
