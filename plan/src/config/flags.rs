//! The flags that repeat a configuration, without those at their defaults.
//!
//! In: a configuration, and the one without any flags. Out: a command line as a person would type
//! it, which gives the same configuration again (tests in `src/cli` hold both to it).

use super::{ATTACHED_PREFIX, Config, NemesisConfig, TargetConfig};

impl Config {
    /// The command line that repeats this run, without flags at their defaults.
    pub fn command_line(&self, defaults: &Self) -> String {
        let command = if self.target == TargetConfig::Simulated { "simulate" } else { "test" };
        format!("jepsen-tikv {command} {}", self.flags(defaults).join(" "))
    }

    /// The flags that repeat this run, one string each, without those at their defaults.
    pub fn flags(&self, defaults: &Self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut flag = |name: &str, mine: String, default: String| {
            if mine != default {
                flags.push(format!("--{name} {}", shell_word(&mine)));
            }
        };
        let (shape, other) = (&self.cluster, &defaults.cluster);
        let faults = |config: &NemesisConfig| {
            if config.faults.is_empty() { "none".to_owned() } else { config.faults.join(",") }
        };
        flag("nemesis", faults(&self.nemesis), String::new());
        flag("time", seconds(self.time_ms), String::new());
        flag("seed", self.seed.to_string(), String::new());
        flag("stores", shape.stores.to_string(), other.stores.to_string());
        flag("replicas", shape.replicas.to_string(), other.replicas.to_string());
        flag("regions", shape.regions.to_string(), other.regions.to_string());
        flag("region-max-keys", optional(shape.region_max_keys), optional(other.region_max_keys));
        flag("profile", shape.profile.clone(), other.profile.clone());
        flag("pd-port", shape.pd_port.to_string(), other.pd_port.to_string());
        flag("store-port", shape.store_port.to_string(), other.store_port.to_string());
        flag("read", shape.read.clone(), other.read.clone());
        flag("defect", shape.defects.join(","), other.defects.join(","));
        let (work, other) = (&self.workload, &defaults.workload);
        flag("workload", value_name(&work.name), value_name(&other.name));
        let operations = work.operations.as_ref().map(ToString::to_string);
        flag("operations", operations.unwrap_or_default(), String::new());
        flag("keys", work.keys.to_string(), other.keys.to_string());
        flag("distribution", value_name(&work.distribution), value_name(&other.distribution));
        flag("value-bytes", work.value_bytes.to_string(), other.value_bytes.to_string());
        flag("client", value_name(&work.client), value_name(&other.client));
        let switch = |on| if on { "on" } else { "off" }.to_owned();
        flag("client-retries", switch(work.client_retries), switch(other.client_retries));
        flag("atomic", value_name(&work.atomic), value_name(&work.name.atomic()));
        let prefix =
            if matches!(self.target, TargetConfig::Attach(_)) { ATTACHED_PREFIX } else { "" };
        flag("prefix", work.prefix.clone(), prefix.to_owned());
        flag("concurrency", work.concurrency.to_string(), other.concurrency.to_string());
        flag("idle-clients", work.idle_clients.to_string(), other.idle_clients.to_string());
        flag("rate", optional(work.rate), optional(other.rate));
        flag("op-timeout", seconds(work.op_timeout_ms), seconds(other.op_timeout_ms));
        let (nemesis, other) = (&self.nemesis, &defaults.nemesis);
        flag("nemesis-interval", seconds(nemesis.interval_ms), seconds(other.interval_ms));
        flag("pause-ms-min", nemesis.pause_ms_min.to_string(), other.pause_ms_min.to_string());
        flag("pause-ms-max", nemesis.pause_ms_max.to_string(), other.pause_ms_max.to_string());
        flags.extend(self.cluster.enable_ttl.then(|| "--enable-ttl".to_owned()));
        flags.extend(self.target.flags());
        flags
    }
}

/// A text quoted as one word of a shell's command line: it may come from somebody else's plan.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-./:@_,=%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    // No argument holds a NUL byte, so such a text is only shown.
    shlex::try_quote(text).map_or_else(|_| format!("{text:?}"), Into::into)
}

fn optional(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn value_name(value: &impl clap::ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Milliseconds in the flags' format: `60` (seconds) or `1500ms`.
fn seconds(time_ms: u64) -> String {
    if time_ms.is_multiple_of(1000) { (time_ms / 1000).to_string() } else { format!("{time_ms}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_stays_one_word() {
        assert_eq!(shell_word("pause-one,kill-one"), "pause-one,kill-one");
        assert_eq!(shell_word("get=1,put=2"), "get=1,put=2");
        assert_eq!(shell_word("jepsen-tikv/"), "jepsen-tikv/");
        assert_eq!(shell_word("127.0.0.1:1;touch x"), "'127.0.0.1:1;touch x'");
        assert_eq!(shell_word("it's"), "\"it's\"");
        assert_eq!(shell_word("a\0b"), "\"a\\0b\"");
    }
}
