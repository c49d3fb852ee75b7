//! Ends a run soon after a promise was broken, instead of at its end.
//!
//! In: the history's file, while the recorder appends to it. Out: what was seen, for the first look that finds a key not
//! linearizable. What is recorded so far is a prefix of the history: every invocation is in it before anybody can have seen
//! its effect, and what has not returned yet counts as unknown. So what no order explains now, no order will explain later.
//! Even so nothing is decided here: the run ends early, and its judge reads the whole file as ever. It reads with one
//! thread, and rests nine times as long as a look took, so it takes a tenth of a core at most; looks get rarer as
//! the file grows.

use checker::{Budget, Collector, Options, Validity};
use histories::ReadError;
use std::{
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Between two looks, at least.
const REST_MIN: Duration = Duration::from_secs(1);
/// A look rests so many times as long as it took.
const REST: u32 = 9;
/// What takes a search is left to the judge.
const CONFIGURATIONS: u64 = 100_000;

/// Looks at a history while it grows. Ends when it is dropped.
#[derive(Debug)]
pub struct FailFast {
    seen: watch::Receiver<Option<String>>,
    /// Dropped to end the looking.
    _going: mpsc::Sender<()>,
}

impl FailFast {
    /// Begins to look.
    pub fn begin(history: &Path) -> std::io::Result<Self> {
        let (going, ended) = mpsc::channel();
        let (tell, seen) = watch::channel(None);
        let history = history.to_owned();
        thread::Builder::new()
            .name("fail-fast".into())
            .spawn(move || look(&history, &ended, &tell))?;
        Ok(Self { seen, _going: going })
    }
}

/// Waits until a promise was broken: what was seen. Forever if nobody looks.
pub async fn broken(looking: Option<&FailFast>) -> String {
    if let Some(looking) = looking
        && let Ok(said) = looking.seen.clone().wait_for(Option::is_some).await
    {
        return said.clone().unwrap_or_default();
    }
    std::future::pending().await
}

fn look(history: &Path, ended: &mpsc::Receiver<()>, tell: &watch::Sender<Option<String>>) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else { return };
    let mut rest = REST_MIN;
    while matches!(ended.recv_timeout(rest), Err(RecvTimeoutError::Timeout)) {
        let began = Instant::now();
        if let Some(said) = pool.install(|| violation(history)) {
            // Whoever asked may be gone.
            let _ = tell.send(Some(said));
            return;
        }
        rest = REST_MIN.max(began.elapsed() * REST);
    }
}

/// What of the history so far no order explains.
fn violation(history: &Path) -> Option<String> {
    let source = histories::source::open(history, None).ok()?;
    let mut collector = Collector::new();
    // It ends in the middle of a line, or at one that is not whole: what stands before is whole.
    let _ = source.hear(|event| {
        let _ = collector.hear(event);
        Ok::<(), ReadError>(())
    });
    let budget = Budget { configurations: CONFIGURATIONS, ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    let verdict = checker::check(&collector.finish(), &options);
    let invalid = verdict.keys.iter().find(|key| key.validity == Validity::Invalid)?;
    Some(format!("key {}", invalid.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn line(index: u64, kind: &str, f: &str, value: &str) -> String {
        format!(
            "{{\"index\":{index},\"time\":{index},\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"a\",\"value\":{value}}}\n"
        )
    }

    #[tokio::test]
    async fn a_violation_is_seen_while_the_file_grows_and_not_before() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let good = [
            "{\"format\":\"jepsen-tikv history\",\"version\":1}\n".to_owned(),
            line(0, "invoke", "put", "\"1\""),
            line(1, "ok", "put", "\"1\""),
            line(2, "invoke", "get", "null"),
        ];
        file.write_all(good.concat().as_bytes()).expect("written");
        assert_eq!(violation(file.path()), None);
        let bad = line(3, "ok", "get", "null");
        file.write_all(&bad.as_bytes()[..bad.len() / 2]).expect("written");
        assert_eq!(violation(file.path()), None, "a torn line says nothing yet");
        let looking = FailFast::begin(file.path()).expect("begun");
        file.write_all(&bad.as_bytes()[bad.len() / 2..]).expect("written");
        let said = tokio::time::timeout(Duration::from_mins(1), broken(Some(&looking)));
        assert_eq!(said.await.expect("seen"), "key a");
    }
}
