//! Numbers, times and values as a person reads them.
//!
//! In: counts, nanoseconds, values. Out: words without padding; times in milliseconds, and finer
//! only where two could not be told apart otherwise.

use super::frame::{JOINT, cut};
use checker::Content;
use histories::jsonl::Text;

/// Longer values are cut.
const VALUE_MAX: usize = 24;

/// A count, in groups of three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of something: "1 fault", "2 faults".
pub fn counted(number: u64, thing: &str) -> String {
    format!("{}{JOINT}{thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A moment, in milliseconds.
pub fn moment(ns: u64) -> String {
    format!("{:.3}{JOINT}s", ns as f64 / 1e9)
}

/// A moment, in microseconds.
pub fn fine_moment(ns: u64) -> String {
    format!("{:.6}{JOINT}s", ns as f64 / 1e9)
}

/// Two moments that can be told apart.
pub fn moments(first_ns: u64, last_ns: u64) -> [String; 2] {
    let digits = if moment(first_ns) == moment(last_ns) && first_ns != last_ns { 6 } else { 3 };
    [first_ns, last_ns].map(|ns| format!("{:.digits$}", ns as f64 / 1e9))
}

/// A moment of a fault, in tenths of a second.
pub fn about(ns: u64) -> String {
    format!("{:.1}{JOINT}s", ns as f64 / 1e9)
}

/// A length of time.
pub fn length(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{:.3}{JOINT}ms", ns as f64 / 1e6),
        1_000_000..1_000_000_000 => format!("{}{JOINT}ms", ns / 1_000_000),
        1_000_000_000..100_000_000_000 => format!("{:.1}{JOINT}s", ns as f64 / 1e9),
        _ => format!("{}{JOINT}s", count(ns / 1_000_000_000)),
    }
}

/// Two lengths of time, as a range if they differ.
pub fn lengths(shortest_ns: u64, longest_ns: u64) -> String {
    let (shortest, longest) = (length(shortest_ns), length(longest_ns));
    if shortest == longest {
        return longest;
    }
    let unit = |text: &str| text.split(JOINT).nth(1).map(str::to_owned);
    match shortest.split(JOINT).next() {
        Some(number) if unit(&shortest) == unit(&longest) => format!("{number}–{longest}"),
        _ => format!("{shortest} to {longest}"),
    }
}

/// A value without what workloads pad theirs with.
pub fn value(content: &Content) -> String {
    match content {
        Content::Nothing => "nothing".to_owned(),
        Content::Something => "something".to_owned(),
        Content::Value(text) => shown(text),
    }
}

/// The value's text.
fn shown(text: &Text) -> String {
    let whole = text.to_string();
    let told = whole.trim_end_matches('.');
    cut(if told.is_empty() { &whole } else { told }, VALUE_MAX)
}

/// Numbers as ranges: "25–28, 31"; too many ranges are `None`.
pub fn ranges(numbers: impl IntoIterator<Item = u64>, most: usize) -> Option<String> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}–{last}") }
    };
    (ranges.len() <= most).then(|| ranges.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// Things one after another: "a", "a and b", "a, b and c".
pub fn listed(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([count(7), count(1_000), count(10_001_234)], ["7", "1,000", "10,001,234"]);
        assert_eq!(lengths(5_100_000, 44_000_000).replace(JOINT, " "), "5–44 ms");
        assert_eq!(lengths(5_100_000, 5_200_000).replace(JOINT, " "), "5 ms");
        assert_eq!(lengths(52_000, 2_000_000_000).replace(JOINT, " "), "0.052 ms to 2.0 s");
        assert_eq!(moments(20_291_000_100, 20_291_000_900), ["20.291000", "20.291001"]);
        assert_eq!(ranges([3, 25, 26, 27], 2).as_deref(), Some("3, 25–27"));
        assert_eq!(ranges([1, 3, 5], 2), None);
        assert_eq!(value(&Content::Value(Text(b"11-61.........".to_vec()))), "11-61");
        assert_eq!(counted(1, "fault").replace(JOINT, " "), "1 fault");
    }
}
