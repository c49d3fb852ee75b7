//! Draws random plans: the clusters, workloads and faults that a fuzzer tries.
//!
//! In: a seed and a space. Out: a checked plan. Pure. Swarm testing: each plan enables a random
//! part of the faults and of the operations, because a plan that enables everything drowns rare
//! combinations in common ones.

use super::space::{Profile, Range, Space};
use cluster::read_mode::ReadMode;
use failure::Failure;
use nemesis::FaultKind;
use plan::{
    Plan, can_suffer,
    config::{
        ClientName, ClusterShape, Config, Distribution, NemesisConfig, OperationName, Operations,
        TargetConfig, WorkloadConfig, WorkloadName,
    },
    fits_cluster,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config as RunnerConfig, RngAlgorithm, TestRng, TestRunner},
};

/// The generator's version: another generator draws other plans from the same seeds.
pub const GENERATOR: u32 = 5;

/// Returns the plan of a seed in a space.
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

fn between((least, most): Range) -> impl Strategy<Value = u64> + use<> {
    least..=most
}

/// Draws small numbers as often as large ones: every doubling has the same share. Computed in whole
/// numbers, which are the same on every machine.
fn by_size((least, most): Range) -> impl Strategy<Value = u64> + use<> {
    let (mut sizes, mut low) = (Vec::new(), least);
    while low <= most {
        let mut high = (2 * low + 1).min(most);
        // The rest is too small for a size of its own.
        if most - high < high - low {
            high = most;
        }
        sizes.push((low, high));
        low = high + 1;
    }
    select(sizes).prop_flat_map(between)
}

/// Draws the shape of a cluster: replicas, stores, regions, read mode.
fn shapes(space: &Space, shape: ClusterShape) -> impl Strategy<Value = ClusterShape> + use<> {
    let Profile { stores, regions, .. } = space.profile;
    let odd = space.profile.odd_replicas();
    // Mostly three replicas, the usual number.
    let replicas = if odd.contains(&3) && odd.len() > 1 {
        prop_oneof![4 => Just(3_u32), 1 => select(odd)].boxed()
    } else {
        select(odd).boxed()
    };
    let name = |mode: ReadMode| Just(mode.name().to_owned());
    let read = match &space.read {
        Some(read) => Just(read.clone()).boxed(),
        None => prop_oneof![3 => name(ReadMode::default()), 1 => name(ReadMode::Lease)].boxed(),
    };
    (replicas, between(stores), between(regions), read).prop_map(
        move |(replicas, stores, regions, read)| ClusterShape {
            stores: (stores as u32).max(replicas),
            replicas,
            regions: regions as u32,
            read,
            ..shape.clone()
        },
    )
}

/// Draws the operations and their weights. Each is left out now and then, but at least one reads
/// and one writes.
fn operations(allowed: &[OperationName]) -> impl Strategy<Value = Operations> + use<> {
    let allowed = allowed.to_vec();
    let weight = || prop_oneof![2 => 1_u32..=8, 1 => Just(0_u32)];
    let weights = OperationName::ALL.map(|_| weight());
    weights.prop_map(move |weights| {
        let is_allowed = |name| allowed.is_empty() || allowed.contains(&name);
        let mut drawn: Vec<(OperationName, u32)> = OperationName::ALL
            .into_iter()
            .zip(weights)
            .filter(|(name, weight)| *weight > 0 && is_allowed(*name))
            .collect();
        for needed in [OperationName::READS, OperationName::WRITES] {
            if !drawn.iter().any(|(name, _)| needed.contains(name)) {
                let first = needed.into_iter().find(|name| is_allowed(*name));
                drawn.extend(first.map(|name| (name, 4)));
            }
        }
        Operations::new(drawn)
    })
}

/// Draws the clients' workload.
fn workloads(space: &Space) -> impl Strategy<Value = WorkloadConfig> + use<> {
    let Profile { keys, value_bytes, clients, idle_clients, rate, .. } = space.profile;
    let names = match space.profile.workloads.as_slice() {
        [] => vec![WorkloadName::Register, WorkloadName::YcsbA],
        names => names.to_vec(),
    };
    let operations = operations(&space.profile.operations);
    let distributions = prop_oneof![Just(Distribution::Uniform), Just(Distribution::Zipfian)];
    let libraries = prop_oneof![Just(ClientName::TikvClient), Just(ClientName::Direct)];
    // Virtual time has no sockets, and tikv-client brings its own.
    let is_simulated = space.target == TargetConfig::Simulated;
    let prefix = space.prefix.clone();
    // On few keys operations meet. On many, a lost write is not overwritten before it is read.
    let numbers = (
        by_size(keys),
        between(value_bytes),
        between(clients),
        between(idle_clients),
        by_size(rate),
    );
    (select(names), operations, distributions, libraries, numbers).prop_map(
        move |(name, operations, distribution, client, (keys, bytes, clients, idle, rate))| {
            let concurrency = clients as u32;
            WorkloadConfig {
                name,
                operations: (name == WorkloadName::Register).then_some(operations),
                keys,
                distribution,
                value_bytes: bytes as usize,
                client: if is_simulated { ClientName::Direct } else { client },
                client_retries: false,
                atomic: name.atomic(),
                prefix: prefix.clone(),
                concurrency,
                idle_clients: (idle as u32).min(concurrency - 1),
                rate: Some(rate),
                op_timeout_ms: 2_000,
            }
        },
    )
}

