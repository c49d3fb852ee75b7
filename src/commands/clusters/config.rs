//! `cluster config`: shows and changes PD's settings in pd-ctl's words, for users without pd-ctl.
//!
//! In: a section, or a setting and its value. Out: PD's JSON as pd-ctl prints it, or `Success!`. PD
//! decides which settings exist; any PD will do, even one that somebody else started.

use crate::{
    cli::{ConfigArgs, ConfigCommand},
    commands::pd_endpoints,
};
use client::{PdHttp, pd_http::PdHttpError};
use failure::{Exit, Failure};
use serde_json::{Value, json};
use std::time::Duration;

/// The time that PD may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// `jepsen-tikv cluster config …`.
pub fn command(args: &ConfigArgs) -> Result<Exit, Failure> {
    let (ConfigCommand::Show { pd, .. } | ConfigCommand::Set { pd, .. }) = &args.command;
    let endpoints = pd_endpoints::choose(pd, None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::software)?.block_on(async {
        pd_endpoints::check(&endpoints).await?;
        let pd = PdHttp::of_members(&endpoints, PATIENCE, None).map_err(Failure::target_or_disk)?;
        match &args.command {
            ConfigCommand::Show { section, .. } => {
                let all = pd.settings().await.map_err(Failure::target_or_disk)?;
                let shown = section_of(&all, section.as_deref());
                terminal::data(serde_json::to_string_pretty(&shown).map_err(Failure::software)?);
            }
            ConfigCommand::Set { name, value, .. } => {
                pd.set_setting(name, &value_of(value)).await.map_err(|error| {
                    let exit = match error {
                        PdHttpError::Refused { status: 400, .. } => Exit::Usage,
                        _ => Exit::TargetOrDisk,
                    };
                    Failure::new(exit, format!("{name} stays as it is: {error}"))
                })?;
                terminal::result("Success!");
            }
        }
        Ok(Exit::Valid)
    })
}

/// Returns the settings that pd-ctl shows: `config show` has those of replication and scheduling.
fn section_of(all: &Value, section: Option<&str>) -> Value {
    match section {
        Some("all") => all.clone(),
        Some(section) => all[section].clone(),
        None => json!({ "replication": all["replication"], "schedule": all["schedule"] }),
    }
}

/// Parses a number or a switch as JSON, and keeps any other text as a string.
fn value_of(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_switches_or_texts() {
        assert_eq!(value_of("5"), json!(5));
        assert_eq!(value_of("true"), json!(true));
        assert_eq!(value_of("24h0m0s"), json!("24h0m0s"));
        assert_eq!(value_of("{}"), json!("{}"));
    }

    #[test]
    fn a_section_alone_or_the_two_that_pd_ctl_shows() {
        let all = json!({ "replication": { "max-replicas": 3 }, "schedule": {}, "log": {} });
        assert_eq!(section_of(&all, None).as_object().map(serde_json::Map::len), Some(2));
        assert_eq!(section_of(&all, Some("replication"))["max-replicas"], 3);
        assert_eq!(section_of(&all, Some("all")), all);
    }
}
