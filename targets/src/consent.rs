//! What will be done to a cluster that somebody else started, said before it is done, and whether it may be.
//!
//! In: a plan. Out: sentences on stdout, and leave to go on: from the flag, or typed at the terminal.

use failure::Failure;
use plan::{
    Plan,
    config::{AttachConfig, TargetConfig},
};
use std::io::{BufRead, IsTerminal};

/// Says what will be done, and asks if need be. Targets of our own need no leave.
pub fn ask(plan: &Plan) -> Result<(), Failure> {
    let TargetConfig::Attach(attach) = &plan.config.target else { return Ok(()) };
    for sentence in sentences(plan, attach) {
        terminal::result(sentence);
    }
    if !plan.is_destructive() || attach.allow_faults {
        return Ok(());
    }
    typed()
}

/// The same for `target-check`, which does a little of everything once.
pub fn ask_for_check(plan: &Plan) -> Result<(), Failure> {
    let TargetConfig::Attach(attach) = &plan.config.target else { return Ok(()) };
    for sentence in sentences(plan, attach).into_iter().take(2) {
        terminal::result(sentence);
    }
    terminal::result(
        "will stop one store for a moment, move one leader, and raise max-replicas by two and set it back",
    );
    if attach.allow_faults { Ok(()) } else { typed() }
}

fn typed() -> Result<(), Failure> {
    if is_given("this hurts a cluster that somebody else started", "to go on")? {
        return Ok(());
    }
    Err(Failure::usage(
        "this hurts a cluster that somebody else started, and nothing was done: give --allow-faults to allow it",
    ))
}

/// Says what is about to happen, and asks for leave at the terminal. False if it is not given, or nobody is there to ask.
pub fn is_given(what: &str, for_what: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    terminal::result(format_args!("{what}. Type yes {for_what}:"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Failure::software)?;
    Ok(answer.trim() == "yes")
}

fn sentences(plan: &Plan, attach: &AttachConfig) -> Vec<String> {
    let (config, shape) = (&plan.config, &plan.config.cluster);
    let mut said = vec![format!(
        "attached to the cluster at {}: {} stores, max-replicas {}",
        attach.pd.join(","),
        shape.stores,
        shape.replicas
    )];
    said.push(format!(
        "will write only keys that begin with {:?}, and {} them afterwards",
        config.workload.prefix,
        if attach.keep_keys { "leave" } else { "delete" }
    ));
    match &plan.scenario {
        Some(scenario) => said.push(format!(
            "will hurt it: scenario {} {}; stopped processes are resumed, max-replicas is set back",
            scenario.name.name(),
            scenario.name.hurts()
        )),
        None if plan.schedule.is_empty() => said.push("will hurt nothing".into()),
        None => said.push(format!(
            "will hurt it: {} faults of {} in {} s; stopped processes are resumed, max-replicas is set back",
            plan.schedule.len(),
            config.nemesis.faults.join(", "),
            config.time_ms / 1000
        )),
    }
    if shape.regions > 1 {
        said.push(format!("will split these keys into {} regions, which stay", shape.regions));
    }
    if let Some(found) = &attach.found {
        if let Some(why_not) = &found.why_not {
            said.push(format!("cannot stop stores: {why_not}"));
        }
        if !found.max_replicas {
            said.push("cannot change the replicas: PD's placement rules are customised".into());
        }
    }
    said
}
