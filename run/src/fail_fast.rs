//! Ends a run soon after a violation, instead of at the planned end.
//!
//! In: every event, from the recorder, in the order of its index. Out: a description of the
//! violation, as soon as one key has no valid order. The events recorded so far are a prefix of the
//! history. An invocation is recorded before anyone can see its effect, and an open operation
//! counts as unknown. A violation in the prefix is therefore a violation in the whole history. The
//! verdict is not decided here: the run ends early, and the judge reads the whole file as always.
//!
//! Judged events are forgotten at once (`checker`'s settling), so memory grows with the keys and
//! the operations open on them, not with time. After each look it rests nine times as long as the
//! look took, so it uses at most a tenth of a core. If too many operations are open to be
//! forgotten, it gives up and says so.

use checker::{Budget, Collector, Options, Validity};
use histories::Event;
use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The shortest time between two looks.
const REST_MIN: Duration = Duration::from_secs(1);
/// The rest after a look, as a multiple of the look's duration.
const REST: u32 = 9;
/// The search budget of a look; keys that need more are left to the judge.
const CONFIGURATIONS: u64 = 100_000;
/// The number of calls held before judged ones are forgotten; few, since a look copies them.
const HELD_CALLS: usize = 1 << 15;
/// Looking ends when this many calls cannot be settled.
const HELD_CALLS_MAX: usize = 2 << 20;
/// The number of events taken from the queue at once.
const AT_ONCE: usize = 10_000;

/// Looks for violations in a growing history. Ends with the recorder, or when it is dropped.
#[derive(Debug)]
pub struct FailFast {
    seen: watch::Receiver<Option<String>>,
}

impl FailFast {
    /// Begins to look. The recorder sends the events to the returned sender.
    pub fn begin() -> std::io::Result<(Self, Sender<Event>)> {
        let (events, heard) = mpsc::channel();
        let (tell, seen) = watch::channel(None);
        thread::Builder::new().name("fail-fast".into()).spawn(move || look(&heard, &tell))?;
        Ok((Self { seen }, events))
    }
}

/// Waits for a violation and describes it. Waits forever if nobody looks.
pub async fn broken(looking: Option<&FailFast>) -> String {
    if let Some(looking) = looking
        && let Ok(said) = looking.seen.clone().wait_for(Option::is_some).await
    {
        return said.clone().unwrap_or_default();
    }
    std::future::pending().await
}

fn look(events: &Receiver<Event>, tell: &watch::Sender<Option<String>>) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else { return };
    let mut collector = Collector::settling(HELD_CALLS);
    let mut next = Instant::now() + REST_MIN;
    let mut fresh = false;
    while !tell.is_closed() {
        match events.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(event) => {
                fresh = true;
                let mut all = vec![event];
                all.extend(events.try_iter().take(AT_ONCE));
                let pushed =
                    pool.install(|| all.into_iter().try_for_each(|event| collector.push(event)));
                if pushed.is_err() {
                    // The judge will name the broken rule of histories.
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let began = Instant::now();
        if began < next {
            continue;
        }
        if std::mem::take(&mut fresh) {
            let given_up = if collector.is_late() {
                "an operation was recorded long after others that came later"
            } else if collector.held() > HELD_CALLS_MAX {
                "too many operations on the same keys overlap"
            } else if let Some(said) = pool.install(|| violation(&collector)) {
                // The receiver may be gone.
                let _ = tell.send(Some(said));
                return;
            } else {
                ""
            };
            if !given_up.is_empty() {
                terminal::note(format_args!(
                    "--fail-fast gives up, the verdict comes at the end: {given_up}"
                ));
                return;
            }
        }
        next = Instant::now() + REST_MIN.max(began.elapsed() * REST);
    }
}

/// Describes a violation in the history so far, or returns None if there is none.
fn violation(so_far: &Collector) -> Option<String> {
    let budget = Budget { configurations: CONFIGURATIONS, ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    let verdict = checker::check(&so_far.clone().finish(), &options);
    let invalid = verdict.keys.iter().find(|key| key.validity == Validity::Invalid)?;
    Some(format!("key {}", invalid.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use histories::jsonl::Reader;

    /// Invocations and returns of one client's operations on one key.
    fn events(lines: &[(&str, &str, &str)]) -> Vec<Event> {
        let header = "{\"format\":\"jepsen-tikv history\",\"version\":1}".to_owned();
        let lines = lines.iter().enumerate().map(|(index, (kind, f, value))| {
            format!(
                "{{\"index\":{index},\"time\":{index},\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"a\",\
                 \"value\":{value}}}"
            )
        });
        let text: Vec<String> = std::iter::once(header).chain(lines).collect();
        let text = text.join("\n") + "\n";
        let reader = Reader::new(text.as_bytes()).expect("a header");
        reader.collect::<Result<_, _>>().expect("well-formed")
    }

    #[tokio::test]
    async fn a_violation_is_seen_while_the_run_goes_and_not_before() {
        let all = events(&[
            ("invoke", "put", "\"1\""),
            ("ok", "put", "\"1\""),
            ("invoke", "get", "null"),
            ("ok", "get", "null"),
        ]);
        let mut collector = Collector::settling(HELD_CALLS);
        for event in &all[..3] {
            collector.push(event.clone()).expect("taken");
        }
        assert_eq!(violation(&collector), None);
        let (looking, heard) = FailFast::begin().expect("begun");
        for event in all {
            heard.send(event).expect("heard");
        }
        let said = tokio::time::timeout(Duration::from_mins(1), broken(Some(&looking)));
        assert_eq!(said.await.expect("seen"), "key a");
    }
}
