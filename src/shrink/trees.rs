//! Smaller plans, as proptest's value trees: what `simplify` and `complicate` mean for each part of a plan.
//!
//! In: a plan and the part of it that shall become smaller. Out: a [`ValueTree`] whose values are plans, each strictly
//! simpler than the first. Pure: whether such a plan still fails is found out elsewhere. Three shapes are enough:
//! - [`Faults`] leaves out runs of planned faults, all at first, then halves, quarters, and single ones (delta debugging);
//! - [`Listed`] tries a few values from the simplest on: clients, stores, regions;
//! - [`Number`] tries the least value and then proptest's own binary search: keys, time, bytes.

use crate::{
    config::{Distribution, Operations, default_read},
    plan::Plan,
};
use nemesis::Action;
use proptest::{num::u64::BinarySearch, strategy::ValueTree};

/// A part of a plan, in the order in which they are made smaller: first what makes every later attempt easier to read
/// and cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Faults,
    Clients,
    Time,
    Replicas,
    Stores,
    Regions,
    Keys,
    Operations,
    ValueBytes,
    Distribution,
    Read,
}

/// A run is not made shorter than this.
const TIME_MS_MIN: u64 = 500;

/// Plans that are simpler in one part.
pub type PlanTree = Box<dyn ValueTree<Value = Plan>>;

impl Part {
    /// Every part.
    pub const ALL: [Self; 11] = [
        Self::Faults,
        Self::Clients,
        Self::Time,
        Self::Replicas,
        Self::Stores,
        Self::Regions,
        Self::Keys,
        Self::Operations,
        Self::ValueBytes,
        Self::Distribution,
        Self::Read,
    ];

