//! Smaller plans, as proptest's value trees: defines `simplify` and `complicate` for each part of a
//! plan.
//!
//! In: a plan and the part to make smaller. Out: a [`ValueTree`] whose values are plans, each
//! strictly simpler than the first. Pure: other code finds out if such a plan still fails. A few
//! `shapes` are enough:
//! - [`Faults`] leaves out runs of planned faults, all at first, then halves, quarters, and single
//!   ones (delta debugging);
//! - [`Listed`] tries a few values from the simplest on: clients, stores, regions, bytes;
//! - [`Number`] tries the least value and then proptest's own binary search: keys, time;
//! - [`InTurn`] is one tree after the other: the gaps before the remaining faults, and their
//!   lengths (`times`).

mod in_turn;
mod shapes;
mod times;

use in_turn::InTurn;
use nemesis::Action;
use plan::{
    Plan,
    config::{Distribution, Operations, WorkloadName, default_read},
};
use proptest::strategy::ValueTree;
use shapes::{Faults, Listed, Number};

/// A part of a plan, in the order in which the parts are made smaller. The first ones make every
/// later attempt cheaper and easier to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Faults,
    Clients,
    Operations,
    Time,
    Replicas,
    Stores,
    Regions,
    Keys,
    Gaps,
    Lengths,
    Tail,
    Rate,
    ValueBytes,
    Distribution,
    Read,
}

/// The step of a run's time: smaller differences do not matter, and attempts are expensive.
const TIME_STEP_MS: u64 = 500;
/// The lengths of values that are tried.
const VALUE_BYTES: [usize; 3] = [1, 16, 64];

/// Plans that are simpler in one part.
pub type PlanTree = Box<dyn ValueTree<Value = Plan>>;

impl Part {
    /// All parts.
    pub const ALL: [Self; 15] = [
        Self::Faults,
        Self::Clients,
        Self::Operations,
        Self::Time,
        Self::Replicas,
        Self::Stores,
        Self::Regions,
        Self::Keys,
        Self::Gaps,
        Self::Lengths,
        Self::Tail,
        Self::Rate,
        Self::ValueBytes,
        Self::Distribution,
        Self::Read,
    ];

    /// Returns the tree of plans that are simpler than this one in this part.
    pub fn tree(self, plan: &Plan) -> PlanTree {
        let config = &plan.config;
        match self {
            Self::Faults => Box::new(Faults::of(plan)),
            Self::Clients => Box::new(Listed::new(plan, fewer_clients(plan))),
            Self::Time => {
                let steps = config.time_ms.div_ceil(TIME_STEP_MS);
                Box::new(Number::new(plan, 1, steps, |plan, steps| {
                    times::shortened(plan, steps * TIME_STEP_MS);
                }))
            }
            Self::Replicas => {
                let odd = (1..config.cluster.replicas).filter(|replicas| replicas % 2 == 1);
                Box::new(Listed::new(plan, odd.map(|it| with_replicas(plan, it)).collect()))
            }
            Self::Stores => {
                let fewer = config.cluster.replicas..config.cluster.stores;
                Box::new(Listed::new(plan, fewer.map(|it| with_stores(plan, it)).collect()))
            }
            Self::Regions => {
                let mut simpler = Vec::new();
                if config.cluster.region_max_keys.is_some() {
                    let mut unsplit = plan.clone();
                    unsplit.config.cluster.region_max_keys = None;
                    simpler.push(unsplit);
                }
                let fewer = 1..config.cluster.regions;
                simpler.extend(fewer.map(|it| with_regions(plan, it)));
                Box::new(Listed::new(plan, simpler))
            }
            Self::Keys => Box::new(Number::new(plan, 1, config.workload.keys, |plan, keys| {
                plan.config.workload.keys = keys;
            })),
            Self::Gaps => Box::new(InTurn::new(plan, times::gap_before)),
            Self::Lengths => Box::new(InTurn::new(plan, times::length_of)),
            Self::Tail => {
                let steps = config.time_ms.div_ceil(TIME_STEP_MS);
                Box::new(Number::new(plan, 1, steps, |plan, steps| {
                    times::cut(plan, steps * TIME_STEP_MS);
                }))
            }
            Self::Rate => Box::new(Listed::new(plan, times::slower(plan))),
            Self::Operations => Box::new(Listed::new(plan, fewer_operations(plan))),
            Self::ValueBytes => {
                let shorter =
                    VALUE_BYTES.into_iter().filter(|it| *it < config.workload.value_bytes);
                let with = |bytes| {
                    let mut simpler = plan.clone();
                    simpler.config.workload.value_bytes = bytes;
                    simpler
                };
                Box::new(Listed::new(plan, shorter.map(with).collect()))
            }
            Self::Read => {
                let mut by_default = plan.clone();
                by_default.config.cluster.read = default_read();
                let is_simpler = by_default != *plan;
                Box::new(Listed::new(plan, is_simpler.then_some(by_default).into_iter().collect()))
            }
            Self::Distribution => {
                let mut uniform = plan.clone();
                uniform.config.workload.distribution = Distribution::Uniform;
                let is_simpler = config.workload.distribution != Distribution::Uniform;
                Box::new(Listed::new(plan, is_simpler.then_some(uniform).into_iter().collect()))
            }
        }
    }
}

/// Returns plans with fewer clients, the fewest first: one, then one busy and one idle, and so on,
/// some of them with a quarter idle, which is the default.
fn fewer_clients(plan: &Plan) -> Vec<Plan> {
    let workload = &plan.config.workload;
    let (now, idle_now) = (workload.concurrency, workload.idle_clients);
    let few = [(1, 0), (2, 1), (2, 0), (3, 1), (3, 0), (4, 2), (4, 1), (4, 0)];
    let halves = [(now / 2, idle_now / 2), (now * 3 / 4, idle_now), (now - idle_now, 0)];
    let mut simpler: Vec<(u32, u32)> = few
        .into_iter()
        .chain(halves)
        .filter(|&(clients, idle)| {
            idle < clients && (clients < now || clients == now && idle < idle_now)
        })
        .collect();
    simpler.sort_by_key(|&(clients, idle)| (clients, std::cmp::Reverse(idle)));
    simpler.dedup();
    let with = |(clients, idle)| {
        let mut simpler = plan.clone();
        simpler.config.workload.concurrency = clients;
        simpler.config.workload.idle_clients = idle;
        simpler
    };
    simpler.into_iter().map(with).collect()
}

fn fewer_operations(plan: &Plan) -> Vec<Plan> {
    let operations = plan.config.workload.operations.as_ref();
    if plan.config.workload.name != WorkloadName::Register {
        return Vec::new();
    }
    let with = |operations| {
        let mut simpler = plan.clone();
        simpler.config.workload.operations = Some(operations);
        simpler
    };
    Operations::simpler(operations).into_iter().map(with).collect()
}

fn with_replicas(plan: &Plan, replicas: u32) -> Plan {
    let mut simpler = plan.clone();
    let fewer = simpler.config.cluster.replicas - replicas;
    simpler.config.cluster.replicas = replicas;
    for fault in &mut simpler.schedule {
        if let Action::MaxReplicas { to } = &mut fault.what {
            *to = to.saturating_sub(fewer).max(1);
        }
    }
    simpler
}

fn with_stores(plan: &Plan, stores: u32) -> Plan {
    let mut simpler = plan.clone();
    simpler.config.cluster.stores = stores;
    simpler
}

fn with_regions(plan: &Plan, regions: u32) -> Plan {
    let mut simpler = plan.clone();
    simpler.config.cluster.regions = regions;
    simpler
}

#[cfg(test)]
mod tests;
