//! Reads one metric family from a Prometheus page: the durations of TiKV's gRPC messages.
//!
//! In: the text of a store's `/metrics`. Out: a cumulative [`Histogram`] for each `type`. A real
//! TiKV's page has some ten thousand lines, of which a hundred matter here; the others are skipped
//! by their first characters. Further labels (`priority`, `resource_group`) are added up.

use std::collections::BTreeMap;

/// TiKV's name of the family.
const FAMILY: &str = "tikv_grpc_msg_duration_seconds_";

/// Durations of one kind of message since the store started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Cumulative counts by upper bound in seconds, ascending, the last bound infinite.
    pub buckets: Vec<(f64, f64)>,
    /// The number of messages.
    pub count: f64,
    /// The sum of all durations, in seconds.
    pub sum_s: f64,
}

impl Histogram {
    /// Adds to the bucket with this upper bound.
    fn add(&mut self, bound_s: f64, count: f64) {
        match self.buckets.binary_search_by(|(known, _)| known.total_cmp(&bound_s)) {
            Ok(found) => self.buckets[found].1 += count,
            Err(place) => self.buckets.insert(place, (bound_s, count)),
        }
    }

    /// Adds all of another histogram. Both have the same bounds, or one of them has none.
    pub fn merge(&mut self, other: &Self) {
        for (bound_s, count) in &other.buckets {
            self.add(*bound_s, *count);
        }
        self.count += other.count;
        self.sum_s += other.sum_s;
    }

    /// The messages since an earlier look; all of them if the store has restarted since.
    pub fn since(&self, earlier: &Self) -> Self {
        if self.count < earlier.count || self.buckets.len() != earlier.buckets.len() {
            return self.clone();
        }
        let pairs = self.buckets.iter().zip(&earlier.buckets);
        Self {
            buckets: pairs
                .map(|((bound, now), (_, then))| (*bound, (now - then).max(0.0)))
                .collect(),
            count: self.count - earlier.count,
            sum_s: (self.sum_s - earlier.sum_s).max(0.0),
        }
    }

    /// The quantile `part` of the durations, in seconds: linear within the bucket, and the last
    /// finite bound beyond it, as in Prometheus' `histogram_quantile`. `None` if there are no
    /// messages.
    pub fn quantile_s(&self, part: f64) -> Option<f64> {
        let total = self.buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let rank = part * total;
        let (mut lower_s, mut below) = (0.0, 0.0);
        for (bound_s, count) in &self.buckets {
            if *count >= rank {
                let inside = count - below;
                return Some(match (bound_s.is_finite(), inside > 0.0) {
                    (false, _) => lower_s,
                    (true, false) => *bound_s,
                    (true, true) => lower_s + (bound_s - lower_s) * (rank - below) / inside,
                });
            }
            (lower_s, below) = (*bound_s, *count);
        }
        None
    }
}

/// The histograms by `type`. Unreadable lines are skipped.
pub fn grpc_durations(page: &str) -> BTreeMap<String, Histogram> {
    let mut found: BTreeMap<String, Histogram> = BTreeMap::new();
    for line in page.lines() {
        let Some(rest) = line.strip_prefix(FAMILY) else { continue };
        let Some((what, rest)) = rest.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once('}') else { continue };
        let value = value.split_ascii_whitespace().next().and_then(|value| value.parse().ok());
        let (Some(value), Some(kind)) = (value, label(labels, "type")) else { continue };
        let histogram = found.entry(kind.to_owned()).or_default();
        match what {
            "count" => histogram.count += value,
            "sum" => histogram.sum_s += value,
            "bucket" => {
                let bound = label(labels, "le").and_then(|le| match le {
                    "+Inf" => Some(f64::INFINITY),
                    le => le.parse().ok(),
                });
                if let Some(bound_s) = bound {
                    histogram.add(bound_s, value);
                }
            }
            _ => {}
        }
    }
    found
}

/// A label's value. The labels of this family hold no quotes or commas.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|label| {
        let (key, value) = label.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of TiKV 8, with one label more than in TiKV 5 and other families around.
    const PAGE: &str = r#"# HELP tikv_grpc_msg_duration_seconds Bucketed histogram of grpc server messages
# TYPE tikv_grpc_msg_duration_seconds histogram
tikv_grpc_msg_duration_seconds_bucket{priority="medium",type="raw_get",le="0.001"} 10
tikv_grpc_msg_duration_seconds_bucket{priority="medium",type="raw_get",le="0.002"} 30
tikv_grpc_msg_duration_seconds_bucket{priority="medium",type="raw_get",le="+Inf"} 40
tikv_grpc_msg_duration_seconds_sum{priority="medium",type="raw_get"} 0.08
tikv_grpc_msg_duration_seconds_count{priority="medium",type="raw_get"} 40
tikv_grpc_msg_duration_seconds_count{priority="high",type="raw_get"} 2
tikv_grpc_msg_duration_seconds_count{priority="medium",type="raw_put"} 1.5e3
tikv_grpc_msg_fail_total{type="raw_get"} 7
tikv_raftstore_region_count{type="leader"} 5
"#;

    #[test]
    fn further_labels_are_added_up_and_other_families_passed_over() {
        let found = grpc_durations(PAGE);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["raw_get", "raw_put"]);
        assert!((found["raw_get"].count - 42.0).abs() < 1e-9);
        assert!((found["raw_put"].count - 1500.0).abs() < 1e-9);
        assert_eq!(found["raw_get"].buckets.len(), 3);
    }

    #[test]
    fn quantiles_are_linear_within_a_bucket() {
        let histogram = &grpc_durations(PAGE)["raw_get"];
        let at = |part| histogram.quantile_s(part).expect("there are some");
        assert!((at(0.5) - 0.0015).abs() < 1e-9, "20 of 40: half way from 10 to 30");
        assert!((at(0.99) - 0.002).abs() < 1e-9, "beyond the last finite bound");
        assert_eq!(Histogram::default().quantile_s(0.5), None);
    }

    #[test]
    fn a_store_that_started_anew_counts_from_zero() {
        let page = |count: u32| {
            format!(
                "{FAMILY}bucket{{type=\"raw_get\",le=\"+Inf\"}} {count}\n{FAMILY}count{{type=\"raw_get\"}} {count}\n"
            )
        };
        let of = |count| grpc_durations(&page(count))["raw_get"].clone();
        assert!((of(50).since(&of(20)).count - 30.0).abs() < 1e-9);
        assert!((of(5).since(&of(20)).count - 5.0).abs() < 1e-9);
    }
}
