//! Announces the changes to a cluster that somebody else started, and asks for confirmation.
//!
//! In: a plan. Out: sentences on stdout, and the confirmation: from the flag, or typed at the
//! terminal.

use failure::Failure;
use plan::{
    Plan,
    config::{AttachConfig, TargetConfig},
};
use std::io::{BufRead, IsTerminal};

/// Announces the changes by a plan, and asks for confirmation if needed. Our own targets need none.
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

/// Announces the faults of `target-check`, and asks for confirmation.
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

/// Announces `what` and asks for confirmation at the terminal. Returns false if it is refused or
/// there is no terminal.
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
