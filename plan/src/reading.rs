//! Reads a plan that a person may have edited. An error names the field's path and the reason.
//!
//! In: a file. Out: a [`Plan`] that can be carried out, or one sentence. Three things are checked
//! in turn. The text is a plan of this version. Every field is known and has a value of its type.
//! The values make sense together, like those of flags.

use super::{FORMAT, Plan, VERSION, faults, fits, possible};
use crate::config::bounds::WEEK_MS;
use failure::{Exit, Failure};
use nemesis::{Action, FAULTS_MAX, Faults};
use run_directory::plain_file::{self, PLAN_BYTES_MAX};
use serde::Deserialize;
use serde_json::Value;
use std::{io, path::Path};

/// The flags and their fields in a plan, for sentences that name the flag.
const FIELDS: [(&str, &str); 23] = [
    ("--time-ms", "config.time-ms"),
    ("--value-bytes", "config.workload.value-bytes"),
    ("--op-timeout-ms", "config.workload.op-timeout-ms"),
    ("--interval-ms", "config.nemesis.interval-ms"),
    ("--time", "config.time-ms"),
    ("--stores", "config.cluster.stores"),
    ("--replicas", "config.cluster.replicas"),
    ("--regions", "config.cluster.regions"),
    ("--read", "config.cluster.read"),
    ("--defect", "config.cluster.defects"),
    ("--profile", "config.cluster.profile"),
    ("--store-port", "config.cluster.store-port"),
    ("--keys", "config.workload.keys"),
    ("--concurrency", "config.workload.concurrency"),
    ("--idle-clients", "config.workload.idle-clients"),
    ("--rate", "config.workload.rate"),
    ("--op-timeout", "config.workload.op-timeout-ms"),
    ("--operations", "config.workload.operations"),
    ("--atomic", "config.workload.atomic"),
    ("--client-retries", "config.workload.client-retries"),
    ("--pause-ms-min", "config.nemesis.pause-ms-min"),
    ("--pause-ms-max", "config.nemesis.pause-ms-max"),
    ("--region-max-keys", "config.cluster.region-max-keys"),
];

/// The largest drift: a clock that runs twice as fast, or stands still, is no clock.
const DRIFT_PPM_MAX: u32 = 900_000;

/// The fields of every version of the format.
#[derive(Debug, Deserialize)]
struct Kind {
    format: String,
    version: u32,
}

/// Reads a plan found in a run directory, and checks it as flags are checked.
pub fn read(path: &Path) -> Result<Plan, Failure> {
    checked(path, plain_file::read(path, PLAN_BYTES_MAX))
}

/// Reads the plan at the path that the user gave: a run directory, or a file of any kind.
pub fn named(path: &Path) -> Result<Plan, Failure> {
    if path.is_dir() {
        return read(&path.join("plan.json"));
    }
    checked(path, plain_file::read_named(path, PLAN_BYTES_MAX))
}

fn checked(path: &Path, text: io::Result<Vec<u8>>) -> Result<Plan, Failure> {
    let text = text.map_err(|error| {
        Failure::new(Exit::NoInput, format!("cannot read the plan {}: {error}", path.display()))
    })?;
    parse(&text).map_err(|reason| {
        let sentence =
            format!("{} is not a plan that can be carried out: {reason}", path.display());
        Failure::new(Exit::Malformed, sentence)
    })
}

