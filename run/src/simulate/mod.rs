//! Carries a plan out in virtual time, in one thread, with every delay and loss from the seed. The
//! ordinary clients, workload, nemesis and recorder work against a simulated cluster.
//!
//! In: a plan. Out: an ordinary history. The same plan and the same binary give the same history,
//! byte for byte, on any machine. It runs at the processor's speed: a second of the plan takes a
//! few milliseconds.

mod disturbances;
mod recovery;
mod stage;
mod target;
mod wire;

use crate::interrupt::{Interrupt, Urgency};
use cluster::{
    profile::Profile,
    read_mode::ReadMode,
    simulation::{Simulation, SimulationConfig},
};
use failure::Failure;
use plan::{Plan, config::defects_named};
use stage::Stage;
use std::{path::Path, task::Poll};
use workload::Workload;

/// Applied entries kept in a log: fewer than in real stores, so that snapshots are needed.
const LOG_ENTRIES_KEPT: u64 = 64;

/// Carries a plan out in virtual time and writes its history. Returns the failures of healing, in
/// sentences.
pub fn record(plan: &Plan, history: &Path, interrupt: &Interrupt) -> Result<Vec<String>, Failure> {
    let plan_hash = plan::hash(&plan.to_json()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(Failure::software)?;
    runtime.block_on(async {
        let simulation = Simulation::new(config(plan)?);
        let stage =
            Stage { plan, simulation: simulation.clone(), workload: workload(plan), interrupt };
        tokio::select! {
            // Always in this order: a random choice would make two runs differ.
            biased;
            () = asked(interrupt, Urgency::Now) => Err(crate::interrupted()),
            result = stage.perform(&plan_hash, history) => result,
            () = simulation.run() => Err(Failure::software("the simulation's time has ended")),
        }
    })
}

fn config(plan: &Plan) -> Result<SimulationConfig, Failure> {
    let shape = &plan.config.cluster;
    let profile = Profile::from_name(&shape.profile)
        .ok_or_else(|| Failure::usage(format!("there is no profile {:?}", shape.profile)))?;
    let read = ReadMode::from_name(&shape.read)
        .ok_or_else(|| Failure::usage(format!("--read {:?} is unknown", shape.read)))?;
    // A simulated store's id is its number.
    let defects = (1..=shape.stores)
        .map(|number| Ok((u64::from(number), defects_named(&shape.defects_of(number)?)?)))
        .collect::<Result<_, Failure>>()?;
    Ok(SimulationConfig {
        stores: shape.stores,
        replicas: shape.replicas,
        profile,
        read,
        defects,
        seed: plan.config.seed,
        log_entries_kept: LOG_ENTRIES_KEPT,
        region_max_keys: shape.region_max_keys,
    })
}

fn workload(plan: &Plan) -> Workload {
    Workload::new(&plan.config.workload, plan.config.seed)
}

/// Ready once somebody asked for an end. It has no timer, since a timer would take part in virtual
/// time; it is polled whenever anything else happens, which is often.
async fn asked(interrupt: &Interrupt, urgency: Urgency) {
    std::future::poll_fn(|_| {
        if interrupt.urgency() >= urgency { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
