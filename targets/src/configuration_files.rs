//! The configuration files of real PD and TiKV, sized so that many stores fit one small machine.
//!
//! In: profile and sizes. Out: TOML for pd-server and tikv-server. Profile `tikv` leaves all timing
//! at TiKV's defaults. Profile `fast` has shorter ticks, a lease below the election timeout, and no
//! hibernating regions: with hibernation a short tick alone does not make failover fast.

use std::fmt::Write;

/// Settings for several stores on one small machine: few files, little memory, no reserved space. A
/// terminated store moves its leaders away first, for 20 s by default, though all the others end
/// with it; here it has 1 s. Versions without that setting do not wait, and ignore it.
const SMALL: &str = r#"# Written by jepsen-tikv; a new one is written at every start.
memory-usage-limit = "1GB"

[server]
graceful-shutdown-timeout = "1s"

[storage]
reserve-space = "0KB"
reserve-raft-space = "0KB"

[storage.block-cache]
capacity = "64MB"

[rocksdb]
max-open-files = 256

[raftdb]
max-open-files = 256

[raftstore]
capacity = "4GB"
"#;

/// Settings for elections after 1–2 s.
const FAST: &str = r#"raft-base-tick-interval = "100ms"
raft-election-timeout-ticks = 10
raft-heartbeat-ticks = 2
raft-store-max-leader-lease = "900ms"
hibernate-regions = false
pd-heartbeat-tick-interval = "2s"
pd-store-heartbeat-tick-interval = "1s"
"#;

/// TiKV's configuration file.
pub fn tikv(profile: &str, region_split_size: Option<&str>, enable_ttl: bool) -> String {
    let storage = if enable_ttl { "[storage]\nenable-ttl = true" } else { "[storage]" };
    // The keys of `fast` follow those of `[raftstore]`, which is the last section of `SMALL`.
    let mut text = SMALL.replacen("[storage]", storage, 1);
    if profile == "fast" {
        text.push_str(FAST);
    }
    if let Some(size) = region_split_size {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[coprocessor]\nregion-split-size = {size:?}\n");
    }
    text
}

/// PD's configuration file.
pub fn pd(max_replicas: u32) -> String {
    format!("# Written by jepsen-tikv.\n[replication]\nmax-replicas = {max_replicas}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> toml::Table {
        text.parse().expect("TOML")
    }

    #[test]
    fn the_fast_profile_has_its_lease_below_the_election_timeout_and_no_hibernation() {
        let fast = parsed(&tikv("fast", Some("1MB"), true));
        let raftstore = fast["raftstore"].as_table().expect("a section");
        assert_eq!(raftstore["raft-base-tick-interval"].as_str(), Some("100ms"));
        assert_eq!(raftstore["raft-store-max-leader-lease"].as_str(), Some("900ms"));
        assert_eq!(raftstore["raft-election-timeout-ticks"].as_integer(), Some(10));
        assert_eq!(raftstore["hibernate-regions"].as_bool(), Some(false));
        assert_eq!(raftstore["capacity"].as_str(), Some("4GB"));
        assert_eq!(fast["storage"]["enable-ttl"].as_bool(), Some(true));
        assert_eq!(fast["coprocessor"]["region-split-size"].as_str(), Some("1MB"));
    }

    #[test]
    fn a_store_that_is_asked_to_end_does_not_wait_for_its_leaders() {
        for profile in ["fast", "tikv"] {
            let text = tikv(profile, None, false);
            let timeout = parsed(&text)["server"]["graceful-shutdown-timeout"].clone();
            assert_eq!(timeout.as_str(), Some("1s"));
        }
    }

    #[test]
    fn the_tikv_profile_leaves_timing_at_tikvs_defaults() {
        let tikv = parsed(&tikv("tikv", None, false));
        assert!(tikv["raftstore"].get("raft-base-tick-interval").is_none());
        assert!(tikv.get("coprocessor").is_none() && tikv["storage"].get("enable-ttl").is_none());
        assert_eq!(parsed(&pd(5))["replication"]["max-replicas"].as_integer(), Some(5));
    }
}
