//! The output of go-ycsb besides its measurements: the banner of properties, and Go's durations.
//!
//! Pure: values in, text out.

use super::properties::Properties;
use std::time::Duration;

/// The line above and below the banner.
pub const RULE: &str = "**********************************************";

/// Returns the properties between their lines.
pub fn banner(properties: &Properties) -> Vec<String> {
    let mut lines = vec!["***************** properties *****************".to_owned()];
    lines.extend(properties.iter().map(|(name, value)| format!("\"{name}\"=\"{value}\"")));
    lines.push(RULE.into());
    lines
}

/// Formats a duration as Go does: `6.622679423s`, `1m1.5s`, `999.999999ms`, `0s`.
pub fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    let (unit, unit_ns): (_, u128) = match ns {
        0 => return "0s".into(),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let minutes = if unit == "s" { ns / 60_000_000_000 } else { 0 };
    let rest_ns = ns - minutes * 60_000_000_000;
    let front = match (minutes / 60, minutes % 60) {
        (0, 0) => String::new(),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    };
    let digits = unit_ns.ilog10() as usize;
    let fraction =
        if digits == 0 { String::new() } else { format!("{:0digits$}", rest_ns % unit_ns) };
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{front}{}{point}{fraction}{unit}", rest_ns / unit_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        // The output of Go 1.2x for these nanoseconds.
        for (ns, said) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (1_000_000, "1ms"),
            (1_234_567, "1.234567ms"),
            (999_999_999, "999.999999ms"),
            (6_622_679_423, "6.622679423s"),
            (60_000_000_000, "1m0s"),
            (61_500_000_000, "1m1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (3_723_004_005_006, "1h2m3.004005006s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(ns)), said);
        }
    }

    #[test]
    fn the_banner_is_go_ycsbs() {
        let pairs = ["recordcount=10000".to_owned(), "dotransactions=false".into()];
        let properties = Properties::gather(&[], &pairs).expect("pairs");
        assert_eq!(
            banner(&properties),
            [
                "***************** properties *****************",
                "\"dotransactions\"=\"false\"",
                "\"recordcount\"=\"10000\"",
                "**********************************************",
            ]
        );
    }
}
