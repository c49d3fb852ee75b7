//! What recording costs: the same clients on the same cluster, recorded and not, in turn.
//!
//! In: workers. Out: lines with the throughput of each pair of windows, and the median of their ratios. Pairs side by
//! side, because the machine's speed drifts. What is recorded meanwhile is no history and is not judged.

use crate::workers::Workers;
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// So many pairs of windows.
const PAIRS: usize = 40;
/// How long one window is.
const WINDOW: Duration = Duration::from_secs(1);
/// Between two windows: what was begun in the one before ends.
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
        // The workers hold the other end until they have seen it.
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

/// Operations a second in one window.
async fn window(workers: &Workers, records: bool) -> f64 {
    workers.recording.set_records(records);
    tokio::time::sleep(SETTLE).await;
    let (begun, before) = (Instant::now(), workers.recording.completed());
    tokio::time::sleep(WINDOW).await;
    (workers.recording.completed() - before) as f64 / begun.elapsed().as_secs_f64()
}
