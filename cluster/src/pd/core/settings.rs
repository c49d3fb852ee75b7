//! PD's settings: the document that tools read and change, and the few values of it that PD acts
//! on.
//!
//! In: changes by (possibly dotted) name. Out: the document, and a typed [`Policy`]. A change is
//! checked as a whole before any of it applies. Refusals have real PD's texts. The changes are
//! saved, not the document.

use super::{super::go_text, refusal::Refusal};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

/// The document's shape and PD's defaults.
const TEMPLATE: &str = include_str!("../config.json");
/// The sections of the document that can be changed, and PD's names for their types in its
/// refusals.
const SECTIONS: [(&str, &str); 3] = [
    ("schedule", "ScheduleConfig"),
    ("replication", "ReplicationConfig"),
    ("pd-server", "PDServerConfig"),
];

/// The settings that PD acts on.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in PD")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub max_replicas: usize,
    pub max_store_down_time: Duration,
    pub leader_schedule_limit: usize,
    pub region_schedule_limit: usize,
    pub replica_schedule_limit: usize,
    pub make_up_replica: bool,
    pub remove_extra_replica: bool,
    pub remove_down_replica: bool,
    pub replace_offline_replica: bool,
}

/// The settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    document: Value,
    changes: BTreeMap<String, Value>,
    /// The policy, read from the document once per change, because every decision asks for it.
    policy: Policy,
}

/// The facts about the serving process in a document.
#[derive(Debug, Clone)]
pub struct Identity {
    /// PD's name.
    pub name: String,
    /// The URL for clients.
    pub client_url: String,
    /// The data directory.
    pub data_dir: String,
}

impl Settings {
    /// PD's defaults with this cluster's values.
    pub fn new(max_replicas: u32, max_store_down_time: Duration, patrol: Duration) -> Self {
        let mut document: Value = serde_json::from_str(TEMPLATE).expect("our own template");
        document["replication"]["max-replicas"] = json!(max_replicas);
        document["schedule"]["max-store-down-time"] = json!(go_text::duration(max_store_down_time));
        document["schedule"]["patrol-region-interval"] = json!(go_text::duration(patrol));
        let policy = Policy::of(&document);
        Self { document, changes: BTreeMap::new(), policy }
    }

    /// Changes settings by name: `max-replicas`, `schedule.leader-schedule-limit`, or whole
    /// sections (`{"schedule": {…}}`). Applies all or none.
    pub fn change(&mut self, changes: &Map<String, Value>) -> Result<(), Refusal> {
        let mut next = self.clone();
        for (name, value) in changes {
            match value {
                Value::Object(inner) if next.document.get(name).is_some_and(Value::is_object) => {
                    for (item, value) in inner {
                        next.change_one(&format!("{name}.{item}"), value)?;
                    }
                }
                _ => next.change_one(name, value)?,
            }
        }
        next.policy = Policy::of(&next.document);
        *self = next;
        Ok(())
    }

    fn change_one(&mut self, name: &str, value: &Value) -> Result<(), Refusal> {
        if name == "cluster-version" {
            self.document[name] = value.clone();
            self.changes.insert(name.into(), value.clone());
            return Ok(());
        }
        let found = match name.split_once('.') {
            Some((prefix, item)) => SECTIONS
                .into_iter()
                .find(|(section, _)| *section == prefix)
                .map(|section| (section, item))
                .ok_or_else(|| setting(format!("config prefix {prefix} not found")))
                .map(Some)?,
            None => SECTIONS
                .into_iter()
                .find(|(section, _)| self.document[section].get(name).is_some())
                .map(|section| (section, name)),
        };
        let ((section, type_name), item) = found
            .filter(|((section, _), item)| self.document[section].get(item).is_some())
            .ok_or_else(|| setting(format!("config item {name} not found")))?;
        let old = &self.document[section][item];
        let new = converted(old, value, &format!("{type_name}.{item}"))?;
        if item == "max-replicas" && new == json!(0) {
            let text = "[PD:placement:ErrRuleContent]invalid rule content, invalid count 0";
            return Err(setting(text));
        }
        self.document[section][item] = new.clone();
        self.changes.insert(format!("{section}.{item}"), new);
        Ok(())
    }

    /// The changes since the cluster's creation, which are saved.
    pub fn changes(&self) -> &BTreeMap<String, Value> {
        &self.changes
    }

    /// One section (`schedule`, `replication`).
    pub fn section(&self, name: &str) -> &Value {
        &self.document[name]
    }

    /// The whole document with the identity of a process.
    pub fn document(&self, identity: &Identity) -> Value {
        let mut document = self.document.clone();
        for url in ["client-urls", "advertise-client-urls", "peer-urls", "advertise-peer-urls"] {
            document[url] = json!(identity.client_url);
        }
        document["name"] = json!(identity.name);
        document["metric"]["job"] = json!(identity.name);
        document["data-dir"] = json!(identity.data_dir);
        document["initial-cluster"] = json!(format!("{}={}", identity.name, identity.client_url));
        document
    }

    /// The settings that PD acts on.
    pub fn policy(&self) -> Policy {
        self.policy
    }
}

