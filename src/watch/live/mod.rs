//! The live page: draws the state of a cluster while it changes.
//!
//! In: a [`Source`], which names PD and, where known, observers of the processes and of the
//! tester's clients. Out: a page on a loopback address, with server-sent events behind it. The
//! caller of [`serve`] keeps the [`Live`] as long as the page is needed:
//!
//! ```ignore
//! let source = Source {
//!     title: "six stores".into(),
//!     pd_endpoints: vec!["127.0.0.1:2379".into()],
//!     security: None,
//!     processes: Some(Arc::new(move || look_at_the_processes())), // store id, PID, state
//!     tester: None,
//! };
//! let live = live::serve(source, "127.0.0.1:0".parse()?).await?;
//! println!("dashboard: {}", live.url());
//! ```
//!
//! The cluster is only observed, once a second, even when nobody watches: a page opened late shows
//! the past, too.

mod routes;
mod watch;

pub use watch::{FaultShown, OperationShown, Past, Tester, TesterSeen, Update};

use failure::Failure;
use pages::serving;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use targets::observe::{Processes, Sampler};
use tokio::task::JoinHandle;

/// The subject of a live page.
pub struct Source {
    /// The title of the page.
    pub title: String,
    /// PD's members, `host:port` each; the first that answers is used.
    pub pd_endpoints: Vec<String>,
    /// The certificates of a cluster with TLS.
    pub security: Option<client::Security>,
    /// The observer of the stores' processes; without it, all that shows is whether a store
    /// answers.
    pub processes: Option<Arc<dyn Processes>>,
    /// The observer of a run's clients and faults.
    pub tester: Option<Arc<dyn Tester>>,
}

/// A cluster that is observed once a second, until this is dropped.
#[derive(Debug)]
pub struct Watched {
    title: String,
    pd: String,
    past: Past,
    task: JoinHandle<()>,
}

/// Starts to observe.
pub fn watch(source: Source) -> Result<Watched, Failure> {
    let Source { title, pd_endpoints, security, processes, tester } = source;
    let sampler = Sampler::new(&pd_endpoints, security.as_ref(), processes);
    let sampler = sampler.map_err(Failure::target_or_disk)?;
    let past = Past::default();
    let task = tokio::spawn(watch::watch(sampler, tester, past.clone()));
    Ok(Watched { title, pd: pd_endpoints.join(", "), past, task })
}

impl Watched {
    /// Returns the observations so far and to come.
    pub fn past(&self) -> Past {
        self.past.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A live page that is being served. It ends when this is dropped.
#[derive(Debug)]
pub struct Live {
    addr: SocketAddr,
    task: JoinHandle<Infallible>,
    _watched: Watched,
}

impl Live {
    /// Returns the URL for a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a live page at an address of this machine (port 0 = pick one).
pub async fn serve(source: Source, addr: SocketAddr) -> Result<Live, Failure> {
    refuse_others(addr)?;
    show(watch(source)?, addr).await
}

/// Serves a cluster that is already observed.
pub async fn show(watched: Watched, addr: SocketAddr) -> Result<Live, Failure> {
    let listener = serving::listen("the live page", addr).await?;
    let addr = listener.local_addr().map_err(Failure::target_or_disk)?;
    let pages = routes::pages(&watched.title, &watched.pd, watched.past());
    let task = tokio::spawn(serving::serve(listener, pages));
    Ok(Live { addr, task, _watched: watched })
}

/// Refuses an address that others can reach: the page has no access control.
pub fn refuse_others(addr: SocketAddr) -> Result<(), Failure> {
    if addr.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the live page is served on this machine only, not at {addr}: use 127.0.0.1, and a tunnel (ssh -L) to \
         look at it from elsewhere"
    )))
}
