//! The tester's metrics of its own run, for Prometheus (`--metrics`).
//!
//! In: every operation as it completes, every change of the faults in force. Out: Prometheus' text.
//! Judges nothing, and no verdict rests on it: a scrape sees a run from outside, and only in parts.
//!
//! | metric | labels | meaning |
//! |---|---|---|
//! | `jepsen_tikv_operations_total` | `operation`, `outcome` | completed operations; `outcome` is `ok`, `fail` or `info` |
//! | `jepsen_tikv_operation_duration_seconds` | `operation`, `outcome` | from invocation to completion, a histogram |
//! | `jepsen_tikv_faults_total` | `fault` | faults begun |
//! | `jepsen_tikv_faults_in_force` | `fault` | 1 while the fault is in force |
//! | `jepsen_tikv_longest_gap_seconds` | – | the longest time without a success since clients and faults began, the present one included |
//! | `jepsen_tikv_run_info` | `name`, `seed`, `version` | always 1 |

mod endpoint;

pub use endpoint::{Endpoint, serve};

use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Upper bounds of the histogram, seconds: from a quick local read to an operation that waited for
/// an election.
const BOUNDS_S: [f64; 15] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// The run that is measured.
#[derive(Debug, Clone, Copy)]
pub struct RunInfo<'a> {
    /// The test's name.
    pub name: &'a str,
    /// The run's seed.
    pub seed: u64,
}

/// The tester's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    operations: IntCounterVec,
    durations: HistogramVec,
    faults: IntCounterVec,
    in_force: IntGaugeVec,
    longest_gap: Gauge,
    gap: Mutex<Gap>,
}

/// The time without a success.
#[derive(Debug, Default)]
struct Gap {
    /// The last success, or the beginning of the measurement; `None` while nothing is measured.
    since: Option<Instant>,
    longest: Duration,
}

impl Gap {
    fn now(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Metrics {
    /// Metrics without any count yet.
    pub fn new(info: RunInfo<'_>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let kept = |collector: &dyn Fn() -> Box<dyn Collector>| registry.register(collector());
        let operations = IntCounterVec::new(
            Opts::new("jepsen_tikv_operations_total", "Completed operations of the clients."),
            &["operation", "outcome"],
        )?;
        kept(&|| Box::new(operations.clone()))?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "jepsen_tikv_operation_duration_seconds",
                "From invocation to completion, as the clients saw it.",
            )
            .buckets(BOUNDS_S.into()),
            &["operation", "outcome"],
        )?;
        kept(&|| Box::new(durations.clone()))?;
        let faults =
            IntCounterVec::new(Opts::new("jepsen_tikv_faults_total", "Faults begun."), &["fault"])?;
        kept(&|| Box::new(faults.clone()))?;
        let in_force = IntGaugeVec::new(
            Opts::new("jepsen_tikv_faults_in_force", "1 while a fault is in force."),
            &["fault"],
        )?;
        kept(&|| Box::new(in_force.clone()))?;
        let longest_gap = Gauge::new(
            "jepsen_tikv_longest_gap_seconds",
            "The longest time without a success since clients and faults began.",
        )?;
        kept(&|| Box::new(longest_gap.clone()))?;
        let run = IntGaugeVec::new(
            Opts::new("jepsen_tikv_run_info", "The run that is counted."),
            &["name", "seed", "version"],
        )?;
        run.with_label_values(&[info.name, &info.seed.to_string(), env!("CARGO_PKG_VERSION")])
            .set(1);
        kept(&|| Box::new(run.clone()))?;
        let gap = Mutex::default();
        Ok(Self { registry, operations, durations, faults, in_force, longest_gap, gap })
    }

    /// Records an operation that completed.
    pub fn completed(&self, operation: &str, outcome: &str, latency: Duration) {
        let labels = [operation, outcome];
        self.operations.with_label_values(&labels).inc();
        self.durations.with_label_values(&labels).observe(latency.as_secs_f64());
        if outcome == "ok" {
            let mut gap = self.gap();
            if gap.since.is_some() {
                gap.longest = gap.longest.max(gap.now());
                gap.since = Some(Instant::now());
            }
        }
    }

    /// Starts (`true`) or ends (`false`) the phase in which a time without a success counts as a
    /// gap.
    pub fn work(&self, goes_on: bool) {
        let mut gap = self.gap();
        gap.longest = gap.longest.max(gap.now());
        gap.since = goes_on.then(Instant::now);
    }

    /// Sets the faults in force now; `before` names those in force until now.
    pub fn in_force(&self, before: &[String], now: &[String]) {
        let (before, now): (BTreeSet<_>, BTreeSet<_>) =
            (before.iter().collect(), now.iter().collect());
        for ended in before.difference(&now) {
            self.in_force.with_label_values(&[ended.as_str()]).set(0);
        }
        for begun in now.difference(&before) {
            self.in_force.with_label_values(&[begun.as_str()]).set(1);
            self.faults.with_label_values(&[begun.as_str()]).inc();
        }
    }

    /// Returns all metrics in Prometheus' text format.
    pub fn text(&self) -> prometheus::Result<String> {
        let longest = {
            let gap = self.gap();
            gap.longest.max(gap.now())
        };
        self.longest_gap.set(longest.as_secs_f64());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn gap(&self) -> std::sync::MutexGuard<'_, Gap> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(RunInfo { name: "a \"name\"", seed: 7 }).expect("they register")
    }

    #[test]
    fn operations_and_faults_are_counted_by_kind() {
        let metrics = metrics();
        metrics.completed("get", "ok", Duration::from_micros(700));
        metrics.completed("get", "ok", Duration::from_secs(3));
        metrics.completed("put", "info", Duration::from_secs(2));
        let names = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        metrics.in_force(&names(&[]), &names(&["pause-leader"]));
        metrics.in_force(&names(&["pause-leader"]), &names(&["kill-one"]));
        let text = metrics.text().expect("text");
        for line in [
            r#"jepsen_tikv_operations_total{operation="get",outcome="ok"} 2"#,
            r#"jepsen_tikv_operations_total{operation="put",outcome="info"} 1"#,
            r#"jepsen_tikv_operation_duration_seconds_bucket{operation="get",outcome="ok",le="0.001"} 1"#,
            r#"jepsen_tikv_operation_duration_seconds_count{operation="get",outcome="ok"} 2"#,
            r#"jepsen_tikv_faults_in_force{fault="pause-leader"} 0"#,
            r#"jepsen_tikv_faults_in_force{fault="kill-one"} 1"#,
            r#"jepsen_tikv_faults_total{fault="pause-leader"} 1"#,
            r#"name="a \"name\"",seed="7""#,
            "jepsen_tikv_longest_gap_seconds 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_gap_counts_only_while_clients_and_faults_work() {
        let metrics = metrics();
        let pause = Duration::from_millis(30);
        std::thread::sleep(pause);
        metrics.work(true);
        std::thread::sleep(pause);
        metrics.completed("get", "fail", pause);
        metrics.completed("get", "ok", pause);
        metrics.work(false);
        let longest = metrics.gap().longest;
        assert!(longest >= pause, "{longest:?}");
        std::thread::sleep(pause);
        metrics.text().expect("text");
        assert!((metrics.longest_gap.get() - longest.as_secs_f64()).abs() < 1e-9);
    }
}