impl Policy {
    fn of(document: &Value) -> Self {
        let schedule = |item: &str| &document["schedule"][item];
        let number = |value: &Value| value.as_u64().expect("checked when it was set") as usize;
        let yes = |item: &str| schedule(item).as_str() == Some("true");
        Self {
            max_replicas: number(&document["replication"]["max-replicas"]),
            max_store_down_time: schedule("max-store-down-time")
                .as_str()
                .and_then(go_text::parse_duration)
                .expect("checked when it was set"),
            leader_schedule_limit: number(schedule("leader-schedule-limit")),
            region_schedule_limit: number(schedule("region-schedule-limit")),
            replica_schedule_limit: number(schedule("replica-schedule-limit")),
            make_up_replica: yes("enable-make-up-replica"),
            remove_extra_replica: yes("enable-remove-extra-replica"),
            remove_down_replica: yes("enable-remove-down-replica"),
            replace_offline_replica: yes("enable-replace-offline-replica"),
        }
    }
}

fn setting(text: impl Into<String>) -> Refusal {
    Refusal::Setting(text.into())
}

/// Converts `value` to the type of `old`, or refuses it as Go's JSON reader would.
fn converted(old: &Value, value: &Value, field: &str) -> Result<Value, Refusal> {
    let mismatch = |go_type: &str| {
        let got = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) => format!("number {number}"),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        setting(format!(
            "json: cannot unmarshal {got} into Go struct field {field} of type {go_type}"
        ))
    };
    match old {
        Value::Number(number) if number.is_f64() => {
            value.as_f64().map(|value| json!(value)).ok_or_else(|| mismatch("float64"))
        }
        // A tool that parses every number as floating-point writes 5 as 5 or 5.0; both are 5.
        Value::Number(_) => match value.as_f64() {
            Some(number) if number >= 0.0 && number.fract() == 0.0 => Ok(json!(number as u64)),
            _ => Err(mismatch("uint64")),
        },
        Value::String(old) if old == "true" || old == "false" => match value {
            Value::Bool(yes) => Ok(json!(yes.to_string())),
            Value::String(text) if text == "true" || text == "false" => Ok(value.clone()),
            _ => Err(mismatch("bool")),
        },
        Value::String(old) if go_text::parse_duration(old).is_some() => {
            let text = value.as_str().ok_or_else(|| mismatch("string"))?;
            let parsed = go_text::parse_duration(text)
                .ok_or_else(|| setting(format!("time: invalid duration \"{text}\"")))?;
            Ok(json!(go_text::duration(parsed)))
        }
        Value::String(_) if !value.is_string() => Err(mismatch("string")),
        _ => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(3, Duration::from_mins(30), Duration::from_millis(20))
    }

    fn change(settings: &mut Settings, text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect("test JSON");
        match settings.change(value.as_object().expect("an object")) {
            Ok(()) => "ok".into(),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn changes_and_refusals_are_real_pds() {
        let uint64 = "of type uint64";
        for (request, answer) in [
            (r#"{"max-replicas":5}"#, "ok"),
            (r#"{"max-replicas":5.0}"#, "ok"),
            (r#"{"replication.max-replicas":4}"#, "ok"),
            (r#"{"schedule":{"leader-schedule-limit":7}}"#, "ok"),
            (r#"{"schedule.leader-schedule-limit":4}"#, "ok"),
            (r#"{"max-store-down-time":"90s"}"#, "ok"),
            (r#"{"enable-make-up-replica":false}"#, "ok"),
            (r#"{"max-store-down-time":"soon"}"#, "time: invalid duration \"soon\""),
            (
                r#"{"max-replicas":0}"#,
                "[PD:placement:ErrRuleContent]invalid rule content, invalid count 0",
            ),
            (
                r#"{"max-replicas":"x"}"#,
                &format!(
                    "json: cannot unmarshal string into Go struct field ReplicationConfig.max-replicas {uint64}"
                ),
            ),
            (
                r#"{"leader-schedule-limit":-1}"#,
                &format!(
                    "json: cannot unmarshal number -1 into Go struct field ScheduleConfig.leader-schedule-limit {uint64}"
                ),
            ),
            (r#"{"no-such":1}"#, "config item no-such not found"),
            (r#"{"schedule.no-such":1}"#, "config item schedule.no-such not found"),
            (r#"{"nowhere.x":1}"#, "config prefix nowhere not found"),
        ] {
            assert_eq!(change(&mut settings(), request), answer, "{request}");
        }
    }

    #[test]
    fn a_change_is_all_or_nothing_and_survives_by_its_record() {
        let mut changed = settings();
        let before = changed.clone();
        assert_ne!(change(&mut changed, r#"{"max-replicas":5,"no-such":1}"#), "ok");
        assert_eq!(changed, before);
        assert_eq!(change(&mut changed, r#"{"max-replicas":5,"max-store-down-time":"90s"}"#), "ok");
        assert_eq!(changed.policy().max_replicas, 5);
        assert_eq!(changed.policy().max_store_down_time, Duration::from_secs(90));
        let mut restored = settings();
        let record = changed.changes().clone().into_iter().collect();
        restored.change(&record).expect("what was accepted once");
        assert_eq!(restored, changed);
    }
}
