//! `count`: counts every key once, over all regions.
//!
//! In: a prefix and PD's address. Out: the number of keys, or the keys. The keys are read page by
//! page. A page that cannot be read is tried again and in the end is a failure: a partial count is
//! never printed as the whole. The pages are not one snapshot, so a key written during the count
//! may or may not be counted.

use crate::{cli::CountArgs, commands::pd_endpoints};
use client::{Outcome, RawKv, Request, Response};
use failure::{Exit, Failure};
use std::time::Duration;

/// Keys a page.
const PAGE_KEYS: u32 = 5_000;
/// The deadline of one page, which includes the client's own retries.
const PAGE_WITHIN: Duration = Duration::from_secs(10);
/// The number of attempts for a page, ten seconds each: longer than an election in TiKV's own
/// profile.
const TRIES_MAX: u32 = 4;

/// Counts the keys and prints the result.
pub fn command(args: &CountArgs) -> Result<Exit, Failure> {
    let endpoints = pd_endpoints::choose(&args.pd, None)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let list = |key: &[u8]| {
        if args.list {
            terminal::result(key.escape_ascii());
        }
    };
    let counted = runtime.block_on(async {
        pd_endpoints::check(&endpoints).await?;
        let library = pd_endpoints::direct(&endpoints);
        count(&library, args.prefix.as_bytes(), list).await
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    let counted = counted?;
    if args.list {
        terminal::note(format_args!("{counted} keys"));
    } else {
        terminal::result(counted);
    }
    Ok(Exit::Valid)
}

/// Returns the number of keys that begin with a prefix; `observe` is called with each key once, in
/// order.
async fn count(
    library: &dyn RawKv,
    prefix: &[u8],
    mut hear: impl FnMut(&[u8]),
) -> Result<u64, Failure> {
    let end = end_of(prefix);
    let (mut start, mut counted) = (prefix.to_vec(), 0);
    loop {
        let keys = page(library, &start, end.as_deref()).await?;
        if keys.first().is_some_and(|first| *first < start)
            || keys.windows(2).any(|pair| pair[0] >= pair[1])
        {
            return Err(Failure::software("a page of keys is not in order"));
        }
        for key in &keys {
            hear(key);
        }
        counted += keys.len() as u64;
        match keys.last().filter(|_| keys.len() >= PAGE_KEYS as usize) {
            Some(last) => {
                start.clone_from(last);
                start.push(0);
            }
            None => return Ok(counted),
        }
    }
}

async fn page(
    library: &dyn RawKv,
    start: &[u8],
    end: Option<&[u8]>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let scan = Request::Scan {
        start: start.to_vec(),
        end: end.map(<[u8]>::to_vec),
        limit: PAGE_KEYS,
        reverse: false,
        key_only: true,
    };
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        let reply = library.execute(&scan, PAGE_WITHIN).await;
        match reply.outcome {
            Outcome::Ok(Response::ScannedKeys(keys)) => return Ok(keys),
            Outcome::Ok(_) => {
                return Err(Failure::software("a scan was answered with something else"));
            }
            Outcome::NotApplied(error) | Outcome::Unknown(error) => {
                // The error of the last attempt says more than the passed deadline.
                let attempt = reply.attempts.into_iter().rev().find_map(|attempt| attempt.error);
                last = attempt.unwrap_or(error.message);
            }
        }
    }
    Err(Failure::target_or_disk(format!(
        "not counted: the keys from {:?} on cannot be read ({last})",
        start.escape_ascii().to_string()
    )))
}

/// Returns the first key after all keys with a prefix; `None` = there is none.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::{Cause, ClientError, Reply};
    use futures::future::BoxFuture;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A store with a number of keys and a number of scans that fail first.
    struct FakeKv {
        keys: u32,
        failures: AtomicU32,
    }

    impl RawKv for FakeKv {
        fn execute<'a>(&'a self, request: &'a Request, _: Duration) -> BoxFuture<'a, Reply> {
            let Request::Scan { start, end, limit, .. } = request else { panic!("{request:?}") };
            let fails = self
                .failures
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            let all = (0..self.keys).map(|key| format!("k{key:06}").into_bytes());
            let keys = all
                .filter(|key| key >= start && end.as_ref().is_none_or(|end| key < end))
                .take(*limit as usize)
                .collect();
            let outcome = match fails {
                Ok(_) => Outcome::NotApplied(ClientError {
                    cause: Cause::Deadline,
                    message: "no answer".into(),
                }),
                Err(_) => Outcome::Ok(Response::ScannedKeys(keys)),
            };
            Box::pin(async { Reply { outcome, attempts: vec![] } })
        }
    }

    async fn counted(keys: u32, failures: u32, prefix: &[u8]) -> Result<u64, Failure> {
        let library = FakeKv { keys, failures: AtomicU32::new(failures) };
        let mut heard = 0;
        let counted = count(&library, prefix, |_| heard += 1).await?;
        assert_eq!(heard, counted);
        Ok(counted)
    }

    #[tokio::test]
    async fn every_key_is_counted_once_over_all_pages() {
        for keys in [0, 1, 4_999, 5_000, 5_001, 10_000, 12_345] {
            assert_eq!(counted(keys, 0, b"").await.expect("counted"), u64::from(keys));
        }
        assert_eq!(counted(12_000, 0, b"k01").await.expect("counted"), 2_000);
    }

    #[tokio::test]
    async fn a_page_is_asked_again_but_a_part_is_never_the_whole() {
        assert_eq!(counted(10_000, TRIES_MAX - 1, b"").await.expect("counted"), 10_000);
        let failure = counted(10_000, TRIES_MAX, b"").await.expect_err("not counted");
        assert_eq!(failure.exit, Exit::TargetOrDisk);
        assert!(failure.sentence.contains("not counted"), "{failure}");
    }

    #[test]
    fn the_end_of_a_prefix_is_the_first_key_after_it() {
        assert_eq!(end_of(b""), None);
        assert_eq!(end_of(b"usertable:").as_deref(), Some(&b"usertable;"[..]));
        assert_eq!(end_of(b"a\xff\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(end_of(b"\xff"), None);
    }
}
