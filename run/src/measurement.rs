//! Throughput and latency of operations, in go-ycsb's format.
//!
//! In: one record per completed operation. Out: a line per kind of operation, since the start, with
//! go-ycsb's fields. Latencies are microseconds from invocation to completion. Knows nothing of the
//! meaning of operations.

use hdrhistogram::Histogram;
use std::{collections::BTreeMap, time::Duration};

/// The interval of go-ycsb's lines.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Precision of latencies in decimal digits, as in go-ycsb.
const SIGNIFICANT_DIGITS: u8 = 3;
/// The largest recorded latency, longer than any deadline; longer ones count as this.
const LATENCY_US_MAX: u64 = 24 * 3_600 * 1_000_000;

/// Latencies of every kind of operation since the start.
#[derive(Debug, Default)]
pub struct Measurement {
    kinds: BTreeMap<String, Histogram<u64>>,
}

/// The count and the latency of one kind of operation.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    /// The number of operations.
    pub count: u64,
    /// Median latency in microseconds.
    pub p50_us: u64,
    /// 99th percentile of the latency in microseconds.
    pub p99_us: u64,
}

impl Measurement {
    /// Records one completed operation of a kind (`READ`, `UPDATE`, …).
    pub fn record(&mut self, kind: &str, latency: Duration) {
        let latency_us = (latency.as_micros() as u64).max(1);
        if !self.kinds.contains_key(kind) {
            let histogram = Histogram::new_with_bounds(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS)
                .expect("the bounds are constants that fit");
            self.kinds.insert(kind.to_owned(), histogram);
        }
        if let Some(histogram) = self.kinds.get_mut(kind) {
            histogram.saturating_record(latency_us);
        }
    }

    /// Every kind with its count and latency.
    pub fn speeds(&self) -> impl Iterator<Item = (&str, Speed)> {
        self.kinds.iter().map(|(kind, histogram)| {
            let at = |percent: f64| histogram.value_at_percentile(percent);
            let speed = Speed { count: histogram.len(), p50_us: at(50.0), p99_us: at(99.0) };
            (kind.as_str(), speed)
        })
    }

    /// One line per kind and one for all successful operations, ordered by name as in go-ycsb.
    pub fn lines(&self, elapsed: Duration) -> Vec<String> {
        let mut total: Option<Histogram<u64>> = None;
        for (_, histogram) in self.kinds.iter().filter(|(kind, _)| is_in_total(kind)) {
            match &mut total {
                None => total = Some(histogram.clone()),
                // All histograms have the same bounds, so adding cannot fail.
                Some(total) => total.add(histogram).expect("the same bounds"),
            }
        }
        let mut all: BTreeMap<&str, &Histogram<u64>> =
            self.kinds.iter().map(|(kind, histogram)| (kind.as_str(), histogram)).collect();
        all.extend(total.as_ref().map(|total| ("TOTAL", total)));
        all.into_iter().map(|(kind, histogram)| line(kind, histogram, elapsed)).collect()
    }
}

/// Returns true for kinds counted in the total: errors are no successes, and the parts of a
/// read-modify-write are counted already.
fn is_in_total(kind: &str) -> bool {
    !kind.ends_with("_ERROR") && kind != "READ_MODIFY_WRITE"
}

fn line(kind: &str, histogram: &Histogram<u64>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let operations_per_s = if seconds > 0.0 { histogram.len() as f64 / seconds } else { 0.0 };
    let percentile = |percent: f64| histogram.value_at_percentile(percent);
    format!(
        "{kind:6} - Takes(s): {seconds:.1}, Count: {}, OPS: {operations_per_s:.1}, Avg(us): {}, \
         Min(us): {}, Max(us): {}, 50th(us): {}, 90th(us): {}, 95th(us): {}, 99th(us): {}, \
         99.9th(us): {}, 99.99th(us): {}",
        histogram.len(),
        histogram.mean() as u64,
        histogram.min(),
        histogram.max(),
        percentile(50.0),
        percentile(90.0),
        percentile(95.0),
        percentile(99.0),
        percentile(99.9),
        percentile(99.99),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_go_ycsbs_fields() {
        let mut measurement = Measurement::default();
        for latency_us in 1..=1000 {
            measurement.record("READ", Duration::from_micros(latency_us));
        }
        measurement.record("UPDATE", Duration::from_micros(5));
        measurement.record("UPDATE_ERROR", Duration::from_secs(2));
        let lines = measurement.lines(Duration::from_secs(10));
        assert_eq!(
            lines[0],
            "READ   - Takes(s): 10.0, Count: 1000, OPS: 100.0, Avg(us): 500, Min(us): 1, Max(us): 1000, \
             50th(us): 500, 90th(us): 900, 95th(us): 950, 99th(us): 990, 99.9th(us): 1000, 99.99th(us): 1000"
        );
        assert!(lines[1].starts_with("TOTAL  - Takes(s): 10.0, Count: 1001, "), "{}", lines[1]);
        assert!(lines[2].starts_with("UPDATE - Takes(s): 10.0, Count: 1, "), "{}", lines[2]);
        assert!(lines[3].starts_with("UPDATE_ERROR - Takes(s): 10.0, Count: 1, "));
    }

    #[test]
    fn nothing_measured_gives_no_line() {
        assert!(Measurement::default().lines(Duration::ZERO).is_empty());
    }
}