/// Parses a plan. The error says what is wrong with the text.
pub(super) fn parse(text: &[u8]) -> Result<Plan, String> {
    let kind: Kind = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if kind.format != FORMAT {
        return Err(format!("format is {:?}, not {FORMAT:?}", kind.format));
    }
    if kind.version != VERSION {
        return Err(format!(
            "version is {}, this program knows {VERSION}: use the program that wrote it",
            kind.version
        ));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let plan: Plan = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    reader.end().map_err(|error| error.to_string())?;
    no_stray_field_of_target(text)?;
    makes_sense(&plan)?;
    Ok(plan)
}

/// Refuses stray fields of a target without settings, which serde accepts.
fn no_stray_field_of_target(text: &[u8]) -> Result<(), String> {
    let value: Value = serde_json::from_slice(text).map_err(|it| it.to_string())?;
    let Some(target) = value.pointer("/config/target").and_then(|it| it.as_object()) else {
        return Ok(());
    };
    let bare =
        matches!(target.get("kind").and_then(|it| it.as_str()), Some("embedded" | "simulated"));
    match target.keys().find(|name| *name != "kind") {
        Some(stray) if bare => {
            Err(format!("config.target.{stray}: this kind of target has no such field"))
        }
        _ => Ok(()),
    }
}

/// Checks that the values make sense together.
pub(super) fn makes_sense(plan: &Plan) -> Result<(), String> {
    let in_field = |failure: Failure| match field_of(&failure.sentence) {
        Some(field) => format!("{field}: {failure}"),
        None => failure.sentence,
    };
    plan.config.check().map_err(in_field)?;
    faults(&plan.config).map_err(|failure| format!("config.nemesis.faults: {failure}"))?;
    if let Some(scenario) = &plan.scenario {
        fits(&plan.config, scenario).map_err(|failure| format!("scenario: {failure}"))?;
    }
    plan.clocks_fit().map_err(|failure| format!("schedule: {failure}"))?;
    numbers_are_bounded(plan)?;
    let mut begin_ms_before = 0;
    for (place, fault) in plan.schedule.iter().enumerate() {
        let refuse =
            |field: &str, reason: String| Err(format!("schedule[{place}].{field}: {reason}"));
        if fault.begin_ms < begin_ms_before {
            return refuse(
                "begin-ms",
                format!("{} is before the fault above it begins", fault.begin_ms),
            );
        }
        begin_ms_before = fault.begin_ms;
        if fault.begin_ms >= plan.config.time_ms {
            return refuse(
                "begin-ms",
                format!(
                    "{} is not before the run's end, config.time-ms {}",
                    fault.begin_ms, plan.config.time_ms
                ),
            );
        }
        let stores = plan.config.cluster.stores;
        if let Action::MaxReplicas { to } = fault.what
            && !(1..=stores).contains(&to)
        {
            return refuse("what.to", format!("{to} replicas cannot be had of {stores} stores"));
        }
        // `mix` leaves out faults that do not fit; a schedule must not contain them.
        let fit =
            Faults::parse(&[fault.kind.name()]).and_then(|it| it.fit(&possible(&plan.config)));
        if let Err(error) = fit
            && !is_made_possible_by_replicas(plan)
        {
            return refuse("kind", error.to_string());
        }
    }
    Ok(())
}

/// Refuses too many faults, and numbers in them that are beyond any time or rate.
fn numbers_are_bounded(plan: &Plan) -> Result<(), String> {
    if plan.schedule.len() > FAULTS_MAX {
        return Err(format!("schedule: it has more than {FAULTS_MAX} faults"));
    }
    let is_beyond = |value: &Value| value.as_f64().is_some_and(|it| it.abs() > WEEK_MS as f64);
    let beyond = |fields: serde_json::Result<Value>| -> Result<Option<(String, Value)>, String> {
        let fields = fields.map_err(|error| error.to_string())?;
        let mut fields = fields.as_object().into_iter().flatten();
        let found = fields.find(|(_, value)| is_beyond(value));
        Ok(found.map(|(name, value)| (name.clone(), value.clone())))
    };
    let refuse = |path: String, value: &Value| {
        Err(format!("{path}: {value} is beyond {WEEK_MS}, the milliseconds of a week"))
    };
    if let Some((name, value)) = beyond(serde_json::to_value(&plan.scenario))? {
        return refuse(format!("scenario.{name}"), &value);
    }
    for (place, fault) in plan.schedule.iter().enumerate() {
        if let Some((name, value)) = beyond(serde_json::to_value(fault.what))? {
            return refuse(format!("schedule[{place}].what.{name}"), &value);
        }
        match fault.what {
            Action::ClockSkew { drift_ppm, .. } if drift_ppm.unsigned_abs() > DRIFT_PPM_MAX => {
                return Err(format!(
                    "schedule[{place}].what.drift-ppm: {drift_ppm} is beyond {DRIFT_PPM_MAX}: no clock is so wrong"
                ));
            }
            Action::LoseMessages { lost_per_mille, twice_per_mille, late_per_mille, .. }
                if [lost_per_mille, twice_per_mille, late_per_mille]
                    .iter()
                    .any(|it| *it > 1_000) =>
            {
                return Err(format!(
                    "schedule[{place}].what: more than 1000 of a thousand messages"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns true if the faults set more replicas, with which some other faults fit.
fn is_made_possible_by_replicas(plan: &Plan) -> bool {
    let replicas = plan.config.cluster.replicas;
    plan.schedule.iter().any(|it| matches!(it.what, Action::MaxReplicas { to } if to > replicas))
}

fn field_of(sentence: &str) -> Option<&'static str> {
    let first = sentence.split([' ', ',', ':']).next()?;
    FIELDS.iter().find(|(flag, _)| *flag == first).map(|(_, field)| *field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::json;

    fn plan() -> Value {
        let mut config = Config { seed: 7, ..Config::default() };
        config.nemesis.faults = vec!["mix".into()];
        let plan = Plan::draw(config).expect("can be drawn");
        serde_json::from_slice(&plan.to_json().expect("written")).expect("JSON")
    }

    fn refused(pointer: &str, value: Value) -> String {
        let mut edited = plan();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        match edited.pointer_mut(parent).expect("it is there") {
            Value::Object(fields) => {
                fields.insert(name.to_owned(), value);
            }
            other => other[name.parse::<usize>().expect("a place")] = value,
        }
        parse(&serde_json::to_vec(&edited).expect("written")).expect_err("refused")
    }

    #[test]
    fn a_wrong_field_is_refused_with_its_path_and_the_reason() {
        for (pointer, value, path) in [
            ("/config/cluster/stores", json!("six"), "config.cluster.stores: invalid type"),
            ("/config/cluster/stores", json!(0), "config.cluster.stores: --stores is 0"),
            ("/config/cluster/stoers", json!(6), "config.cluster.stoers: unknown field"),
            ("/config/workload/keys", json!(-1), "config.workload.keys: invalid value"),
            ("/config/workload/name", json!("chess"), "config.workload.name: unknown variant"),
            ("/config/nemesis/faults", json!(["quake"]), "config.nemesis.faults: "),
            ("/config/time-ms", json!(0), "config.time-ms: --time is 0"),
            ("/config/target/pd", json!("x"), "config.target.pd: "),
            ("/schedule/0/begin-ms", json!(59_000), "schedule[1].begin-ms: "),
            ("/schedule/0/kind", json!("quake"), "schedule[0].kind: unknown variant"),
            ("/schedule/0/lenght", json!(1), "schedule[0].lenght: unknown field"),
            ("/schedule/0/what", json!({"action": "pause", "whom": "leader"}), "schedule[0].what"),
            ("/shedule", json!([]), "shedule: unknown field"),
            ("/version", json!(2), "version is 2, this program knows 1"),
            ("/format", json!("jepsen-tikv history"), "format is \"jepsen-tikv history\""),
        ] {
            let reason = refused(pointer, value);
            assert!(reason.starts_with(path), "{pointer}: {reason}");
        }
        let mut late = plan();
        late["config"]["time-ms"] = json!(2_000);
        let reason = parse(&serde_json::to_vec(&late).expect("written")).expect_err("refused");
        assert!(reason.contains("is not before the run's end"), "{reason}");
    }
}
