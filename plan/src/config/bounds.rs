//! The largest value of every number in a flag, a plan or a property.
//!
//! In: a name and a value. Out: nothing, or a sentence with the bound and its reason. Without a
//! bound a typing error (a number with some digits too many) takes all memory, or overflows a sum.
//! Numbers that need no bound (seeds, ports) have a type that fits them. Lower bounds stand where
//! their reasons are, in the checks of each command.

use clap::ArgMatches;
use failure::Failure;

/// A week in milliseconds: no run lasts longer.
pub const WEEK_MS: u64 = 7 * 24 * 3_600_000;
const WEEK_S: u64 = WEEK_MS / 1000;
const LONG: &str = "a run lasts a week at most";
const CLIENTS: &str = "each client is a task with connections of its own";
const MACHINE: &str = "they all run on one machine";
const RECORDS: &str = "a load at full speed would take weeks";

/// A flag's name (or a property's), its largest value, and the reason for this bound.
pub const BOUNDS: [(&str, u64, &str); 40] = [
    ("stores", 100, MACHINE),
    ("kv", 100, MACHINE),
    ("pd", 1, "the embedded cluster has one PD"),
    ("replicas", 100, MACHINE),
    ("regions", 1_000, "a few stores lead them all"),
    ("region-max-keys", 1_000_000_000, "no region holds more keys"),
    ("keys", 10_000_000, "the tester holds the name and the judgement of every key"),
    ("value-bytes", 1 << 20, "TiKV is made for small values"),
    ("concurrency", 10_000, CLIENTS),
    ("idle-clients", 10_000, CLIENTS),
    ("rate", 10_000_000, "no cluster serves more"),
    ("pause-ms-min", WEEK_MS, LONG),
    ("pause-ms-max", WEEK_MS, LONG),
    ("time-ms", WEEK_MS, LONG),
    ("interval-ms", WEEK_MS, LONG),
    ("op-timeout-ms", WEEK_MS, LONG),
    ("history-segment", 1 << 20, "that is a TiB"),
    ("budget", 1_000_000_000_000, "a search would take years"),
    ("budget-bytes", 1 << 40, "that is a TiB of memory"),
    ("counterexamples-max", 1_000_000, "nobody looks at more"),
    ("runs", 1_000_000_000, "they would take years"),
    ("times", 10_000, "they would take weeks"),
    ("attempts-per-step", 1_000, "they would take weeks"),
    ("ops-back", 100, "it is a percentage"),
    ("jobs", 64, MACHINE),
    ("threads", 10_000, CLIENTS),
    ("threadcount", 10_000, CLIENTS),
    ("target", 10_000_000, "no cluster serves more"),
    ("interval", WEEK_S, LONG),
    ("measurement.interval", WEEK_S, LONG),
    ("maxexecutiontime", WEEK_S, LONG),
    ("core_workload_insertion_retry_interval", WEEK_S, LONG),
    ("core_workload_insertion_retry_limit", 1_000_000, LONG),
    ("recordcount", 1_000_000_000, RECORDS),
    ("insertcount", 1_000_000_000, RECORDS),
    ("insertstart", 1_000_000_000, RECORDS),
    ("operationcount", 1_000_000_000_000, RECORDS),
    ("fieldcount", 1_000, "a row is one value, and TiKV is made for small values"),
    ("fieldlength", 1 << 20, "a row is one value, and TiKV is made for small values"),
    ("maxscanlength", 1_000_000, "a scan is one answer"),
];

/// Refuses a flag's value that is beyond its bound.
pub fn flag(name: &str, value: impl Into<u128>) -> Result<(), Failure> {
    within(name, "--", value.into())
}

/// Refuses a property's value that is beyond its bound.
pub fn property(name: &str, value: u128) -> Result<(), Failure> {
    within(name, "property ", value)
}

fn within(name: &str, called: &str, value: u128) -> Result<(), Failure> {
    match BOUNDS.iter().find(|(known, ..)| *known == name) {
        Some((_, most, why)) if value > u128::from(*most) => Err(Failure::usage(format!(
            "{called}{name} is {value}: use {most} or less, since {why}"
        ))),
        _ => Ok(()),
    }
}

/// Refuses values of flags, given or by default, that are beyond their bounds.
pub fn command_line(matches: &ArgMatches) -> Result<(), Failure> {
    for id in matches.ids() {
        let name = id.as_str().replace('_', "-");
        if !BOUNDS.iter().any(|(known, ..)| *known == name) {
            continue;
        }
        for raw in matches.get_raw(id.as_str()).into_iter().flatten() {
            // Other values are no numbers: an address, a time with its unit.
            if let Some(value) = raw.to_str().and_then(|text| text.parse::<u128>().ok()) {
                flag(&name, value)?;
            }
        }
    }
    matches.subcommand().map_or(Ok(()), |(_, matches)| command_line(matches))
}
