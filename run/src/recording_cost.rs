//! Measures the cost of recording: the same clients on the same cluster, recorded and not, in turn.
//!
//! In: workers. Out: lines with the throughput of each pair of windows, and the median of their
//! ratios. The windows of a pair are adjacent, because the machine's speed drifts. The events
//! recorded meanwhile are no history and are not judged.

use crate::workers::Workers;
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// The number of pairs of windows.
const PAIRS: usize = 40;
/// The length of one window.
const WINDOW: Duration = Duration::from_secs(1);
/// The time between two windows, in which operations of the previous one end.
const SETTLE: Duration = Duration::from_millis(200);

/// Loads the keys and measures.
pub async fn measure(workers: &Workers) -> Vec<String> {
    let (stop, stopped) = watch::channel(false);
    workers.load(&stopped).await;
    let windows = async {
        window(workers, true).await;
        let mut pairs = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            pairs.push((window(workers, true).await, window(workers, false).await));
        }
        // The workers hold the other end until they have seen the stop.
        let _ = stop.send(true);
        pairs
    };
    let (pairs, ()) = tokio::join!(windows, workers.work(&stopped));
    let mut ratios: Vec<f64> = pairs.iter().map(|(on, off)| on / off).collect();
    ratios.sort_by(f64::total_cmp);
    let mut lines: Vec<String> = pairs
        .iter()
        .map(|(on, off)| format!("recorded {on:.0} ops/s, not recorded {off:.0} ops/s"))
        .collect();
    lines.push(format!(
        "throughput with recording / without: median {:.3}, least {:.3}, most {:.3}",
        ratios[PAIRS / 2],
        ratios[0],
        ratios[PAIRS - 1]
    ));
    lines
}

/// Measures one window in operations per second.
async fn window(workers: &Workers, records: bool) -> f64 {
    workers.recording.set_records(records);
    tokio::time::sleep(SETTLE).await;
    let (begun, before) = (Instant::now(), workers.recording.completed());
    tokio::time::sleep(WINDOW).await;
    (workers.recording.completed() - before) as f64 / begun.elapsed().as_secs_f64()
}
