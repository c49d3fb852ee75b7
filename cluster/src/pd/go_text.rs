//! Go's text forms in PD's HTTP answers and settings: durations, sizes, times. Pure.

use std::{fmt::Write, time::Duration};

/// Prints a duration as Go does: `15m6.471455057s`, `100ms`, `30m0s`.
pub fn duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    let decimal = |unit: u128| {
        let (whole, rest) = (nanos / unit, nanos % unit);
        let digits = unit.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        match fraction.trim_end_matches('0') {
            _ if rest == 0 => whole.to_string(),
            fraction => format!("{whole}.{fraction}"),
        }
    };
    match nanos {
        0..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(1_000_000)),
        _ => {
            let (hours, minutes) = (value.as_secs() / 3_600, value.as_secs() / 60 % 60);
            let mut text = String::new();
            if hours > 0 {
                let _ = write!(text, "{hours}h");
            }
            if hours + minutes > 0 {
                let _ = write!(text, "{minutes}m");
            }
            let rest = value.as_secs() % 60;
            match value.subsec_nanos() {
                0 => format!("{text}{rest}s"),
                sub => format!("{text}{rest}.{}s", format!("{sub:09}").trim_end_matches('0')),
            }
        }
    }
}

/// Parses a duration as Go does: `1h30m`, `1.5s`, `0`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(split);
        let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        let step = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(step)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Prints a size as `3.839GiB`: four significant digits and a binary unit.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let whole_digits = if value >= 1.0 { value.log10().floor() as usize + 1 } else { 1 };
    let text = format!("{value:.*}", 4_usize.saturating_sub(whole_digits));
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", UNITS[unit])
}

/// Converts seconds since the Unix epoch to year, month, day, hour, minute, second.
fn civil(seconds: u64) -> (u64, u64, u64, u64, u64, u64) {
    // Howard Hinnant's days-to-civil algorithm, for days since 1970.
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let time = seconds % 86_400;
    (year, month, day, time / 3_600, time / 60 % 60, time % 60)
}

fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        nanos => format!(".{}", format!("{nanos:09}").trim_end_matches('0')),
    }
}

/// Prints a time since the Unix epoch as `2026-11-23T19:22:47.471455057Z`.
pub fn rfc3339(at: Duration) -> String {
    let (year, month, day, hour, minute, second) = civil(at.as_secs());
    let fraction = fraction(at.subsec_nanos());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Prints a time as Go does: `2026-11-23 19:22:52.903990968 +0000 UTC`.
pub fn time(at: Duration) -> String {
    let text = rfc3339(at);
    format!("{} +0000 UTC", text.trim_end_matches('Z').replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (100_000_000, "100ms"),
            (50_500_000, "50.5ms"),
            (5_000_000_000, "5s"),
            (1_800_000_000_000, "30m0s"),
            (906_471_455_057, "15m6.471455057s"),
            (604_800_000_000_000, "168h0m0s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), text);
            assert_eq!(parse_duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_mins(90)));
        for wrong in ["", "5", "5x", "s", "-1s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_and_times_as_pd_prints_them() {
        for (bytes, text) in [
            (0, "0B"),
            (4 << 30, "4GiB"),
            (131_072_000, "125MiB"),
            (4_122_094_895, "3.839GiB"),
            (173_224_755, "165.2MiB"),
            (1_023, "1023B"),
        ] {
            assert_eq!(size(bytes), text);
        }
        let at = Duration::new(1_795_461_767, 471_455_057);
        assert_eq!(rfc3339(at), "2026-11-23T19:22:47.471455057Z");
        assert_eq!(rfc3339(Duration::from_secs(1_795_460_861)), "2026-11-23T19:07:41Z");
        assert_eq!(time(at), "2026-11-23 19:22:47.471455057 +0000 UTC");
        assert_eq!(rfc3339(Duration::from_secs(951_782_401)), "2000-02-29T00:00:01Z");
    }
}