    /// The plans that are simpler than this one in this part.
    pub fn tree(self, plan: &Plan) -> PlanTree {
        let config = &plan.config;
        match self {
            Self::Faults => Box::new(Faults::of(plan)),
            Self::Clients => Box::new(Listed::new(plan, fewer_clients(plan))),
            Self::Time => Box::new(Number::new(plan, TIME_MS_MIN, config.time_ms, shortened)),
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
            Self::Operations => Box::new(Listed::new(plan, fewer_operations(plan))),
            Self::ValueBytes => {
                let bytes = config.workload.value_bytes as u64;
                Box::new(Number::new(plan, 1, bytes, |plan, bytes| {
                    plan.config.workload.value_bytes = bytes as usize;
                }))
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

/// One client; one that is busy and one that is idle; and so on. Then those that keep a quarter idle, as by default.
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
    let fewer = operations.map(Operations::one_fewer).unwrap_or_default();
    let with = |operations| {
        let mut simpler = plan.clone();
        simpler.config.workload.operations = Some(operations);
        simpler
    };
    fewer.into_iter().map(with).collect()
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

/// The same faults in less time, each begun as much earlier.
fn shortened(plan: &mut Plan, time_ms: u64) {
    let before_ms = plan.config.time_ms.max(1);
    for fault in &mut plan.schedule {
        fault.begin_ms = fault.begin_ms * time_ms / before_ms;
    }
    plan.config.time_ms = time_ms;
}

/// Runs of planned faults left out.
#[derive(Debug)]
struct Faults {
    plan: Plan,
    /// How many faults are left out at a time.
    length: usize,
    /// The first one that is left out now.
    at: usize,
    /// Whether these are left out now.
    without: bool,
}

impl Faults {
    fn of(plan: &Plan) -> Self {
        Self { plan: plan.clone(), length: plan.schedule.len(), at: 0, without: false }
    }

    /// Goes on to the next run of faults that is there; false if every single one was tried.
    fn next(&mut self) -> bool {
        let count = self.plan.schedule.len();
        if self.at >= count {
            self.at = 0;
            self.length = self.length.min(count) / 2;
        }
        self.length = self.length.min(count);
        self.without = self.length > 0;
        self.without
    }

    fn left(&self) -> Vec<nemesis::PlannedFault> {
        let mut left = self.plan.schedule.clone();
        if self.without {
            left.drain(self.at..(self.at + self.length).min(left.len()));
        }
        left
    }
}

impl ValueTree for Faults {
    type Value = Plan;

    fn current(&self) -> Plan {
        let mut plan = self.plan.clone();
        plan.schedule = self.left();
        plan.name_its_faults();
        plan
    }

    fn simplify(&mut self) -> bool {
        // What was left out stays out; the next ones have moved to its place.
        self.plan.schedule = self.left();
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.at += self.length;
        self.next()
    }
}

/// A few plans, from the simplest on.
#[derive(Debug)]
struct Listed {
    /// The plan itself, then the simpler ones, the simplest last.
    plans: Vec<Plan>,
    at: usize,
    is_over: bool,
}

impl Listed {
    fn new(plan: &Plan, mut simpler: Vec<Plan>) -> Self {
        simpler.push(plan.clone());
        simpler.reverse();
        Self { plans: simpler, at: 0, is_over: false }
    }
}

impl ValueTree for Listed {
    type Value = Plan;

    fn current(&self) -> Plan {
        self.plans[self.at].clone()
    }

    fn simplify(&mut self) -> bool {
        // Once one fails there is none left that is simpler and was not tried.
        let begins = !self.is_over && self.plans.len() > 1;
        self.is_over = true;
        if begins {
            self.at = self.plans.len() - 1;
        }
        begins
    }

    fn complicate(&mut self) -> bool {
        self.at = self.at.saturating_sub(1);
        self.at > 0
    }
}

/// A number in a plan: the least one first, then by halves.
#[derive(Debug)]
struct Number {
    plan: Plan,
    least: u64,
    set: fn(&mut Plan, u64),
    tries: Tries,
}

#[derive(Debug)]
enum Tries {
    None(u64),
    Least(u64),
    Halves(BinarySearch),
    Over,
}

impl Number {
    fn new(plan: &Plan, least: u64, now: u64, set: fn(&mut Plan, u64)) -> Self {
        Self { plan: plan.clone(), least, set, tries: Tries::None(now) }
    }
}

impl ValueTree for Number {
    type Value = Plan;

    fn current(&self) -> Plan {
        let number = match &self.tries {
            Tries::None(_) => return self.plan.clone(),
            Tries::Least(_) | Tries::Over => self.least,
            Tries::Halves(search) => self.least + search.current(),
        };
        let mut plan = self.plan.clone();
        (self.set)(&mut plan, number);
        plan
    }

    fn simplify(&mut self) -> bool {
        match &mut self.tries {
            Tries::None(now) if *now > self.least => {
                self.tries = Tries::Least(*now);
                true
            }
            Tries::Halves(search) => search.simplify(),
            Tries::None(_) | Tries::Least(_) | Tries::Over => {
                self.tries = Tries::Over;
                false
            }
        }
    }

    fn complicate(&mut self) -> bool {
        match &mut self.tries {
            Tries::Least(now) => {
                let mut search = BinarySearch::new(*now - self.least);
                let begins = search.simplify();
                self.tries = Tries::Halves(search);
                begins
            }
            Tries::Halves(search) => search.complicate(),
            Tries::None(_) | Tries::Over => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(seed: u64) -> Plan {
        let mut config = crate::cli::default_config().expect("the defaults are usable");
        config.seed = seed;
        config.nemesis.faults = vec!["mix".into()];
        Plan::draw(config).expect("can be drawn")
    }

    /// What proptest's runner does with a tree.
    fn shrunk(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
        let mut best = plan.clone();
        loop {
            let before = best.clone();
            for part in Part::ALL {
                let mut tree = part.tree(&best);
                let mut goes_on = tree.simplify();
                while goes_on {
                    let candidate = tree.current();
                    goes_on = if fails(&candidate) {
                        best = candidate;
                        tree.simplify()
                    } else {
                        tree.complicate()
                    };
                }
            }
            if best == before {
                return best;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn exactly_what_a_failure_needs_is_left(
            seed: u64, needed in proptest::collection::btree_set(0_usize..8, 0..4),
            clients in 1_u32..=4, keys in 1_u64..100, time_ms in 500_u64..50_000,
        ) {
            let plan = plan(seed);
            let needed: Vec<u32> = needed
                .into_iter()
                .filter_map(|place| plan.schedule.get(place))
                .map(|fault| fault.draw)
                .collect();
            let smallest = shrunk(&plan, |plan| {
                let has = |draw: &u32| plan.schedule.iter().any(|fault| fault.draw == *draw);
                needed.iter().all(has)
                    && plan.config.workload.concurrency >= clients
                    && plan.config.workload.keys >= keys
                    && plan.config.time_ms >= time_ms
            });
            let left: Vec<u32> = smallest.schedule.iter().map(|fault| fault.draw).collect();
            prop_assert_eq!(left, needed);
            prop_assert_eq!(smallest.config.workload.concurrency, clients);
            prop_assert_eq!(smallest.config.workload.keys, keys);
            prop_assert_eq!(smallest.config.time_ms, time_ms);
            prop_assert_eq!(smallest.config.cluster.stores, 1);
            prop_assert!(smallest.schedule.iter().all(|it| it.begin_ms <= time_ms));
        }
    }

    #[test]
    fn nothing_is_offered_where_nothing_is_simpler() {
        let smallest = shrunk(&plan(1), |_| true);
        for part in Part::ALL {
            assert!(!part.tree(&smallest).simplify(), "{part:?}");
        }
    }
}
