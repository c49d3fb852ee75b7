//! Rates from ever-growing counters: the operations of each store between two looks at it.
//!
//! In: each store's histograms and their times. Out: [`OperationSeen`] for each kind. A store that
//! did not answer for a while is compared with its own last answer, so that its return makes no
//! spike. A store that restarted counts from zero.

use super::prometheus::Histogram;
use histories::cluster_sample::OperationSeen;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The least time between two looks at a store that gives a rate.
const APART_MIN: Duration = Duration::from_millis(50);

/// The last answer of each store.
#[derive(Debug, Default)]
pub struct Rates {
    last: BTreeMap<u64, (Instant, BTreeMap<String, Histogram>)>,
}

impl Rates {
    /// Takes the answers of the stores with their times, and returns the rates since the last ones.
    pub fn since_last(
        &mut self,
        answers: Vec<(u64, Instant, BTreeMap<String, Histogram>)>,
    ) -> BTreeMap<String, OperationSeen> {
        let mut sums: BTreeMap<String, (f64, Histogram)> = BTreeMap::new();
        for (store, at, histograms) in answers {
            if let Some((then, earlier)) = self.last.get(&store) {
                let apart = at.saturating_duration_since(*then);
                if apart < APART_MIN {
                    continue;
                }
                for (kind, now) in &histograms {
                    let none = Histogram::default();
                    let came = now.since(earlier.get(kind).unwrap_or(&none));
                    // Kinds that this cluster has never seen would only be rows of zeros.
                    if now.count > 0.0 {
                        let (per_s, sum) = sums.entry(kind.clone()).or_default();
                        *per_s += came.count / apart.as_secs_f64();
                        sum.merge(&came);
                    }
                }
            }
            self.last.insert(store, (at, histograms));
        }
        sums.into_iter().map(|(kind, (per_s, sum))| (kind, seen(per_s, &sum))).collect()
    }
}

fn seen(per_s: f64, came: &Histogram) -> OperationSeen {
    let quantile_ms = |part| came.quantile_s(part).unwrap_or_default() * 1_000.0;
    OperationSeen {
        per_s,
        mean_ms: if came.count > 0.0 { came.sum_s / came.count * 1_000.0 } else { 0.0 },
        p50_ms: quantile_ms(0.5),
        p99_ms: quantile_ms(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(count: f64) -> BTreeMap<String, Histogram> {
        let histogram =
            Histogram { buckets: vec![(f64::INFINITY, count)], count, sum_s: count / 100.0 };
        BTreeMap::from([("raw_get".to_owned(), histogram)])
    }

    #[test]
    fn a_store_that_was_silent_for_a_while_makes_no_spike() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut rates = Rates::default();
        assert!(
            rates.since_last(vec![(1, after(0), said(100.0)), (2, after(0), said(0.0))]).is_empty()
        );
        let seen = rates.since_last(vec![(1, after(1), said(150.0))]);
        assert!((seen["raw_get"].per_s - 50.0).abs() < 1e-9);
        assert!((seen["raw_get"].mean_ms - 10.0).abs() < 1e-9);
        let seen = rates.since_last(vec![(1, after(10), said(150.0)), (2, after(10), said(400.0))]);
        assert!(
            (seen["raw_get"].per_s - 40.0).abs() < 1e-9,
            "400 in the ten seconds of its silence"
        );
    }
}
