//! A store's metrics, in Prometheus' text form and under TiKV's names if they mean the same.
//!
//! In: served requests, the node's counts as of its last step, the sizes of disk and data. Out: the
//! text of `/metrics`. A store has a registry of its own, since a test may run several in one
//! process.

use super::{
    StoreError,
    node::{Counts, requests::RequestKind},
};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    exponential_buckets, process_collector::ProcessCollector,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// TiKV's buckets: 50 µs doubled up to 104 s.
const FIRST_BUCKET_S: f64 = 5e-5;
const BUCKETS: usize = 22;

/// TiKV's priority for requests that no resource group ranks; it is the only one here.
const PRIORITY: &str = "unknown";

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

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// The disk's size.
    pub capacity: u64,
    /// The disk's free space.
    pub available: u64,
    /// The size of the store's data.
    pub used: u64,
}

/// A store's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// In the order of [`KINDS`].
    served: Vec<Histogram>,
    regions: IntGauge,
    leaders: IntGauge,
    keys: IntGauge,
    proposals: IntGauge,
    sizes: IntGaugeVec,
    engine_size: IntGauge,
    counts: Mutex<Counts>,
}

impl Metrics {
    /// Creates counters at zero, for a store of this version and start time.
    pub fn new(version: &str, started_unix_s: u64) -> Result<Self, StoreError> {
        Self::registered(version, started_unix_s)
            .map_err(|error| StoreError::Server(format!("metrics: {error}")))
    }

    fn registered(version: &str, started_unix_s: u64) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let duration = HistogramOpts::new(
            "tikv_grpc_msg_duration_seconds",
            "Bucketed histogram of grpc server messages",
        );
        let duration = duration.buckets(exponential_buckets(FIRST_BUCKET_S, 2.0, BUCKETS)?);
        let duration = HistogramVec::new(duration, &["type", "priority"])?;
        registry.register(Box::new(duration.clone()))?;
        let served = KINDS.iter().map(|(_, kind)| duration.with_label_values(&[kind, PRIORITY]));
        let info = gauges(
            "tikv_server_info",
            "Indicate the tikv server info, and the value is the server startup timestamp(s).",
            &["version", "hash"],
        )?;
        info.with_label_values(&[version, ""]).set(started_unix_s as i64);
        let regions = gauges(
            "tikv_raftstore_region_count",
            "Number of regions collected in region_collector",
            &["type"],
        )?;
        let sizes = gauges("tikv_store_size_bytes", "Size of storage.", &["type"])?;
        let engine =
            gauges("tikv_engine_size_bytes", "Sizes of each column families.", &["db", "type"])?;
        let ours = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let metrics = Self {
            served: served.collect(),
            regions: regions.with_label_values(&["region"]),
            leaders: regions.with_label_values(&["leader"]),
            keys: ours("tikv_embedded_keys", "Keys of all peers on this store.")?,
            proposals: ours(
                "tikv_embedded_proposals_waiting",
                "Proposals that wait for their entry to be applied.",
            )?,
            sizes,
            engine_size: engine.with_label_values(&["kv", "default"]),
            counts: Mutex::default(),
            registry: registry.clone(),
        };
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Counts a request and its duration.
    pub fn served(&self, kind: RequestKind, took: Duration) {
        let position = KINDS.iter().position(|(known, _)| *known == kind).unwrap_or_default();
        self.served[position].observe(took.as_secs_f64());
    }

    /// Sets the node's counts.
    pub fn set_counts(&self, counts: Counts) {
        self.regions.set(counts.regions as i64);
        self.leaders.set(counts.leaders as i64);
        self.keys.set(counts.keys as i64);
        self.proposals.set(counts.proposals as i64);
        *self.lock() = counts;
    }

    /// Sets the sizes.
    pub fn set_sizes(&self, sizes: Sizes) {
        for (kind, bytes) in
            [("capacity", sizes.capacity), ("available", sizes.available), ("used", sizes.used)]
        {
            self.sizes.with_label_values(&[kind]).set(bytes as i64);
        }
        self.engine_size.set(sizes.used as i64);
    }

    /// The node's latest counts.
    pub fn counts(&self) -> Counts {
        *self.lock()
    }

    /// The text of the page.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // The counts are right at every moment, so a panic elsewhere does not spoil them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_tikvs_and_buckets_are_cumulative() {
        let metrics = Metrics::new("8.5.0", 1_700_000_000).expect("a registry");
        metrics.served(RequestKind::Put, Duration::from_millis(3));
        metrics.set_counts(Counts { regions: 5, leaders: 2, ..Counts::default() });
        metrics.set_sizes(Sizes { capacity: 30, available: 20, used: 10 });
        let text = metrics.text().expect("text");
        for line in [
            "# TYPE tikv_grpc_msg_duration_seconds histogram",
            r#"tikv_grpc_msg_duration_seconds_bucket{priority="unknown",type="raw_put",le="0.0016"} 0"#,
            r#"tikv_grpc_msg_duration_seconds_bucket{priority="unknown",type="raw_put",le="0.0032"} 1"#,
            r#"tikv_grpc_msg_duration_seconds_bucket{priority="unknown",type="raw_put",le="+Inf"} 1"#,
            r#"tikv_grpc_msg_duration_seconds_count{priority="unknown",type="raw_put"} 1"#,
            r#"tikv_grpc_msg_duration_seconds_count{priority="unknown",type="raw_get"} 0"#,
            r#"tikv_raftstore_region_count{type="region"} 5"#,
            r#"tikv_raftstore_region_count{type="leader"} 2"#,
            r#"tikv_store_size_bytes{type="available"} 20"#,
            r#"tikv_engine_size_bytes{db="kv",type="default"} 10"#,
            r#"tikv_server_info{hash="",version="8.5.0"} 1700000000"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        for name in
            ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"]
        {
            assert!(
                text.lines().any(|line| line.starts_with(&format!("{name} "))),
                "{name}: {text}"
            );
        }
    }
}
