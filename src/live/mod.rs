//! The live page: what happens in a cluster, drawn while it happens.
//!
//! In: a [`Source`], which says where PD is and, where known, who sees the processes and the tester's clients. Out: a
//! page on a loopback address, with server-sent events behind it. Whoever wants one calls [`serve`] and keeps the
//! [`Live`] for as long as the page shall be there:
//!
//! ```ignore
//! let source = Source {
//!     title: "six stores".into(),
//!     pd_endpoints: vec!["127.0.0.1:2379".into()],
//!     processes: Some(Arc::new(move || look_at_the_processes())), // store id, PID, state
//!     tester: None,
//! };
//! let live = live::serve(source, "127.0.0.1:0".parse()?).await?;
//! println!("dashboard: {}", live.url());
//! ```
//!
//! The cluster is only looked at, once a second, also when nobody watches: a page that is opened late has the past.

mod routes;
mod watch;

pub use watch::{FaultShown, OperationShown, Tester, TesterSeen};

use crate::{
    exit::Failure,
    observe::{Processes, Sampler},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

/// Whom a live page is about.
pub struct Source {
    /// What the page is called.
    pub title: String,
    /// PD's members, `host:port` each; the first that answers is asked.
    pub pd_endpoints: Vec<String>,
    /// Who sees the stores' processes; without it a store that does not answer is all that shows.
    pub processes: Option<Arc<dyn Processes>>,
    /// Who sees the clients and faults of a run.
    pub tester: Option<Arc<dyn Tester>>,
}

/// A live page that is being served. It ends when this is dropped.
#[derive(Debug)]
pub struct Live {
    addr: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Live {
    /// Where it is served.
    #[expect(dead_code, reason = "for whoever prints more than the URL")]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to type into a browser.
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Serves a live page at an address of this machine (port 0 = pick one). An address that others can reach is refused:
/// the page has no notion of who may look.
pub async fn serve(source: Source, addr: SocketAddr) -> Result<Live, Failure> {
    if !addr.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "the live page is served on this machine only, not at {addr}: use 127.0.0.1, and a tunnel (ssh -L) to \
             look at it from elsewhere"
        )));
    }
    let cannot = |error: std::io::Error| {
        Failure::target_or_disk(format!(
            "the live page cannot be served at {addr}: {error}; choose another port"
        ))
    };
    let sampler = Sampler::new(&source.pd_endpoints, source.processes);
    let sampler = sampler.map_err(Failure::target_or_disk)?;
    let listener = TcpListener::bind(addr).await.map_err(cannot)?;
    let addr = listener.local_addr().map_err(cannot)?;
    let past = watch::Past::default();
    let watching = tokio::spawn(watch::watch(sampler, source.tester, past.clone()));
    let pages = routes::pages(&source.title, &source.pd_endpoints.join(", "), past);
    let serving = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, pages).await {
            tracing::warn!(%error, "the live page is no longer served");
        }
    });
    Ok(Live { addr, tasks: vec![watching, serving] })
}