/// Draws the faults, their intervals and their lengths.
fn faults(space: &Space) -> impl Strategy<Value = NemesisConfig> + use<> {
    let allowed = &space.profile.faults;
    let may_occur = |name: &&str| {
        (allowed.is_empty() || allowed.iter().any(|it| it == name))
            && can_suffer(&space.target, name).is_ok()
    };
    let kinds: Vec<FaultKind> =
        FaultKind::ALL.into_iter().filter(|kind| may_occur(&kind.name())).collect();
    // A fault that is drawn more often is in the deck more often.
    let deck: Vec<FaultKind> =
        kinds.iter().flat_map(|kind| std::iter::repeat_n(*kind, weight(*kind))).collect();
    let some = if deck.is_empty() {
        Just(Vec::new()).boxed()
    } else {
        // A single fault is repeated through the run, and so reaches deep states.
        let one = vec(select(deck.clone()), 1);
        prop_oneof![1 => one, 1 => vec(select(deck), 2..=3)].boxed()
    };
    let some = some.prop_map(|mut kinds| {
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(|kind| kind.name().to_owned()).collect::<Vec<_>>()
    });
    // All faults at once, overlapping, is a plan too.
    let mix = Just(vec!["mix".to_owned()]);
    let enabled =
        if may_occur(&"mix") { prop_oneof![7 => some, 1 => mix].boxed() } else { some.boxed() };
    let Profile { interval_ms, pause_ms, .. } = space.profile;
    (enabled, by_size(interval_ms), by_size(pause_ms), by_size(pause_ms)).prop_map(
        move |(faults, interval_ms, one_ms, other_ms)| NemesisConfig {
            faults,
            interval_ms,
            pause_ms_min: one_ms.min(other_ms),
            pause_ms_max: one_ms.max(other_ms),
        },
    )
}

/// Returns the weight of a fault in the drawing. Faults made of several steps in a certain order
/// weigh most: they reach states that single steps reach only by luck. Faults that real clusters
/// can suffer weigh more than the rest.
fn weight(kind: FaultKind) -> usize {
    match kind {
        kind if kind.is_choreography() => 8,
        kind if kind.needs_simulation() => 1,
        _ => 2,
    }
}

fn configurations(seed: u64, space: &Space) -> impl Strategy<Value = Config> + use<> {
    let shape = ClusterShape { defects: space.defects.clone(), ..ClusterShape::default() };
    let (target, stores_max) = (space.target.clone(), space.profile.stores.1 as u32);
    let parts =
        (shapes(space, shape), workloads(space), faults(space), between(space.profile.time_ms));
    parts.prop_map(move |(mut cluster, workload, mut nemesis, time_ms)| {
        // Two more replicas need a store each, and a replica that moves needs one.
        let more = |name: &String| match name.as_str() {
            "replicas" | "mix" => 2,
            "move-replica" | "partition-ring" => 1,
            _ => 0,
        };
        let wanted = cluster.replicas + nemesis.faults.iter().map(more).sum::<u32>();
        cluster.stores = cluster.stores.max(wanted.min(stores_max));
        nemesis.faults = those_that_fit(&nemesis.faults, &target, &cluster);
        Config {
            name: "fuzz".into(),
            seed,
            target: target.clone(),
            cluster,
            workload,
            nemesis,
            time_ms,
        }
    })
}

/// Returns the faults that a cluster of this size can suffer in one run.
fn those_that_fit(names: &[String], target: &TargetConfig, cluster: &ClusterShape) -> Vec<String> {
    let mut fitting: Vec<String> = Vec::new();
    for name in names {
        fitting.push(name.clone());
        if fits_cluster(target, cluster, &fitting).is_err() {
            fitting.pop();
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn space(target: TargetConfig) -> Space {
        let (prefix, defects, read) = (String::new(), Vec::new(), None);
        Space { target, prefix, defects, read, profile: Profile::default() }
    }

    #[test]
    fn a_seed_gives_one_plan_and_every_plan_can_be_run() {
        for target in [TargetConfig::Embedded, TargetConfig::Simulated] {
            let space = space(target);
            for seed in 0..200 {
                let first = plan(seed, &space).expect("usable");
                assert_eq!(first, plan(seed, &space).expect("usable"));
                assert_eq!(first.check(), Ok(()), "{seed}");
                assert!((8_000..=30_000).contains(&first.config.time_ms));
            }
        }
    }

    #[test]
    fn combinations_of_faults_and_operations_differ_from_plan_to_plan() {
        let plans: Vec<Plan> = (0..100)
            .map(|seed| plan(seed, &space(TargetConfig::Simulated)).expect("usable"))
            .collect();
        let faults: BTreeSet<_> = plans.iter().map(|it| &it.config.nemesis.faults).collect();
        let operations: BTreeSet<String> = plans
            .iter()
            .filter_map(|it| it.config.workload.operations.as_ref())
            .map(|it| it.weights().into_iter().map(|(name, _)| name.name()).collect())
            .collect();
        assert!(faults.len() > 20, "{} combinations of faults", faults.len());
        assert!(operations.len() > 8, "{} combinations of operations", operations.len());
    }

    #[test]
    fn a_profile_is_kept_to() {
        let mut space = space(TargetConfig::Embedded);
        space.profile.stores = (3, 4);
        space.profile.faults = vec!["kill-one".into(), "replicas".into()];
        space.profile.operations = vec![OperationName::Get, OperationName::Cas];
        for seed in 0..50 {
            let config = plan(seed, &space).expect("usable").config;
            assert!(config.cluster.stores <= 4 && config.cluster.replicas == 3);
            // Two more replicas would need five stores.
            assert!(config.nemesis.faults.iter().all(|name| name == "kill-one"));
            let drawn = config.workload.operations.map(|it| it.weights()).unwrap_or_default();
            assert!(
                drawn
                    .iter()
                    .all(|(name, _)| { matches!(name, OperationName::Get | OperationName::Cas) })
            );
        }
    }
}
