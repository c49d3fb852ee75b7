//! What a store counts, in Prometheus' text form and under TiKV's names where they mean the same.
//!
//! In: served requests, and the node's counts as of its last step. Out: the text of `/metrics`.

use super::node::{Counts, requests::RequestKind};
use std::{fmt::Write as _, sync::Mutex, time::Duration};

/// Upper bounds of the histogram's buckets, in seconds: 0.5 ms doubled up to 16 s.
const BUCKETS: usize = 16;
const FIRST_BUCKET_S: f64 = 0.0005;

const KINDS: [(RequestKind, &str); 11] = [
    (RequestKind::Get, "raw_get"),
    (RequestKind::BatchGet, "raw_batch_get"),
    (RequestKind::Put, "raw_put"),
    (RequestKind::BatchPut, "raw_batch_put"),
    (RequestKind::Delete, "raw_delete"),
    (RequestKind::BatchDelete, "raw_batch_delete"),
    (RequestKind::Scan, "raw_scan"),
    (RequestKind::BatchScan, "raw_batch_scan"),
    (RequestKind::DeleteRange, "raw_delete_range"),
    (RequestKind::KeyTtl, "raw_get_key_ttl"),
    (RequestKind::CompareAndSwap, "raw_compare_and_swap"),
];

/// A store's counters.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    served: [Histogram; KINDS.len()],
}

#[derive(Debug, Default, Clone, Copy)]
struct Histogram {
    buckets: [u64; BUCKETS],
    count: u64,
    sum_s: f64,
}

impl Metrics {
    /// Counts a request that was answered after that time.
    pub fn served(&self, kind: RequestKind, took: Duration) {
        let position = KINDS.iter().position(|(known, _)| *known == kind).unwrap_or_default();
        let mut state = self.state();
        let histogram = &mut state.served[position];
        let took_s = took.as_secs_f64();
        histogram.count += 1;
        histogram.sum_s += took_s;
        let mut bound = FIRST_BUCKET_S;
        for bucket in &mut histogram.buckets {
            *bucket += u64::from(took_s <= bound);
            bound *= 2.0;
        }
    }

    /// Takes over what the node counts.
    pub fn set_counts(&self, counts: Counts) {
        self.state().counts = counts;
    }

    /// What the node counted last.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The page.
    pub fn text(&self) -> String {
        let state = self.state();
        let mut text = String::new();
        let Counts { regions, leaders, keys, proposals } = state.counts;
        let name = "tikv_grpc_msg_duration_seconds";
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} histogram");
        for ((_, kind), histogram) in KINDS.iter().zip(&state.served) {
            let mut bound = FIRST_BUCKET_S;
            for bucket in histogram.buckets {
                let _ = writeln!(text, "{name}_bucket{{type=\"{kind}\",le=\"{bound}\"}} {bucket}");
                bound *= 2.0;
            }
            let (count, sum) = (histogram.count, histogram.sum_s);
            let _ = writeln!(text, "{name}_bucket{{type=\"{kind}\",le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "{name}_sum{{type=\"{kind}\"}} {sum}");
            let _ = writeln!(text, "{name}_count{{type=\"{kind}\"}} {count}");
        }
        let _ = writeln!(text, "# TYPE tikv_raftstore_region_count gauge");
        let _ = writeln!(text, "tikv_raftstore_region_count{{type=\"region\"}} {regions}");
        let _ = writeln!(text, "tikv_raftstore_region_count{{type=\"leader\"}} {leaders}");
        let _ = writeln!(text, "# TYPE tikv_embedded_keys gauge\ntikv_embedded_keys {keys}");
        let _ = writeln!(
            text,
            "# TYPE tikv_embedded_proposals_waiting gauge\ntikv_embedded_proposals_waiting {proposals}"
        );
        text
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Counters are right at every moment, so a panic elsewhere does not spoil them.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_every_kind_has_its_row() {
        let metrics = Metrics::default();
        metrics.served(RequestKind::Put, Duration::from_millis(3));
        metrics.set_counts(Counts { regions: 5, leaders: 2, ..Counts::default() });
        let text = metrics.text();
        for line in [
            "tikv_grpc_msg_duration_seconds_bucket{type=\"raw_put\",le=\"0.002\"} 0",
            "tikv_grpc_msg_duration_seconds_bucket{type=\"raw_put\",le=\"0.004\"} 1",
            "tikv_grpc_msg_duration_seconds_count{type=\"raw_put\"} 1",
            "tikv_grpc_msg_duration_seconds_count{type=\"raw_get\"} 0",
            "tikv_raftstore_region_count{type=\"leader\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
