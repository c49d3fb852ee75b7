//! Times as flags take them: a number is seconds, or it has a unit.

use crate::config::bounds::WEEK_MS;

/// Parses a time: a number is seconds; `ms`, `s`, `m` and `h` are understood.
pub fn parse_ms(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor_ms = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("give whole seconds, or a number with ms, s, m or h".into()),
    };
    let number: u64 = number.parse().map_err(|_| "give a whole number of seconds".to_owned())?;
    number
        .checked_mul(factor_ms)
        .filter(|&time_ms| time_ms <= WEEK_MS)
        .ok_or_else(|| "a run lasts a week at most".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_ms;

    #[test]
    fn times_have_units() {
        assert_eq!(parse_ms("60"), Ok(60_000));
        assert_eq!(parse_ms("250ms"), Ok(250));
        assert_eq!(parse_ms("5m"), Ok(300_000));
        assert!(parse_ms("1.5").is_err());
        assert!(parse_ms("ms").is_err());
        assert!(parse_ms("99999999999999999999").is_err());
    }
}
