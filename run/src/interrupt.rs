//! Ctrl-C and SIGTERM: the first ends the run early and in order, the second heals and ends it at
//! once.
//!
//! In: signals. Out: an [`Interrupt`] that any waiting code can wait for too. Knows nothing of
//! runs.

use failure::Failure;
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// The urgency of the request to end the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nobody asked for an end.
    None,
    /// Heal, judge the history so far, save.
    Early,
    /// Heal and leave.
    Now,
}

/// Tells if somebody asked the run to end.
#[derive(Debug, Clone)]
pub struct Interrupt {
    urgency: watch::Receiver<Urgency>,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    pub fn listen() -> std::io::Result<Self> {
        let (sender, urgency) = watch::channel(Urgency::None);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                sender.send_modify(|urgency| {
                    *urgency = match urgency {
                        Urgency::None => Urgency::Early,
                        Urgency::Early | Urgency::Now => Urgency::Now,
                    };
                });
            }
        });
        Ok(Self { urgency })
    }

    /// The current urgency.
    pub fn urgency(&self) -> Urgency {
        *self.urgency.borrow()
    }

    /// Waits until the urgency is at least `urgency`.
    pub async fn at_least(&self, urgency: Urgency) {
        let mut receiver = self.urgency.clone();
        if receiver.wait_for(|now| *now >= urgency).await.is_err() {
            // The listener lives as long as the runtime; without it no signal can arrive.
            std::future::pending::<()>().await;
        }
    }
}

/// Listens for signals on its own thread, for code that has no runtime.
#[derive(Debug)]
pub struct Listener {
    /// Kept alive as long as the listener.
    _runtime: Runtime,
    interrupt: Interrupt,
}

impl Listener {
    /// Listens from now on, until it is dropped.
    pub fn start() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(Failure::software)?;
        let interrupt =
            runtime.block_on(async { Interrupt::listen() }).map_err(Failure::software)?;
        Ok(Self { _runtime: runtime, interrupt })
    }

    /// The interrupt that the signals set.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }
}

/// Summarizes the work done until the interrupt: `done` of `of` items called `what`, and the count
/// of each outcome.
pub fn said(done: u64, of: Option<u64>, what: &str, outcomes: &[(u64, &str)]) -> String {
    let of = of.map_or_else(String::new, |of| format!(" of {of}"));
    let some = outcomes.iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some.map(|(count, outcome)| format!("{count} {outcome}")).collect();
    let colon = if some.is_empty() { "" } else { ": " };
    format!("interrupted after {done}{of} {what}{colon}{}", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn it_is_said_what_was_done() {
        let outcomes = [(2, "valid"), (0, "unknown"), (1, "failed")];
        assert_eq!(
            said(3, Some(10), "plans", &outcomes),
            "interrupted after 3 of 10 plans: 2 valid, 1 failed"
        );
        assert_eq!(said(0, None, "plans", &[(0, "valid")]), "interrupted after 0 plans");
    }
}
