//! The watchers of a run from outside: a live page, a screen in the terminal, Prometheus.
//!
//! In: the user's choice of watchers, and a run that has begun. Out: listeners. The watchers end
//! when the run drops the listeners.

use crate::watch::{
    live::{self, Live, Watched},
    live_tester::LiveTester,
    metrics::{self, Endpoint, Metrics, RunInfo},
    tui::Seen,
};
use failure::Failure;
use histories::Outcome;
use plan::Plan;
use run::{
    audience::{Audience, Joining, Listeners, Running},
    listener::{Listener, RunEvent},
};
use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
};
use terminal::progress::Progress;

/// All watchers of one run.
pub struct Watching {
    /// The address of the live page.
    live: Option<SocketAddr>,
    /// The tester's metrics and their endpoint.
    metrics: Option<(Arc<Metrics>, Endpoint)>,
    /// The place where a screen in the terminal finds observations of the cluster.
    seen: Option<Seen>,
}

impl Watching {
    /// Serves the metrics from now on, if they have an address. A live page is served from the
    /// recording on.
    pub async fn begin(
        plan: &Plan,
        (live, metrics): (Option<SocketAddr>, Option<SocketAddr>),
        seen: Option<Seen>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let metrics = counted(plan, metrics, progress).await?;
        Ok(Self { live, metrics, seen })
    }

    /// Shows the run on a page, or on the screen in the terminal, if the user wants either.
    async fn look(&self, running: Running) -> Result<Option<Arc<dyn Listener>>, Failure> {
        if self.live.is_none() && self.seen.is_none() {
            return Ok(None);
        }
        let tester = Arc::new(LiveTester::new(running.recording, running.progress.clone()));
        let watched = live::watch(live::Source {
            title: running.name,
            pd_endpoints: running.target.pd_endpoints().to_vec(),
            security: running.target.security().cloned(),
            processes: Some(running.target),
            tester: Some(tester.clone()),
        })?;
        if let Some(seen) = &self.seen {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched.past());
        }
        let looking = match self.live {
            None => Looking::Screen(watched),
            Some(addr) => {
                let live = live::show(watched, addr).await?;
                running.progress.address(&format!("live:   {}", live.url()));
                Looking::Page(live)
            }
        };
        Ok(Some(Arc::new(Shown { tester, looking })))
    }
}

impl Audience for Watching {
    fn join(&self, running: Running) -> Joining<'_> {
        Box::pin(async move {
            let mut listeners = Listeners::new();
            if let Some((metrics, _)) = &self.metrics {
                listeners.push(metrics.clone());
            }
            listeners.extend(self.look(running).await?);
            Ok(listeners)
        })
    }
}

/// A page or a screen that shows a run.
#[derive(Debug)]
struct Shown {
    tester: Arc<LiveTester>,
    #[expect(dead_code, reason = "held, not read")]
    looking: Looking,
}

/// The page or screen, which lasts until this is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held, not read")]
enum Looking {
    /// A screen in the terminal.
    Screen(Watched),
    /// A page, and perhaps a screen.
    Page(Live),
}

impl Listener for Shown {
    fn observe(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::Nemesis { time_ns, what } => self.tester.observe(time_ns, what),
            RunEvent::InForce { now, .. } => self.tester.in_force(now),
            RunEvent::Completed { .. } | RunEvent::Work(_) => {}
        }
    }
}

impl Listener for Metrics {
    fn observe(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::Completed { operation, outcome, latency } => {
                let outcome = match outcome {
                    Outcome::Ok(_) => "ok",
                    Outcome::Fail => "fail",
                    Outcome::Info => "info",
                };
                self.completed(operation, outcome, latency);
            }
            RunEvent::InForce { before, now } => self.in_force(before, now),
            RunEvent::Work(goes_on) => self.work(goes_on),
            RunEvent::Nemesis { .. } => {}
        }
    }
}

/// Serves the tester's metrics from the beginning, if Prometheus wants them.
async fn counted(
    plan: &Plan,
    metrics: Option<SocketAddr>,
    progress: &Progress,
) -> Result<Option<(Arc<Metrics>, Endpoint)>, Failure> {
    let Some(addr) = metrics else { return Ok(None) };
    let info = RunInfo { name: &plan.config.name, seed: plan.config.seed };
    let metrics = Arc::new(Metrics::new(info).map_err(Failure::software)?);
    let endpoint = metrics::serve(Arc::clone(&metrics), addr).await?;
    progress.address(&format!("metrics: {}", endpoint.url()));
    if let Some(warning) = endpoint.warning() {
        progress.line(&warning);
    }
    Ok(Some((metrics, endpoint)))
}
