//! Counts the keys of a cluster by scans, puts one more key, and counts again.
//!
//! In: a range and a client. Out: the two counts, before and after one more put. Each scan is an
//! operation of the history, where [`judge::key_count`] finds the counts again.

use crate::recording::Client;
use client::RawKv;
use histories::{Answer, Operation, Outcome};
use judge::key_count::KeyCounts;
use plan::key_range::{CountedRange, next_start};
use std::time::Duration;
use tokio::time::Instant;

/// The time between two tries of an operation that did not succeed.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Counts the keys, puts one more and counts again, as far as that succeeds in time.
pub async fn count(
    range: &CountedRange,
    library: &dyn RawKv,
    client: &mut Client,
    op_timeout: Duration,
    patience: Duration,
) -> KeyCounts {
    let until = Instant::now() + patience;
    let before = scan_all(range, library, client, op_timeout, until).await;
    let mut counts = KeyCounts { before, after: None };
    if counts.before.is_none() {
        return counts;
    }
    let mut tries = 0_u32;
    while Instant::now() < until {
        let value = format!("{}-one-more-{tries}", client.id()).into_bytes();
        let key = range.one_more.clone().into_bytes();
        let put = Operation::Put { key, value, ttl_s: None };
        let (_, outcome) = client.execute(library, "INSERT", put, op_timeout).await;
        if matches!(outcome, Outcome::Ok(_)) {
            counts.after = scan_all(range, library, client, op_timeout, until).await;
            break;
        }
        tries += 1;
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
    counts
}

/// Counts again after the extra put.
pub async fn count_again(
    range: &CountedRange,
    library: &dyn RawKv,
    client: &mut Client,
    op_timeout: Duration,
    patience: Duration,
) -> Option<u64> {
    scan_all(range, library, client, op_timeout, Instant::now() + patience).await
}

async fn scan_all(
    range: &CountedRange,
    library: &dyn RawKv,
    client: &mut Client,
    op_timeout: Duration,
    until: Instant,
) -> Option<u64> {
    let mut counted = 0;
    let mut start = range.start.clone().into_bytes();
    while Instant::now() < until {
        let page = range.page(start.clone());
        match client.execute(library, "SCAN", page, op_timeout).await.1 {
            Outcome::Ok(Answer::Scanned(pairs)) => {
                counted += pairs.len() as u64;
                match next_start(&pairs) {
                    Some(next) => start = next,
                    None => return Some(counted),
                }
            }
            _ => tokio::time::sleep(TRY_AGAIN_AFTER).await,
        }
    }
    None
}
